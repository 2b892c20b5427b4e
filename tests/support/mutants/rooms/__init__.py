"""The list itself, a module a room. Each entry: id, file, what stands there, what would, what that means."""
