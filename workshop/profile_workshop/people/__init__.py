"""People who do not exist: rendered from CC0 assets of the MakeHuman project with Blender's Cycles.

A seed is a person; a person and a number are a photo. The same seed makes the same person and the same photos.
"""
