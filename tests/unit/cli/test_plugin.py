"""`kubectl profile`: what its commands ask for and print, without a cluster."""

from __future__ import annotations

import argparse
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from profile_cli.errors import CommandError
from profile_cli.plugin import completers, completion
from profile_cli.plugin.__main__ import main
from profile_cli.plugin.commands import parser
from profile_cli.plugin.completion import complete
from profile_cli.plugin.doctor import Finding, predictor_finding
from profile_cli.plugin.looks import list_row, short_age, style_row
from profile_cli.plugin.spec import spec_of
from profile_cli.plugin.words import arranged, commands_of
from profile_contract.layouts import LayoutName
from profile_contract.request import DeletionPolicy, Photos, ProfileRequestSpec
from profile_contract.style_ref import StyleKind, StyleRef

JPEG = b"\xff\xd8\xff\xe0"
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
         "--layouts", "square, resume", "--portraits", "2", "--candidates", "6", "--minimum-likeness", "0"]
    )  # fmt: skip
    spec = spec_of(arguments)
    assert spec.style_keys == ["studio-cool", "campus"]
    assert spec.layouts == [LayoutName.SQUARE, LayoutName.RESUME]
    assert spec.photos.prefix == "uploads/minji/"
    assert (spec.subject.noun, spec.portraits, spec.candidates, spec.minimum_likeness) == ("woman", 2, 6, 0)
    assert spec_of(parser().parse_args(["create", "minji", "photos"])) == ProfileRequestSpec(
        photos=Photos(prefix="uploads/minji/", deletion_policy=DeletionPolicy.DELETE), styles=["studio-warm"]
    )


def test_a_layout_that_does_not_exist_is_said() -> None:
    with pytest.raises(CommandError, match="layouts"):
        spec_of(parser().parse_args(["create", "minji", "photos", "--layouts", "Passport"]))


def test_a_context_that_does_not_exist_is_said(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kubeconfig", kubeconfig, "--context", "none", "watch", "minji"]) == 1
    assert "no context 'none'" in capsys.readouterr().out


def test_no_photos_and_no_store_are_said_before_anything_is_sent(
    kubeconfig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROFILE_STORE", raising=False)
    assert main(["--kubeconfig", kubeconfig, "create", "minji", str(tmp_path / "nowhere")]) == 1
    assert "does not exist" in capsys.readouterr().out
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(JPEG)
    for words in (["create", "minji", str(tmp_path)], ["add", "minji", str(tmp_path)], ["remove", "minji", "a.jpg"]):
        assert main(["--kubeconfig", kubeconfig, *words]) == 1
        assert "--store" in capsys.readouterr().out


def test_a_style_is_a_row() -> None:
    document = {
        "metadata": {"name": "campus"},
        "spec": {"title": {"en": "Campus", "ko": "캠퍼스"}, "tone": "Warm", "pose": "frontal"},
    }
    assert style_row(document) == ("campus", "Campus / 캠퍼스", "Warm", "frontal")


def test_what_is_well_needs_no_advice() -> None:
    assert Finding("a", True, "do it").row == ("a", "ok", "")
    assert Finding("a", False, "do it").row == ("a", "problem", "do it")
    assert Finding("a", None, "do it").row == ("a", "not visible", "do it")


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


class Known:
    """A cluster with some names in it."""

    def __init__(self, *_: object) -> None: ...

    def request_names(self, namespace: str) -> list[str]:
        return [f"{namespace}-junho", f"{namespace}-minji"]

    def style_refs(self, namespace: str) -> list[StyleRef]:
        offered = [StyleRef(name=name) for name in ("studio-cool", "studio-warm", "campus")]
        return [*offered, StyleRef(name=f"{namespace}-blue", kind=StyleKind.OWN)]

    def namespaces(self) -> list[str]:
        return ["default", "hr", "hr-test"]


def test_names_are_proposed_where_a_request_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completers, "Cluster", Known)
    assert complete(["--namespace", "hr", "photos", "hr-m"]) == ["hr-minji"]
    assert complete(["photos", "--namespace", "hr", "hr-m"]) == ["hr-minji"]
    assert complete(["--namespace", "hr", "create", "hr-m"]) == []


@pytest.mark.parametrize("verb", ["watch", "photos", "portraits", "delete", "add", "replace", "remove"])
def test_names_are_proposed_to_every_command_that_takes_one(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setattr(completers, "Cluster", Known)
    assert complete([verb, "-n", "hr", ""])[:2] == ["hr-junho", "hr-minji"]


def test_styles_namespaces_contexts_and_cuts_are_proposed(monkeypatch: pytest.MonkeyPatch, kubeconfig: str) -> None:
    monkeypatch.setattr(completers, "Cluster", Known)
    assert complete(["-n", "hr", "create", "minji", "--style", "studio-"]) == ["studio-cool", "studio-warm"]
    assert complete(["-n", "hr", "create", "minji", "--style", "pstyle/"]) == ["pstyle/hr-blue"]
    for words in (["-n", "h"], ["watch", "-n", "h"], ["create", "minji", "--namespace", "h"]):
        assert complete(words) == ["hr", "hr-test"]
    assert complete(["--kubeconfig", kubeconfig, "--context", ""]) == ["other", "work"]
    assert complete(["create", "minji", "--layouts", "square,re"]) == ["square,resume"]


@pytest.mark.parametrize("option", ["--style", "-n", "--namespace", "--context", "-o"])
def test_no_file_is_proposed_where_a_name_is_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.setattr(completers, "Cluster", Known)
    assert completion.answer(["create", "minji", option, "zzz"]) == 0
    assert capsys.readouterr().out == ":4\n"
    completion.answer(["create", "minji", ""])
    assert capsys.readouterr().out.endswith(":0\n")


def test_a_cluster_that_does_not_answer_proposes_nothing(kubeconfig: str) -> None:
    assert complete(["--kubeconfig", kubeconfig, "watch", ""]) == []


# --- as kubectl's own commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["-n", "hr", "watch", "minji"], ["watch", "-n", "hr", "minji"], ["watch", "minji", "-n", "hr"],
        ["watch", "minji", "--namespace=hr"], ["-n", "it", "watch", "minji", "-n", "hr"], ["watch", "minji", "-nhr"],
    ],
)  # fmt: skip
def test_the_namespace_stands_where_people_put_it(words: list[str]) -> None:
    top = parser()
    arguments = top.parse_args(arranged(words, top))
    assert (arguments.namespace, arguments.name) == ("hr", "minji")


