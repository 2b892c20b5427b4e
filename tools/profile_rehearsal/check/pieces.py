"""The pieces of a check, in order. Each runs in a process of its own and gives what the page shows of it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from profile_contract.artifacts import REPORT
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainParameters, TrainReport
from profile_rehearsal import stages
from profile_rehearsal.count import counts
from profile_rehearsal.stages import Rehearsal
from profile_train.cache import encode_examples, encode_text, free_encoders
from profile_train.machine import memory_here, sizes_of
from profile_train.memory import Ladder, MemoryPlan, NetworkSizes, Precision, needed, plans_of, precisions_of
from profile_train.model import Base, load_base
from profile_train.settings import settings_of
from profile_vision.files import read_picture
from profile_vision.pixels import to_rgb

from .speed import (
    CAPTION,
    RANK,
    Portraits,
    noise_pictures,
    our_step,
    product_rate,
    profiled,
    script_step,
    seconds_of,
)

GIB = 1 << 30
Figures = dict[str, Any]


@dataclass(frozen=True)
class MachineCheck:
    """What is checked: a rehearsal by what is free here, and how often things are timed; results lie in `folder`."""

    rehearsal: Rehearsal
    folder: Path
    times: int

    @property
    def parameters(self) -> TrainParameters:
        """Of the training that is timed."""
        return TrainParameters(
            base_model=self.rehearsal.size.name,
            resolution=self.rehearsal.size.native,
            batch=self.rehearsal.batch,
            rank=RANK,
        )

    @property
    def sizes(self) -> NetworkSizes:
        """Of the networks, as their files say."""
        return sizes_of(self.rehearsal.models, self.parameters, "")

    @property
    def plan(self) -> MemoryPlan:
        """How a step is taken in the memory that is free now."""
        memory = memory_here()
        precisions = precisions_of(mixed=True, accelerated=memory.accelerated)
        return Ladder(plans_of(settings_of(self.parameters, 12), precisions), self.sizes, memory).plan

    def portraits(self, count: int) -> Portraits:
        """Portraits of the person who was trained."""
        store = self.rehearsal.store
        report = TrainReport.model_validate_json(store.read(self.rehearsal.prefix(Stage.TRAIN) + REPORT))
        assert report.adapter is not None  # noqa: S101
        size, models = self.rehearsal.size, self.rehearsal.models
        return Portraits(models, size, store.read(report.adapter.key), self.rehearsal.steps, count)


def machine(check: MachineCheck) -> Figures:
    """What this is, and how fast a plain product of matrices is here."""
    gpu = torch.cuda.is_available()
    memory = torch.cuda.get_device_properties(0).total_memory if gpu else None
    return {
        "name": torch.cuda.get_device_name() if gpu else "no GPU",
        "gib": round(memory / GIB, 1) if memory else 0.0,
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "none",
        "python": platform.python_version(),
        "product": round(product_rate(8192 if gpu else 512), 2),
    }


def count(check: MachineCheck) -> Figures:
    """Bytes and FLOPs of these networks, on tensors without contents."""
    return counts(check.rehearsal.size)


def weights(check: MachineCheck) -> Figures:
    """Networks with random weights, unless a model of that name is there."""
    return {"note": stages.weights(check.rehearsal)}


def preprocess(check: MachineCheck) -> Figures:
    """Photos to a dataset, unless one was brought along."""
    if check.rehearsal.store.stat(check.rehearsal.prefix(Stage.PREPROCESS) + REPORT):
        return {"note": "the dataset was there"}
    return {"note": stages.preprocess(check.rehearsal)}


def train(check: MachineCheck) -> Figures:
    """The trainer's stage; where it was cut, it goes on from its checkpoint."""
    note = stages.train(check.rehearsal)
    return {"note": note, "gib": _peak()}


def steps(check: MachineCheck) -> Figures:
    """A step of ours in the plan for this memory: seconds, and the memory that was calculated and taken."""
    plan = check.plan
    step = _prepared(check, plan)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    seconds = seconds_of(step, check.times)
    calculated = needed(plan, check.sizes, accelerated=torch.cuda.is_available()) / GIB
    return {
        "seconds": seconds,
        "rows": check.rehearsal.batch,
        "at_once": plan.rows,
        "twice": plan.checkpointing,
        "calculated_gib": calculated,
        "gib": _peak(),
    }


def compiled_steps(check: MachineCheck) -> Figures:
    """The same with compiled blocks; nothing without an accelerator."""
    plan = check.plan
    if not torch.cuda.is_available() or plan.precision is Precision.FLOAT8:
        return {}
    return {"seconds": seconds_of(_prepared(check, plan, compiles=True), check.times)}


def script(check: MachineCheck) -> Figures:
    """A step of diffusers' script at the largest batch that fits, up to ours."""
    rows, edge = check.rehearsal.batch, check.rehearsal.size.native
    precision = Precision.BFLOAT16 if torch.cuda.is_available() else Precision.FLOAT32
    while rows:
        seconds = _script_seconds(_base(check, precision), rows, edge, check.times)
        if seconds is not None:
            return {"seconds": seconds, "rows": rows, "gib": _peak()}
        torch.cuda.empty_cache()
        rows //= 2
    return {"note": "diffusers' loop does not fit into this memory with one picture"}


