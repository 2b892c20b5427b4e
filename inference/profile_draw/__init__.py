"""How pictures are drawn: pipelines, the bank of adapters, adapter files, shapes and rows. No HTTP."""
