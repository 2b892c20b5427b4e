"""python -m profile_workshop portraits STAGE: begin, looks, latents, train, race, samples, export, and of a bundle."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTokenizer

from profile_models.folders import models_folder
from profile_workshop.portraits import begin, bundle, crowd, measure, vocabulary
from profile_workshop.portraits.autoencoder import linear_autoencoder
from profile_workshop.portraits.batches import Fresh, PortraitBatches, Source, stacked
from profile_workshop.portraits.export import export, shape_of
from profile_workshop.portraits.home import PortraitsHome
from profile_workshop.portraits.linear import LinearTransform, fit
from profile_workshop.portraits.race import VARIANTS, Variant
from profile_workshop.portraits.stock import Stock
from profile_workshop.portraits.train import Clock, PortraitTrainer
from profile_workshop.studio_mini import checkpoint
from profile_workshop.studio_mini.export import in_half

FITTED = 3000
"""Pictures that the transform is fitted to."""
CALIBRATED = 16
"""Pictures that tell the autoencoder how large numbers get."""
STOCKED = 8192
"""Rows that each of the composing processes keeps."""
STYLES = Path(__file__).parents[3] / "charts" / "profile-studio" / "files" / "styles"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("portraits", help="the small portrait model made again: its stages, each resumable")
    stages = parser.add_subparsers(dest="stage", required=True)
    parser.set_defaults(run=run)
    stages.add_parser("begin", help="the delivered networks as a state, for who lacks those that they were trained in")
    stages.add_parser("looks", help="what the product's networks see in the renders")
    stages.add_parser("latents", help="the linear transform, its autoencoder and the vocabulary")
    stages.add_parser("autoencoder", help="the autoencoder anew, of the transform that there is")
    train = stages.add_parser("train", help="text encoders, UNet and ControlNet; goes on where it was cut")
    train.add_argument("--minutes", type=float, default=9.0, help="of this call (default: %(default)s)")
    train.add_argument("--cool", action="store_true", help="let the rate fall to nothing over these minutes")
    race = stages.add_parser("race", help="several shapes and rates, each for the same time, from nothing")
    race.add_argument("--seconds", type=float, default=45.0, help="for each (default: %(default)s)")
    race.add_argument("--only", default="", help="names, separated by commas (default: all)")
    for stage in (train, race):
        stage.add_argument("--rows", type=int, default=None, help="of a batch (default: 1024 on a GPU, else 24)")
        stage.add_argument("--rate", type=float, default=1.0, help="times the usual rates (default: %(default)s)")
        stage.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of a processor that trains")
        stage.add_argument("--workers", type=int, default=None, help="processes that compose rows (default: none, or"
                           " all cores but two beside a GPU)")  # fmt: skip
        stage.add_argument("--compile", action="store_true", help="by torch.compile: pays for itself after minutes")
    samples = stages.add_parser("samples", help="a sheet and figures")
    deliver = stages.add_parser("export", help="two folders for diffusers")
    split = stages.add_parser("split", help="the averages in pieces of 15 MiB")
    for stage in (samples, deliver, split):
        stage.add_argument("--cooled", action="store_true", help="of the cooled state")
    samples.add_argument("--out", type=Path, default=Path("samples.png"), help="(default: %(default)s)")
    deliver.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    split.add_argument("--out", type=Path, default=Path("pieces"), help="(default: %(default)s)")
    pack = stages.add_parser("pack", help="one folder for a machine without this repository and without a network")
    pack.add_argument("--out", type=Path, default=Path("bundle"), help="(default: %(default)s)")
    pack.add_argument("--wheels", type=Path, default=None, help="a folder of what that machine lacks")
    pack.add_argument("--people", type=_range, default=range(1500), help="FIRST:END of them (default: 0:1500)")
    for name, text in (("unpack", "a bundle into the cache"), ("join", "pieces into a state")):
        stages.add_parser(name, help=text).add_argument("folder", type=Path)
    for stage in stages.choices.values():
        stage.add_argument("--styles", type=Path, default=STYLES, help="ProfileStyles (default: the chart's)")


def _range(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end))


def run(arguments: argparse.Namespace) -> None:
    STAGES[arguments.stage](PortraitsHome.of_user(), arguments)


def _begin(home: PortraitsHome, _: argparse.Namespace) -> None:
    begin.begin(home)
    print(f"portraits: {home.root} goes on from the delivered model")


def _looks(home: PortraitsHome, _: argparse.Namespace) -> None:
    # Loads ultralytics, which a machine that only trains has not.
    from profile_workshop.portraits.looks import RenderObserver

    torch.set_num_threads(1)
    observed = RenderObserver(home.vision).observe(home.renders, home.looks)
    print(f"portraits: {observed} more people were looked at")


def _latents(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    """States of another transform are of no use: it stays where there is one."""
    if home.transform.is_file():
        raise SystemExit(f"portraits: {home.transform} is there: remove it, and all states, to begin anew")
    torch.set_num_threads(1)
    people = crowd.load(home.renders, home.looks)
    draw = np.random.default_rng(5)
    rows = [people.row(int(place), draw) for place in draw.choice(people.training, FITTED)]
    transform = fit(np.stack([row.picture for row in rows]), np.stack([row.face for row in rows]))
    home.merges.write_text(vocabulary.learn(people, arguments.styles), encoding="utf-8")
    transform.save(home.transform)
    _autoencoder(home, arguments)
    print(f"portraits: {transform.channels} numbers a block, fitted to {FITTED} pictures -> {home.transform}")


def _autoencoder(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    transform, people = LinearTransform.load(home.transform), crowd.load(home.renders, home.looks)
    draw = np.random.default_rng(6)
    rows = [people.row(int(place), draw) for place in draw.choice(people.training, CALIBRATED)]
    some = stacked(rows, vocabulary.tokenizer_of(home.merges)).pictures.float() / 127.5 - 1
    autoencoder = linear_autoencoder(transform, some)
    in_half(autoencoder)
    autoencoder.save_pretrained(home.autoencoder)
    print(f"portraits: the autoencoder is in {home.autoencoder}")


@dataclass(frozen=True)
class Bench:
    """What a training needs besides its networks."""

    people: crowd.Crowd
    source: Source
    tokenizer: CLIPTokenizer
    transform: LinearTransform
    device: torch.device
    rows: int
    styles: Path

    def batches(self, transform: LinearTransform) -> PortraitBatches:
        unwanted = vocabulary.unwanted_texts(self.styles)
        return PortraitBatches(
            self.source, transform, self.tokenizer, unwanted=unwanted, size=self.rows, device=self.device
        )

    def trainer(self, variant: Variant, transform: LinearTransform, *, rate: float) -> PortraitTrainer:
        return PortraitTrainer(
            self.tokenizer,
            self.batches(transform),
            variant.shape,
            self.device,
            rows=self.rows,
            rate=rate * variant.rate,
            prediction=variant.prediction,
        )


@contextmanager
def _bench(home: PortraitsHome, arguments: argparse.Namespace) -> Iterator[Bench]:
    """Rows are composed by processes that are forked before the device is touched."""
    tokenizer = vocabulary.tokenizer_of(home.merges)
    people = crowd.load(home.renders, home.looks)
    gpu = torch.cuda.device_count() > 0
    workers = max(1, (os.cpu_count() or 1) - 2) if gpu else 0
    if arguments.workers is not None:
        workers = arguments.workers
    # Another call sees other rows.
    seed = int(time.time())
    stock = Stock(people, tokenizer, rows=STOCKED * workers, workers=workers, seed=seed) if workers else None
    try:
        yield Bench(
            people,
            stock or Fresh(people, tokenizer),
            tokenizer,
            LinearTransform.load(home.transform),
            _device(arguments.threads),
            arguments.rows or (1024 if gpu else 24),
            arguments.styles,
        )
    finally:
        if stock is not None:
            print(f"portraits: {stock.composed()} rows were composed")
            stock.close()


def _device(threads: int) -> torch.device:
    if not torch.cuda.is_available():
        torch.set_num_threads(threads)
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda")


def _train(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    with _bench(home, arguments) as bench:
        trainer = bench.trainer(Variant("main"), bench.transform, rate=arguments.rate)
        trainer.restore(home.state)
        if arguments.compile:
            trainer.compile()
        print(
            f"portraits: {len(bench.people.training)} renders, from step {trainer.step} on {bench.device}", flush=True
        )
        clock = Clock(60 * arguments.minutes, cools=arguments.cool)
        trainer.run(clock, home.cooled_state if arguments.cool else home.state)


def _race(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    eyes = measure.Eyes(home.vision)
    wanted = set(filter(None, arguments.only.split(",")))
    with _bench(home, arguments) as bench:
        some = [bench.people.row(int(place), np.random.default_rng(1)) for place in bench.people.training[:64]]
        pictures = stacked(some, bench.tokenizer).pictures.float() / 127.5 - 1
        for variant in VARIANTS:
            if wanted and variant.name not in wanted:
                continue
            transform = bench.transform.narrowed(variant.shape.channels).rescaled(variant.power, pictures)
            trainer = bench.trainer(variant, transform, rate=arguments.rate)
            trainer.run(Clock(arguments.seconds, save_every=float("inf"), cools=True), None)
            measure.model_of(trainer, bench.tokenizer, transform)
            figures = measure.denoised(trainer, transform, bench.tokenizer, bench.people, eyes)
            print(f"race: {variant.name}: {trainer.seen} rows; {figures}", flush=True)


def _samples(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    state_file = home.cooled_state if arguments.cooled else home.state
    state = checkpoint.load(state_file)
    if state is None:
        raise SystemExit(f"portraits: {state_file} is missing: run the stage 'train' first")
    device = _device(os.cpu_count() or 1)
    tokenizer = vocabulary.tokenizer_of(home.merges)
    people = crowd.load(home.renders, home.looks)
    transform = LinearTransform.load(home.transform)
    batches = PortraitBatches(Fresh(people, tokenizer), transform, tokenizer, unwanted=[""], size=1, device=device)
    trainer = PortraitTrainer(tokenizer, batches, shape_of(state["shape"]), device, rows=1)
    trainer.restore(state_file)
    model = measure.model_of(trainer, tokenizer, transform)
    eyes = measure.Eyes(home.vision)
    print(f"samples: step {trainer.step}, {trainer.seen} rows")
    print("samples:", measure.denoised(trainer, transform, tokenizer, people, eyes), flush=True)
    by_style, rows = measure.by_style(model, people, eyes, arguments.styles)
    print("samples:", by_style, flush=True)
    by_name, portraits = measure.by_name(model, people, eyes)
    print("samples:", by_name, flush=True)
    measure.write_sheet(arguments.out, [*rows, portraits])


def _export(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    export(home, home.cooled_state if arguments.cooled else home.state, arguments.out)
    print(f"portraits: both models are in {arguments.out}")


def _pack(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    size = bundle.pack(home, arguments.out, styles=arguments.styles, wheels=arguments.wheels, people=arguments.people)
    print(f"portraits: {arguments.out} holds {size / 2**20:.1f} MiB")


def _unpack(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    print(f"portraits: {bundle.unpack(arguments.folder, home)} more people unpacked into {home.renders}")


def _split(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    pieces = bundle.split(home.cooled_state if arguments.cooled else home.state, arguments.out)
    print(f"portraits: {len(pieces)} pieces in {arguments.out}")


def _join(home: PortraitsHome, arguments: argparse.Namespace) -> None:
    step = bundle.join(arguments.folder, home.state)
    print(f"portraits: {home.state} stands at step {step}")


STAGES = {
    "begin": _begin,
    "looks": _looks,
    "latents": _latents,
    "autoencoder": _autoencoder,
    "train": _train,
    "race": _race,
    "samples": _samples,
    "export": _export,
    "pack": _pack,
    "unpack": _unpack,
    "split": _split,
    "join": _join,
}
