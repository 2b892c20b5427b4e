"""Models for development, tests and the demo: fetched weights, and a random model of SDXL's architecture."""
