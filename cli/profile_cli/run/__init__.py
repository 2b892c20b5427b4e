"""`profile-studio run`: the four stages in one process, on a folder of photos, without a cluster."""
