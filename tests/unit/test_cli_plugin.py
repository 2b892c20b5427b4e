"""`kubectl profile`: what its commands ask for and print, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profile_cli.errors import CommandError
from profile_cli.plugin import completion
from profile_cli.plugin.__main__ import main
from profile_cli.plugin.commands import parser, style_row
from profile_cli.plugin.completion import complete
from profile_cli.plugin.doctor import Finding, predictor_finding
from profile_cli.plugin.spec import spec_of
from profile_contract.names import LayoutName

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: work
contexts:
- {name: work, context: {cluster: c, user: u, namespace: hr}}
- {name: other, context: {cluster: c, user: u}}
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    return str(path)


def test_create_asks_for_what_was_said_and_leaves_the_rest_to_the_api() -> None:
    arguments = parser().parse_args(
        ["create", "minji", "photos", "--style", "studio-cool", "--style", "campus", "--noun", "woman",
         "--layouts", "square, resume", "--portraits", "2"]
    )  # fmt: skip
    spec = spec_of(arguments)
    assert spec.styles == ["studio-cool", "campus"]
    assert spec.layouts == [LayoutName.SQUARE, LayoutName.RESUME]
    assert spec.photos.prefix == "uploads/minji/"
    assert (spec.subject.noun, spec.portraits) == ("woman", 2)


def test_a_layout_that_does_not_exist_is_said() -> None:
    with pytest.raises(CommandError, match="layouts"):
        spec_of(parser().parse_args(["create", "minji", "photos", "--layouts", "Passport"]))


def test_a_dry_run_prints_the_request_for_the_contexts_namespace(
    kubeconfig: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--kubeconfig", kubeconfig, "create", "minji", "photos", "--dry-run"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metadata"] == {"name": "minji", "namespace": "hr"}
    assert main(["--kubeconfig", kubeconfig, "--context", "other", "create", "minji", "photos", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["namespace"] == "default"


def test_a_context_that_does_not_exist_is_said(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kubeconfig", kubeconfig, "--context", "none", "watch", "minji"]) == 1
    assert "no context 'none'" in capsys.readouterr().out


def test_no_photos_and_no_store_are_said_before_anything_is_sent(
    kubeconfig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROFILE_STORE", raising=False)
    assert main(["--kubeconfig", kubeconfig, "create", "minji", str(tmp_path / "nowhere")]) == 1
    assert "does not exist" in capsys.readouterr().out
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert main(["--kubeconfig", kubeconfig, "create", "minji", str(tmp_path / "a.jpg")]) == 1
    assert "--store" in capsys.readouterr().out


def test_a_style_is_a_row() -> None:
    document = {
        "metadata": {"name": "campus"},
        "spec": {"title": {"en": "Campus", "ko": "캠퍼스"}, "tone": "Warm", "pose": "frontal"},
    }
    assert style_row(document) == ("campus", "Campus / 캠퍼스", "Warm", "frontal")


def test_what_is_well_needs_no_advice() -> None:
    assert Finding("a", True, "do it").row == ("a", "well", "")
    assert Finding("a", False, "do it").row == ("a", "missing", "do it")
    assert Finding("a", None, "do it").row == ("a", "not seen", "do it")


def test_a_style_whose_predictor_is_not_there_is_named() -> None:
    there = {"large": True, "small": False}
    assert predictor_finding("large", ["campus"], there).well
    absent = predictor_finding("other", ["campus", "studio-warm"], there)
    assert absent.well is False
    assert "campus, studio-warm" in absent.advice
    assert "kubectl get inferenceservices --all-namespaces" in predictor_finding("small", ["campus"], there).advice


def test_errors_are_objects_where_programs_read(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kubeconfig", kubeconfig, "--context", "none", "watch", "minji", "-o", "json"]) == 1
    assert "no context 'none'" in json.loads(capsys.readouterr().out)["error"]


# --- completion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "some"),
    [
        ([""], {"create", "watch", "doctor"}),
        (["w"], {"watch"}),
        (["create", "minji", "--l"], {"--layouts"}),
        (["create", "minji", "--noun", ""], {"person", "woman", "man"}),
        (["-"], {"--namespace", "--context"}),
    ],
)
def test_kubectl_is_told_what_may_come_next(words: list[str], some: set[str]) -> None:
    found = complete(words)
    assert some <= set(found)
    assert all(word.startswith(words[-1]) for word in found)


def test_names_are_proposed_where_a_request_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    class Known:
        def __init__(self, *_: object) -> None: ...

        def request_names(self, namespace: str) -> list[str]:
            return [f"{namespace}-junho", f"{namespace}-minji"]

    monkeypatch.setattr(completion, "Cluster", Known)
    assert complete(["--namespace", "hr", "photos", "hr-m"]) == ["hr-minji"]
    assert complete(["--namespace", "hr", "create", "hr-m"]) == []
