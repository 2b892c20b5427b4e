"""What was found and made, as rows of tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from profile_contract.photo_names import shown_name
from profile_contract.photos import PhotosWarning, PhotosWarningKind
from profile_contract.request_status import PortraitStatus, Verdict
from profile_contract.stages.finish import FinishReport, Portrait, ToneShift
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PhotoVerdict

PHOTO_COLUMNS = ("photo", "verdict", "advice")
PORTRAIT_COLUMNS = ("style", "#rank", "#seed", "#likeness", "layouts", "not met")
STATUS_COLUMNS = ("style", "#rank", "#seed", "#likeness", "layouts")
CANDIDATE_COLUMNS = ("style", "#seed", "#faces", "#likeness", "delivered", "why not")
TONE_COLUMNS = ("style", "tone", "#pairs", "#b* shift", "#L* shift", "in range")
# Of the photos that a warning is about, so many are named.
MOST_NAMED = 5

Rows = list[tuple[str, ...]]


def photo_rows(verdicts: Sequence[PhotoVerdict] | Sequence[Verdict]) -> Rows:
    """A row a photo."""
    return [(shown_name(verdict.name), verdict.reason, verdict.advice) for verdict in verdicts]


def warning_lines(warnings: Sequence[PhotosWarning]) -> list[str]:
    """A line a warning about the photos, naming those that it is about; that some were left out, the table says."""
    return [
        f"note: {warning.message}{_named(warning.photos)}"
        for warning in warnings
        if warning.kind is not PhotosWarningKind.LEFT_OUT
    ]


def _named(photos: Sequence[str]) -> str:
    if not photos:
        return ""
    more = f" and {len(photos) - MOST_NAMED} more" if len(photos) > MOST_NAMED else ""
    return f" ({', '.join(map(shown_name, photos[:MOST_NAMED]))}{more})"


def portrait_rows(report: FinishReport) -> Rows:
    """A row a delivered portrait, with the checks that its layouts did not meet."""
    return [
        (
            portrait.style,
            str(portrait.rank),
            str(portrait.seed),
            f"{portrait.likeness} %",
            ", ".join(f"{file.layout} {file.width}x{file.height}" for file in portrait.layouts),
            _not_met(portrait),
        )
        for portrait in report.portraits
    ]


def status_rows(portraits: Sequence[PortraitStatus]) -> Rows:
    """A row a delivered portrait, as a request's status tells of it."""
    return [
        (
            portrait.style,
            str(portrait.rank),
            str(portrait.seed),
            f"{portrait.likeness} %",
            ", ".join(sorted(portrait.layouts)),
        )
        for portrait in portraits
    ]


def _not_met(portrait: Portrait) -> str:
    names = {check.name for file in portrait.layouts for check in file.checks if not check.met}
    return ", ".join(sorted(names))


def candidate_rows(report: FinishReport) -> Rows:
    """A row a candidate: what was measured, and why it was not delivered."""
    return [
        (
            score.style,
            str(score.seed),
            str(score.faces),
            "" if score.likeness is None else f"{score.likeness} %",
            "yes" if score.delivered else "no",
            score.refusal,
        )
        for score in report.scores
    ]


def tone_rows(tones: Sequence[ToneShift]) -> Rows:
    """A row a style whose tone was measured against neutral twins."""
    return [
        (
            shift.style,
            shift.tone,
            str(shift.pairs),
            f"{shift.b_shift:+.1f}",
            f"{shift.l_shift:+.1f}",
            "yes" if shift.met else "no",
        )
        for shift in tones
    ]


def stage_row(name: str, report: StageReport) -> tuple[str, ...]:
    """How long a stage took, by its own report."""
    return (name, f"{report.seconds:.1f}", f"{report.peak_memory_megabytes} MB")
