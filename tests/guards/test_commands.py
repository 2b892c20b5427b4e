"""What the commands say: help, lists and descriptions in every format, the folder runner's answers.

Recorded anew by PROFILE_RECORD=1, see `record`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import house
from record import as_yaml, compare

Call = Callable[..., str]
AT = "2026-01-01T22:04:05Z"
KEY = "hr.1a2b3c4d-5e6f/requests/minji/portraits/d/studio-warm"
PORTRAIT = {
    "style": "studio-warm", "key": f"{KEY}/1.png", "seed": 4, "rank": 1, "likeness": 71,
    "layouts": {"square": f"{KEY}/1-square.jpg"},
}  # fmt: skip
VERDICTS = [
    {"name": "a.jpg", "accepted": True, "reason": "Accepted"},
    {"name": "민지.jpg", "accepted": False, "reason": "FaceTooSmall", "advice": "Come closer"},
]


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": AT}


def _furnish(api: Any) -> None:
    """Three requests: ready, stalled, and one that trains, in another namespace."""
    ready = api.request("minji", portraits=2)
    ready["metadata"] |= {"creationTimestamp": AT, "annotations": {"profilestudio.io/title": "Card"}}
    ready["status"] = {
        "observedGeneration": 1, "stageText": "Done", "photosText": "1/2", "bestLikeness": 71,
        "conditions": [_condition("Ready", "True", "Succeeded", "portraits are there")],
        "photos": {"found": 2, "accepted": 1, "verdicts": VERDICTS}, "portraits": [PORTRAIT],
    }  # fmt: skip
    stalled = api.request("junho")
    stalled["metadata"]["creationTimestamp"] = AT
    message = "only 1 of 2 photos can be used\x1b[2J"
    stalled["status"] = {
        "observedGeneration": 1, "stageText": "Stalled", "photosText": "1/2",
        "conditions": [
            _condition("Ready", "False", "TooFewUsablePhotos", message),
            _condition("Stalled", "True", "TooFewUsablePhotos", message),
        ],
        "photos": {"found": 2, "accepted": 1, "verdicts": VERDICTS},
    }  # fmt: skip
    trains = api.request("seoyeon", namespace="default")
    trains["metadata"]["creationTimestamp"] = AT
    trains["status"] = {
        "observedGeneration": 1, "stageText": "Training", "progressText": "40 %",
        "conditions": [_condition("Ready", "False", "Running", "training")],
    }  # fmt: skip


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Run `kubectl profile WORDS`: what it prints and its exit code."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("PROFILE_STORE", raising=False)
    with house.still_clock(), house.plugin(tmp_path) as (api, main):
        _furnish(api)

        def run(*words: str) -> str:
            code = main(["--kubeconfig", str(tmp_path / "kubeconfig"), *words])
            printed = capsys.readouterr()
            return _steady(f"{printed.out}{printed.err}[exit code {code}]\n", tmp_path)

        yield run


def _steady(text: str, folder: Path) -> str:
    """Without this machine's paths and without how long it took."""
    text = text.replace(str(folder), "/folder").replace(str(house.ROOT), "/clone")
    text = re.sub(r"\[ *\d+\.\d s\]", "[   0.0 s]", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", text)
    # Lines that end in blanks would be hard to read as YAML.
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


LOOKS = [
    [],
    ["list"],
    ["list", "-A"],
    ["list", "-n", "empty"],
    ["watch", "minji"],
    ["watch", "junho"],
    ["watch", "nobody"],
    ["photos", "minji"],
    ["photos", "seoyeon", "-n", "default"],
    ["portraits", "minji"],
    ["portraits", "junho"],
    ["styles"],
    ["doctor"],
    ["delete", "nobody"],
    ["create", "Minji!", "photos"],
    ["create", "minji", "nowhere"],
    ["remove", "minji", "a.jpg"],
    ["completion"],
]


def test_what_is_looked_at(call: Call) -> None:
    said = {}
    for words in LOOKS:
        said[" ".join(words) or "nothing"] = call(*words)
        if words and words[0] != "completion":
            said[" ".join([*words, "-o json"])] = call(*words, "-o", "json")
    compare("plugin-looks.yaml", as_yaml(said))


def _photos(folder: Path, count: int = 5) -> str:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0%d" % number)
    (folder / "notes.txt").write_text("no photo")
    return str(folder)


def test_what_is_changed(call: Call, tmp_path: Path) -> None:
    photos = _photos(tmp_path / "photos")
    few = _photos(tmp_path / "few", 2)
    store = ["--store", "s3://profiles?endpoint=minio:9000"]
    changes = [
        ["create", "haru", few, *store],
        ["create", "haru", photos, "--dry-run=client", "--layouts", "square,resume", "--noun", "woman"],
        ["create", "haru", photos, "--dry-run=server", "--style", "studio-cool"],
        ["create", "haru", photos, "--style", "none", *store],
        ["create", "haru", photos, *store],
        ["create", "haru", photos, *store],
        ["add", "haru", few, *store],
        ["remove", "haru", "0.jpg", *store],
        ["remove", "haru", "9.jpg", *store],
        ["replace", "haru", photos, "--yes", *store],
        ["delete", "haru"],
    ]
    said = [
        {"words": _steady(" ".join([*words, *form]), tmp_path).strip(), "says": call(*words, *form)}
        for form in ([], ["-o", "json"])
        for words in changes
    ]
    compare("plugin-changes.yaml", as_yaml(said))


def test_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("PROFILE_STORE", raising=False)
    compare("help.yaml", as_yaml(house.helps()))


def test_the_folder_runner(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("PROFILE_MODELS", str(tmp_path / "models"))
    photos = _photos(tmp_path / "photos")
    house.model_folder(tmp_path / "models")
    cases = {
        "no photos": ["nowhere"],
        "no style": [photos, "--style", "none"],
        "no model": [photos, "--base-model", "none"],
        "no layout": [photos, "--layouts", "passport"],
        "everything": [photos, "--noun", "woman", "--layouts", "square,resume"],
        "refused": [photos, "--seed", "2"],
    }
    said = {}
    reports = yaml.safe_load((Path(__file__).parent / "documents.yaml").read_text())
    with house.still_clock(), house.folder_runner(reports) as main:
        for name, words in cases.items():
            code = main(["run", *words, "--out", str(tmp_path / "out")])
            printed = capsys.readouterr()
            said[name] = _steady(f"{printed.out}{printed.err}[exit code {code}]\n", tmp_path)
    files = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file())
    compare("folder-runner.yaml", as_yaml({**said, "files": files}))
