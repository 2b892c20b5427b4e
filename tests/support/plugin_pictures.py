"""python tests/support/plugin_pictures.py: pictures for docs/ of what kubectl profile shows, by its own drawing."""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Callable
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from profile_cli import tables, watch
from profile_cli.observed import ObservedRequest
from profile_cli.terminal import BarTracker, Terminal, bar
from profile_contract.conditions import ConditionType, Reason
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.photos import PHOTO_ADVICE, PhotoReason
from profile_contract.request_status import (
    Condition,
    ProfileRequestStatus,
    Progress,
    StagesStatus,
    StageStatus,
    Verdict,
)
from profile_contract.stages.finish import Check, FinishReport, LayoutFile, Portrait
from profile_contract.stages.table import Stage

CLONE = Path(__file__).resolve().parents[2]
COLUMNS = 104
# Ours are read by people who are offline, too: the viewer's own fixed-width font, none from the network.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
LOOKED, TRAINING, NOW = "2026-03-02T09:00:04Z", "2026-03-02T09:00:31Z", 391.4


class At(Terminal):
    """A terminal whose command began so many seconds ago."""

    seconds = 0.0

    @property
    def elapsed(self) -> float:
        """As it was set, so that a picture made again is the same."""
        return self.seconds


def watching() -> ObservedRequest:
    """A request in the middle of training."""
    running = Condition(
        type=ConditionType.READY, status="False", reason=Reason.RUNNING, message="", last_transition_time=TRAINING
    )
    status = ProfileRequestStatus(
        observed_generation=1,
        conditions=[running],
        progress=Progress(stage=Stage.TRAIN, percent=50, remaining_seconds=360),
        stages=StagesStatus(
            preprocess=StageStatus(digest="8c1f", start_time=LOOKED, completion_time=TRAINING),
            train=StageStatus(digest="b07a", start_time=TRAINING),
        ),
        stage_text="Training",
        photos_text="11/12",
    )
    return ObservedRequest(generation=1, deleting=False, status=status)


def show_watch(terminal: At) -> None:
    """What `watch` tells, and its bar half-way."""
    view, reading = watching(), watch.read(watching())
    terminal.seconds = 31.2
    watch.tell(view, set(), terminal)
    progress = bar(terminal.console)
    tracker = BarTracker(progress, progress.add_task("hr/minji", total=100, note=""), "hr/minji")
    tracker.show(reading.text, reading.percent, reading.remaining)
    for task in progress.tasks:
        task.start_time = (task.start_time or 0.0) - NOW
    terminal.console.print(progress)


def show_photos(terminal: At) -> None:
    """Verdicts as people get them: most are good."""
    refused = {3: PhotoReason.BLURRED, 5: PhotoReason.FACE_COVERED, 8: PhotoReason.SEVERAL_PEOPLE}
    reasons = [refused.get(number, PhotoReason.ACCEPTED) for number in range(9)]
    verdicts = [
        Verdict(
            name=f"{number:02d}.jpg",
            accepted=reason is PhotoReason.ACCEPTED,
            reason=reason,
            advice=PHOTO_ADVICE[reason],
        )
        for number, reason in enumerate(reasons)
    ]
    terminal.table("Photos", tables.PHOTO_COLUMNS, tables.photo_rows(verdicts))


def _portrait(style: str, rank: int, seed: int, likeness: int) -> Portrait:
    added = Check(
        name="background added", met=(rank, style) != (2, "studio-cool"), measured="4 %", wanted="at most 2 %"
    )
    layouts = [
        LayoutFile(layout=name, key="k", width=LAYOUTS[name].width, height=LAYOUTS[name].height, bytes=1, checks=checks)
        for name, checks in ((LayoutName.SQUARE, []), (LayoutName.EMPLOYEE_CARD, [added]))
    ]
    return Portrait(style=style, seed=seed, rank=rank, key="k", likeness=likeness, layouts=layouts)


def show_portraits(terminal: At) -> None:
    """Two styles, two portraits each."""
    made = [
        _portrait("studio-warm", 1, 4, 91), _portrait("studio-warm", 2, 1, 88),
        _portrait("studio-cool", 1, 4, 90), _portrait("studio-cool", 2, 7, 86),
    ]  # fmt: skip
    report = FinishReport(stage=Stage.FINISH, digest="5e2d", portraits=made)
    terminal.table("Portraits", tables.PORTRAIT_COLUMNS, tables.portrait_rows(report))
    terminal.seconds = 3.8
    terminal.say("17 files in portraits")


PICTURES: dict[str, tuple[str, Callable[[At], None]]] = {
    "watch": ("kubectl profile watch minji", show_watch),
    "photos": ("kubectl profile photos minji", show_photos),
    "portraits": ("kubectl profile portraits minji --out portraits", show_portraits),
}


def picture(name: str) -> str:
    """One picture as SVG, always the same."""
    title, show = PICTURES[name]
    console = Console(
        file=io.StringIO(), record=True, width=COLUMNS, highlight=False, force_terminal=True, color_system="truecolor"
    )
    show(At(console))
    return console.export_svg(title=title, code_format=FORMAT, unique_id=f"kubectl-{name}")


def main() -> None:
    """Write kubectl-watch.svg, kubectl-photos.svg and kubectl-portraits.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=CLONE / "docs" / "pictures", help="(default: %(default)s)")
    out: Path = parser.parse_args().out
    for name in PICTURES:
        (out / f"kubectl-{name}.svg").write_text(picture(name))


if __name__ == "__main__":
    main()
