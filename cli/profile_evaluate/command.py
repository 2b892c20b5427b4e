"""What a base model and its training really do, measured on people with known truth.

Every person goes through the product's own stages; the base model is measured without adapters too. What was drawn
and trained stays in the output folder: cut at any time, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from profile_cli.errors import CommandError
from profile_cli.numbers import whole
from profile_cli.run.command import add_values_to, prepare
from profile_cli.run.looks import check_looks, look_files
from profile_cli.run.settings import Choice, choose_with, platform, request_spec
from profile_cli.run.values import read_values
from profile_cli.styles import load_styles
from profile_cli.terminal import Terminal
from profile_contract.layouts import LayoutName
from profile_contract.stages.train import AdapterLayers
from profile_contract.style import ProfileStyleSpec, Tone
from profile_models.folders import models_folder
from profile_runtime.store.folder import FolderStore
from profile_vision import FaceReader, MaskReader, WeightsMissing, cosine

from .base import PORTRAITS, BaseFigures, measure_base, sheet
from .compare import FIGURES, comparison, plain_style, read_runs
from .drawing import drawn_with
from .experiments import add_pictures_to, tell
from .figures import centroid, confusion, own_mean
from .logged import experiment_of
from .page import Evaluation, Verdicts, page
from .people import find_people
from .person import Measured, Setting, figures_of, figures_of_style, run_person, verdicts_on_bad, without_adapter
from .second import SecondReader, SecondReadings, read_second, second_confusion, second_figures

if TYPE_CHECKING:
    from profile_predictor.engine import Engine

STYLES = ("studio-warm", "studio-cool", "business-neutral")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser(
        "evaluate", help="measure a base model and its training on people with known truth", description=__doc__
    )
    command.add_argument("--people", type=Path, help="a folder with one folder per person: NN.jpg, person.json, bad/")
    command.add_argument("--limit", type=whole(1), help="measure only so many people, the first by name")
    command.add_argument("--out", type=Path, help="the folder for the work and the results")
    command.add_argument(
        "--style", action="append", dest="styles", metavar="STYLE",
        help=f"one that the chart ships, or a style's YAML file; may be repeated ({', '.join(STYLES)})",
    )  # fmt: skip
    command.add_argument(
        "--look", action="append", dest="looks", default=[], metavar="NAME=FILE",
        help="the file of an adapter that a style draws with, by the name that the style gives it; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--compare", nargs="+", type=Path, metavar="OUT",
        help="measure nothing: one table of styles and models from the --out folders of former runs",
    )  # fmt: skip
    command.add_argument("--models", type=Path, help="models folder (default: $PROFILE_MODELS, else the user's cache)")
    command.add_argument("--base-model", help="a folder below the models folder, in diffusers' SDXL layout")
    command.add_argument("--control-model", help="the base model's pose ControlNet")
    command.add_argument(
        "--candidates",
        type=whole(1),
        default=8,
        help="how many portraits of each person in each style (default: %(default)s)",
    )
    command.add_argument(
        "--portraits",
        type=whole(1),
        default=PORTRAITS,
        help="how many portraits of the base model (default: %(default)s)",
    )
    command.add_argument("--rank", type=int, help="the adapters' rank (default: the model's recipe, else 32)")
    command.add_argument(
        "--adapter-layers", choices=list(AdapterLayers), type=AdapterLayers,
        help="the layers that adapters change (default: the model's recipe, else attention)",
    )  # fmt: skip
    command.add_argument(
        "--steps", type=int, help="training steps (default: the model's recipe, else 80 per photo, 500 to 900)"
    )
    command.add_argument(
        "--learning-rate", type=float, help="the learning rate (default: the model's recipe, else 1e-4, right for SDXL)"
    )
    command.add_argument("--sampler-steps", type=int, help="steps to draw a portrait in (default: as the style says)")
    add_values_to(command)
    add_pictures_to(command)
    command.add_argument("--page", type=Path, help="write the page here too, its pictures into pictures/ beside it")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Measure, and write page, pictures and figures; or compare what was measured. Raises CommandError."""
    if arguments.compare:
        return _compare(arguments.compare, arguments.page, terminal)
    if arguments.people is None or arguments.out is None:
        raise CommandError("--people and --out are wanted, or --compare with former runs")
    people = find_people(arguments.people, arguments.limit)
    out: Path = arguments.out.resolve()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{out} cannot be used: {error.strerror}") from error
    styles = load_styles(arguments.styles or list(STYLES))
    setting = _setting(arguments, styles, terminal)
    try:
        readers = FaceReader(setting.models / "vision"), MaskReader(setting.models / "vision")
    except WeightsMissing as error:
        raise CommandError(str(error)) from error
    measured = []
    for person in people:
        terminal.heading(person.name)
        measured.append(run_person(person, out / "people" / person.name, setting, readers[0], terminal))
    engine = _engine(setting)
    terminal.heading("without adapters")
    measured = [_with_base(person, engine, setting, readers[0]) for person in measured]
    (out / "base").mkdir(parents=True, exist_ok=True)
    store = FolderStore(out / "base")
    size = setting.platform.picture_for(setting.spec)
    base = measure_base(
        engine,
        store,
        one_a_tone(styles.values()),
        size,
        readers,
        portraits=arguments.portraits,
    )
    verdicts = [
        (person.person.name, *row)
        for person in measured
        for row in verdicts_on_bad(person.person, out / "verdicts" / person.person.name, setting)
    ]
    second = _second_readings(measured, setting, readers[0], terminal)
    evaluation = replace(
        _evaluation(setting, measured, base, Verdicts(tuple(verdicts))),
        second=second_figures(second),
        second_confusion=second_confusion(second),
    )
    cv2.imwrite(str(out / "base.png"), sheet(store, base, size))
    _write(evaluation, measured, out, arguments.page)
    terminal.say(f"figures: {out / 'evaluation.md'}")
    pictures = [out / name for name in ("base.png", *(f"{person.person.name}.jpg" for person in measured))]
    tell(
        lambda: experiment_of(evaluation, parameters_of(setting), terminal.elapsed, out / FIGURES),
        pictures if arguments.mlflow_pictures else [],
        terminal,
    )
    return 0


