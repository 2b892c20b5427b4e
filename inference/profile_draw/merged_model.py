"""write_merged: a base model with looks merged into its network, as a folder that predictors and trainers load by name.

Every weight becomes W + sum of weight x scale x up @ down, calculated in float32 and kept in the base model's own
precision: what is drawn then is what the base model draws with these looks, for no more time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

from profile_runtime.weights import SUMS, write_sums

from .adapters.tensor_file import tensor_file
from .adapters.weights import AdapterWeights
from .errors import Refused
from .finite import NotFinite
from .precision import variant_of

UNET = "unet"


def write_merged(
    base: Path, looks: Sequence[tuple[AdapterWeights, float]], out: Path, texts: Mapping[str, str]
) -> None:
    """Copy a base model's folder to `out`, with looks at weights merged in, and text files of these names beside it.

    It stands whole or not at all. Raises Refused for an `out` that is there, a network in several files, a layer that
    is not the base model's, or a sum that its precision does not hold; OSError.
    """
    if out.exists():
        raise Refused(f"{out} is there already: choose another name, or take it away")
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name, content in merged_files(base, looks, texts):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, part / name)
            else:
                (part / name).write_bytes(content)
        write_sums(part)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def merged_files(
    base: Path, looks: Sequence[tuple[AdapterWeights, float]], texts: Mapping[str, str]
) -> Iterator[tuple[str, Path | bytes]]:
    """Every file of the merged model but SHA256SUMS, one at a time, by its name: where it lies if it is the base
    model's, else its content. The network comes first. Raises Refused, and OSError."""
    weights = _unet_file(base)
    yield f"{UNET}/{weights.name}", _merged(weights, looks)
    for folder, folders, names in os.walk(base, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted({*names} - _left_out(Path(folder), names, base)):
            path = Path(folder) / name
            if (place := path.relative_to(base).as_posix()) not in texts:
                yield place, path
    yield from ((name, text.encode()) for name, text in texts.items())


def _unet_file(base: Path) -> Path:
    """The one file of the network's weights that is read. Raises Refused."""
    variant = variant_of(base / UNET)
    weights = base / UNET / f"diffusion_pytorch_model{f'.{variant}' if variant else ''}.safetensors"
    if not weights.is_file():
        raise Refused(f"{base} has no {UNET}/{weights.name}: a network in several files is not merged into")
    return weights


def _left_out(folder: Path, names: list[str], base: Path) -> set[str]:
    """What is not copied of a folder: dot files, sums, and all weights of the network, of which one file is written
    anew: in another precision they would be the base model's own, without the looks."""
    network = (".safetensors", ".bin") if folder == base / UNET else ()
    return {name for name in names if name == SUMS or name.startswith(".") or name.endswith(network)}


def _merged(weights: Path, looks: Sequence[tuple[AdapterWeights, float]]) -> bytes:
    """The network's file with the looks in it. Raises Refused."""
    tensors = load_file(weights)
    with safe_open(weights, "pt") as file:
        metadata = file.metadata() or {"format": "pt"}
    for look, weight in looks:
        for layer, change in look.layers.items():
            name = f"{layer}.weight"
            if name not in tensors or len(change.up) != len(tensors[name]):
                raise Refused(f"the look changes {layer}, which is no such layer of {weights}")
            before = tensors[name]
            product = change.up.float().flatten(1) @ change.down.float().flatten(1)
            tensors[name] = (before.float() + weight * change.scale * product.reshape(before.shape)).to(before.dtype)
    try:
        return tensor_file(tensors, metadata)
    except NotFinite as error:
        raise Refused(f"the sum is more than the model's precision holds: {error}") from error
