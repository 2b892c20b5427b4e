"""Follows a request until it is ready or says that it cannot be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from profile_cli.cluster import Cluster, Unreachable
from profile_cli.errors import CommandError
from profile_cli.observed import ObservedRequest
from profile_cli.tables import warning_lines
from profile_cli.terminal import Terminal, duration
from profile_contract.conditions import ConditionType, Reason
from profile_contract.request_status import StageStatus
from profile_contract.stages.table import Stage

PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Reading:
    """What one look at a request tells. `failed` holds why it will not go on by itself."""

    ready: bool = False
    failed: str = ""
    text: str = "waiting for the operator"
    percent: int | None = None
    remaining: int | None = None


def read(view: ObservedRequest | None) -> Reading:
    """What a request's status says. Pure."""
    if view is None:
        return Reading(failed="the request was deleted while it was watched")
    if not view.current:
        return Reading()
    stalled, reason, message = view.condition(ConditionType.STALLED)
    if stalled:
        return Reading(failed=f"{reason}: {message}")
    ready, reason, message = view.condition(ConditionType.READY)
    if ready:
        return Reading(ready=True, text="done", percent=100)
    progress = view.status.progress
    text = view.status.stage_text.value
    # While all goes well the message only says what the stage's name says.
    hindered = reason != Reason.RUNNING and message
    text = f"{text}: {message}" if hindered else text
    if progress is None:
        return Reading(text=text)
    return Reading(text=text, percent=progress.percent, remaining=progress.remaining_seconds)


def finished_stages(view: ObservedRequest) -> dict[Stage, StageStatus]:
    """The stages that have ended, in their order."""
    stages = view.status.stages
    entries = {stage: getattr(stages, stage.value) if stages else None for stage in Stage}
    return {stage: entry for stage, entry in entries.items() if entry is not None and entry.completion_time}


def missing_stages(view: ObservedRequest) -> list[Stage]:
    """The stages that are still to end; training is none of them where none is asked for."""
    ended, (_, trained, _) = finished_stages(view), view.condition(ConditionType.TRAINED)
    asked = [stage for stage in Stage if stage is not Stage.TRAIN or trained != Reason.NOT_ASKED]
    return [stage for stage in asked if stage not in ended]


def digests(view: ObservedRequest) -> dict[Stage, str]:
    """What keys the artifacts of a ready request, by stage. Raises CommandError if a stage has not ended."""
    ended = {stage: entry.digest for stage, entry in finished_stages(view).items()}
    missing = ", ".join(missing_stages(view))
    if missing:
        raise CommandError(f"not all stages have ended, so there are no portraits yet: {missing}")
    return ended


def seconds_between(entry: StageStatus) -> float | None:
    """How long a stage took; None where its times are not known."""
    if not entry.start_time or not entry.completion_time:
        return None
    begin, end = (datetime.fromisoformat(text) for text in (entry.start_time, entry.completion_time))
    return max(0.0, (end - begin).total_seconds())


def document(view: ObservedRequest | None, reading: Reading) -> dict[str, Any]:
    """What a look told, for programs. Pure."""
    ended = finished_stages(view) if view is not None and view.current else {}
    return {
        "ready": reading.ready,
        "failed": reading.failed,
        "text": reading.text,
        "percent": reading.percent,
        "remainingSeconds": reading.remaining,
        "stages": {stage.value: {"digest": e.digest, "seconds": seconds_between(e)} for stage, e in ended.items()},
    }


def readings(
    cluster: Cluster, namespace: str, name: str, limit_seconds: float
) -> Iterator[tuple[ObservedRequest | None, Reading]]:
    """Looks at the request until one tells that it is ready or has failed. Raises CommandError after the limit."""
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        view, reading = _look(cluster, namespace, name)
        yield view, reading
        if reading.ready or reading.failed:
            return
        time.sleep(PAUSE_SECONDS)
    raise CommandError(f"the request {namespace}/{name} was not ready after {limit_seconds:.0f} s")


def follow(cluster: Cluster, namespace: str, name: str, limit_seconds: float, terminal: Terminal) -> ObservedRequest:
    """Show progress until the request is ready. Raises CommandError when it stalls or takes longer than the limit."""
    shown: set[str] = set()
    with terminal.tracker(f"{namespace}/{name}") as tracker:
        for view, reading in readings(cluster, namespace, name, limit_seconds):
            if view is not None and view.current:
                tell(view, shown, terminal)
                if reading.ready:
                    return view
            if reading.failed:
                raise CommandError(f"the request {namespace}/{name} cannot go on: {reading.failed}")
            tracker.show(reading.text, reading.percent, reading.remaining)
    raise CommandError(f"the request {namespace}/{name} could not be followed to its end")


def _look(cluster: Cluster, namespace: str, name: str) -> tuple[ObservedRequest | None, Reading]:
    """The request and what it says; an API server that is away is asked again."""
    try:
        view = cluster.request(namespace, name)
    except Unreachable as error:
        return None, Reading(text=str(error))
    return view, read(view)


def tell(view: ObservedRequest, shown: set[str], terminal: Terminal) -> None:
    """A line for each stage that has ended since the last look."""
    for stage, entry in finished_stages(view).items():
        if f"{stage}{entry.digest}" in shown:
            continue
        shown.add(f"{stage}{entry.digest}")
        seconds = seconds_between(entry)
        took = "" if seconds is None else f" after {duration(seconds)}"
        photos = f": {view.status.photos_text} photos accepted" if stage is Stage.PREPROCESS else ""
        terminal.say(f"{stage} ended{took}{photos}")
        if stage is Stage.PREPROCESS and view.status.photos:
            for line in warning_lines(view.status.photos.warnings):
                terminal.say(line)
