"""The command line: tries what was not tried yet with the operator as it is, and writes docs/reliability.md."""

from __future__ import annotations

import argparse
import itertools
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .histories import histories
from .kube import Document
from .life import Fault
from .outages import outages
from .results import KEPT, Results
from .stand import Stand, stand
from .trials import Trial, crash_points, deletions, pairs, stale_watches, undisturbed

PARTS = ("crashes", "two", "watches", "deletions", "histories", "outages")
LOGS = KEPT.parent / "logs"
# Set when somebody ends this from outside.
ending = threading.Event()


def main() -> int:
    """Returns 1 where anything ended otherwise than it must."""
    parser = argparse.ArgumentParser(prog="reliability", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them otherwise")
    parser.add_argument("--jobs", type=int, default=3, help="lives side by side")
    parser.add_argument("--page", action="store_true", help="write the page of what is known, and try nothing")
    parser.add_argument("--case", default="", help="only what holds this text")
    arguments = parser.parse_args()
    # Everything that was started ends with the block, also where somebody ends this from outside.
    signal.signal(signal.SIGTERM, _end)
    results = Results()
    if not arguments.page:
        with tempfile.TemporaryDirectory(prefix="reliability-") as folder, stand(Path(folder)) as running:
            _try_all(running, results, arguments.parts or list(PARTS), arguments.jobs, arguments.case)
    results.write_page()
    for result in results.faults:
        print(f"FAULT {result.key}: {result.fault}", flush=True)
    return 1 if results.faults else 0


def _end(*_: object) -> None:
    ending.set()
    sys.exit(143)


def _try_all(running: Stand, results: Results, parts: list[str], jobs: int, case: str) -> None:
    expected, effects = undisturbed(running)
    print(f"an undisturbed life has {len(effects)} effects", flush=True)
    every: dict[str, Callable[[], Iterator[Trial]]] = {
        "crashes": lambda: crash_points(len(effects)),
        "two": lambda: pairs(len(effects)),
        "watches": lambda: stale_watches(len(effects)),
        "deletions": deletions,
        "histories": histories,
        "outages": lambda: outages(store_fills=running.store_fills, redis=running.redis is not None),
    }
    # In turns: a run that is cut off has tried something of everything.
    turns = itertools.zip_longest(*(every[part]() for part in parts))
    trials = [trial for turn in turns for trial in turn if trial is not None and case in trial.case]
    results.plan(trial.section for trial in trials if not case)
    left = [trial for trial in trials if not results.passed(trial.section, trial.case)]
    print(f"{len(trials)} to try, {len(trials) - len(left)} of them passed before", flush=True)
    count, lock = 0, threading.Lock()

    def attempt(trial: Trial) -> None:
        nonlocal count
        begin = time.monotonic()
        kind, fault = _attempt(running, trial, expected)
        if ending.is_set():
            return  # what was cut off says nothing
        with lock:
            count += 1
            place = f"[{count}/{len(left)}] {time.monotonic() - begin:5.1f} s"
            print(f"{place}  {trial.section}: {trial.case} ({kind}): {fault or 'ok'}", flush=True)
        results.add(trial.section, kind, trial.case, fault, time.monotonic() - begin)
        if count % 10 == 0:
            results.write_page()

    threads = ThreadPoolExecutor(jobs)
    try:
        list(threads.map(attempt, [trial for trial in left if not trial.alone]))
    finally:
        threads.shutdown(cancel_futures=True)
    for trial in left:
        if trial.alone:
            attempt(trial)


def _attempt(running: Stand, trial: Trial, expected: Document) -> tuple[str, str]:
    """The line of the table, and what was wrong; empty where nothing was. The logs of what went wrong are kept."""
    try:
        return trial.run(running, expected) or trial.kind, ""
    except Fault as fault:
        kind, text = fault.kind, str(fault)
    except Exception as error:  # whatever it was, the others are tried
        kind, text = "", f"{type(error).__name__}: {error}"
    LOGS.mkdir(parents=True, exist_ok=True)
    place = LOGS / trial.case.replace(" ", "-").replace(",", "")
    place.mkdir(exist_ok=True)
    for file in sorted(running.folder.glob("*.log"), key=lambda file: file.stat().st_mtime)[-8:]:
        shutil.copy2(file, place)
    return kind or trial.kind or trial.case, text


if __name__ == "__main__":
    sys.exit(main())
