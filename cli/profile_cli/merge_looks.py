"""Merge looks into a base model: a folder with a recipe of its own, served and trained upon as any other base model.

It draws what the base model draws with these looks, for everybody, and takes no more time. People who were trained on
the base model are trained anew on this one.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
from pathlib import Path

from profile_contract.recipe import RECIPE
from profile_models.folders import models_folder
from profile_models.model_recipe import recipe_for
from profile_runtime.logging import configure
from profile_runtime.recipes import merged_recipe

from .errors import CommandError
from .import_adapter import MAXIMUM_RANK, file_content
from .run.settings import choose_models
from .terminal import Terminal

_NAME = re.compile(r"[A-Za-z0-9][-_.A-Za-z0-9]{0,99}")
_LOOK = re.compile(r"(?P<file>.+)=(?P<weight>[0-9]{1,3})")
MOST_PERCENT = 150


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser("merge-looks", help="make a base model with looks merged in", description=__doc__)
    command.add_argument("name", metavar="NAME", help="the new model's folder, beside the base model's")
    command.add_argument(
        "--look", action="append", required=True, metavar="FILE=PERCENT", help="a look's file, and its weight; repeat"
    )
    command.add_argument("--licence", required=True, help="under which the new model may be used, and whose it is")
    command.add_argument("--models", type=Path, help="models folder (default: $PROFILE_MODELS, else the user's cache)")
    command.add_argument("--base-model", help="the base model, a folder below the models folder")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Read the looks, merge, and write the folder. Raises CommandError."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    configure(level=logging.ERROR, line="%(name)s: %(message)s")
    import torch

    from profile_draw.errors import Refused
    from profile_draw.layer_sizes import look_reader
    from profile_draw.merged_model import write_merged

    if not _NAME.fullmatch(arguments.name):
        raise CommandError(f"{arguments.name!r} is no name of a folder: letters, digits, '-', '_' and '.'")
    folder = (arguments.models or models_folder()).resolve()
    base = choose_models(folder, arguments.base_model, "").base
    looks, lines = [], []
    try:
        reader = look_reader(folder, base, MAXIMUM_RANK)
        for said in arguments.look:
            file, percent = _look(said)
            content = file_content(file, reader.largest)
            digest = hashlib.sha256(content).hexdigest()
            looks.append((reader.read(content, digest, torch.float32), percent / 100))
            lines.append(f"{file.name} at {percent} %, sha256 {digest}")
        recipe = merged_recipe(base, lines, recipe_for(folder / base).recipe, arguments.licence)
        write_merged(folder / base, looks, folder / arguments.name, {RECIPE: recipe})
    except (Refused, ValueError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{folder / arguments.name} cannot be written: {error.strerror}") from error
    terminal.say(f"{folder / arguments.name}: {base} with {len(looks)} look{'s' if len(looks) > 1 else ''} merged in")
    return 0


def _look(said: str) -> tuple[Path, int]:
    """A look's file and its weight in per cent. Raises CommandError."""
    match = _LOOK.fullmatch(said)
    percent = int(match["weight"]) if match else 0
    if match is None or not 1 <= percent <= MOST_PERCENT:
        raise CommandError(f"--look {said!r}: say FILE=PERCENT, with 1 to {MOST_PERCENT} per cent")
    return Path(match["file"]), percent
