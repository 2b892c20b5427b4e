"""The page for people: photos in, portraits out. It creates ProfileRequests and nothing else."""
