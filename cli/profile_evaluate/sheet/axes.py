"""Axis: what changes along the columns, rows or parts of a sheet, written as the WebUI's X/Y/Z plot reads it. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from profile_cli.errors import CommandError
from profile_contract.style import SamplerName

MOST_VALUES = 32
MOST_CELLS = 256
LONGEST_VALUE = 200
# From 1 to 9, each third one; or five between them.
_RANGE = re.compile(
    r"(?P<first>\d+(?:\.\d+)?)\s*-\s*(?P<last>\d+(?:\.\d+)?)\s*"
    r"(?:\(\s*\+\s*(?P<step>\d+(?:\.\d+)?)\s*\)|\[\s*(?P<count>\d+)\s*\])?"
)

AxisValue = int | str


@dataclass(frozen=True)
class Axis:
    """One axis: `kind` is what changes, `name` the look's where that is a look's weight; a value a cell.

    Numbers are whole: weights and strengths in per cent, guidance in tenths, as in a style.
    """

    kind: str
    values: tuple[AxisValue, ...]
    name: str = ""

    @property
    def title(self) -> str:
        """What changes, for people."""
        return f"{self.name}, weight in %" if self.kind == "look" else KINDS[self.kind].title

    def label(self, value: AxisValue) -> str:
        """A value as it was typed."""
        return f"{int(value) / 10:g}" if self.kind == "guidance" else str(value)


@dataclass(frozen=True)
class AxisKind:
    """What may change, how it is called, an example of its values, and how one value is read (None: words)."""

    title: str
    example: str
    read: Callable[[Decimal], int] | None = None


def _whole(least: int, most: int, factor: int = 1) -> Callable[[Decimal], int]:
    """Reads a number that is whole when multiplied by `factor`. The reader raises ValueError with what it wants."""

    def read(number: Decimal) -> int:
        value = number * factor
        if value != value.to_integral_value() or not least <= number <= most:
            what = "whole numbers" if factor == 1 else f"numbers in steps of {1 / factor:g}"
            raise ValueError(f"{what} from {least} to {most}")
        return int(value)

    return read


KINDS: Mapping[str, AxisKind] = {
    "seed": AxisKind("seed", "1-4", _whole(0, 2**63 - 1)),
    "weight": AxisKind("weight of the person's adapter in %", "0, 50, 100", _whole(0, 150)),
    "look": AxisKind("weight of a look in %", "0, 30, 60, 90", _whole(0, 150)),
    "steps": AxisKind("sampler's steps", "10-30 (+10)", _whole(1, 150)),
    "guidance": AxisKind("guidance", "1.5, 3, 5", _whole(1, 30, 10)),
    "strength": AxisKind("how much of the photo is drawn anew, in %", "20-60 (+20)", _whole(5, 95)),
    "control": AxisKind("weight of the pose in %", "50, 100", _whole(0, 200)),
    "sampler": AxisKind("sampler", ", ".join(SamplerName)),
    "prompt": AxisKind("words of the prompt", "office, garden"),
    "style": AxisKind("style", "studio-warm, studio-cool"),
    "pose": AxisKind("pose", "frontal, three-quarter-left"),
    "adapter": AxisKind("adapter", "none, minji"),
    "base-model": AxisKind("base model", "studio-mini, my-model"),
}
USAGE = "write WHAT: VALUE, VALUE, ..., such as " + "; ".join(
    f"{kind}: {KINDS[kind].example}" for kind in ("seed", "weight")
)


def parse_axis(text: str) -> Axis:
    """An axis as it is typed: `weight: 0, 50, 100`, `seed: 1-4`, `steps: 10-30 (+10)`, `guidance: 1-5 [3]`.

    Words with a comma stand in double quotes. Raises CommandError that tells what to write.
    """
    head, colon, rest = text.partition(":")
    kind, name = head.strip(), ""
    if kind == "look":
        name, colon, rest = (part.strip() for part in rest.partition(":"))
        if not name or not colon:
            raise CommandError(f"the axis {text[:LONGEST_VALUE]!r} does not name its look: write look:NAME: 0, 30, 60")
    if not colon or kind not in KINDS:
        known = ", ".join("look:NAME" if kind == "look" else kind for kind in KINDS)
        raise CommandError(f"{text[:LONGEST_VALUE]!r} is no axis: {USAGE}. What may change: {known}")
    values = _values(kind, rest)
    if len(set(values)) < len(values):
        raise CommandError(f"the axis {kind} says a value twice: each once is enough")
    return Axis(kind, values, name)


def _values(kind: str, text: str) -> tuple[AxisValue, ...]:
    """The values of an axis, at least one. Raises CommandError."""
    try:
        parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True, strict=True), [])]
    except csv.Error as error:
        raise CommandError(
            f"the values of the axis {kind} cannot be told apart ({error}): close each quotation"
        ) from error
    if not parts or not all(parts):
        raise CommandError(f"the axis {kind} lacks a value: write {kind}: {KINDS[kind].example}")
    read = KINDS[kind].read
    values: list[AxisValue] = []
    for part in parts:
        if len(part) > LONGEST_VALUE:
            raise CommandError(f"a value of the axis {kind} has more than {LONGEST_VALUE} letters")
        values += [part] if read is None else _numbers(kind, part, read)
        if len(values) > MOST_VALUES:
            raise CommandError(f"the axis {kind} has more than {MOST_VALUES} values: leave some out")
    if kind == "sampler" and not set(values) <= set(SamplerName):
        raise CommandError(f"the axis sampler knows {', '.join(SamplerName)}")
    return tuple(values)


def _numbers(kind: str, text: str, read: Callable[[Decimal], int]) -> list[int]:
    """The numbers of one part: one, or a range of them. Raises CommandError."""
    span = _RANGE.fullmatch(text)
    try:
        if span is None:
            return [read(Decimal(text))]
        first, last = Decimal(span["first"]), Decimal(span["last"])
        count = int(span["count"] or 0)
        step = Decimal(span["step"] or 1) if not count else (last - first) / max(count - 1, 1)
        if last < first or (step <= 0 and count != 1):
            raise ValueError("a range goes upwards")
        # What is too long is told by its caller: no more numbers than that are made here.
        length = count or int((last - first) / step) + 1
        return [read(first + number * step) for number in range(min(length, MOST_VALUES + 1))]
    except (ValueError, InvalidOperation) as error:
        wanted = str(error) if isinstance(error, ValueError) else "numbers"
        raise CommandError(
            f"{text[:40]!r} is no value of the axis {kind}: {wanted} are wanted, such as {KINDS[kind].example}"
        ) from error


def check_axes(axes: Sequence[Axis]) -> None:
    """Raises CommandError where two axes change the same, or together make too many pictures."""
    what = [(axis.kind, axis.name) for axis in axes]
    if len(set(what)) < len(what):
        raise CommandError("two axes change the same: let one of them change something else")
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_CELLS:
        raise CommandError(f"these axes make {count} pictures; a sheet has {MOST_CELLS} at most: leave values out")
