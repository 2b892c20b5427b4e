"""The store: a port, and what stands behind it."""
