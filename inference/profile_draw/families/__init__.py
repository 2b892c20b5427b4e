"""Model families: what one architecture has of its own, a module each."""