@pytest.mark.parametrize(
    "words",
    [
        ["create", "minji", "a", "--noun", "woman", "b", "--watch"],
        ["create", "--noun", "woman", "minji", "a", "b", "--watch"],
        ["--kubeconfig", "k", "create", "--watch", "minji", "--nou", "woman", "a", "b"],
        ["create", "--watch", "--noun=woman", "--", "minji", "a", "b"],
    ],
)
def test_options_stand_between_names_too(words: list[str]) -> None:
    top = parser()
    arguments = top.parse_args(arranged(words, top))
    assert (arguments.name, [str(one) for one in arguments.photos]) == ("minji", ["a", "b"])
    assert (arguments.noun, arguments.watch) == ("woman", True)


def test_contexts_and_kubeconfigs_stand_behind_the_command_too() -> None:
    top = parser()
    arguments = top.parse_args(["photos", "minji", "--context", "work", "--kubeconfig", "k"])
    assert (arguments.context, arguments.kubeconfig) == ("work", Path("k"))


@pytest.mark.parametrize(
    ("words", "dry_run"),
    [
        (["--dry-run"], "client"), (["--dry-run=server"], "server"), (["--dry-run", "server"], "server"),
        (["--dry-run=none"], "none"), ([], "none"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_dry_runs_are_said_as_to_kubectl(words: list[str], dry_run: str, first: bool) -> None:
    top = parser()
    names = ["minji", "photos"]
    arguments = top.parse_args(arranged(["create", *(words + names if first else names + words)], top))
    assert (arguments.dry_run, arguments.name) == (dry_run, "minji")


def test_alone_it_helps_and_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "usage: kubectl profile" in capsys.readouterr().out


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"kubectl profile \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_all_namespaces_are_for_the_list_alone(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kubeconfig", kubeconfig, "-A", "watch", "minji"]) == 1
    assert "`watch` works in one namespace: give -n NAMESPACE instead of -A" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["watch", "minji"], ["delete", "minji", "--keep-photos"], ["styles"], ["list"], ["doctor"], ["photos", "minji"]],
)
def test_an_api_server_that_is_away_is_said_in_words(
    kubeconfig: str, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    main(["--kubeconfig", kubeconfig, *words])
    said = capsys.readouterr().out
    assert "connection refused" in said
    assert "Error" not in said


def test_every_option_and_command_has_a_help_of_its_own() -> None:
    for name, command in {"": parser(), **commands_of(parser())}.items():
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                assert all(choice.help for choice in action._choices_actions)
                continue
            assert action.help, (name, action.dest)
            assert not action.help.startswith(("of ", "its ")), (name, action.help)


@pytest.mark.parametrize(
    "text",
    [
        "a: [", "- a", "", "\x00\x01", "a", "contexts: 3", KUBECONFIG.replace("https://127.0.0.1:1", "https://[bad"),
        KUBECONFIG.replace("token: t", "client-certificate: /nowhere"), KUBECONFIG.replace("current-context: work", ""),
        KUBECONFIG.replace("cluster: c,", "cluster: none,"),
    ],
)  # fmt: skip
def test_a_kubeconfig_that_is_none_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "config").write_text(text)
    assert main(["--kubeconfig", str(tmp_path / "config"), "watch", "minji"]) == 1
    assert "cannot be used" in capsys.readouterr().out


# --- tables ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 2, 12, 0, 4, tzinfo=UTC)


def test_a_request_is_a_row_with_its_title_and_the_names_of_its_styles() -> None:
    document: dict[str, Any] = {
        "metadata": {
            "name": "p-ac63", "namespace": "hr", "creationTimestamp": "2026-03-02T09:00:00Z",
            "annotations": {"profilestudio.io/title": "Minji"},
        },
        "spec": {"styles": [{"name": "studio-warm"}, {"name": "campus", "kind": "ProfileStyle"}]},
        "status": {
            "conditions": [{"type": "Stalled", "status": "False"}, {"type": "Ready", "status": "True"}],
            "stageText": "Done", "progressText": "", "photosText": "11/12", "bestLikeness": 0,
        },
    }  # fmt: skip
    assert list_row(document, NOW) == (
        "p-ac63",
        "Minji",
        "True",
        "Done",
        "11/12",
        "0 %",
        "studio-warm, pstyle/campus",
        "3h",
    )
    bare = {"metadata": document["metadata"] | {"annotations": None}, "spec": {}}
    assert list_row(bare, NOW) == ("p-ac63", "", "", "", "", "", "", "3h")


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(-3, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86399, "23h"), (172800, "2d")],
)
def test_ages_are_short(seconds: float, age: str) -> None:
    assert short_age(seconds) == age
