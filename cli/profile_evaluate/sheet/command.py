"""A grid of portraits over whatever may be said about drawing, as an X/Y/Z plot of the WebUI: one picture with the
likeness and tone of each cell, and a file of the same for programs.

An axis is WHAT: VALUE, VALUE, ...: seed, weight (of the person's adapter), look:NAME (weight of a look), steps,
guidance, strength, control, sampler, prompt (the first value is searched and replaced by each), style, pose, adapter,
base-model. Numbers may be ranges: 1-4, 10-30 (+10), 1-5 [3]. What was drawn stays in the output folder: a sheet of
other axes draws only what is new.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profile_cli.errors import CommandError
from profile_cli.nouns import ANYBODY
from profile_cli.run.command import add_values_to, prepare
from profile_cli.run.looks import rank_with_looks
from profile_cli.run.settings import Choice, choose_with, platform, request_spec
from profile_cli.run.values import read_values
from profile_cli.styles import load_styles
from profile_cli.terminal import Terminal
from profile_contract.layouts import LayoutName
from profile_contract.look_ref import LookFile
from profile_contract.stages.order import FileRef
from profile_contract.style import POSE_FROM_PHOTOS, ProfileStyleSpec
from profile_contract.style_ref import StyleRef
from profile_evaluate.drawing import drawn_with
from profile_evaluate.experiments import Experiment, add_pictures_to, tell
from profile_models.folders import models_folder
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoreError
from profile_vision.files import read_picture
from profile_vision.pixels import RGB, to_rgb

from .axes import Axis, parse_axis
from .cells import NOBODY, CellSetting, Place, SheetPlan
from .measures import CellMeasure, SheetReader
from .picture import sheet_picture
from .sheet_base import SheetBase
from .sheet_person import SheetPerson, learned_person

if TYPE_CHECKING:
    from profile_contract.generation import GenerationOrder
    from profile_predictor.engine import Engine

    from .drawing import SheetFiles

PICTURE, FIGURES = "sheet.jpg", "sheet.json"
# So many adapters stand ready at the same time.
MOST_SLOTS = 16


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser(
        "sheet",
        help="a grid of portraits over weights, seeds, prompts, ..., with likeness and tone",
        description=__doc__,
    )
    command.add_argument("--out", type=Path, required=True, help=f"folder for {PICTURE}, {FIGURES} and the cells")
    for way, what in (("x", "columns"), ("y", "rows"), ("z", "parts below each other")):
        command.add_argument(
            f"--{way}", metavar="AXIS", help=f"what changes over the {what}, such as 'weight: 0, 50, 100'"
        )
    command.add_argument(
        "--person", type=Path, metavar="DIR",
        help="who is drawn and compared with: an --out folder of `profile-studio run`, or people/NAME of `evaluate`",
    )  # fmt: skip
    command.add_argument(
        "--adapter", action="append", dest="adapters", default=[], metavar="NAME=FILE",
        help="a person's adapter, for its axis, or instead of --person's; may be repeated, the first is drawn with",
    )  # fmt: skip
    command.add_argument(
        "--look", action="append", dest="looks", default=[], metavar="NAME=FILE",
        help="a look's adapter, for its axis or for a style that names it; may be repeated",
    )  # fmt: skip
    command.add_argument("--subject", help="how prompts name who is drawn (default: as training did, else 'person')")
    command.add_argument("--style", default="business-neutral", help="a style, or its YAML file (default: %(default)s)")
    command.add_argument("--prompt", help="instead of the style's; {subject} stands for the person")
    command.add_argument("--seed", type=int, default=1, help="of all pictures (default: %(default)s)")
    command.add_argument("--pose", help="a preset, or photo-1, ... (default: the style's, else the first photo's)")
    command.add_argument("--models", type=Path, help="models folder (default: $PROFILE_MODELS, else the user's cache)")
    command.add_argument("--base-model", help="a folder below the models folder (default: what was trained upon)")
    command.add_argument("--control-model", help="the base model's pose ControlNet")
    command.add_argument("--sampler-steps", type=int, help="steps of a picture (default: as the recipe or style says)")
    command.add_argument("--batch", type=int, default=4, help="pictures drawn together (default: %(default)s)")
    add_values_to(command)
    add_pictures_to(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Draw what is missing, measure it, and write the picture and its figures. Raises CommandError."""
    axes = [None if text is None else parse_axis(text) for text in (arguments.x, arguments.y, arguments.z)]
    if not 1 <= arguments.batch <= 64:
        raise CommandError("--batch is from 1 to 64")
    subject = SheetPerson(arguments.subject or ANYBODY)
    if arguments.person is not None:
        subject = learned_person(arguments.person)
        subject = replace(subject, words=arguments.subject or subject.words)
    given = _named(arguments.adapters, "adapter")
    styles, first = _styles(arguments, axes)
    trained_on = subject.parameters.base_model if subject.parameters is not None else None
    bases = _bases(arguments, axes, styles, trained_on, terminal)
    plan = SheetPlan(
        (axes[0], axes[1], axes[2]),
        CellSetting(
            base_model=next(iter(bases)),
            style=first,
            adapter=next(iter([*given, *filter(None, [subject.name])]), NOBODY),
            seed=_seed(arguments.seed),
            pose=_pose(arguments.pose, styles[first], subject),
        ),
    )
    try:
        files = _files(arguments, subject, given)
        keys = _drawn(files.orders(plan, styles, bases), files, bases, arguments, terminal)
        written = _write(plan, keys, subject, arguments, terminal)
    except (StoreError, OSError) as error:
        raise CommandError(f"the folder {arguments.out} cannot be used: {error}") from error
    models = (arguments.models or models_folder()).resolve()
    tell(
        lambda: sheet_experiment(
            written,
            {name: drawn_with(models, name, base.control)[2] for name, base in bases.items()},
            terminal.elapsed,
            arguments.out / FIGURES,
        ),
        [arguments.out / PICTURE] if arguments.mlflow_pictures else [],
        terminal,
    )
    return 0


