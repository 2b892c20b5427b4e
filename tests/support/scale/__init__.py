"""scale: how many requests one operator holds, and how fast, beside Argo Workflows' controller."""
