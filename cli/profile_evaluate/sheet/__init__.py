"""A grid of portraits over whatever may be said about drawing: `profile-studio sheet`."""