def _named(given: Sequence[str], what: str) -> dict[str, Path]:
    """Name -> file, of what was said as NAME=FILE. Raises CommandError."""
    files: dict[str, Path] = {}
    for text in given:
        name, sign, path = text.partition("=")
        if not sign or not name or not Path(path).is_file():
            raise CommandError(f"--{what} {text}: say NAME=FILE, with a file that is there")
        if name in files or name == NOBODY:
            raise CommandError(f"--{what} {text}: give each {what} a name of its own, other than {NOBODY!r}")
        files[name] = Path(path)
    return files


def _styles(arguments: argparse.Namespace, axes: Sequence[Axis | None]) -> tuple[dict[str, ProfileStyleSpec], str]:
    """Every style that a cell may have, by the name that was typed, and the first one's. Raises CommandError."""
    axis = next((axis for axis in axes if axis is not None and axis.kind == "style"), None)
    names = [arguments.style] if axis is None else [str(value) for value in axis.values]
    styles = {name: next(iter(load_styles([name]).values())) for name in names}
    if arguments.prompt is not None:
        if "{subject}" not in arguments.prompt:
            raise CommandError("--prompt must hold {subject}, which stands for the person")
        styles = {name: style.model_copy(update={"prompt": arguments.prompt}) for name, style in styles.items()}
    over = any(axis is not None and axis.kind == "strength" for axis in axes)
    if over and not all(style.drawn_over for style in styles.values()):
        raise CommandError("the axis strength wants a style of the mode ImageToImage, such as --style retouch-warm")
    return styles, names[0]


