"""Figures of former runs side by side: styles and the models that drew them, and which of two draws people better."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_contract.stages.finish import ToneShift
from profile_contract.style import Tone

from .figures import Share, StyleFigures, mean_difference
from .page import STYLE_HEAD, style_cells, table

FIGURES = "figures.json"


@dataclass(frozen=True)
class FormerRun:
    """What an evaluation's folder holds about styles."""

    folder: str
    model: str
    styles: tuple[StyleFigures, ...]
    likeness: Mapping[str, float] = field(default_factory=dict)
    """Person -> likeness per ceiling, of those whose portraits show a face."""


def plain_style(style: StyleFigures) -> dict[str, Any]:
    """A style's figures as they stand in figures.json."""
    shift = None if style.shift is None else style.shift.model_dump(mode="json")
    return asdict(style) | {"tone": style.tone.value, "shift": shift}


def style_of(document: dict[str, Any]) -> StyleFigures:
    """What plain_style made a document of. Raises KeyError, TypeError, ValueError."""
    shift = document["shift"]
    return StyleFigures(
        name=document["name"],
        tone=Tone(document["tone"]),
        share=document["share"],
        one_face=Share(**document["one_face"]),
        shift=None if shift is None else ToneShift.model_validate(shift),
        by_person={str(name): float(value) for name, value in document.get("by_person", {}).items()},
    )


def read_runs(folders: Sequence[Path]) -> list[FormerRun]:
    """What each folder's figures say. Raises CommandError for a folder that holds none, or none of styles."""
    return [_read(folder) for folder in folders]


def _read(folder: Path) -> FormerRun:
    """The figures that a former run left in its folder. Raises CommandError."""
    try:
        document = json.loads((folder / FIGURES).read_text())
        styles = tuple(style_of(document) for document in document["styles"])
        likeness = {
            person["name"]: person["adapter"] / person["ceiling"]
            for person in document["people"]
            if person["adapter"] is not None
        }
        return FormerRun(str(folder), document["model"], styles, likeness)
    except OSError as error:
        raise CommandError(f"{folder} is not an evaluation's --out folder: {FIGURES}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise CommandError(
            f"{folder / FIGURES} tells nothing of styles: the same command again measures them, and draws nothing anew"
        ) from error


def comparison(runs: Sequence[FormerRun]) -> str:
    """Markdown: for each style the models beside each other, then whom each run but the first draws better or worse
    than the first. Runs of one model go by their folders, too. Pure."""
    count = Counter(run.model for run in runs)
    names = [run.model if count[run.model] == 1 else f"{run.model} ({run.folder})" for run in runs]
    parts = [_styles(runs, names)]
    parts += [_people(runs[0], run, names[0], name) for run, name in zip(runs[1:], names[1:], strict=True)]
    return "\n\n".join(filter(None, parts))


def _styles(runs: Sequence[FormerRun], names: Sequence[str]) -> str:
    """A row a style and run."""
    rows = [
        (style.name, title, *style_cells(style))
        for name in dict.fromkeys(style.name for run in runs for style in run.styles)
        for run, title in zip(runs, names, strict=True)
        for style in run.styles
        if style.name == name
    ]
    return table(("style", "model", *STYLE_HEAD), rows)


def _people(first: FormerRun, other: FormerRun, name: str, other_name: str) -> str:
    """Everybody whom both runs drew, and whether the difference may be chance; nothing where there is nobody."""
    both = sorted(first.likeness.keys() & other.likeness.keys())
    if not both:
        return ""
    pairs = [(first.likeness[person], other.likeness[person]) for person in both]
    rows = [(who, f"{a:.2f}", f"{b:.2f}", f"{b - a:+.2f}") for who, (a, b) in zip(both, pairs, strict=True)]
    words = table(("person, likeness as a share of the ceiling", name, other_name, "difference"), rows)
    if len(pairs) < 2:
        return f"{words}\n\nTwo people and more are wanted to say which one is better."
    mean, low, high = mean_difference(pairs)
    verdict = (
        "nobody can say which one is better" if low <= 0 <= high else f"{other_name if mean > 0 else name} is better"
    )
    return f"{words}\n\nOn average {mean:+.3f} (95 %: {low:+.3f} to {high:+.3f}, {len(pairs)} people): {verdict}."
