"""`profile-studio demo`: a real cluster, the product in it, and one person's portraits on disk."""
