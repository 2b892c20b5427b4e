"""python -m profile_models portraits looks | latents | train | samples | export"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from profile_models.portraits import crowd, vocabulary
from profile_models.portraits.autoencoder import linear_autoencoder
from profile_models.portraits.batches import Batches, Fresh, Source, stacked
from profile_models.portraits.home import Home
from profile_models.portraits.linear import LinearTransform, fit
from profile_models.portraits.networks import Shape
from profile_models.portraits.train import Clock, Trainer

FITTED = 3000
"""Pictures that the transform is fitted to."""
CALIBRATED = 16
"""Pictures that tell the autoencoder how large numbers get."""
STYLES = Path(__file__).parents[3] / "charts" / "profile-studio" / "files" / "styles"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("portraits", help="the small portrait model made again: its stages, each resumable")
    stages = parser.add_subparsers(dest="stage", required=True)
    parser.set_defaults(run=run)
    stages.add_parser("looks", help="what the product's networks see in the renders")
    stages.add_parser("latents", help="the linear transform and the vocabulary")
    train = stages.add_parser("train", help="text encoders, UNet and ControlNet; goes on where it was cut")
    train.add_argument("--minutes", type=float, default=9.0, help="of this call (default: %(default)s)")
    train.add_argument("--cool", action="store_true", help="let the rate fall to nothing over these minutes")
    train.add_argument("--rows", type=int, default=24, help="of a batch (default: %(default)s)")
    train.add_argument("--rate", type=float, default=1.0, help="times the usual rates (default: %(default)s)")
    train.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of a processor that trains")
    train.add_argument("--compile", action="store_true", help="by torch.compile: pays for itself after some minutes")
    for stage in (*stages.choices.values(),):
        stage.add_argument("--styles", type=Path, default=STYLES, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    home = Home.of_user()
    STAGES[arguments.stage](home, arguments)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _looks(home: Home, _: argparse.Namespace) -> None:
    # Loads ultralytics, which a machine that only trains has not.
    from profile_models.portraits.looks import Observer

    torch.set_num_threads(1)
    observed = Observer(home.vision).observe(home.renders, home.looks)
    print(f"portraits: {observed} more people were looked at")


def _latents(home: Home, arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    people = crowd.load(home.renders, home.looks)
    draw = np.random.default_rng(5)
    rows = [people.row(int(place), draw) for place in draw.choice(people.training, FITTED)]
    transform = fit(np.stack([row.picture for row in rows]), np.stack([row.face for row in rows]))
    transform.save(home.transform)
    home.merges.write_text(vocabulary.learn(people, arguments.styles), encoding="utf-8")
    some = stacked(rows[:CALIBRATED], vocabulary.tokenizer_of(home.merges)).pictures.float() / 127.5 - 1
    linear_autoencoder(transform, some).save_pretrained(home.autoencoder)
    print(f"portraits: {transform.channels} numbers a block, fitted to {FITTED} pictures -> {home.transform}")


def _train(home: Home, arguments: argparse.Namespace) -> None:
    place = device()
    if place.type == "cpu":
        torch.set_num_threads(arguments.threads)
    tokenizer = vocabulary.tokenizer_of(home.merges)
    people = crowd.load(home.renders, home.looks)
    source: Source = Fresh(people, tokenizer)
    batches = Batches(
        source,
        LinearTransform.load(home.transform),
        tokenizer,
        unwanted=vocabulary.unwanted_texts(arguments.styles),
        size=arguments.rows,
        device=place,
    )
    trainer = Trainer(tokenizer, batches, Shape(), place, rows=arguments.rows, rate=arguments.rate)
    trainer.restore(home.state)
    if arguments.compile:
        trainer.compile()
    print(f"portraits: {len(people.training)} renders, from step {trainer.step} on {place}", flush=True)
    clock = Clock(60 * arguments.minutes, cools=arguments.cool)
    trainer.run(clock, home.cooled_state if arguments.cool else home.state)


STAGES = {"looks": _looks, "latents": _latents, "train": _train}
