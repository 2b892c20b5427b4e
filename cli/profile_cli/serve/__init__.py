"""Serve: the page on one machine, over the folder runner instead of a cluster."""
