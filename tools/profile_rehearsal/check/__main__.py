"""python -m profile_rehearsal.check: runs what is missing of the check and writes its page.

Each piece is a process of its own. What does not end in the minutes that are given is cut, and the next call goes on
there: then the exit code is 75. It takes whatever accelerator is there, and a CPU where none is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from profile_models.folders import cache_folder
from profile_rehearsal.__main__ import PERSON, SIZES

from .page import page

CUT = 75
# In their order: `pieces.PIECES`, which takes seconds to import.
NAMES = (
    "machine", "weights", "preprocess", "train", "serve", "finish", "sheet", "steps", "script", "pictures",
    "profile_training", "profile_drawing", "compiled_steps", "compiled_pictures", "count",
)  # fmt: skip
# Less than this is not begun with.
LEAST_SECONDS = 10


def main() -> int:
    """The program; returns the exit code."""
    arguments = _arguments()
    arguments.results.mkdir(parents=True, exist_ok=True)
    if arguments.piece:
        return _one(arguments)
    deadline = time.monotonic() + 60 * arguments.minutes
    for name in NAMES:
        if _figures(arguments.results, name) is not None:
            continue
        code = _in_a_process(name, deadline - time.monotonic())
        write_page(arguments.results)
        if code == CUT:
            print(f"gpu-check: cut at {name}; what was done stays: run it again to go on", file=sys.stderr)
            return CUT
        if code != 0:
            print(f"gpu-check: {name} failed; what was done stays", file=sys.stderr)
            return 1
    write_page(arguments.results)
    print(f"gpu-check: {arguments.results / 'page.md'}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="profile_rehearsal.check", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full", help="small: a thin model, to try the command")
    parser.add_argument("--models", type=Path, default=None, help="folder of models (default: in the cache)")
    parser.add_argument("--base-model", default="", help="SDXL in this folder (default: random weights, made here)")
    parser.add_argument("--control-model", default="", help="its ControlNet in the same folder")
    parser.add_argument("--results", type=Path, default=Path("out/gpu-check"), help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=9.0, help="of one call (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=4, help="pictures of an optimiser step (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=0, help="of training and drawing (default: 30; small: 2)")
    parser.add_argument("--times", type=int, default=0, help="that each thing is timed (default: 5; small: 2)")
    parser.add_argument("--piece", choices=NAMES, default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process(name: str, seconds: float) -> int:
    """Run one piece as a program of its own for so long at most; gives its exit code, CUT where it was cut."""
    if seconds < LEAST_SECONDS:
        return CUT
    print(f"gpu-check: {name}", flush=True)
    call = [sys.executable, "-m", "profile_rehearsal.check", *sys.argv[1:], "--piece", name]
    # In a group of its own: the predictor that it may have started goes with it.
    with subprocess.Popen(call, start_new_session=True) as program:
        try:
            return program.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, 9)
            return CUT


def _one(arguments: argparse.Namespace) -> int:
    """Run a piece in this process."""
    from profile_rehearsal.networks import SIZES as NETWORKS
    from profile_rehearsal.stages import Rehearsal

    from .pieces import MachineCheck, run

    small = arguments.size == "small"
    size = NETWORKS[arguments.size]
    if arguments.base_model:
        size = replace(size, name=arguments.base_model, control=arguments.control_model)
    models = arguments.models or cache_folder() / "rehearsal" / arguments.size / "models"
    rehearsal = Rehearsal(
        size,
        models,
        arguments.results,
        tuple(sorted(PERSON.glob("*.jpg"))[:4]),
        arguments.batch,
        memory=None,
        steps=arguments.steps or (2 if small else 30),
    )
    run(arguments.piece, MachineCheck(rehearsal, arguments.results, arguments.times or (2 if small else 5)))
    return 0


def _figures(results: Path, name: str) -> dict[str, object] | None:
    """What a piece left; None where it did not end."""
    try:
        figures = json.loads((results / f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    return figures if isinstance(figures, dict) else None


def write_page(results: Path) -> None:
    """The page of what was done so far."""
    done = {name: figures for name in NAMES if (figures := _figures(results, name)) is not None}
    (results / "page.md").write_text(page(done))


if __name__ == "__main__":
    sys.exit(main())