def _script_seconds(base: Base, rows: int, edge: int, times: int) -> float | None:
    """Of a step of diffusers' script; None where memory runs out."""
    pixels = torch.stack(
        [torch.from_numpy(each.image).permute(2, 0, 1).float() / 127.5 - 1 for each in noise_pictures(rows, edge)]
    )
    try:
        return seconds_of(script_step(base, pixels), times)
    except torch.OutOfMemoryError:
        return None


def serve(check: MachineCheck) -> Figures:
    """Two people through the predictor's HTTP door, in one batch."""
    return {"note": stages.draw(check.rehearsal)}


def finish(check: MachineCheck) -> Figures:
    """Candidates to portraits."""
    return {"note": stages.finish(check.rehearsal)}


def pictures(check: MachineCheck) -> Figures:
    """Four portraits: of one person, of four people, and by a bare pipeline whose weights are that person's."""
    drawing = check.portraits(4)
    pipeline = drawing.pipeline()
    figures: Figures = {"rows": drawing.count, "steps": drawing.steps}
    rows = {"one": drawing.rows(pipeline, 1), "many": drawing.rows(pipeline, drawing.count)}
    for name, drawn in rows.items():
        figures[name] = seconds_of(partial(pipeline.draw, drawing.shape, drawn), check.times)
    shown = pipeline.draw(drawing.shape, rows["many"])
    _sheet([Image.fromarray(picture) for picture in shown]).save(check.folder / "pictures.jpg", quality=85)
    person = rows["one"][0].adapters[0][0]
    del pipeline
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    figures["bare"] = seconds_of(drawing.bare(person), check.times)
    return figures


def compiled_pictures(check: MachineCheck) -> Figures:
    """One person's portraits with compiled blocks; nothing without an accelerator."""
    if not torch.cuda.is_available():
        return {}
    drawing = check.portraits(4)
    pipeline = drawing.pipeline(compiles=True)
    rows = drawing.rows(pipeline, 1)
    return {"one": seconds_of(lambda: pipeline.draw(drawing.shape, rows), check.times)}


def sheet(check: MachineCheck) -> Figures:
    """What came through the door, side by side."""
    store, prefix = check.rehearsal.store, check.rehearsal.prefix(Stage.GENERATE)
    keys = [entry.key for entry in store.list(prefix) if entry.key.endswith(".png")]
    shown = [Image.fromarray(to_rgb(read_picture(store, key))) for key in keys]
    widest = max(picture.width for picture in shown)
    _sheet([picture for picture in shown if picture.width == widest]).save(check.folder / "served.jpg", quality=85)
    return {"note": f"{len(shown)} candidates"}


def profile_training(check: MachineCheck) -> Figures:
    """What a training step spends its time in."""
    return {"rows": profiled(_prepared(check, check.plan), check.folder / "trace-training.json.gz")}


def profile_drawing(check: MachineCheck) -> Figures:
    """What two steps of drawing spend their time in."""
    drawing = replace(check.portraits(4), steps=2)
    pipeline = drawing.pipeline()
    rows = drawing.rows(pipeline, 1)
    trace = check.folder / "trace-drawing.json.gz"
    return {"rows": profiled(lambda: pipeline.draw(drawing.shape, rows), trace)}


PIECES: dict[str, Callable[[MachineCheck], Figures]] = {
    piece.__name__: piece
    for piece in (
        machine,
        weights,
        preprocess,
        train,
        serve,
        finish,
        sheet,
        steps,
        script,
        pictures,
        profile_training,
        profile_drawing,
        compiled_steps,
        compiled_pictures,
        count,
    )
}


def run(name: str, check: MachineCheck) -> Figures:
    """A piece's figures, which are kept in the folder of results."""
    figures = PIECES[name](check)
    path = check.folder / f"{name}.json"
    path.with_suffix(".partial").write_text(json.dumps(figures))
    path.with_suffix(".partial").rename(path)
    return figures


def _base(check: MachineCheck, precision: Precision) -> Base:
    return load_base(check.rehearsal.models, check.rehearsal.size.name, precision=precision)


def _prepared(check: MachineCheck, plan: MemoryPlan, *, compiles: bool = False) -> Callable[[], None]:
    """Our training step by a plan, on pictures that are encoded already, the encoders gone."""
    base = replace(_base(check, plan.precision), compiles=compiles)
    examples = noise_pictures(check.rehearsal.batch, check.rehearsal.size.native)
    cached = encode_examples(base, examples, encode_text(base, [CAPTION]))
    free_encoders(base)
    return our_step(base, cached, plan)


def _sheet(shown: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size side by side, each half as wide as it is."""
    width, height = shown[0].width // 2, shown[0].height // 2
    sheet = Image.new("RGB", (width * len(shown), height))
    for place, picture in enumerate(shown):
        sheet.paste(picture.resize((width, height)), (place * width, 0))
    return sheet


def _peak() -> float | None:
    """GiB of the accelerator's memory that tensors took at most; None without one."""
    return torch.cuda.max_memory_allocated() / GIB if torch.cuda.is_available() else None
