"""`profile-studio run`: what it takes from the model, the values files, the options and the person at the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub_server import COMMIT, Hub, hub_server
from profile_cli.__main__ import main, parser
from profile_cli.errors import CommandError
from profile_cli.run import command
from profile_cli.run.runner import InputRefused, Run
from profile_cli.run.settings import AREA, PHOTOS_PREFIX
from profile_cli.run.values import Drawing, Values, values_of
from profile_cli.styles import load_styles
from profile_cli.terminal import Terminal
from profile_contract.photos import PhotoReason, PhotosWarning, PhotosWarningKind
from profile_contract.picture_size import PictureSize
from profile_contract.recipe import Recipe
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessReport
from profile_contract.stages.train import AdapterLayers
from profile_contract.style import SamplerName
from profile_evaluate import command as evaluate_command
from profile_models.model_recipe import SDXL_UNET
from profile_runtime.store.folder import FolderStore

RECIPE = {
    "toy": "It is a toy.",
    "controlModel": "studio-mini-controlnet",
    "training": {"rank": 16, "steps": 400, "adapterLayers": "transformer", "learningRate": 2e-3},
    "preprocess": {"facePercent": 50},
    "generation": {"steps": 20, "guidanceTenths": 20},
}


def _model(folder: Path, name: str = "studio-mini", recipe: object = RECIPE) -> Path:
    for part, config in (("unet", {"sample_size": 16}), ("vae", {"block_out_channels": [8] * 4})):
        (folder / name / part).mkdir(parents=True)
        (folder / name / part / "config.json").write_text(json.dumps(config))
    (folder / f"{name}-controlnet").mkdir()
    if recipe is not None:
        (folder / name / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder / name


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """What would be run; five photos in photos/, studio-mini in models/."""
    runs: list[Run] = []

    class Stop(Run):
        def results(self) -> Any:
            runs.append(self)
            raise CommandError("begun")

    monkeypatch.setattr(command, "Run", Stop)
    monkeypatch.setattr(command, "accelerated", lambda: False)
    monkeypatch.setenv("PROFILE_MODELS", str(tmp_path / "models"))
    (tmp_path / "photos").mkdir()
    for number in range(5):
        (tmp_path / "photos" / f"{number}.jfif").write_bytes(b"\xff\xd8\xff" + bytes([number]))
    (tmp_path / "photos" / "a.gif").write_bytes(b"GIF89a")
    return runs


def _run(tmp_path: Path, *words: str) -> int:
    return main(["run", str(tmp_path / "photos"), "--out", str(tmp_path / "out"), *words])


def test_with_no_other_option_the_models_recipe_decides(
    tmp_path: Path, begun: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    _model(tmp_path / "models")
    assert _run(tmp_path) == 1
    (run,) = begun
    training = run.platform.train_parameters(run.spec)
    assert (training.base_model, training.control_model) == ("studio-mini", "studio-mini-controlnet")
    assert (training.rank, training.steps, training.learning_rate) == (16, 400, 2e-3)
    assert training.adapter_layers is AdapterLayers.TRANSFORMER
    assert run.platform.preprocess.face_percent == 50
    # The contact sheet says so, too.
    assert run.platform.finish_parameters(run.spec).toy_model == "studio-mini"
    assert run.platform.picture == PictureSize(128, 128, 20, 20)
    assert list(run.styles) == ["studio-warm"]
    assert run.spec.subject.noun == "person"
    said = capsys.readouterr().out
    assert "6 files: 5 taken, 1 left out (1 GIF)" in said
    assert "It is a toy." in said
    assert "so it is taken to be a person: --noun woman or --noun man gives better portraits" in said
    assert [one.key for one in run.store.list("")] == [f"{AREA}{PHOTOS_PREFIX}{n}.jfif" for n in range(5)]


def test_options_win_over_values_and_values_over_the_recipe(tmp_path: Path, begun: list[Run]) -> None:
    _model(tmp_path / "models")
    values = tmp_path / "values.yaml"
    values.write_text(
        yaml.safe_dump(
            {"training": {"rank": 8, "steps": 300}, "generation": {"guidanceTenths": 30}, "preprocess": None}
        )
    )
    _run(tmp_path, "--values", str(values), "--steps", "12", "--noun", "woman")
    (run,) = begun
    training = run.platform.train_parameters(run.spec)
    assert (training.steps, training.rank, training.learning_rate) == (12, 8, 2e-3)
    assert run.platform.picture == PictureSize(128, 128, 20, 30)
    assert run.platform.preprocess.face_percent == 50
    assert training.noun == "woman"


def test_sdxl_without_a_recipe_gets_the_products_own(
    tmp_path: Path, begun: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    _model(tmp_path / "models", "stable-diffusion-xl-base-1.0", recipe=None)
    (tmp_path / "models" / "controlnet-openpose-sdxl-1.0").mkdir()
    _run(tmp_path, "--noun", "man")
    (run,) = begun
    training = run.platform.train_parameters(run.spec)
    assert (training.rank, training.token, training.control_model) == (32, "ohwx", "controlnet-openpose-sdxl-1.0")
    assert run.platform.picture == PictureSize(896, 1152, sampler=SamplerName.EULER, pose_line_thousandths=21)
    assert run.platform.finish_parameters(run.spec).toy_model == ""
    said = capsys.readouterr().out
    assert "stable-diffusion-xl-base-1.0 brings no recipe.yaml: the product's own is taken" in said
    assert "toy" not in said
    assert "--noun" not in said


@pytest.mark.parametrize(("answer", "noun"), [("woman", "woman"), ("MAN", "man"), ("", "person")])
def test_who_sits_at_a_terminal_is_asked_who_is_in_the_photos(
    tmp_path: Path, begun: list[Run], monkeypatch: pytest.MonkeyPatch, answer: str, noun: str
) -> None:
    _model(tmp_path / "models")
    monkeypatch.setattr(Terminal, "ask", lambda *_: answer)
    _run(tmp_path)
    assert begun[0].spec.subject.noun == noun


def test_an_answer_that_is_none_is_said(
    tmp_path: Path, begun: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _model(tmp_path / "models")
    monkeypatch.setattr(Terminal, "ask", lambda *_: "dog")
    assert _run(tmp_path) == 1
    assert "'dog' is none of person, woman, man" in capsys.readouterr().out
    assert begun == []


def test_evaluate_takes_the_recipe_too(tmp_path: Path, begun: list[Run]) -> None:
    _model(tmp_path / "models")
    words = ["evaluate", "--people", "p", "--out", "o", "--models", str(tmp_path / "models")]
    styles = load_styles(["studio-warm"])
    measured = evaluate_command._setting(parser().parse_args(words), styles, Terminal())
    training = measured.platform.train_parameters(measured.spec)
    assert (training.rank, training.learning_rate) == (16, 2e-3)
    other = evaluate_command._setting(parser().parse_args([*words, "--learning-rate", "1e-3"]), styles, Terminal())
    assert other.platform.training.learning_rate == 1e-3


def test_what_is_worth_knowing_about_the_photos_is_said_below_their_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    _model(tmp_path / "models")
    warning = PhotosWarning(kind=PhotosWarningKind.NOT_FRONTAL, message="No photo is taken from the front.")
    verdicts = [PhotoVerdict(name="0.jfif", accepted=True, reason=PhotoReason.ACCEPTED)]
    report = PreprocessReport(digest="d", verdicts=verdicts, warnings=[warning], message="too few")

    def refused(_: Run) -> Any:
        raise InputRefused(report)

    monkeypatch.setattr(command, "Run", type("Refused", (Run,), {"results": refused}))
    assert _run(tmp_path) == 1
    said = capsys.readouterr().out
    assert said.index("0.jfif") < said.index("note: No photo is taken from the front.")


# --- recipes -----------------------------------------------------------------------------------------------------


def test_what_values_say_wins_field_by_field() -> None:
    recipe = Recipe.model_validate(
        {
            "token": "ohwx",
            "training": {"rank": 16, "batch": 4, "resolution": 128},
            "generation": {"steps": 20, "controlEndPercent": 100},
        }
    )
    both = values_of({"training": {"rank": 8}, "generation": {"steps": 9}}).over(recipe)
    assert both == Values(
        {"rank": 8, "batch": 4, "resolution": 128, "token": "ohwx"},
        {"resolution": 128},
        Drawing(steps=9, control_end_percent=100),
    )
    # Nothing is not the same as zero.
    assert values_of({"generation": {"controlEndPercent": 0}}).over(recipe).drawing.control_end_percent == 0


def test_a_strangers_recipe_in_the_values_is_taken_instead_of_the_folders(tmp_path: Path, begun: list[Run]) -> None:
    _model(tmp_path / "models")
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"recipe": {"training": {"rank": 4}, "controlModel": ""}}))
    _run(tmp_path, "--values", str(values), "--noun", "man")
    (run,) = begun
    assert (run.platform.training.rank, run.platform.training.learning_rate) == (4, 1e-4)
    assert (run.platform.training.control_model, run.platform.toy) == ("", False)
    with pytest.raises(CommandError, match=r"recipe is no recipe: training\.rnak"):
        values_of({"recipe": {"training": {"rnak": 8}}})


def test_a_wrong_recipe_ends_the_command_with_its_file(
    tmp_path: Path, begun: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    _model(tmp_path / "models", recipe={"training": {"rank": 4000}})
    assert _run(tmp_path, "--noun", "man") == 1
    said = capsys.readouterr().out
    assert "models/studio-mini/recipe.yaml is no recipe: training.rank" in said.replace("\n", "")
    assert begun == []


def test_the_command_says_where_it_is_run(tmp_path: Path, begun: list[Run]) -> None:
    """The work stays in the folder for the results."""
    _model(tmp_path / "models")
    _run(tmp_path)
    assert isinstance(begun[0].store, FolderStore)
    assert begun[0].store.root == (tmp_path / "out" / ".profile-studio").resolve()


def test_help_does_not_wait_for_torch() -> None:
    words = "import sys, profile_cli.__main__; sys.exit(any(name in sys.modules for name in ('torch', 'diffusers')))"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with hub_server() as hub:
        # The library's own default, which HF_ENDPOINT names.
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        weights = "diffusion_pytorch_model.safetensors"
        hub.repositories["acme/portraits"] = {
            "model_index.json": b"{}", "unet/config.json": json.dumps({"sample_size": 16, **SDXL_UNET}).encode(),
            "vae/config.json": json.dumps({"block_out_channels": [8] * 4}).encode(), f"unet/{weights}": b"u" * 5000,
            f"vae/{weights}": b"v" * 3000, "text_encoder/model.safetensors": b"t" * 3000,
        }  # fmt: skip
        hub.repositories["xinsir/controlnet-openpose-sdxl-1.0"] = {"config.json": b"{}", weights: b"c" * 4000}
        yield hub


def test_a_model_of_a_hub_comes_with_its_controlnet_and_once(
    tmp_path: Path, begun: list[Run], hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nobody is asked for without somebody who can say no.
    assert _run(tmp_path, "--base-model", "acme/portraits") == 1
    refused = capsys.readouterr().out
    assert f"acme/portraits at {COMMIT[:12]}: 1 MB, licence openrail++" in refused
    assert f"xinsir/controlnet-openpose-sdxl-1.0 at {COMMIT[:12]}: 1 MB, licence openrail++" in refused
    assert "error: nobody is here to be asked whether to download 1 MB into" in refused
    assert "--download says yes" in refused
    assert begun == []
    _run(tmp_path, "--base-model", "acme/portraits", "--download", "--noun", "man")
    (run,) = begun
    training = run.platform.train_parameters(run.spec)
    assert (training.base_model, training.control_model) == ("portraits", "controlnet-openpose-sdxl-1.0")
    assert training.token == "ohwx"
    assert (tmp_path / "models" / "portraits" / "SHA256SUMS").is_file()
    asked = len(hub.asked)
    hub.status = 503
    _run(tmp_path, "--base-model", "acme/portraits", "--noun", "man")
    assert len(begun) == 2
    assert len(hub.asked) == asked


@pytest.mark.parametrize(("answer", "begins"), [("y", True), ("", False), ("no", False), ("YES", True)])
def test_somebody_at_the_terminal_is_asked_whether_to_download(
    tmp_path: Path, begun: list[Run], hub: Hub, monkeypatch: pytest.MonkeyPatch, answer: str, *, begins: bool
) -> None:
    asked: list[str] = []

    def ask(_: Terminal, question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr(Terminal, "ask", ask)
    assert _run(tmp_path, "--base-model", "acme/portraits", "--control-model", "", "--noun", "man") == 1
    assert asked == [f"Download 1 MB into {tmp_path / 'models'}? [y/N]"]
    assert len(begun) == begins
    assert (tmp_path / "models" / "portraits").is_dir() is begins


def test_another_model_of_that_name_is_not_taken_for_it(
    tmp_path: Path, begun: list[Run], hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(tmp_path, "--base-model", "acme/portraits", "--control-model", "", "--download", "--noun", "man")
    words = ["--download", "--noun", "man", "--control-model", ""]
    assert _run(tmp_path, "--base-model", "other/portraits", *words) == 1
    assert "portraits holds acme/portraits, not other/portraits: move it away, or name another" in _flat(capsys)
    assert _run(tmp_path, "--base-model", "acme/portraits@fedcba", *words) == 1
    assert f"holds the commit {COMMIT[:12]} of acme/portraits, not fedcba: move it away" in _flat(capsys)
    assert len(begun) == 1
    _run(tmp_path, "--base-model", f"acme/portraits@{COMMIT[:7]}", *words)
    assert len(begun) == 2


def _flat(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())
