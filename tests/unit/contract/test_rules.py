"""Rules of the contract that many rely on: bounds, strictness, what is trained on, what being asked to stop means."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from profile_contract.artifacts import REPORT
from profile_contract.exits import EXIT_DONE, EXIT_TRY_AGAIN
from profile_contract.generation import GenerationItem, GenerationOrder
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetImage, PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainParameters
from profile_contract.style import ProfileStyleSpec, Title, Tone
from profile_runtime.context import StageContext
from profile_runtime.shell import main
from profile_runtime.store.folder import FolderStore
from stage_program import ORDER


def image(name: str, *, held_out: bool) -> DatasetImage:
    return DatasetImage(
        photo=f"{name}.jpg",
        image=f"{name}.png",
        mask=f"{name}-mask.png",
        pose=f"{name}-pose.png",
        caption="photo of {subject}",
        width=64,
        height=64,
        face_box=(8, 8, 32, 32),
        held_out=held_out,
    )


# --- what judges is never what was learnt ------------------------------------------------------------------------


def test_photos_that_judge_are_not_trained_on() -> None:
    dataset = PreprocessReport(digest="d", images=[image("a", held_out=False), image("b", held_out=True)])
    assert [found.photo for found in dataset.training_images] == ["a.jpg"]
    assert [found.photo for found in dataset.reference_images] == ["b.jpg"]


def test_few_photos_judge_and_are_trained_on() -> None:
    dataset = PreprocessReport(digest="d", images=[image("a", held_out=False), image("b", held_out=False)])
    assert [found.photo for found in dataset.training_images] == ["a.jpg", "b.jpg"]
    assert [found.photo for found in dataset.reference_images] == ["a.jpg", "b.jpg"]


# --- bounds and strictness ---------------------------------------------------------------------------------------


def order_of(count: int) -> GenerationOrder:
    items = [GenerationItem(seed=seed, prompt="portrait") for seed in range(count)]
    return GenerationOrder(request=RequestRef(namespace="hr", name="minji"), items=items, width=896, height=1152)


def test_one_call_draws_four_pictures_at_most() -> None:
    assert len(order_of(4).items) == 4
    for count in (0, 5, 400):
        with pytest.raises(ValidationError):
            order_of(count)


def test_an_order_with_a_field_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValidationError, match="warmup"):
        TrainParameters.model_validate({"baseModel": "sdxl", "warmup": 3})


def test_a_report_of_a_newer_stage_is_read() -> None:
    report = PreprocessReport.model_validate({"digest": "d", "somethingNewer": {"a": 1}})
    assert report.document().keys().isdisjoint({"somethingNewer"})


@pytest.mark.parametrize(
    ("tone", "words"), [(Tone.WARM, "warm light"), (Tone.COOL, "cool light"), (Tone.NEUTRAL, "neutral light")]
)
def test_a_prompt_names_the_light_and_its_twin_neutral_light(tone: Tone, words: str) -> None:
    style = ProfileStyleSpec(title=Title(en="Any"), tone=tone, prompt="{subject} in {tone}")
    assert style.prompt_for("sks man") == f"sks man in {words}"
    assert style.prompt_for("sks man", neutral=True) == "sks man in neutral light"


# --- a stage as a program ----------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderStore]:
    """The environment of a stage's program, and the store that it works on."""
    monkeypatch.setenv("PROFILE_ORDER", ORDER.to_json())
    monkeypatch.setenv("PROFILE_STORE", f"file://{tmp_path}")
    monkeypatch.setenv("PROFILE_REDIS", "")
    monkeypatch.setattr(sys, "argv", ["stage"])
    before = signal.getsignal(signal.SIGTERM)
    yield FolderStore(tmp_path)
    signal.signal(signal.SIGTERM, before)


def test_a_stage_that_is_asked_to_stop_goes_on_later_and_leaves_no_report(program: FolderStore) -> None:
    def run(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
        os.kill(os.getpid(), signal.SIGTERM)
        return PreprocessReport(digest=order.digest)

    # Without the stage's own ears the signal would end this process; so there is one that does not.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert main(run, PreprocessOrder, Stage.PREPROCESS) == EXIT_TRY_AGAIN
    assert program.stat(ORDER.output + REPORT) is None


def test_a_stage_that_ends_leaves_its_report(program: FolderStore) -> None:
    def run(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
        return PreprocessReport(digest=order.digest, message="eight photos")

    assert main(run, PreprocessOrder, Stage.PREPROCESS) == EXIT_DONE
    report = PreprocessReport.model_validate_json(program.read(ORDER.output + REPORT))
    assert (report.digest, report.message) == ("abc", "eight photos")
