"""An evaluation as the Experiment that MLflow is told: settings and figures, no picture. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .experiments import Experiment
from .figures import pooled
from .page import Evaluation


def experiment_of(evaluation: Evaluation, params: Mapping[str, str], seconds: float, report: Path) -> Experiment:
    """An evaluation's figures: likeness as a share of the ceiling, eyes and faces as shares of portraits.

    `seconds`: what this run of the command took; one that goes on where another was cut takes less.
    """
    people, styles = evaluation.people, evaluation.styles
    figures: dict[str, float | None] = {
        "seconds": seconds,
        "one_face": pooled([person.one_face for person in people]).value,
        "both_eyes": pooled([person.eyes for person in people]).value,
    }
    figures |= {f"likeness/person/{person.name}": person.share for person in people}
    figures |= {f"eyes/person/{person.name}": person.eyes.value for person in people if person.eyes.of}
    figures |= {f"seconds_of_training/person/{name}": value for name, value in evaluation.seconds.items()}
    figures |= {f"likeness/style/{style.name}": style.share for style in styles}
    figures |= {f"one_face/style/{style.name}": style.one_face.value for style in styles}
    metrics = {name: float(value) for name, value in figures.items() if value is not None}
    return Experiment(f"evaluate {evaluation.title}", params, metrics, [str(report)])
