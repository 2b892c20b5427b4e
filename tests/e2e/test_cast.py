"""The cast in front of preprocessing: good photos are taken, bad ones refused for the reason beside them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PreprocessReport

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
CAST = sorted(folder.name for folder in PEOPLE.iterdir() if (folder / "bad").is_dir())

# With nine bad ones beside them no more fit into a request.
GOOD = 11
# Degrees to the camera; one who is turned farther may be refused for that alone.
TURNED = 45.0

Photos = dict[str, bytes]


def _photos(folder: Path, prefix: str = "") -> Photos:
    return {f"{prefix}{path.name}": path.read_bytes() for path in sorted(folder.glob("*.jpg"))}


def _truth(person: str) -> dict[str, str]:
    """The first word is the reason; what follows a comma is for readers."""
    truth = json.loads((PEOPLE / person / "bad" / "truth.json").read_text())
    return {f"bad-{name}": reason.split(",")[0] for name, reason in truth.items()}


def _turned(person: str) -> set[str]:
    lines = [json.loads(line) for line in (PEOPLE / person / "labels.jsonl").read_text().splitlines()]
    return {line["file"] for line in lines if abs(line["yaw"] + line["body"]) > TURNED}


@pytest.mark.parametrize("person", CAST)
def test_verdicts(person: str, preprocess: Callable[..., PreprocessReport]) -> None:
    good = dict(list(_photos(PEOPLE / person).items())[:GOOD])
    bad = _photos(PEOPLE / person / "bad", "bad-")
    report = preprocess({**good, **bad})
    found = {verdict.name: verdict.reason for verdict in report.verdicts}
    assert {name: found[name] for name in bad} == _truth(person)
    taken = {name for name in good if found[name] is PhotoReason.ACCEPTED}
    assert set(good) - taken <= _turned(person)
    assert {found[name] for name in set(good) - taken} <= {PhotoReason.FACE_TURNED_AWAY}
    assert len(taken) >= GOOD - 2
    assert report.ceiling is not None
