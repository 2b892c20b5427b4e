"""Training on a real person's dataset, with a random model of SDXL's architecture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors import safe_open
from safetensors.torch import load, load_file

from areas import area
from profile_contract.artifacts import REPORT, stage_prefix
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessParameters
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainParameters, TrainReport
from profile_models.folders import models_folder
from profile_preprocess.stage import run as preprocess
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train import loop, loss, model, stage
from profile_train.checkpoints import Checkpoints

REQUEST = RequestRef(namespace="hr", name="minji")
DATASET = stage_prefix(area(), REQUEST.name, Stage.PREPROCESS, "dataset")
PHOTOS = sorted((Path(__file__).resolve().parents[2] / "models" / "people" / "p00060").glob("*.jpg"))[:8]
STEPS = 6
PARAMETERS = TrainParameters(
    base_model="studio-random", noun="woman", rank=8, steps=STEPS, batch=2, resolution=128, learning_rate=1e-3,
    crops_per_photo=2, checkpoint_steps=2, validation_images=1, validation_sampler_steps=3,
)  # fmt: skip

Train = Callable[..., TrainReport]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds a person's dataset: made once, copied for each test."""
    store = FolderStore(tmp_path_factory.mktemp("dataset"))
    photos = []
    for path in PHOTOS:
        key = f"hr.1a2b3c4d-5e6f/uploads/minji/{path.name}"
        store.write(key, path.read_bytes())
        photos.append(PhotoRef(name=path.name, key=key, bytes=path.stat().st_size, etag=path.name))
    order = PreprocessOrder(
        request=REQUEST,
        digest="dataset",
        output=DATASET,
        photos=photos,
        parameters=PreprocessParameters(noun="woman", resolution=128),
    )
    assert run_stage(preprocess, order, Stage.PREPROCESS, store, models=models_folder()).outcome == "Done"
    return store.root


@pytest.fixture
def train(dataset: Path, store: FolderStore, models: Path) -> Train:
    """Trains on the woman's photos; `digest` names the run, other words are parameters."""
    shutil.copytree(dataset, store.root, dirs_exist_ok=True)

    def run(digest: str, **changed: object) -> TrainReport:
        order = TrainOrder(
            request=REQUEST,
            digest=digest,
            output=stage_prefix(area(), REQUEST.name, Stage.TRAIN, digest),
            dataset=DATASET + REPORT,
            parameters=PARAMETERS.model_copy(update=changed),
        )
        report = run_stage(stage.run, order, Stage.TRAIN, store, models=models)
        if report.outcome == "BadInput":
            raise BadInput(report.reason, report.message)
        assert isinstance(report, TrainReport)
        return report

    return run


def path_of(store: FolderStore, tmp_path: Path, key: str) -> Path:
    copy = tmp_path / key.replace("/", "_")
    copy.write_bytes(store.read(key))
    return copy


@torch.no_grad()
def picture(pipeline: StableDiffusionXLPipeline) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(
        "studio portrait of sks woman",
        generator=torch.Generator().manual_seed(3),
        num_inference_steps=3,
        guidance_scale=5.0,
        height=128,
        width=128,
        output_type="pt",
    )
    found: torch.Tensor = made.images[0]
    return found


