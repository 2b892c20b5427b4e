"""What studio-mini, the demo's small model, is made of: pictures, prompts, vocabulary, noise, optimiser.

`profile_workshop.portraits` trains it and writes it out.
"""
