"""Adapter files: the one place that knows their format, written when a person was learnt and read to draw them."""
