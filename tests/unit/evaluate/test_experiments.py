"""What MLflow is told of evaluations and sheets: figures and settings, no face; and nothing that fails or lasts."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from experiment_world import ADDRESS, Heard, experiment
from profile_cli.errors import CommandError
from profile_contract.style import Tone
from profile_evaluate.base import BaseFigures
from profile_evaluate.experiments import Experiment, tell, without_secrets
from profile_evaluate.figures import PersonFigures, Share, StyleFigures
from profile_evaluate.logged import experiment_of
from profile_evaluate.page import Evaluation, Verdicts
from profile_evaluate.sheet.command import sheet_experiment


def test_a_server_that_never_answers_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        monkeypatch.setenv(ADDRESS, f"http://127.0.0.1:{door.getsockname()[1]}")
        heard, begin = Heard(), time.monotonic()
        tell(lambda: experiment(tmp_path), [], heard, seconds=2)
    assert time.monotonic() - begin < 10
    assert f"the server of {ADDRESS} took longer than 2 s" in heard.text


def test_nothing_is_logged_unless_a_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)

    def asked() -> Experiment:
        raise AssertionError("nobody wants it")

    heard = Heard()
    tell(asked, [], heard)
    assert heard.text == ""
    tell(asked, [Path("anna.jpg")], heard)
    assert f"--mlflow-pictures wants {ADDRESS}, which is not set" in heard.text


def test_a_missing_client_and_unreadable_weights_are_told_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, "http://127.0.0.1:1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    heard = Heard()
    tell(lambda: experiment(tmp_path), [], heard)
    assert "pip install 'profile-studio[experiments]'" in heard.text

    def unreadable() -> Experiment:
        raise CommandError("no weights")

    tell(unreadable, [], heard)
    assert "everything else is done: no weights" in heard.text


def test_passwords_of_addresses_are_never_shown() -> None:
    assert without_secrets("POST https://me:word@host/api, http://host/a@b") == "POST https://host/api, http://host/a@b"


def test_an_evaluation_is_told_by_person_and_style_without_what_was_not_measured() -> None:
    people = tuple(
        PersonFigures(
            name, 0.8, like, None, None, Share(3, 4), Share(eyes, of), Share(4, 4), Share(3, 3), (), 100
        )
        for name, like, eyes, of in (("anna", 0.6, 2, 4), ("ben", None, 0, 0))
    )  # fmt: skip
    evaluation = Evaluation(
        title="mini",
        how="",
        base=BaseFigures(Share(1, 1), None, None, (), {}, ()),
        people=people,
        styles=(StyleFigures("warm", Tone.WARM, 0.7, Share(5, 8), None),),
        own={},
        between={},
        confusion={},
        verdicts=Verdicts(()),
        seconds={"anna": 12.5},
    )
    told = experiment_of(evaluation, {"model": "mini"}, 99.0, Path("out/figures.json"))
    assert (told.name, told.params, told.files) == ("evaluate mini", {"model": "mini"}, ["out/figures.json"])
    assert told.metrics == pytest.approx(
        {
            "seconds": 99.0,
            "one_face": 0.75,
            "both_eyes": 0.5,
            "likeness/person/anna": 0.75,
            "eyes/person/anna": 0.5,
            "seconds_of_training/person/anna": 12.5,
            "likeness/style/warm": 0.7,
            "one_face/style/warm": 0.625,
        }
    )


def test_a_sheet_is_told_by_cell() -> None:
    row = {"values": {"seed": "1"}, "file": "cells/a.png", "faces": 1, "likeness": None, "lightness": 60.0, "b": -3.0}
    sheet = {
        "baseModel": "mini", "style": "warm", "adapter": "anna", "seed": 1, "pose": "frontal",
        "axes": [{"what": "seed", "values": ["1", "2"]}], "cells": [row, row | {"likeness": 51.0}],
    }  # fmt: skip
    told = sheet_experiment(sheet, {"mini": "ab"}, 3.0, Path("/out/grid/sheet.json"))
    assert told.name == "sheet grid"
    assert (told.params["axis/seed"], told.params["weights/mini"], told.params["seed"]) == ("1, 2", "ab", "1")
    assert told.metrics["likeness/cell-002"] == 51.0
    assert "likeness/cell-001" not in told.metrics
    assert (told.metrics["seconds"], told.metrics["b/cell-001"]) == (3.0, -3.0)
