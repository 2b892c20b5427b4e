"""The whole stage on a base of four numbers: what it refuses, what it delivers, what its report says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.recipe import Recipe
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainParameters, TrainReport
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train import stage
from profile_train.dataset import Example, read_examples, read_report
from profile_train.model import load_base
from tiny_base import Call, TinyBase, example, tiny_base

SIZES = [(64, 64)] * 4 + [(48, 80)]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    store = FolderStore(tmp_path)
    images = [stored(store, f"p{number}", size) for number, size in enumerate(SIZES)]
    report = PreprocessReport(digest="d", images=images, ceiling=0.6)
    store.write("hr/dataset/report.json", report.to_json().encode())
    return store


def stored(store: FolderStore, name: str, size: tuple[int, int]) -> DatasetImage:
    width, height = size
    for part in ("image", "mask"):
        picture = np.full((height, width), 200, np.uint8)
        store.write(f"{name}/{part}.png", cv2.imencode(".png", picture)[1].tobytes())
    return DatasetImage(
        photo=f"{name}.jpg",
        image=f"{name}/image.png",
        mask=f"{name}/mask.png",
        caption="photo of {subject}",
        width=width,
        height=height,
        face_box=(8, 8, 16, 16),
    )


@pytest.fixture
def train(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainReport]:
    def run(base: TinyBase, digest: str = "one", recipe: str = "", **changed: Any) -> TrainReport:
        base.paired = True

        def load_base(*_: Any, **words: Any) -> TinyBase:
            base.asked = words
            return base

        monkeypatch.setattr(stage, "load_base", load_base)
        monkeypatch.setattr(stage, "encode_text", lambda *_: {"": None, **dict.fromkeys(PROMPTS)})
        monkeypatch.setattr(stage, "encode_examples", lambda _base, examples, _texts, **_words: [
            example(number, one.size[1] // 8, one.size[0] // 8) for number, one in enumerate(examples)
        ])  # fmt: skip
        monkeypatch.setattr(stage, "free_encoders", lambda _base: None)
        order = TrainOrder(
            request=RequestRef(namespace="hr", name="minji"),
            digest=digest,
            output=f"hr.1a2b3c4d-5e6f/requests/minji/adapter/{digest}/",
            dataset="hr/dataset/report.json",
            recipe=recipe,
            parameters=TrainParameters(
                base_model="tiny", rank=1, steps=6, batch=2, resolution=64, crops_per_photo=1, checkpoint_steps=2,
                validation_images=0, learning_rate=0.1,
            ).model_copy(update=changed),
        )  # fmt: skip
        report = run_stage(stage.run, order, Stage.TRAIN, store, models=store.root / "models")
        if not isinstance(report, TrainReport):
            raise BadInput(report.reason, report.message)
        return report

    return run


PROMPTS = ["photo of sks person", "studio portrait photo of sks person, facing the camera"]
LONELY = "only one photo has the shape 48x80, so it was trained on in batches of its own"


def test_the_report_tells_what_was_unusual(train: Callable[..., TrainReport], monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = torch.nn.utils.clip_grad_norm_, 0

    def clip(weights: Any, norm: float) -> torch.Tensor:
        nonlocal count
        count += 1
        weights = list(weights)
        if count in (2, 5):
            weights[0].grad.view(-1)[0] = float("nan")
        return real(weights, norm)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    report = train(tiny_base())
    assert report.skipped_steps == 2
    assert report.notes == ["2 steps were skipped, because the gradient was not finite", LONELY]
    assert report.message == f"6 steps, checkpoint 6 delivered; {'; '.join(report.notes)}"


def test_another_recipe_beside_the_weights_is_told_and_stops_nothing(
    train: Callable[..., TrainReport], store: FolderStore
) -> None:
    folder = store.root / "models" / "tiny"
    folder.mkdir(parents=True)
    known = Recipe.model_validate({"training": {"rank": 1}})
    (folder / "recipe.yaml").write_text("training: {rank: 1}")
    assert train(tiny_base(), recipe=known.digest).notes == [LONELY]
    (folder / "recipe.yaml").write_text("training: {rank: 2}")
    report = train(tiny_base(), "two", recipe=known.digest)
    assert report.adapter is not None
    assert f"tiny is used with a recipe ({known.digest}) that is not the one in its folder" in report.notes[-1]
    assert train(tiny_base(), "three").notes == [LONELY]
    (folder / "recipe.yaml").write_text("rank: 2")
    assert "The platform's settings are used" in train(tiny_base(), "four", recipe=known.digest).notes[-1]


def test_a_dataset_of_before_joints_asks_for_a_refresh_where_the_loss_would_follow_them(
    train: Callable[..., TrainReport],
) -> None:
    """Not trained without the ControlNet: whoever asked for it would get another likeness, and call it the same."""
    base = tiny_base()
    with pytest.raises(BadInput, match=r"raise the request's spec\.refresh") as refused:
        train(base, control_in_loss=True, control_model="control")
    assert refused.value.reason is Reason.INVALID_ORDER
    assert base.asked == {}, "nothing is loaded for it"


def test_the_same_order_gives_the_same_files(train: Callable[..., TrainReport], store: FolderStore) -> None:
    reports = [train(tiny_base(), digest) for digest in ("one", "two", "three")]
    assert len({report.adapter.sha256 for report in reports if report.adapter}) == 1
    assert len({report.adapter_webui.sha256 for report in reports if report.adapter_webui}) == 1
    other = train(tiny_base(), "other", seed=1)
    assert other.adapter is not None
    assert reports[0].adapter is not None
    assert other.adapter.sha256 != reports[0].adapter.sha256
    assert reports[0].notes == [LONELY]
    assert len(load(store.read(other.adapter.key))) == 2


def test_what_is_delivered_is_the_last_checkpoint_where_nothing_judges(
    train: Callable[..., TrainReport], store: FolderStore
) -> None:
    base = tiny_base()
    report = train(base)
    assert report.chosen_step == 6
    assert report.adapter is not None
    weights = load(store.read(report.adapter.key))
    assert torch.equal(weights["unet.mid_block.attentions.0.to_q.lora_A.weight"], base.unet.bias.detach().half())
    left = {entry.key.rpartition("/")[2] for entry in store.list(report.adapter.key.rpartition("/")[0] + "/")}
    assert left == {"adapter.safetensors", "adapter-webui.safetensors", "order.json", "report.json"}
    assert report.judged_by is None


def test_a_training_that_comes_apart_twice_delivers_nothing(
    train: Callable[..., TrainReport], store: FolderStore
) -> None:
    def nowhere(call: Call) -> torch.Tensor:
        return torch.full_like(call.noisy, float("nan"))

    with pytest.raises(BadInput, match="the training loss became nan at step 0, although") as caught:
        train(tiny_base(answer=nowhere))
    assert caught.value.reason == Reason.TRAINING_DIVERGED
    assert not [entry for entry in store.list("hr.1a2b3c4d-5e6f/requests/") if entry.key.endswith(".safetensors")]
    report = json.loads(store.read("hr.1a2b3c4d-5e6f/requests/minji/adapter/one/report.json"))
    assert (report["outcome"], report["reason"]) == ("BadInput", "TrainingDiverged")


def test_weights_too_large_for_the_twin_are_not_delivered(
    train: Callable[..., TrainReport], store: FolderStore
) -> None:
    base = tiny_base()
    base.unet.bias.data[0] = 1e6
    base.unet.answer = lambda call: torch.zeros_like(call.noisy) - base.unet.bias.detach()
    with pytest.raises(BadInput, match=r"the adapter is not delivered: .* is not finite"):
        train(base)
    assert not [
        entry for entry in store.list("hr.1a2b3c4d-5e6f/requests/") if entry.key.endswith("/adapter.safetensors")
    ]


def test_a_base_with_an_unsound_schedule_is_refused_before_anything_is_trained(
    train: Callable[..., TrainReport],
) -> None:
    base = tiny_base()
    base.noise.alphas_cumprod[5] = float("nan")
    with pytest.raises(BadInput, match="gives the training loss no finite weight"):
        train(base)
    assert base.unet.calls == []


def test_the_controlnet_that_portraits_are_drawn_with_is_heard_in_the_loss(
    train: Callable[..., TrainReport], store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = read_report(store, "hr/dataset/report.json")
    joints = ((0.25, 0.5), (0.75, 0.5), (0.1, 0.5), *[None] * 15)
    images = [image.model_copy(update={"joints": joints}) for image in report.images]
    store.write("hr/dataset/report.json", report.model_copy(update={"images": images}).to_json().encode())
    shown: list[list[Example]] = []

    def read(*args: Any, **words: Any) -> list[Example]:
        shown.append(read_examples(*args, **words))
        return shown[-1]

    monkeypatch.setattr(stage, "read_examples", read)
    unheard, heard = tiny_base(), tiny_base()
    train(unheard, "alone", control_model="openpose")
    train(heard, "heard", control_model="openpose", control_in_loss=True)
    assert (unheard.asked["control"], heard.asked["control"]) == ("", "openpose")
    assert [{example.pose is None for example in examples} for examples in shown] == [{True}, {False}]


def test_faces_weigh_as_the_order_says(train: Callable[..., TrainReport], monkeypatch: pytest.MonkeyPatch) -> None:
    heaviest: list[float] = []

    def read(*args: Any, **words: Any) -> list[Example]:
        examples = read_examples(*args, **words)
        heaviest.append(max(float(example.weights.max() / example.weights.min()) for example in examples))
        return examples

    monkeypatch.setattr(stage, "read_examples", read)
    train(tiny_base(), "as by default")
    train(tiny_base(), "more", face_weight=6.0)
    assert heaviest[1] == pytest.approx(3 * heaviest[0])


def test_a_controlnet_in_the_loss_must_have_a_name(train: Callable[..., TrainReport]) -> None:
    with pytest.raises(BadInput, match=r"training\.controlInLoss needs a ControlNet: name one"):
        train(tiny_base(), control_in_loss=True)


def test_a_base_that_predicts_something_else_is_refused_as_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "model_index.json").write_text('{"_class_name": "StableDiffusionXLPipeline"}')
    config = {"prediction_type": "flow_prediction", "beta_schedule": "linear"}
    pipeline = SimpleNamespace(scheduler=SimpleNamespace(config=config), set_progress_bar_config=lambda **_: None)
    monkeypatch.setattr(StableDiffusionXLPipeline, "from_pretrained", lambda *_, **__: pipeline)
    with pytest.raises(BadInput, match=r"'flow' cannot be trained on: .* prediction_type 'flow_prediction'") as caught:
        load_base(tmp_path, "flow")
    assert caught.value.reason == Reason.MODEL_NOT_FOUND
