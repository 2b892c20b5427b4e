"""Check an adapter of another project, and write it in the form that is served here.

LoRA, LoCon and LoHa are understood, under the names that diffusers, PEFT, kohya's trainer and ComfyUI give tensors.
The predictor reads these forms itself: with no --out the file is checked alone.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from profile_contract.look_ref import LOOKS
from profile_models.folders import models_folder
from profile_runtime.logging import configure

from .errors import CommandError
from .run.settings import choose_models
from .terminal import Terminal

if TYPE_CHECKING:
    from profile_draw.adapters.weights import AdapterWeights

# As the predictor takes them unless it is told otherwise.
MAXIMUM_RANK = 64


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser(
        "import-adapter", help="check an adapter of another project, and convert it", description=__doc__
    )
    command.add_argument("file", type=Path, metavar="FILE", help="the adapter: a safetensors file")
    command.add_argument("--out", type=Path, metavar="FILE", help="where the converted adapter is written")
    command.add_argument("--models", type=Path, help="models folder (default: $PROFILE_MODELS, else the user's cache)")
    command.add_argument("--base-model", help="the base model that it is for, a folder below the models folder")
    command.add_argument(
        "--maximum-rank", type=int, default=MAXIMUM_RANK, help="as predictor.maximumRank (default: %(default)s)"
    )
    command.add_argument(
        "--unet-only", action="store_true",
        help="leave out what it changes of text encoders: what it draws may differ from what its maker saw",
    )  # fmt: skip
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Read, check and write. Raises CommandError."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    configure(level=logging.ERROR, line="%(name)s: %(message)s")
    import torch

    from profile_draw.errors import Refused
    from profile_draw.layer_sizes import look_reader

    folder = (arguments.models or models_folder()).resolve()
    base = choose_models(folder, arguments.base_model, "").base
    try:
        reader = look_reader(folder, base, arguments.maximum_rank, unet_only=arguments.unet_only)
        content = file_content(arguments.file, reader.largest)
        adapter = reader.read(content, hashlib.sha256(content).hexdigest(), torch.float32)
    except (Refused, ValueError) as error:
        raise CommandError(f"{arguments.file}: {error}") from error
    terminal.say(f"{arguments.file} fits {base}: {_sentence(adapter)}")
    if arguments.out is not None:
        content = _written(adapter, base, arguments.out)
        terminal.say(f"written to {arguments.out}")
    elif arguments.unet_only:
        raise CommandError("with --unet-only the file is served only as it is written anew: say --out FILE")
    name = (arguments.out or arguments.file).stem
    terminal.plain(f"  key: {LOOKS}/{name}.safetensors")
    terminal.plain(f"  sha256: {hashlib.sha256(content).hexdigest()}")
    return 0


def file_content(file: Path, largest: int) -> bytes:
    """The file's bytes. Raises CommandError for one that cannot be read, or is larger than any adapter."""
    try:
        size = file.stat().st_size
        if size > largest:
            raise CommandError(f"{file} has {size} bytes; an adapter of this base model has {largest} at most")
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error


def _sentence(adapter: AdapterWeights) -> str:
    """How many layers it changes, at which ranks."""
    ranks = Counter(layer.rank for layer in adapter.layers.values())
    counted = ", ".join(f"rank {rank} in {count}" for rank, count in sorted(ranks.items()))
    return f"it changes {len(adapter.layers)} layers ({counted})"


def _written(adapter: AdapterWeights, base: str, out: Path) -> bytes:
    """The bytes of the converted file, which stands then. Raises CommandError."""
    from profile_draw.adapters.adapter_file import write_adapter
    from profile_draw.finite import NotFinite

    try:
        content = write_adapter(adapter.layers, sorted(adapter.layers), base)
        out.write_bytes(content)
    except NotFinite as error:
        raise CommandError(f"the adapter has numbers that half precision does not hold: {error}") from error
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from error
    return content
