"""The header of a safetensors file, looked at before any weight is loaded.

The file begins with the length of its JSON header (8 bytes, little endian). The header names each tensor's type, and
holds texts under `__metadata__`: what diffusers wrote about the adapter, and the base model that it was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from profile_contract.adapter_format import BASE_MODEL_KEY, METADATA_KEY, PREFIX
from profile_draw.errors import Refused

MOST_METADATA_BYTES = 64 << 10
# A tensor's entry: its name, type, shape and place.
ENTRY_BYTES = 512
# Half and bfloat16 to float64; float8 and integers are quantised weights, which no slot can take.
TYPES = frozenset({"F16", "BF16", "F32", "F64"})

# Of the number before the header, which says how long it is.
LENGTH_BYTES = 8
# Alphas of real files are ranks or small multiples of them.
_Alpha = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class LoraSettings(BaseModel):
    """What diffusers wrote about the UNet's adapter, as far as it matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    lora_alpha: _Alpha | None = None
    alpha_pattern: dict[str, _Alpha] | None = None
    use_dora: bool | None = None
    use_rslora: bool | None = None

    def alpha_of(self, module: str) -> float | None:
        """The alpha of a module, None where nothing is said. Patterns name a module or the end of its name."""
        patterns = self.alpha_pattern or {}
        matching = [alpha for key, alpha in patterns.items() if module == key or module.endswith(f".{key}")]
        return matching[0] if matching else self.lora_alpha


@dataclass(frozen=True)
class AdapterHeader:
    """`base_model`: what the adapter was trained on, empty if the file does not say. `texts`: all metadata by name."""

    settings: LoraSettings
    base_model: str
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_header(content: bytes, most_tensors: int, most_metadata: int = MOST_METADATA_BYTES) -> AdapterHeader:
    """Check the header of a file that may hold at most so many tensors, and so many bytes of texts. Raises Refused."""
    header = _parsed(_header_bytes(content, most_metadata + most_tensors * ENTRY_BYTES))
    metadata = header.pop("__metadata__", {})
    for name, entry in header.items():
        kind = entry.get("dtype") if isinstance(entry, dict) else None
        if not isinstance(kind, str) or kind not in TYPES:
            raise Refused(
                f"the adapter's weights {name[:80]!r} are of type {str(kind)[:20]!r}; "
                f"floating point numbers are served: {', '.join(sorted(TYPES))}"
            )
    texts = _texts(metadata, most_metadata)
    return AdapterHeader(_settings(texts.get(METADATA_KEY, "")), texts.get(BASE_MODEL_KEY, ""), texts)


def _header_bytes(content: bytes, limit: int) -> bytes:
    """The JSON header, of at most so many bytes. Raises Refused."""
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    if len(content) < LENGTH_BYTES or length > len(content) - LENGTH_BYTES:
        raise Refused("the adapter is not a safetensors file")
    if length > limit:
        raise Refused(f"the adapter's header has {length} bytes; at most {limit} are read")
    return content[LENGTH_BYTES : LENGTH_BYTES + length]


def _parsed(text: str | bytes) -> dict[str, Any]:
    """A JSON object."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("the adapter is not a safetensors file, or its metadata are no JSON") from error
    if not isinstance(document, dict):
        raise Refused("the adapter's header or its metadata are no JSON object")
    return document


def _texts(metadata: object, most: int) -> Mapping[str, str]:
    """The metadata as texts by name, bounded in size. Raises Refused."""
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Refused("the adapter's metadata are no texts by name")
    size = sum(len(key) + len(value) for key, value in metadata.items())
    if size > most:
        raise Refused(f"the adapter's metadata have {size} characters; at most {most} are read")
    return metadata


def _settings(text: str) -> LoraSettings:
    """What diffusers' metadata say of the UNet's adapter. Raises Refused."""
    document = _parsed(text) if text else {}
    ours = {key.removeprefix(PREFIX): value for key, value in document.items() if key.startswith(PREFIX)}
    try:
        return LoraSettings.model_validate(ours)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))[:120]
        raise Refused(f"the adapter's metadata cannot be used: {where}: {first['msg']}") from error
