"""`profile-studio evaluate` on two rendered people with the untrained stand-in: the whole way, and what it says."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from profile_cli.__main__ import main
from profile_draw.layer_sizes import look_reader
from profile_models.folders import models_folder

pytestmark = pytest.mark.e2e

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
SMALL = [
    "--base-model=studio-random", "--models", str(models_folder()), "--steps=4", "--rank=4", "--sampler-steps=2",
    "--candidates=1", "--portraits=4",
]  # fmt: skip


STYLE = """
kind: ClusterProfileStyle
metadata: {name: mine}
spec:
  title: {en: Mine}
  prompt: "%s of {subject}, {tone}"
  adapters: [{name: rim, weightPercent: 60}]
"""
LAYER = "up_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q"


def command(folder: Path) -> list[str]:
    own = ["--style", "studio-warm", "--style", "studio-cool", "--style", str(folder / "mine.yaml")]
    own += ["--look", f"rim={folder / 'rim.safetensors'}"]
    return ["evaluate", "--people", str(folder / "people"), "--out", str(folder / "out"), *own, *SMALL]


def write_look(path: Path, rank: int) -> None:
    """An adapter of one layer of the stand-in, as kohya's trainer saves it."""
    size = look_reader(models_folder(), "studio-random", 64).sizes[LAYER]
    name = "lora_unet_output_blocks_1_1_transformer_blocks_0_attn1_to_q"
    down, up = torch.full((rank, size.inputs), 0.1), torch.full((size.outputs, rank), 0.1)
    path.write_bytes(save({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}))


def times(folder: Path, pattern: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (folder / "out").rglob(pattern)}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    for person in sorted(path.parent for path in PEOPLE.glob("*/person.json"))[:2]:
        (folder / "people" / person.name).mkdir(parents=True)
        for path in sorted(person.iterdir()):
            if path.is_file():
                shutil.copyfile(path, folder / "people" / person.name / path.name)
    (folder / "mine.yaml").write_text(STYLE % "portrait")
    write_look(folder / "rim.safetensors", rank=2)
    assert main([*command(folder), "--page", str(folder / "page.md")]) == 0
    return folder


def test_noise_has_no_faces_and_the_page_says_so(out: Path) -> None:
    figures = json.loads((out / "out" / "figures.json").read_text())
    assert figures["base"]["one_face"]["of"] == 12
    assert len(figures["tones"]) == 2
    assert [person["ceiling"] > 0.5 for person in figures["people"]] == [True, True]
    assert len(figures["between"]) == 1
    text = (out / "page.md").read_text()
    assert "**not met**" in text
    assert "portraits with exactly one face" in text
    assert "trained at 128 px, drawn at 128 x 128" in text


def test_another_recogniser_knows_the_two_apart(out: Path) -> None:
    figures = json.loads((out / "out" / "figures.json").read_text())["second"]
    assert [0 < person["own"] < 0.6 < person["others"] for person in figures] == [True, True]
    assert [person["portraits"] for person in figures] == [None, None]
    assert "## By a second recogniser" in (out / "page.md").read_text()


def test_eyes_are_counted_in_photos_as_in_portraits(out: Path) -> None:
    people = json.loads((out / "out" / "figures.json").read_text())["people"]
    assert all(person["photo_eyes"]["hits"] > person["photo_eyes"]["of"] / 2 for person in people)
    assert [person["eyes"]["of"] for person in people] == [0, 0]


def test_pictures_stand_beside_the_page(out: Path) -> None:
    names = {path.name for path in (out / "pictures" / "page").iterdir()}
    assert "base.png" in names
    assert len(names) == 3
    assert all(f"pictures/page/{name}" in (out / "page.md").read_text() for name in names)


def test_each_style_has_its_figures_of_everybody_together(out: Path) -> None:
    warm, cool, mine = json.loads((out / "out" / "figures.json").read_text())["styles"]
    assert [style["name"] for style in (warm, cool, mine)] == ["studio-warm", "studio-cool", "mine"]
    assert [style["one_face"]["of"] for style in (warm, cool, mine)] == [2, 2, 2]
    assert mine["shift"] is None
    text = (out / "page.md").read_text()
    section = text[text.index("## By style") : text.index("## Over training")]
    assert [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| ")][2:] == [
        "| studio-warm (warm)",
        "| studio-cool (cool)",
        "| mine (neutral)",
    ]


def test_a_look_that_does_not_fit_is_told_before_anybody_is_trained(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_look(out / "wide.safetensors", rank=129)
    words = [word.replace("rim.safetensors", "wide.safetensors") for word in command(out)]
    assert main(words) == 1
    assert "Nothing was trained." in " ".join(capsys.readouterr().out.split())


def test_former_runs_are_put_side_by_side(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--compare", str(out / "out"), str(out / "out"), "--page", str(out / "both.md")]) == 0
    rows = (out / "both.md").read_text().splitlines()[2:]
    assert len(rows) == 6
    assert all("studio-random" in row for row in rows)
    assert "| mine |" in capsys.readouterr().out


def test_a_second_run_draws_and_trains_nothing_again(out: Path) -> None:
    made, drawn = times(out, "adapter/*/*.safetensors"), times(out, "warm-*.png")
    assert made
    assert drawn
    assert main(command(out)) == 0
    assert times(out, "adapter/*/*.safetensors") == made
    assert times(out, "warm-*.png") == drawn


def test_a_style_with_other_words_is_drawn_anew_and_nothing_else(out: Path) -> None:
    made, others, mine = (
        times(out, "adapter/*/*.safetensors"),
        times(out, "base/studio-warm-*.png"),
        times(out, "base/mine-*.png"),
    )
    assert len(mine) == len(others) == 2
    (out / "mine.yaml").write_text(STYLE % "picture")
    assert main(command(out)) == 0
    assert times(out, "adapter/*/*.safetensors") == made
    assert times(out, "base/studio-warm-*.png") == others
    assert all(again > mine[path] for path, again in times(out, "base/mine-*.png").items())


def test_with_another_look_its_style_is_drawn_anew_and_nobody_is_trained(out: Path) -> None:
    made, drawn = times(out, "adapter/*/*.safetensors"), times(out, "candidates/*/report.json")
    write_look(out / "rim.safetensors", rank=3)
    assert main(command(out)) == 0
    assert times(out, "adapter/*/*.safetensors") == made
    again = times(out, "candidates/*/report.json")
    assert drawn.items() <= again.items()
    # Of two people, in one style.
    assert len(again) == len(drawn) + 2