def _compare(outs: Sequence[Path], target: Path | None, terminal: Terminal) -> int:
    """Print the table of former runs, and write it where a page is asked for."""
    text = comparison(read_runs(outs))
    terminal.plain(text)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n")
    return 0


def one_a_tone(styles: Iterable[ProfileStyleSpec]) -> dict[Tone, ProfileStyleSpec]:
    """The first style of each tone but neutral, against whose words the others are measured; it, where it is alone."""
    first: dict[Tone, ProfileStyleSpec] = {}
    for style in styles:
        first.setdefault(style.tone, style)
    return {tone: style for tone, style in first.items() if tone != Tone.NEUTRAL} or first


def _setting(arguments: argparse.Namespace, styles: dict[str, ProfileStyleSpec], terminal: Terminal) -> Setting:
    """What everybody is measured with, as arguments, values files and the model's recipe say."""
    choice = Choice(
        noun="person",
        layouts=[LayoutName.SQUARE.value],
        # Every portrait is measured, whoever it looks like.
        asked={"portraits": min(4, arguments.candidates), "candidates": arguments.candidates, "minimumLikeness": 0},
        minimum_photos=None,
        rank=arguments.rank,
        steps=arguments.steps,
        sampler_steps=arguments.sampler_steps,
        resolution=None,
        base_model=arguments.base_model,
        control_model=arguments.control_model,
    )
    folder = (arguments.models or models_folder()).resolve()
    values = read_values(arguments.values)
    models = choose_with(folder, choice, values)
    prepare(models, terminal)
    import torch

    chosen = platform(choice, models, accelerated=torch.cuda.is_available(), values=values)
    said = {"learning_rate": arguments.learning_rate, "adapter_layers": arguments.adapter_layers}
    training = chosen.training.model_copy(update={name: value for name, value in said.items() if value})
    chosen = replace(chosen, training=training)
    spec, looks = request_spec(choice, list(styles)), look_files(arguments.looks, styles)
    check_looks(folder, models.base, chosen.train_parameters(spec).rank, looks)
    return Setting(folder, spec, styles, chosen, looks)


def _engine(setting: Setting) -> Engine:
    """The predictor's engine with the setting's models."""
    from profile_predictor.engine import Engine, EngineConfig

    parameters = setting.platform.train_parameters(setting.spec)
    config = EngineConfig(
        models=setting.models,
        base_model=parameters.base_model,
        control_model=parameters.control_model,
        slots=1,
        maximum_rank=parameters.rank,
        adapter_layers=parameters.adapter_layers,
    )
    return Engine.load(config)


def parameters_of(setting: Setting) -> dict[str, str]:
    """What MLflow shows as an evaluation's settings: names to text. Raises CommandError."""
    training = setting.platform.train_parameters(setting.spec)
    base, control, weights, control_weights = drawn_with(setting.models, training.base_model, training.control_model)
    groups = {
        "training": training.model_dump(mode="json"),
        "picture": asdict(setting.platform.picture_for(setting.spec)),
    }
    groups |= {f"style/{name}": style.model_dump(mode="json") for name, style in setting.styles.items()}
    flat = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
    named = {"model": base, "control": control, "weights": weights, "control_weights": control_weights}
    return {name: str(value) for name, value in (named | flat).items() if value is not None}


