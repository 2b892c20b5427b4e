"""An experiment as MLflow's own client keeps it, in a process of its own; and a server that is away."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest

from experiment_world import ADDRESS, Heard, experiment
from profile_evaluate import experiments
from profile_evaluate.experiments import tell


def test_a_run_holds_settings_figures_and_the_report_and_pictures_only_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, (tmp_path / "runs").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "faces")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    picture = tmp_path / "anna.jpg"
    picture.write_bytes(b"a face")
    heard = Heard()
    tell(lambda: experiment(tmp_path), [], heard)
    tell(lambda: experiment(tmp_path), [picture], heard)
    assert heard.text.count("logged to MLflow as 'evaluate mini'") == 2

    from mlflow import MlflowClient

    client = MlflowClient()
    known = client.get_experiment_by_name("faces")
    assert known is not None
    second, first = client.search_runs([known.experiment_id], order_by=["attributes.start_time DESC"])
    assert (first.info.status, first.info.run_name) == ("FINISHED", "evaluate mini")
    assert first.data.params == {"training/rank": "32", "long": "x" * 500}
    assert len(first.data.metrics) == 151
    assert (first.data.metrics["likeness/person/p149"], first.data.metrics["likeness/person/한나_ x"]) == (149.0, 0.5)
    assert [entry.path for entry in client.list_artifacts(first.info.run_id)] == ["figures.json"]
    assert [entry.path for entry in client.list_artifacts(second.info.run_id)] == ["anna.jpg", "figures.json"]


def test_a_server_that_is_away_costs_seconds_and_a_sentence_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    monkeypatch.setenv(ADDRESS, f"http://anna:secret@127.0.0.1:{port}")
    heard, begin = Heard(), time.monotonic()
    tell(lambda: experiment(tmp_path), [], heard)
    assert time.monotonic() - begin < experiments.SECONDS + 5
    # MLflow's own patience is minutes; the one of this test's machine may be short of processors.
    assert re.search("cannot be reached: see that it runs|took longer than 60 s", heard.text)
    assert "secret" not in heard.text
