"""The form of an adapter's file, which training writes and whatever draws reads: names of tensors and of metadata.

It is what diffusers writes for the UNet alone, and one text of our own.
"""

from __future__ import annotations

# Everything in a file is of the network that draws.
PREFIX = "unet."
# What diffusers says of the adapter, as JSON; its keys begin with the prefix too.
METADATA_KEY = "lora_adapter_metadata"
# The base model that it was trained on, by its folder's name.
BASE_MODEL_KEY = "base_model"
