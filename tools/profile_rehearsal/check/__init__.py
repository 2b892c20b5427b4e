"""The check of a machine with a GPU: the stages on it, and what they take beside what was calculated."""
