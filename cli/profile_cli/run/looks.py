"""Looks that a run draws with: files of adapters, by the names under which styles ask for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_cli.import_adapter import file_content
from profile_contract.areas import Area
from profile_contract.keys import ForeignKey
from profile_contract.look_ref import LOOKS, LookFile, LookKind, LookRef, look_key
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleRef
from profile_runtime.store.port import Store, StoreError

# Of SDXL with all layers at the greatest rank in float32: what is larger is no adapter.
LARGEST_LOOK = 4 << 30
# The greatest rank of a look that is drawn with.
LOOK_RANK = 128


def look_files(given: Sequence[str], styles: Mapping[str, ProfileStyleSpec]) -> dict[str, Path]:
    """Name -> file, of what was said as NAME=FILE. Raises CommandError for one that is not there or that no style asks
    for, and where a style asks for one that was not given."""
    asked = {ref.name: key for key, style in styles.items() for ref in style.adapters or ()}
    files: dict[str, Path] = {}
    for text in given:
        name, sign, path = text.partition("=")
        if not sign or not Path(path).is_file():
            raise CommandError(f"--look {text}: say NAME=FILE, with a file that is there")
        if name not in asked:
            known = ", ".join(sorted(asked)) or "none"
            raise CommandError(f"no style draws with the look {name!r}; those of these styles: {known}")
        if name in files:
            raise CommandError(f"the look {name!r} is given twice: {files[name]} and {path}")
        files[name] = Path(path)
    missing = next((name for name in asked if name not in files), None)
    if missing is not None:
        shown = StyleRef.of_key(asked[missing]).shown
        raise CommandError(f"the style {shown} draws with the look {missing!r}: name its file, --look {missing}=FILE")
    return files


def rank_with_looks(trained: int) -> int:
    """The greatest rank that is drawn with, where people's adapters have the rank `trained`. Pure."""
    return max(trained, LOOK_RANK)


def check_looks(models: Path, base_model: str, trained_rank: int, files: Mapping[str, Path]) -> None:
    """Read the looks as they are read to draw: who learns after a training that one does not fit has waited for
    nothing. Of the base model its configuration alone is looked at. Raises CommandError."""
    if not files:
        return
    import torch

    from profile_draw.errors import Refused
    from profile_draw.layer_sizes import look_reader

    try:
        reader = look_reader(models, base_model, rank_with_looks(trained_rank))
    except ValueError as error:
        raise CommandError(str(error)) from error
    for name, path in files.items():
        content = file_content(path, reader.largest)
        try:
            reader.read(content, hashlib.sha256(content).hexdigest(), torch.float32)
        except Refused as error:
            raise CommandError(
                f"the look {name!r} cannot be drawn with: {path}: {error}. Nothing was trained. Name a file that was "
                f"made for {base_model}, --look {name}=FILE, or take the look out of the style"
            ) from error


def brought(store: Store, area: Area, files: Mapping[str, Path]) -> dict[str, LookFile]:
    """The looks in the store, by the keys under which styles name them. Raises CommandError."""
    looks: dict[str, LookFile] = {}
    for name, path in files.items():
        try:
            refs = [LookRef(name=name, kind=kind) for kind in LookKind]
            key = look_key(area, f"{LOOKS}/{name}.safetensors")
            if path.stat().st_size > LARGEST_LOOK:
                raise CommandError(f"{path} has more than {LARGEST_LOOK >> 30} GiB, which no adapter has")
            content = path.read_bytes()
            store.write(key, content)
        except (ValidationError, ForeignKey, OSError, StoreError) as error:
            raise CommandError(f"the look {name!r} cannot be taken from {path}: {error}") from error
        file = LookFile(key=key, sha256=hashlib.sha256(content).hexdigest())
        looks |= {ref.key: file for ref in refs}
    return looks
