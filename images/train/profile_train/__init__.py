"""Train: dataset to adapter. DreamBooth LoRA of an SDXL UNet."""
