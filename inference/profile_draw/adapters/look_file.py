"""LookReader: an adapter that many people share, in whichever known form another project saved it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import load

from profile_draw.errors import Refused

from .adapter_file import finite, largest_file
from .header import LENGTH_BYTES, AdapterHeader, read_header
from .known_forms import LayerNames, check_method, is_of_text
from .products import low_rank
from .weights import AdapterWeights, LayerSize, LayerWeights

log = logging.getLogger(__name__)

# kohya's trainer writes every caption's words and every size of picture into a file.
MOST_METADATA_BYTES = 4 << 20
# LoHa has up to seven tensors a layer. What is of text encoders is counted, so that it can be told.
_TENSORS_OF_A_LAYER, _LAYERS_OF_TEXT = 8, 300
# What a pickle, or a zip archive of one, begins with: opening it would run whatever its maker wrote. Where a header's
# length begins so, it is no longer than the file.
_PICKLES = (b"\x80", b"PK\x03\x04")


@dataclass(frozen=True)
class LookReader:
    """Reads looks for one base model. `sizes`: all layers of its network that a look may change, of which each changes
    some. `other_base`: what an adapter's metadata name that is no base of this family, else an empty text."""

    base_model: str
    sizes: Mapping[str, LayerSize]
    names: LayerNames
    maximum_rank: int
    other_base: Callable[[Mapping[str, str]], str] = lambda metadata: ""
    unet_only: bool = False

    @property
    def largest(self) -> int:
        """Bytes of the largest file that is read."""
        return largest_file(self.sizes, self.maximum_rank) + MOST_METADATA_BYTES

    def read(self, content: bytes, sha256: str, dtype: torch.dtype) -> AdapterWeights:
        """A file whose digest was checked. `unet_only`: what is of text encoders is left out instead of refused.

        Raises Refused with what is wrong, and nothing else.
        """
        if content.startswith(_PICKLES) and int.from_bytes(content[:LENGTH_BYTES], "little") > len(content):
            raise Refused(
                "the adapter is a pickle (.pt, .ckpt, .bin), which runs its maker's code when it is opened: ask for a "
                "safetensors file"
            )
        try:
            most = _TENSORS_OF_A_LAYER * (len(self.sizes) + _LAYERS_OF_TEXT)
            header = read_header(content, most, MOST_METADATA_BYTES)
            self._check_base(header)
            layers = self._parts(load(content))
            if not layers:
                raise Refused("the adapter changes no layer")
            return AdapterWeights(sha256, {name: self._weights(name, layers[name], header, dtype) for name in layers})
        except Refused:
            raise
        except Exception as error:
            log.warning("a look could not be read (%s)", type(error).__name__)
            raise Refused("the adapter is not a safetensors file, or a damaged one") from error

    def _check_base(self, header: AdapterHeader) -> None:
        """Raises Refused for a file that names another base model, even if it fits, or DoRA."""
        other = header.base_model if header.base_model != self.base_model else ""
        other = other or self.other_base(header.texts)
        if other:
            raise Refused(
                f"the adapter was trained on the base model {other[:80]!r}; it is to be drawn with {self.base_model!r}"
            )
        if header.settings.use_dora:
            raise Refused("the adapter uses DoRA, which scales a layer's own weights; LoRA, LoCon and LoHa are served")

    def _parts(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
        """The tensors of each layer by what they are of it. Raises Refused."""
        kept = {key: tensor for key, tensor in tensors.items() if not (self.unet_only and is_of_text(key))}
        # Before any of their parts is looked at: what a method is called says more than what of it is not known.
        for key in kept:
            check_method(key)
        layers: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in kept.items():
            part = self.names.part(key)
            matrices = layers.setdefault(part.layer, {})
            if part.part in matrices:
                raise Refused(f"the adapter holds a matrix of {part.layer[:120]} twice, in two namings")
            matrices[part.part] = tensor
        return layers

    def _weights(
        self, name: str, parts: Mapping[str, torch.Tensor], header: AdapterHeader, dtype: torch.dtype
    ) -> LayerWeights:
        """What the adapter changes of one layer, in the type that is calculated in. Raises Refused."""
        matrices = {part: tensor for part, tensor in parts.items() if part != "alpha"}
        alpha = self._alpha(name, parts.get("alpha"), header)
        weights = low_rank(name, matrices, self.sizes[name], alpha, self.maximum_rank)
        scale = weights.scale * (math.sqrt(weights.rank) if header.settings.use_rslora else 1)
        return finite(name, LayerWeights(weights.down.to(dtype), weights.up.to(dtype), scale))

    def _alpha(self, name: str, tensor: torch.Tensor | None, header: AdapterHeader) -> float | None:
        """The alpha of a layer, as the file or its metadata say; None: as great as its rank. Raises Refused."""
        if tensor is None:
            return header.settings.alpha_of(name)
        if tensor.numel() != 1 or not math.isfinite(float(tensor)) or float(tensor) <= 0:
            raise Refused(f"the adapter's alpha of {name} is no positive number")
        return float(tensor)