def test_the_adapter_and_its_twin_bring_out_the_same_in_plain_diffusers(
    train: Train, store: FolderStore, tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was trained, in full: it goes when training is done.
    monkeypatch.setattr(Checkpoints, "finish", lambda _: None)
    report = train("one")
    assert report.adapter is not None
    assert report.adapter_webui is not None
    assert [c.step for c in report.checkpoints] == [2, 4, 6]
    assert report.seconds_per_step > 0
    pipeline = StableDiffusionXLPipeline.from_pretrained(models / "studio-random", local_files_only=True)
    plain = picture(pipeline)

    # What was trained, put into the UNet by hand: W + B A, since alpha equals rank.
    weights = load_file(path_of(store, tmp_path, f"{report.checkpoints[-1].key}lora.safetensors"))
    trained = StableDiffusionXLPipeline.from_pretrained(models / "studio-random", local_files_only=True)
    modules = dict(trained.unet.named_modules())
    for name in [n for n in weights if ".lora_A." in n]:
        module = modules[name.split(".lora_A.")[0]]
        module.weight.data += weights[name.replace(".lora_A.", ".lora_B.")] @ weights[name]
    wanted = picture(trained)
    assert (wanted - plain).abs().max() > 0.02, "the adapter must change the picture"

    pipeline.load_lora_weights(path_of(store, tmp_path, report.adapter.key))
    # Both are in half precision.
    assert (picture(pipeline) - wanted).abs().max() < 5e-3
    pipeline.unload_lora_weights()
    assert torch.equal(picture(pipeline), plain)
    pipeline.load_lora_weights(path_of(store, tmp_path, report.adapter_webui.key))
    assert (picture(pipeline) - wanted).abs().max() < 5e-3


def test_the_twin_tells_nothing_about_the_person(train: Train, store: FolderStore, tmp_path: Path) -> None:
    report = train("one", steps=2)
    assert report.adapter_webui is not None
    with safe_open(path_of(store, tmp_path, report.adapter_webui.key), "pt") as file:
        metadata = file.metadata()
        alphas = [file.get_tensor(key).item() for key in file.keys() if key.endswith(".alpha")]  # noqa: SIM118
    assert metadata["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert set(alphas) == {8.0}
    assert not any(word in json.dumps(metadata) for word in (".jpg", "sks", "woman", "minji"))


def test_a_training_that_was_cut_ends_as_one_that_was_not(
    train: Train, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("whole")

    class Cut(Exception):
        pass

    real_loss, calls = loss.step_losses, 0

    def cut_at_four(*arguments: object, **words: object) -> Iterator[torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Cut
        return real_loss(*arguments, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "step_losses", cut_at_four)
    with pytest.raises(Cut):
        train("cut")
    resumed = train("cut")
    assert resumed.resumed_from == 2
    assert [c.step for c in resumed.checkpoints] == [2, 4, 6]
    assert whole.adapter is not None
    assert resumed.adapter is not None
    one, other = (load(store.read(report.adapter.key)) for report in (whole, resumed) if report.adapter)
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-6


def test_a_half_written_checkpoint_is_never_taken(
    train: Train, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_loss, calls = loss.step_losses, 0

    def cut_at_six(*arguments: object, **words: object) -> Iterator[torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return real_loss(*arguments, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "step_losses", cut_at_six)
    with pytest.raises(KeyboardInterrupt):
        train("cut")
    monkeypatch.setattr(loop, "step_losses", real_loss)
    last = next(
        o.key for o in store.list("hr.1a2b3c4d-5e6f/requests/minji/adapter/cut/") if "step-000004/optimiser" in o.key
    )
    store.write(last, store.read(last)[:-100])
    # The optimiser state of step 2 went when step 4 was complete: training begins anew rather than from half a file.
    assert train("cut").resumed_from == 0


def test_out_of_memory_is_answered_with_a_smaller_setting(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    real_loss = loss.step_losses

    loads: list[str] = []
    real_load = model.load_base

    def too_large(*arguments: object, rows: int, **words: object) -> Iterator[torch.Tensor]:
        if rows > 1:
            raise torch.OutOfMemoryError("no room")
        return real_loss(*arguments, rows=rows, **words)  # type: ignore[arg-type]

    def load_base(models: Path, name: str, **words: object) -> object:
        loads.append(name)
        return real_load(models, name, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "load_base", load_base)

    monkeypatch.setattr(loop, "step_losses", too_large)
    report = train("one", steps=2)
    assert report.changes == ["batch of 2 in parts of 1"]
    assert loads == ["studio-random"], "nothing is loaded again"
    assert report.adapter is not None


def test_a_loss_that_explodes_ends_with_advice(train: Train) -> None:
    with pytest.raises(BadInput, match=r"training\.seed") as caught:
        train("one", learning_rate=1e3)
    assert caught.value.reason == Reason.TRAINING_DIVERGED


def test_a_missing_base_model_is_named(train: Train) -> None:
    with pytest.raises(BadInput, match="'nowhere' is not in the models folder"):
        train("one", base_model="nowhere")
