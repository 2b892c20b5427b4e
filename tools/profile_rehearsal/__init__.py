"""The rehearsal: the whole chain at SDXL's full size, and what a GPU will make of it, in docs/full-size.md."""
