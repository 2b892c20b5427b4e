"""Train: dataset to adapter. DreamBooth LoRA of a UNet, whatever family it is of."""
