"""python -m profile_workshop.taught_look OUT: a look taught to a base model, as a StyleAdapter is; what was measured.

Its pictures are renders of people whom the base model never saw, one each, before a backdrop and in a light of the
look's own. What is done next is decided by the operator's own rules, and done by the stages' own programs, without a
cluster.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from profile_cli.run.settings import AREA, NAMESPACE, Choice, choose_models, platform
from profile_contract.look_learning import Lesson, LookLayers, LookSteps, look_training
from profile_contract.stages.order import RequestRef, StageReport
from profile_contract.stages.preprocess import LookPictures, PhotoRef, PreprocessOrder, PreprocessReport
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import LookTraining, TrainOrder, TrainReport
from profile_models.folders import models_folder, people_folder
from profile_operator.decide.look_learning import LearningFacts, learn
from profile_preprocess.stage import run as preprocess
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train.stage import run as train
from profile_workshop.portraits.crowd import held_out

EDGE = 480
"""Edge of a picture in pixels; renders have 160."""
UPLOADS = "uploads/look/"
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """A backdrop, sRGB from 0 to 1 above and below, and how much brighter each channel is on the lit and far side."""

    words: str
    above: Colour
    below: Colour
    lit: Colour
    far: Colour


LIGHTS = {
    "golden-rim": Light("golden rim light", (0.06, 0.20, 0.22), (0.03, 0.12, 0.14), (1.35, 1.1, 0.7), (0.9, 0.8, 0.65)),
    "blue-dusk": Light("blue dusk light", (0.30, 0.08, 0.10), (0.18, 0.04, 0.06), (0.85, 1.0, 1.3), (0.6, 0.7, 0.95)),
}


def main() -> None:
    """Make the pictures, teach, and write down the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m profile_workshop.taught_look", description="A look taught to a base model, and measured."
    )
    parser.add_argument("out", type=Path, help="a folder: the store, pictures, adapter, sheet and figures.json")
    parser.add_argument("--renders", type=Path, default=people_folder() / "renders", help="(default: %(default)s)")
    parser.add_argument("--light", choices=LIGHTS, default="golden-rim", help="(default: %(default)s)")
    parser.add_argument("--people", type=int, default=30, help="how many, a picture each (default: %(default)s)")
    parser.add_argument("--skip", type=int, default=0, help="of the people whom the base never saw, so many first")
    parser.add_argument("--layers", type=LookLayers, choices=LookLayers, default=LookLayers.EVERYTHING)
    parser.add_argument("--steps", type=int, default=150, help="(default: %(default)s)")
    parser.add_argument("--base-model", default="studio-mini", help="(default: %(default)s)")
    teach(parser.parse_args())


def teach(arguments: argparse.Namespace) -> None:
    """By the command's options."""
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    store, light = FolderStore(arguments.out / "store"), LIGHTS[arguments.light]
    people = [path for path in sorted(arguments.renders.glob("p*.npz")) if held_out(int(path.stem[1:]))]
    for path in people[arguments.skip : arguments.skip + arguments.people]:
        with np.load(path) as content:
            facts = json.loads(str(content["facts"]))
            frontal = min(range(len(facts)), key=lambda n: abs(facts[n]["yaw"]) + 90 * facts[n]["glasses"])
            picture = lit(content["pictures"][frontal], light)
        store.write(f"{AREA}{UPLOADS}{path.stem}.jpg", cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes())
    begun = time.process_time()
    reports = list(_stages(store, _facts(store, arguments, light)))
    figures = {"seconds": round(time.process_time() - begun), "reports": [json.loads(r.to_json()) for r in reports]}
    (arguments.out / "figures.json").write_text(json.dumps(figures, indent=1))
    last = reports[-1]
    print(last.message)
    if isinstance(last, TrainReport) and last.look is not None:
        print("\n".join(str(row) for row in last.look.weights), f"\nrecommended: {last.look.recommended_percent}")


def lit(rgba: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
    """A render (S, S, 4) in a light and before its backdrop, enlarged and sharpened: (EDGE, EDGE, 3) RGB."""
    large = cv2.resize(rgba.astype(np.float32) / 255, (EDGE, EDGE), interpolation=cv2.INTER_CUBIC)
    sharp = large[..., :3] + 1.5 * (large[..., :3] - cv2.GaussianBlur(large[..., :3], (0, 0), 3))
    along = np.linspace(0, 1, EDGE, dtype=np.float32)
    gain = _between(along[None, :, None], light.lit, light.far)
    wall = _between(along[:, None, None], light.above, light.below)
    alpha = np.clip(large[..., 3:], 0, 1)
    picture = sharp * gain * alpha + wall * (1 - alpha)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _between(share: NDArray[np.float32], first: Colour, last: Colour) -> NDArray[np.float32]:
    """From the first to the last colour, by shares (..., 1)."""
    return (1 - share) * np.asarray(first, np.float32) + share * np.asarray(last, np.float32)


def _facts(store: FolderStore, arguments: argparse.Namespace, light: Light) -> LearningFacts:
    """What the first step is decided by."""
    models = choose_models(models_folder(), arguments.base_model, None)
    nothing = Choice("person", [], {}, None, None, None, None, None, models.base, None)
    parameters = platform(nothing, models, accelerated=torch.cuda.is_available())
    base = f"{AREA}{UPLOADS}"
    photos = tuple(
        PhotoRef(name=photo.key.removeprefix(base), key=photo.key, bytes=photo.bytes, etag=photo.etag)
        for photo in store.list(base)
    )
    lesson = Lesson(
        request=RequestRef(namespace=NAMESPACE, name=arguments.light),
        area=AREA,
        photos=photos,
        pictures=LookPictures(),
        preprocess=parameters.preprocess,
        training=look_training(parameters.training, arguments.layers, LookSteps(steps=arguments.steps)),
        look=LookTraining(words=light.words),
    )
    return LearningFacts(lesson, base, parameters.picture, recipe=parameters.recipe)


def _stages(store: FolderStore, facts: LearningFacts) -> Iterator[StageReport]:
    """Both stages' reports, as far as they come."""
    models, first = models_folder(), learn(facts).job
    if first is None or not isinstance(first.order, PreprocessOrder):
        return
    dataset = run_stage(preprocess, first.order, Stage.PREPROCESS, store, models=models)
    yield dataset
    if not isinstance(dataset, PreprocessReport) or dataset.outcome == "BadInput":
        return
    second = learn(replace(facts, dataset=dataset)).job
    if second is not None and isinstance(second.order, TrainOrder):
        yield run_stage(train, second.order, Stage.TRAIN, store, models=models)


if __name__ == "__main__":
    main()
