"""`profile-studio evaluate` on one rendered person with the untrained stand-in: the whole way, and what it says."""

import json
import shutil
from pathlib import Path

import pytest

from profile_cli.__main__ import main
from profile_models.folders import models_folder

pytestmark = pytest.mark.e2e

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
SMALL = [
    "--base-model=studio-random", "--models", str(models_folder()), "--steps=4", "--rank=4", "--sampler-steps=2",
    "--candidates=1", "--portraits=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    person = min(path.parent for path in PEOPLE.glob("*/person.json"))
    (folder / "people" / person.name).mkdir(parents=True)
    for path in sorted(person.iterdir()):
        if path.is_file():
            shutil.copyfile(path, folder / "people" / person.name / path.name)
    where = ["--people", str(folder / "people"), "--out", str(folder / "out"), "--page", str(folder / "page.md")]
    assert main(["evaluate", *where, *SMALL]) == 0
    return folder


def test_noise_has_no_faces_and_the_page_says_so(out: Path) -> None:
    figures = json.loads((out / "out" / "figures.json").read_text())
    assert figures["base"]["one_face"]["of"] == 12
    assert len(figures["tones"]) == 2
    (person,) = figures["people"]
    assert person["ceiling"] > 0.5
    text = (out / "page.md").read_text()
    assert "**not met**" in text
    assert "portraits with exactly one face" in text


def test_pictures_stand_beside_the_page(out: Path) -> None:
    names = {path.name for path in (out / "pictures" / "page").iterdir()}
    assert "base.png" in names
    assert len(names) == 2
    assert all(f"pictures/page/{name}" in (out / "page.md").read_text() for name in names)


def test_a_second_run_draws_and_trains_nothing_again(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = {path: path.stat().st_mtime_ns for path in (out / "out").rglob("*.safetensors")}
    drawn = {path: path.stat().st_mtime_ns for path in (out / "out" / "base" / "base").glob("warm-*.png")}
    assert made
    assert drawn
    where = ["--people", str(out / "people"), "--out", str(out / "out")]
    assert main(["evaluate", *where, *SMALL]) == 0
    assert all(path.stat().st_mtime_ns == before for path, before in (made | drawn).items())
