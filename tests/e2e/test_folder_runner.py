"""`profile-studio run` on one rendered person: all four stages in this process, and a look into what came out."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from profile_cli.__main__ import main
from profile_cli.run.command import WORK
from profile_cli.run.drawing import KeyGrants, StoreFiles
from profile_contract.artifacts import REPORT
from profile_contract.candidates import Wanted, generation_order, planned_candidates
from profile_contract.framing import room_for
from profile_contract.generation import GenerationOrder
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.picture_size import PictureSize
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.train import TrainReport
from profile_models.folders import models_folder
from profile_predictor.engine import Engine, EngineConfig
from profile_runtime.store.folder import FolderStore

pytestmark = pytest.mark.e2e

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
SMALL = [
    "--noun=man", "--base-model=studio-random", "--models", str(models_folder()), "--steps=12", "--rank=4",
    "--sampler-steps=4", "--candidates=2", "--portraits=2", "--minimum-likeness=0",
]  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A finished run: the folder for people, and the work in it."""

    out: Path

    @property
    def store(self) -> FolderStore:
        return FolderStore(self.out / WORK)

    def reports(self, stage_folder: str) -> list[str]:
        """Keys of a stage's reports."""
        prefix = f"local.00000000-0000/requests/person/{stage_folder}/"
        return [found.key for found in self.store.list(prefix) if found.key.endswith(f"/{REPORT}")]

    def times(self, stage_folder: str) -> dict[str, int]:
        """When each report was written, in nanoseconds."""
        return {key: (self.out / WORK / key).stat().st_mtime_ns for key in self.reports(stage_folder)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The first run, with every layout."""
    out = tmp_path_factory.mktemp("person")
    layouts = f"--layouts={','.join(LayoutName)}"
    assert main(["run", str(PEOPLE / "p900055"), "--out", str(out), "--style=studio-warm", layouts, *SMALL]) == 0
    return Made(out)


def test_every_portrait_stands_in_every_layout_at_its_exact_size(made: Made) -> None:
    folder = made.out / "portraits" / "studio-warm"
    portraits = sorted(folder.glob("*.png"))
    assert len(portraits) == 2
    for portrait in portraits:
        for name, layout in LAYOUTS.items():
            file = folder / f"{portrait.stem}-{name}.jpg"
            with Image.open(file) as picture:
                assert picture.size == (layout.width, layout.height)
                assert tuple(round(dpi) for dpi in picture.info["dpi"]) == (layout.dpi, layout.dpi)
            assert file.stat().st_size <= layout.max_kilobytes * 1000
    with Image.open(made.out / "contact-sheet.jpg") as sheet:
        assert sheet.width > 500


def test_the_likeness_report_tells_of_every_candidate(made: Made) -> None:
    report = json.loads((made.out / "likeness.json").read_text())
    assert 0.5 < report["ceiling"] <= 1
    assert len(report["references"]) >= 1
    assert sorted(score["seed"] for score in report["scores"]) == [1, 2]
    assert report["minimumLikeness"] == 0


def test_a_warm_style_has_the_neutral_twin_of_its_first_seed(made: Made) -> None:
    report = GenerateReport.model_validate_json(made.store.read(made.reports("candidates")[0]))
    assert [(one.seed, one.twin) for one in report.candidates] == [(1, False), (1, True), (2, False)]
    assert len({one.pose for one in report.candidates}) == 2, "each seed takes the next pose"


def test_adapter_and_pose_change_what_is_drawn(made: Made) -> None:
    order = _order(made)
    engine = Engine.load(
        EngineConfig(models=models_folder(), base_model="studio-random", control_model="studio-random-controlnet")
    )
    files = StoreFiles(made.store)
    again = _pixels(engine.generate(order, files)[0].png)
    stored = _pixels(made.store.read(order.items[0].key))
    without = _pixels(engine.generate(order.model_copy(update={"adapter": None}), files)[0].png)
    item = order.items[0].model_copy(update={"joints": None})
    unposed = _pixels(engine.generate(order.model_copy(update={"items": [item]}), files)[0].png)
    # The same order gives the same picture but for rounding: rows drawn together are summed in another order.
    assert np.abs(again - stored).max() <= 2
    assert np.abs(again - without).mean() > 0.2
    assert np.abs(again - unposed).mean() > 0.2


def _order(made: Made) -> GenerationOrder:
    """The order of the first candidate, as the runner made it."""
    candidates = GenerateReport.model_validate_json(made.store.read(made.reports("candidates")[0]))
    dataset = PreprocessReport.model_validate_json(made.store.read(made.reports("dataset")[0]))
    training = TrainReport.model_validate_json(made.store.read(made.reports("adapter")[0]))
    assert candidates.style_spec is not None
    assert training.adapter is not None
    prefix = made.reports("candidates")[0].removesuffix(REPORT)
    planned = planned_candidates("studio-warm", candidates.style_spec, prefix, Wanted("sks man", 1, 2), dataset)
    request = RequestRef(namespace="local", name="person")
    size = PictureSize(128, 128, 4, room=room_for(LayoutName, 40))
    return generation_order(
        request, training.adapter, candidates.style_spec, planned[:1], size=size, grants=KeyGrants()
    )


def _pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.float32)


def test_other_layouts_only_finish_and_another_style_only_draws_what_is_new(made: Made) -> None:
    before = {stage: made.times(stage) for stage in ("dataset", "adapter", "candidates", "portraits")}
    photos = str(PEOPLE / "p900055")
    assert (
        main(["run", photos, "--out", str(made.out), "--style=studio-warm", "--layouts=square,print-5x7", *SMALL]) == 0
    )
    for stage in ("dataset", "adapter", "candidates"):
        assert made.times(stage) == before[stage]
    assert len(made.times("portraits")) == 2
    left = {file.name.split("-", 2)[-1] for file in (made.out / "portraits").rglob("*.jpg")}
    assert left == {"square.jpg", "print-5x7.jpg"}, "what is not delivered any more has gone"

    styles = ["--style=studio-warm", "--style=business-neutral"]
    assert main(["run", photos, "--out", str(made.out), *styles, "--layouts=square,print-5x7", *SMALL]) == 0
    for stage in ("dataset", "adapter"):
        assert made.times(stage) == before[stage]
    assert before["candidates"].items() < made.times("candidates").items()
    assert {folder.name for folder in (made.out / "portraits").iterdir()} == {"studio-warm", "business-neutral"}


def test_too_few_usable_photos_end_before_training_with_the_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "letter.jpg"
    text.write_text("no picture")
    photos = [str(PEOPLE / "p900055" / f"{number:02d}.jpg") for number in range(3)]
    assert main(["run", *photos, str(text), "--out", str(tmp_path / "out"), *SMALL]) == 1
    told = capsys.readouterr().out
    assert "TooFewUsablePhotos: 3 of 4 photos can be used" in told
    assert "This file cannot be read as a picture" in told
    assert "Traceback" not in told
    assert not (tmp_path / "out" / WORK / "local" / "requests" / "person" / "adapter").exists()