def _with_base(measured: Measured, engine: Engine, setting: Setting, faces: FaceReader) -> Measured:
    base, described = without_adapter(measured, engine, setting, faces)
    return replace(measured, base=base, described=described)


def _second_readings(
    measured: Sequence[Measured], setting: Setting, faces: FaceReader, terminal: Terminal
) -> list[SecondReadings]:
    """Everybody as the second recogniser sees them; nobody, and why, where it is not there."""
    try:
        second = SecondReader(setting.models / "vision")
    except WeightsMissing as error:
        terminal.say(f"nothing is said by a second recogniser: {error}")
        return []
    return [
        read_second(
            person.person.name,
            person.store,
            [image.image for image in person.results.preprocess.images],
            person.keys,
            (faces, second),
        )
        for person in measured
    ]


def _evaluation(setting: Setting, measured: list[Measured], base: BaseFigures, verdicts: Verdicts) -> Evaluation:
    """Everything that was measured, as the page takes it."""
    centroids = {person.person.name: centroid(person.photos) for person in measured}
    parameters, drawn = setting.platform.train_parameters(setting.spec), setting.platform.picture
    return Evaluation(
        title=parameters.base_model,
        how=(
            f"Measured by `profile-studio evaluate` on {len(measured)} people: rank {parameters.rank}, learning rate "
            f"{parameters.learning_rate:g}, {measured[0].results.train.steps} steps of batch {parameters.batch}, "
            f"trained at {parameters.resolution} px, drawn at {drawn.width} x {drawn.height}. Intervals are 95 %."
        ),
        base=base,
        people=tuple(figures_of(person, centroids) for person in measured),
        styles=tuple(figures_of_style(name, style.tone, measured) for name, style in setting.styles.items()),
        own={person.person.name: own_mean(person.photos) for person in measured},
        between={(a, b): cosine(centroids[a], centroids[b]) for a, b in itertools.combinations(centroids, 2)},
        confusion=confusion(
            {person.person.name: [face for face in person.portraits if face is not None] for person in measured},
            centroids,
        ),
        verdicts=verdicts,
        seconds={person.person.name: person.results.train.seconds for person in measured},
    )


def _write(evaluation: Evaluation, measured: list[Measured], out: Path, target: Path | None) -> None:
    """Write page, pictures and figures into the folder, and the page once more where it is asked for."""
    pictures = [("Pose maps, then neutral, warm and cool words for the same seeds", "base.png")]
    for person in measured:
        name = f"{person.person.name}.jpg"
        (out / name).write_bytes(person.store.read(person.results.finish.contact_sheet))
        pictures.append((f"{person.person.name}: photos and portraits", name))
    (out / "evaluation.md").write_text(page(evaluation, pictures))
    (out / FIGURES).write_text(json.dumps(_plain(evaluation), indent=1, default=str) + "\n")
    if target is None:
        return
    beside = target.parent / "pictures" / target.stem
    beside.mkdir(parents=True, exist_ok=True)
    for _, name in pictures:
        shutil.copyfile(out / name, beside / name)
    target.write_text(page(evaluation, [(caption, f"pictures/{target.stem}/{name}") for caption, name in pictures]))


def _plain(evaluation: Evaluation) -> dict[str, object]:
    """JSON has no tuples as keys."""
    return {
        "base": {
            "one_face": asdict(evaluation.base.one_face),
            "nose": evaluation.base.nose and asdict(evaluation.base.nose),
            "eyes": evaluation.base.eyes and asdict(evaluation.base.eyes),
        },
        "tones": [shift.model_dump(mode="json") for shift in evaluation.base.tones],
        "model": evaluation.title,
        "styles": [plain_style(figures) for figures in evaluation.styles],
        "people": [
            asdict(replace(figures, checkpoints=()))
            | {"checkpoints": {checkpoint.step: checkpoint.likeness for checkpoint in figures.checkpoints}}
            for figures in evaluation.people
        ],
        "own": dict(evaluation.own),
        "between": {" ".join(pair): value for pair, value in evaluation.between.items()},
        "confusion": evaluation.confusion,
        "second": [asdict(figures) for figures in evaluation.second],
        "second_confusion": evaluation.second_confusion,
        "verdicts": [list(row) for row in evaluation.verdicts.rows],
    }