def _bases(
    arguments: argparse.Namespace,
    axes: Sequence[Axis | None],
    styles: Mapping[str, ProfileStyleSpec],
    trained_on: str | None,
    terminal: Terminal,
) -> dict[str, SheetBase]:
    """The base models of a sheet by name, the first one's first. Raises CommandError."""
    axis = next((axis for axis in axes if axis is not None and axis.kind == "base-model"), None)
    names = [arguments.base_model or trained_on] if axis is None else [str(value) for value in axis.values]
    folder = (arguments.models or models_folder()).resolve()
    values = read_values(arguments.values)
    bases: dict[str, SheetBase] = {}
    for name in names:
        choice = Choice(
            noun=ANYBODY,
            layouts=[LayoutName.SQUARE.value],
            asked={},
            minimum_photos=None,
            rank=None,
            steps=None,
            sampler_steps=arguments.sampler_steps,
            resolution=None,
            base_model=name,
            control_model=arguments.control_model,
        )
        models = choose_with(folder, choice, values)
        prepare(models, terminal)
        import torch

        spec = request_spec(choice, [StyleRef(name="any").key])
        chosen = platform(choice, models, accelerated=torch.cuda.is_available(), values=values)
        bases[models.base] = SheetBase(
            models.base, models.control, chosen.picture_for(spec), chosen.train_parameters(spec)
        )
    return bases


def _seed(seed: int) -> int:
    if not 0 <= seed < 2**63:
        raise CommandError("--seed is a whole number from 0 to 2**63 - 1")
    return seed


def _pose(wanted: str | None, style: ProfileStyleSpec, subject: SheetPerson) -> str:
    """The pose that all pictures have where no axis changes it. Raises CommandError."""
    pose = wanted or (next(iter(subject.poses)) if style.pose == POSE_FROM_PHOTOS else style.pose)
    if pose not in subject.poses:
        raise CommandError(f"there is no pose {pose!r}; known: {', '.join(subject.poses)}")
    return pose


def _files(arguments: argparse.Namespace, subject: SheetPerson, given: Mapping[str, Path]) -> SheetFiles:
    """The sheet's store with all adapters in it. Raises CommandError, StoreError."""
    # With it come seconds of torch, which no other command needs.
    from .drawing import ADAPTERS, SheetFiles, brought

    store = FolderStore(arguments.out)
    adapters: dict[str, FileRef] = {name: brought(store, path) for name, path in given.items()}
    if subject.adapter is not None and subject.store is not None:
        key = f"{ADAPTERS}{subject.adapter.sha256}.safetensors"
        store.write(key, subject.store.read(subject.adapter.key))
        adapters.setdefault(subject.name, subject.adapter.model_copy(update={"key": key}))
    looks = {name: brought(store, path) for name, path in _named(arguments.looks, "look").items()}
    files = {name: LookFile(key=file.key, sha256=file.sha256) for name, file in looks.items()}
    return SheetFiles(store, subject, adapters, files)


def _drawn(
    orders: Mapping[str, Mapping[Place, GenerationOrder]],
    files: SheetFiles,
    bases: Mapping[str, SheetBase],
    arguments: argparse.Namespace,
    terminal: Terminal,
) -> dict[Place, str]:
    """The key of every cell's picture, which stands then. Raises CommandError."""
    from .drawing import draw, picture_key

    keys: dict[Place, str] = {}
    for name, cells in orders.items():
        base = bases[name]
        models = drawn_with((arguments.models or models_folder()).resolve(), base.name, base.control)
        own = {place: picture_key(models, order) for place, order in cells.items()}
        keys |= own
        wanted = {own[place]: order for place, order in cells.items()}
        missing = sum(files.store.stat(key) is None for key in wanted)
        terminal.say(f"{base.name}: {len(cells)} cells, {missing} pictures to draw")
        if missing:
            engine = _engine(arguments, base, files)
            with terminal.tracker("drawing") as tracker:
                draw(engine, files.store, wanted, tracker)
            # On a GPU two base models do not fit.
            del engine
            gc.collect()
    return keys


def _engine(arguments: argparse.Namespace, base: SheetBase, files: SheetFiles) -> Engine:
    """The predictor's engine with one base model. Raises CommandError."""
    from profile_predictor.engine import Engine, EngineConfig

    training = files.subject.parameters or base.training
    try:
        return Engine.load(
            EngineConfig(
                models=(arguments.models or models_folder()).resolve(),
                base_model=base.name,
                control_model=base.control,
                slots=min(max(len(files.adapters) + len(files.looks), 1), MOST_SLOTS),
                maximum_rank=rank_with_looks(training.rank) if files.looks or arguments.adapters else training.rank,
                adapter_layers=training.adapter_layers,
                batch=arguments.batch,
            )
        )
    except (FileNotFoundError, ValueError) as error:
        raise CommandError(f"the models cannot be loaded: {error}") from error


