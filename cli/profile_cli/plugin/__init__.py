"""`kubectl profile`: portraits from a folder of photos, on the cluster of the current context."""
