"""How pictures are drawn: model families, pipelines, the bank of adapters, adapter files and rows. No HTTP."""
