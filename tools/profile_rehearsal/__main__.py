"""python -m profile_rehearsal: runs what is missing of the rehearsal and writes the page.

Each stage is a process of its own; one that was done is not done again, unless `--anew`. It waits for memory that
others hold.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from profile_models.folders import cache_folder

from .page import Counts, RehearsedStage, page

CLONE = Path(__file__).resolve().parents[2]
PERSON = CLONE / "models" / "people" / "p900055"
PAGE = CLONE / "docs" / "full-size.md"
COUNT = "count"
# Here, since the stages and the networks themselves take seconds and half a gigabyte to import.
NAMES = ("weights", "preprocess", "train", "draw", "finish")
SIZES = ("full", "small")
# glibc keeps what is smaller than 32 MiB for itself, as most of SDXL's activations are, and the gaps between what lives
# grow from step to step: 17.7 GiB for 13. And a thread that waits for another leaves its core to others meanwhile.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "OMP_WAIT_POLICY": "passive"}


def main() -> int:
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_rehearsal", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full", help="small: a thin model, to try the command")
    parser.add_argument("--folder", type=Path, default=cache_folder() / "rehearsal", help="models and results")
    parser.add_argument("--page", type=Path, default=PAGE, help="what is written (default: %(default)s)")
    parser.add_argument("--photos", type=int, default=4, help="photos of the person (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=4, help="pictures of an optimiser step (default: %(default)s)")
    parser.add_argument("--until", default="", help="end after this stage")
    parser.add_argument("--anew", action="store_true", help="run stages again that were done")
    parser.add_argument("--stage", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    results = arguments.folder / arguments.size / "results"
    results.mkdir(parents=True, exist_ok=True)
    if arguments.stage:
        return _one(arguments, results)
    if arguments.anew:
        for path in results.glob("*.json"):
            path.unlink()
    for name in (*NAMES, COUNT):
        if not (results / f"{name}.json").is_file() and _in_a_process(name) != 0:
            print(f"rehearsal: {name} failed; what was done stays", file=sys.stderr)
            return 1
        write_page(results, arguments.page)
        if name == arguments.until:
            break
    print(f"rehearsal: {arguments.page}")
    return 0


def _in_a_process(name: str) -> int:
    """Run one stage as a program of its own; gives its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "profile_rehearsal", *sys.argv[1:], "--stage", name],
        check=False,
        env={**ENVIRONMENT, **os.environ},
    ).returncode


def _one(arguments: argparse.Namespace, results: Path) -> int:
    """Run a stage in this process and keep what it says."""
    from .networks import SIZES as NETWORKS

    name, size = arguments.stage, NETWORKS[arguments.size]
    if name == COUNT:
        from .count import counts

        (results / f"{name}.json").write_text(json.dumps(counts(size)))
        return 0
    from .stages import NEEDS_GIB, STAGES, Rehearsal

    photos = tuple(sorted(PERSON.glob("*.jpg"))[: arguments.photos])
    root = arguments.folder / arguments.size
    rehearsal = Rehearsal(size, root / "models", root, photos, arguments.batch)
    if arguments.size == "full":
        _wait_for_memory(name, NEEDS_GIB[name])
    print(f"rehearsal: {name}", flush=True)
    started = time.monotonic()
    note = STAGES[name](rehearsal)
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(kind).ru_maxrss for kind in kinds) / (1 << 20)
    stage = RehearsedStage(name, time.monotonic() - started, peak, note)
    (results / f"{name}.json").write_text(json.dumps(asdict(stage)))
    print(f"rehearsal: {name}: {stage.seconds:.0f} s, {peak:.1f} GiB; {note}", flush=True)
    return 0


def _wait_for_memory(name: str, gib: float) -> None:
    """Until so much is free, for as long as it takes."""
    from profile_train.machine import memory_here

    said = False
    while (free := memory_here().bytes) is not None and free < gib * (1 << 30):
        if not said:
            print(f"rehearsal: {name} waits for {gib:g} GiB; {free / (1 << 30):.1f} are free", flush=True)
        said = True
        time.sleep(10)


def write_page(results: Path, path: Path) -> None:
    """The page of what was done so far."""
    stages = [
        RehearsedStage(**json.loads((results / f"{name}.json").read_text()))
        for name in NAMES
        if (results / f"{name}.json").is_file()
    ]
    counted = results / f"{COUNT}.json"
    path.write_text(page(stages, Counts.of(json.loads(counted.read_text())) if counted.is_file() else None, _machine()))


def _machine() -> str:
    """Processor and cores, as the kernel names them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "a machine without a GPU"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of {names[0]}" if names else "a machine without a GPU"


if __name__ == "__main__":
    sys.exit(main())
