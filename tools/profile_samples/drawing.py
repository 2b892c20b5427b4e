"""python -m profile_samples: the pictures by which the page shows the chart's styles, made by the product itself.

One rendered person goes through the four stages as the demo's values say; of the seeds that every style drew, the one
that is most like the person is shown in all of them. Everything is made anew: a base model that was trained again has
the same name.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from profile_cli.demo.command import PRESETS
from profile_cli.demo.release import CHART
from profile_cli.errors import CommandError
from profile_cli.program import run_command
from profile_cli.results import deliver
from profile_cli.run.command import prepare
from profile_cli.run.runner import Run
from profile_cli.run.settings import AREA, PHOTOS_PREFIX, PORTRAIT_HEIGHT, PORTRAIT_WIDTH, choose_models
from profile_cli.run.values import read_values
from profile_cli.styles import known_styles, load_styles
from profile_cli.terminal import Terminal
from profile_cli.upload import upload
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.picture_size import PictureSize
from profile_contract.request import Photos, ProfileRequestSpec, Subject
from profile_contract.stages.chain import Platform
from profile_contract.stages.finish import FinishReport, Score
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_contract.style_ref import StyleRef
from profile_evaluate.people import find_people
from profile_models.folders import models_folder
from profile_runtime.recipes import read_recipe_file
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import Store
from profile_vision.files import jpeg, read_picture
from profile_vision.pixels import BGR

CLONE = Path(__file__).resolve().parents[2]
PEOPLE = CLONE / "models" / "people"
PERSON = "p900055"
OUT = CLONE / "images" / "web" / "profile_web" / "static" / "samples"
WORK = CLONE / "out" / "samples"
CANDIDATES = 8
# Shown about 230 CSS pixels wide.
EDGE = 360
QUALITY = 88
# Share of the picture's height; what is smaller than that shows a place and not a person.
SMALLEST_FACE = 0.3


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_samples.drawing", description=__doc__)
    parser.add_argument("--person", default=PERSON, help="who of models/people (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="where STYLE.jpg go (default: the page's)")
    parser.add_argument("--work", type=Path, default=WORK, help="emptied first (default: %(default)s)")
    parser.add_argument("--candidates", type=int, default=CANDIDATES, help="seeds to choose from (%(default)s)")
    parser.set_defaults(run=run)
    return run_command(parser, argv, when_interrupted="nothing was written")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Make one picture a style. Raises CommandError."""
    person = next((person for person in find_people(PEOPLE, None) if person.name == arguments.person), None)
    if person is None:
        raise CommandError(f"{PEOPLE} holds nobody called {arguments.person}")
    styles = load_styles(list(known_styles()))
    platform = demo_platform()
    folder = models_folder().resolve()
    prepare(choose_models(folder, platform.training.base_model, platform.training.control_model), terminal)
    spec = ProfileRequestSpec(
        subject=Subject(noun=person.noun),
        photos=Photos(prefix=PHOTOS_PREFIX),
        styles=[StyleRef.of_key(key) for key in styles],
        portraits=arguments.candidates,
        candidates=arguments.candidates,
        layouts=[LayoutName.SQUARE],
        minimum_likeness=0,
    )
    shutil.rmtree(arguments.work, ignore_errors=True)
    arguments.work.mkdir(parents=True)
    store = FolderStore(arguments.work / "store")
    upload(store, {photo.name: photo for photo in person.photos}, AREA, spec.photos.prefix)
    results = Run(store, folder, spec, styles, platform, terminal).results()
    deliver(store, results, arguments.work)
    seed = chosen_seed(results.finish.scores, list(styles))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for style in styles:
        (arguments.out / f"{style}.jpg").write_bytes(_sample(store, results.finish, style, seed))
    terminal.say(f"seed {seed} of {person.name} in {len(styles)} styles: {arguments.out}/")
    terminal.say(f"everything that was drawn: {arguments.work / 'contact-sheet.jpg'}")
    return 0


def demo_platform() -> Platform:
    """What the chart's values of the demo, and the recipe of its base model, set for all requests."""
    values = read_values([CHART / preset for preset in PRESETS])
    recipe = read_recipe_file(CHART / "recipes" / f"{values.base_model}.yaml")
    values = values.over(recipe)
    return Platform(
        preprocess=PreprocessParameters.model_validate(values.preprocess),
        training=TrainParameters.model_validate(values.training),
        picture=values.drawing.over(PictureSize(PORTRAIT_WIDTH, PORTRAIT_HEIGHT)),
        toy=bool(recipe.toy),
        recipe=recipe.digest,
        trained_strength_percent=values.drawing.trained_strength_percent,
    )


def chosen_seed(scores: Sequence[Score], styles: Sequence[str]) -> int:
    """The seed with one large face in every style that is most like the person in the style where it is least so.

    Raises CommandError where no seed has such a face in every style.
    """
    like: dict[int, list[int]] = {}
    for score in scores:
        if score.faces == 1 and score.likeness is not None and score.face_height >= SMALLEST_FACE:
            like.setdefault(score.seed, []).append(score.likeness)
    whole = {seed: (min(scored), sum(scored)) for seed, scored in like.items() if len(scored) == len(styles)}
    if not whole:
        raise CommandError("no seed shows exactly one large face in every style: give more --candidates")
    return max(sorted(whole), key=lambda seed: whole[seed])


def _sample(store: Store, finish: FinishReport, style: str, seed: int) -> bytes:
    """A delivered portrait, whole, as a square JPEG, marked as the portrait is."""
    (portrait,) = (each for each in finish.portraits if (each.style, each.seed) == (style, seed))
    picture = read_picture(store, portrait.key)
    edge = min(picture.shape[:2])
    left = (picture.shape[1] - edge) // 2
    square = picture[:edge, left : left + edge]
    small = cv2.resize(square, (EDGE, EDGE), interpolation=cv2.INTER_AREA if edge > EDGE else cv2.INTER_CUBIC)
    return jpeg(BGR(small.astype(np.uint8)), LAYOUTS[LayoutName.SQUARE].dpi, QUALITY)