def _write(
    plan: SheetPlan,
    keys: Mapping[Place, str],
    subject: SheetPerson,
    arguments: argparse.Namespace,
    terminal: Terminal,
) -> dict[str, Any]:
    """Measure every cell, and write the picture and the figures, which it gives. Raises CommandError, StoreError."""
    store = FolderStore(arguments.out)
    reader = SheetReader((arguments.models or models_folder()).resolve() / "vision", subject)
    measured = {key: reader.measure(store, key) for key in dict.fromkeys(keys.values())}
    measures = {place: measured[key] for place, key in keys.items()}
    pictures: dict[Place, RGB] = {place: to_rgb(read_picture(store, key)) for place, key in keys.items()}
    store.write(PICTURE, sheet_picture(plan, _title(plan, subject), pictures, measures), "image/jpeg")
    written = document(plan, keys, measures)
    store.write(FIGURES, (json.dumps(written, indent=1) + "\n").encode(), "application/json")
    terminal.say(f"{len(keys)} cells: {arguments.out / PICTURE}; figures: {arguments.out / FIGURES}")
    return written


def sheet_experiment(sheet: Mapping[str, Any], weights: Mapping[str, str], seconds: float, report: Path) -> Experiment:
    """A sheet as MLflow is told of it: settings and axes, and likeness and faces a cell by its number. Pure."""
    params = {name: str(sheet[name]) for name in ("baseModel", "style", "adapter", "seed", "pose")}
    params |= {f"axis/{axis['what']}": ", ".join(axis["values"]) for axis in sheet["axes"]}
    params |= {f"weights/{name}": digest for name, digest in weights.items()}
    metrics = {"seconds": seconds}
    for number, cell in enumerate(sheet["cells"], 1):
        figures = {"likeness": cell["likeness"], "faces": cell["faces"], "lightness": cell["lightness"], "b": cell["b"]}
        metrics |= {f"{what}/cell-{number:03d}": value for what, value in figures.items() if value is not None}
    return Experiment(f"sheet {report.resolve().parent.name}", params, metrics, [str(report)])


def _title(plan: SheetPlan, subject: SheetPerson) -> str:
    """What all cells share."""
    base = plan.base
    changing = {axis.kind for axis in plan.axes if axis is not None}
    shared = {
        "base-model": base.base_model,
        "adapter": base.adapter if base.adapter != NOBODY else subject.words,
        "style": base.style,
        "pose": base.pose,
        "seed": f"seed {base.seed}",
    }
    return ", ".join(text for kind, text in shared.items() if kind not in changing)


def document(plan: SheetPlan, keys: Mapping[Place, str], measures: Mapping[Place, CellMeasure]) -> dict[str, object]:
    """The sheet for programs: its axes, and a row a cell with its values, its file and what was measured. Pure."""
    axes = [axis for axis in plan.axes if axis is not None]
    titles = [f"{axis.kind}:{axis.name}" if axis.name else axis.kind for axis in axes]
    rows = []
    for cell in plan.cells:
        numbers = [number for axis, number in zip(plan.axes, cell.place, strict=True) if axis is not None]
        labels = [axis.label(axis.values[number]) for axis, number in zip(axes, numbers, strict=True)]
        values = dict(zip(titles, labels, strict=True))
        rows.append({"values": values, "file": keys[cell.place], **asdict(measures[cell.place])})
    base = asdict(plan.base)
    return {
        "baseModel": base["base_model"],
        "style": base["style"],
        "adapter": base["adapter"],
        "seed": base["seed"],
        "pose": base["pose"],
        "axes": [
            {"what": title, "values": [axis.label(value) for value in axis.values]}
            for title, axis in zip(titles, axes, strict=True)
        ],
        "cells": rows,
    }
