"""Reports as they are read back: what a stranger may have written is bounded, and names nothing outside its request.

A stage's pod looks at photos that anybody sent. Whoever takes it over may write any report below the stage's prefix,
so a report is parsed strictly before a key in it is signed, read, or put into a status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import ValidationError

from .keys import ForeignKey, check_below
from .stages.finish import FinishReport
from .stages.generate import GenerateReport
from .stages.order import StageReport
from .stages.preprocess import PreprocessReport
from .stages.train import TrainReport
from .style_ref import is_key
from .times import is_time

LONGEST_REPORT = 1_048_576
LONGEST_TEXT = 4096
MOST_ENTRIES = 1000
MOST_PORTRAITS = 128
LARGEST_NUMBER = 1e12
MOST_SECONDS = 1e7
MOST_DEPTH = 20

_SHA256 = re.compile(r"[0-9a-f]{64}")

ReportT = TypeVar("ReportT", bound=StageReport)


class UnsoundReport(ValueError):
    """A report that cannot be believed; the message is one short sentence."""


def read_report(kind: type[ReportT], data: bytes, area: str) -> ReportT:
    """The report of a request whose artifacts lie below `area`. Raises UnsoundReport.

    Bounds: 1 MiB in all, 20 levels, 1,000 entries a list, 4,096 characters a text, numbers finite and at most 1e12.
    """
    if len(data) > LONGEST_REPORT:
        raise UnsoundReport(f"it has more than {LONGEST_REPORT} bytes")
    try:
        document = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UnsoundReport("it is no JSON") from None
    _bounded(document)
    try:
        report = kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise UnsoundReport(f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg'][:200]}") from None
    _sound(report)
    try:
        for key in _keys(report):
            check_below(area, key)
    except ForeignKey as error:
        raise UnsoundReport(str(error)) from None
    return report


def _no_constant(text: str) -> float:
    raise ValueError(text)


def _bounded(value: Any, depth: int = 0) -> None:
    """Raises UnsoundReport for what is too deep, too long or too large."""
    if depth > MOST_DEPTH:
        raise UnsoundReport(f"it has more than {MOST_DEPTH} levels")
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise UnsoundReport(f"it has a text of {len(value)} characters, at most {LONGEST_TEXT} are taken")
    elif isinstance(value, (dict, list)):
        if len(value) > MOST_ENTRIES:
            raise UnsoundReport(f"it has a list of {len(value)} entries, at most {MOST_ENTRIES} are taken")
        for inner in value.values() if isinstance(value, dict) else value:
            _bounded(inner, depth + 1)
    elif isinstance(value, (int, float)) and not abs(value) <= LARGEST_NUMBER:  # so NaN is none either
        raise UnsoundReport("it has a number that is not finite or above 1e12")


def _sound(report: StageReport) -> None:
    """What a status, a bill or an order is made of. Raises UnsoundReport."""
    if not all(is_time(text) for text in (report.started_at, report.finished_at) if text):
        raise UnsoundReport("startedAt and finishedAt must be times like 2026-01-02T03:04:05Z")
    if not 0 <= report.seconds <= MOST_SECONDS or not 0 <= report.gpu_count <= 64:
        raise UnsoundReport(f"seconds must be from 0 to {MOST_SECONDS:.0f}, and gpuCount from 0 to 64")
    if isinstance(report, TrainReport):
        if report.outcome == "Done" and report.adapter is None and report.merged is None:
            raise UnsoundReport("it is done and names no adapter")
        if report.adapter is not None and not _SHA256.fullmatch(report.adapter.sha256):
            raise UnsoundReport("adapter.sha256 must be 64 hexadecimal digits")
    if isinstance(report, FinishReport):
        _sound_portraits(report)


def _sound_portraits(report: FinishReport) -> None:
    if len(report.portraits) > MOST_PORTRAITS:
        raise UnsoundReport(f"it has {len(report.portraits)} portraits, at most {MOST_PORTRAITS} are taken")
    for portrait in report.portraits:
        if not is_key(portrait.style):
            raise UnsoundReport("portraits.style must be the name of a style")
        if portrait.rank < 1 or portrait.seed < 0:
            raise UnsoundReport("portraits.rank must be at least 1, and portraits.seed not negative")


def _keys(report: StageReport) -> Iterator[str]:
    """Every key that a report names."""
    named: list[str] = []
    if isinstance(report, PreprocessReport):
        named += [key for image in report.images for key in (image.image, image.mask, image.pose) if key]
        named += [pose.key for pose in report.poses if pose.key]
    if isinstance(report, TrainReport):
        named += [file.key for file in (report.adapter, report.adapter_webui) if file is not None]
        named += [checkpoint.key.removesuffix("/") for checkpoint in report.checkpoints]
        named += [report.look.sheet] if report.look is not None and report.look.sheet else []
    if isinstance(report, GenerateReport):
        named += [candidate.key for candidate in report.candidates]
    if isinstance(report, FinishReport):
        named += [
            key for portrait in report.portraits for key in (portrait.key, *(cut.key for cut in portrait.layouts))
        ]
        named += [score.key for score in report.scores]
        named += [key for key in (report.contact_sheet, report.print_sheet, report.likeness_report) if key]
    return iter(named)
