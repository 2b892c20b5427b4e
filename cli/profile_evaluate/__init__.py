"""`profile-studio evaluate`: what a base model and its training really do, measured on people with known truth."""
