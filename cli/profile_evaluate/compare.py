"""Figures of former runs side by side: a table of styles and the models that drew them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_contract.stages.finish import ToneShift
from profile_contract.style import Tone

from .figures import Share, StyleFigures
from .page import STYLE_HEAD, style_cells, table

FIGURES = "figures.json"


@dataclass(frozen=True)
class FormerRun:
    """What an evaluation's folder holds about styles."""

    folder: str
    model: str
    styles: tuple[StyleFigures, ...]


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
    )


def read_runs(folders: Sequence[Path]) -> list[FormerRun]:
    """What each folder's figures say. Raises CommandError for a folder that holds none, or none of styles."""
    return [_read(folder) for folder in folders]


def _read(folder: Path) -> FormerRun:
    """The figures that a former run left in its folder. Raises CommandError."""
    try:
        document = json.loads((folder / FIGURES).read_text())
        styles = tuple(style_of(document) for document in document["styles"])
        return FormerRun(str(folder), document["model"], styles)
    except OSError as error:
        raise CommandError(f"{folder} is not an evaluation's --out folder: {FIGURES}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise CommandError(
            f"{folder / FIGURES} tells nothing of styles: the same command again measures them, and draws nothing anew"
        ) from error


def comparison(runs: Sequence[FormerRun]) -> str:
    """Markdown: for each style the models beside each other; runs of one model go by their folders, too. Pure."""
    count = Counter(run.model for run in runs)
    rows = [
        (style.name, run.model if count[run.model] == 1 else f"{run.model} ({run.folder})", *style_cells(style))
        for name in dict.fromkeys(style.name for run in runs for style in run.styles)
        for run in runs
        for style in run.styles
        if style.name == name
    ]
    return table(("style", "model", *STYLE_HEAD), rows)
