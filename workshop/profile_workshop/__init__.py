"""How the demo's people and its small model are made. In no wheel."""
