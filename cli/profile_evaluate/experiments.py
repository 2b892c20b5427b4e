"""Experiment: a run for an MLflow server of the user's own, told in a process of its own that ends in bounded time.

MLflow's client tries for minutes where nobody answers, says passwords of the address in its errors and reports its use
to its makers: here it is given a minute, and nothing that it prints is shown as it stands.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from profile_cli.errors import CommandError
from profile_cli.terminal import Terminal

ADDRESS = "MLFLOW_TRACKING_URI"
# Whoever wants to wait longer says so by MLflow's own variables.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
SECONDS = 60.0
# What MLflow takes at once, and the longest value of a parameter that every server of it takes.
AT_ONCE, LONGEST = 100, 500
_REFUSED_IN_NAMES = re.compile(r"[^\w.\- /]")
_SECRETS = re.compile(r"://[^/@\s]+@")


@dataclass(frozen=True)
class Experiment:
    """What a command tells MLflow. `files`: paths of artifacts."""

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Sequence[str]


def add_pictures_to(command: argparse.ArgumentParser) -> None:
    """Add the option that lets pictures leave."""
    command.add_argument(
        "--mlflow-pictures", action="store_true",
        help=f"log pictures to MLflow, too: people's faces, for whoever may read there. Where {ADDRESS} is set and the "
        "extra 'experiments' is installed, settings and figures are logged; pictures never without this option",
    )  # fmt: skip


def tell(
    experiment_of: Callable[[], Experiment], pictures: Sequence[Path], terminal: Terminal, *, seconds: float = SECONDS
) -> None:
    """Log an experiment where an MLflow server is named, and say in a sentence why where that fails; never raises.

    `experiment_of` is asked for it only then. `pictures`: what was asked for beside the files. `seconds`: how long it
    may take at most.
    """
    if not os.environ.get(ADDRESS):
        if pictures:
            terminal.say(f"no picture was logged: --mlflow-pictures wants {ADDRESS}, which is not set")
        return
    try:
        experiment = experiment_of()
        whole = asdict(experiment) | {"files": [*experiment.files, *map(str, pictures)]}
        reason = _told(json.dumps(whole), seconds)
        done = f"logged to MLflow as {experiment.name!r}"
    except CommandError as error:
        done, reason = "", str(error)
    terminal.say(f"nothing was logged to MLflow, everything else is done: {reason}" if reason else done)


def _told(document: str, seconds: float) -> str:
    """Have an experiment logged by another process; gives why it was not, "" where it was."""
    if importlib.util.find_spec("mlflow") is None:
        return "its client is not installed: pip install 'profile-studio[experiments]'"
    command = [sys.executable, "-P", "-m", __name__]
    try:
        done = subprocess.run(
            command,
            input=document,
            env=PATIENCE | dict(os.environ),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the server of {ADDRESS} took longer than {seconds:.0f} s"
    except OSError as error:
        return f"its client cannot be started: {error.strerror}"
    if done.returncode == 0:
        return ""
    last = (done.stderr.strip().splitlines() or ["its client ended without a word"])[-1]
    if "Max retries exceeded" in last or "Connection" in last:
        return f"the server of {ADDRESS} cannot be reached: see that it runs and that the address is right"
    return without_secrets(last)[:300]


def without_secrets(text: str) -> str:
    """The text without names and passwords in its addresses."""
    return _SECRETS.sub("://", text)


def name_for(text: str) -> str:
    """A name that MLflow takes for a figure: it refuses most signs, and so does the folder of a file store."""
    return _REFUSED_IN_NAMES.sub("_", text)


def _log(experiment: Experiment) -> None:
    """Log an experiment to the server that the environment names. Raises what MLflow raises."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()
    title = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "profile-studio"
    known = client.get_experiment_by_name(title)
    number = client.create_experiment(title) if known is None else known.experiment_id
    run = client.create_run(number, run_name=experiment.name).info
    params = [Param(name_for(name), value[:LONGEST]) for name, value in experiment.params.items()]
    metrics = [Metric(name_for(name), value, run.start_time, 0) for name, value in experiment.metrics.items()]
    for begin in range(0, len(params), AT_ONCE):
        client.log_batch(run.run_id, params=params[begin : begin + AT_ONCE])
    for begin in range(0, len(metrics), AT_ONCE):
        client.log_batch(run.run_id, metrics=metrics[begin : begin + AT_ONCE])
    for file in experiment.files:
        client.log_artifact(run.run_id, file)
    client.set_terminated(run.run_id)


def main() -> None:
    """Log the experiment on standard input; or end with why not, as one line on standard error."""
    try:
        _log(Experiment(**json.load(sys.stdin)))
    except Exception as error:  # Whatever MLflow and its plug-ins raise.
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
