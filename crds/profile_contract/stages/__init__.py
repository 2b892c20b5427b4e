"""Orders, reports and digests of the four stages, one module a stage."""
