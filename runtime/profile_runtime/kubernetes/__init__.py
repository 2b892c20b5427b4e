"""The Kubernetes API as every program calls it: paths of our resources, one call (`aio`, `sync`), typed errors."""
