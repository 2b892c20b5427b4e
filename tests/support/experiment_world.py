"""An experiment to log, and a terminal whose lines are kept."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from profile_cli.terminal import Terminal
from profile_evaluate.experiments import Experiment

ADDRESS = "MLFLOW_TRACKING_URI"


class Heard(Terminal):
    """A terminal whose lines are kept."""

    def __init__(self) -> None:
        self.lines = io.StringIO()
        super().__init__(Console(file=self.lines, width=400))

    @property
    def text(self) -> str:
        return self.lines.getvalue()


def experiment(folder: Path) -> Experiment:
    """Of more figures than MLflow takes at once."""
    report = folder / "figures.json"
    report.write_text("{}")
    metrics = {f"likeness/person/p{number}": float(number) for number in range(150)} | {"likeness/person/한나: x": 0.5}
    return Experiment("evaluate mini", {"training/rank": "32", "long": "x" * 9000}, metrics, [str(report)])
