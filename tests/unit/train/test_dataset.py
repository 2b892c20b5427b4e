"""From a dataset in the store to what the UNet is trained on: pictures, captions, latents, crops, held-out photos."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from profile_contract.exits import BadInput
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainParameters
from profile_draw.families.family import TextEmbedding
from profile_draw.families.sdxl import Sdxl
from profile_runtime.context import StageContext
from profile_runtime.progress import Silent, StageProgress
from profile_runtime.store.folder import FolderStore
from profile_train import stage
from profile_train.cache import encode_examples, encode_text
from profile_train.dataset import Example, read_examples, read_report
from profile_train.settings import Settings
from profile_vision.pixels import RGB

SCALE = 0.25


def stored(store: FolderStore, name: str, colour: int, *, held_out: bool = False, size: int = 64) -> DatasetImage:
    """A crop of one grey in the store, its mask full, its face in the middle."""
    for part in ("image", "mask"):
        picture = np.full(
            (size, size, 3) if part == "image" else (size, size), colour if part == "image" else 255, np.uint8
        )
        store.write(f"{name}/{part}.png", cv2.imencode(".png", picture)[1].tobytes())
    return DatasetImage(
        photo=f"{name}.jpg",
        image=f"{name}/image.png",
        mask=f"{name}/mask.png",
        caption="photo of {subject}, close up",
        width=size,
        height=size,
        face_box=(20, 16, 24, 24),
        held_out=held_out,
    )


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def examples_of(store: FolderStore, images: list[DatasetImage], crops: int = 1, resolution: int = 64) -> list[Example]:
    return read_examples(
        store, images, crops=crops, resolution=resolution, wanted=64, subject="sks woman", face_weight=2
    )


def test_captions_name_the_person_by_the_token(store: FolderStore) -> None:
    (example,) = examples_of(store, [stored(store, "a", 90)])
    assert example.caption == "photo of sks woman, close up"


def test_the_first_crop_is_whole_and_every_crop_tells_where_it_began(store: FolderStore) -> None:
    examples = examples_of(store, [stored(store, "a", 90)], crops=6)
    assert (examples[0].crop_left, examples[0].crop_top) == (0, 0)
    assert any(example.crop_left or example.crop_top for example in examples[1:])
    assert all(example.size == (64, 64) and example.original_size == (64, 64) for example in examples)
    assert all(example.weights.mean() == pytest.approx(1.0, abs=1e-5) for example in examples)
    assert all((example.image == 90).all() for example in examples)


def test_a_smaller_attempt_trains_on_smaller_pictures(store: FolderStore) -> None:
    (example,) = examples_of(store, [stored(store, "a", 90)], resolution=48)
    assert example.size == (48, 48)
    assert example.original_size == (64, 64)


def test_sdxl_is_told_how_large_a_picture_was_in_its_photo(store: FolderStore) -> None:
    image = stored(store, "a", 90).model_copy(update={"source": (40, 30)})
    for resolution in (64, 48):
        examples = examples_of(store, [image], crops=3, resolution=resolution)
        assert {example.original_size for example in examples} == {(40, 30)}


def test_a_pose_map_is_cut_as_its_picture_is(store: FolderStore) -> None:
    image = stored(store, "a", 90).model_copy(update={"joints": ((0.5, 0.40625), *[None] * 17)})
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[26, 32] = 255
    store.write("a/image.png", cv2.imencode(".png", picture)[1].tobytes())
    examples = read_examples(
        store, [image], crops=5, resolution=96, wanted=64, subject="sks woman", face_weight=2, pose_line=20
    )
    assert len({example.crop_left for example in examples}) > 1
    for example in examples:
        assert example.pose is not None
        assert example.pose.shape == (96, 96, 3)
        # The nose is drawn where the picture shows it.
        shown, drawn = (np.argwhere(pixels.max(axis=2) > 100).mean(axis=0) for pixels in (example.image, example.pose))
        assert shown == pytest.approx(drawn, abs=1.5)
    assert all(example.pose is None for example in examples_of(store, [image]))


def test_a_dataset_without_joints_cannot_be_trained_with_the_controlnet(store: FolderStore) -> None:
    with pytest.raises(BadInput, match=r"controlInLoss needs joints.*raise the request's spec\.refresh"):
        read_examples(
            store, [stored(store, "a", 90)], crops=1, resolution=64, wanted=64, subject="sks woman",
            face_weight=2, pose_line=16,
        )  # fmt: skip


@pytest.mark.parametrize("part", ["image", "mask"])
@pytest.mark.parametrize("size", [(1, 1), (64, 63), (128, 128)])
def test_a_picture_of_another_size_than_its_report_says_is_refused(
    store: FolderStore, part: str, size: tuple[int, int]
) -> None:
    image = stored(store, "a", 90)
    store.write(f"a/{part}.png", cv2.imencode(".png", np.zeros(size, np.uint8))[1].tobytes())
    with pytest.raises(BadInput, match=r"not 64x64 pixels, as its report says; run preprocessing again"):
        examples_of(store, [image])


def png_header(width: int, height: int) -> bytes:
    """A PNG file that tells of a size, and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk


@pytest.mark.parametrize("part", ["image", "mask"])
@pytest.mark.parametrize(
    "content", [None, b"no picture", b"", png_header(60_000, 60_000), png_header(1 << 21, 10), png_header(0, 0)]
)
def test_a_picture_that_cannot_be_read_is_named(store: FolderStore, part: str, content: bytes | None) -> None:
    image = stored(store, "a", 90)
    store.delete(f"a/{part}.png")
    if content is not None:
        store.write(f"a/{part}.png", content)
    with pytest.raises(BadInput, match=rf"a/{part}\.png of the dataset cannot be read"):
        examples_of(store, [image])


class Vae:
    """Gives the mean of its pixels as the latents' mean, and remembers what it was moved to."""

    config = SimpleNamespace(scaling_factor=SCALE)

    def to(self, *_: Any, **words: Any) -> Vae:
        self.words = words
        return self

    def encode(self, pixels: torch.Tensor) -> SimpleNamespace:
        self.pixels = pixels
        mean = torch.nn.functional.avg_pool2d(pixels, 8)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean, std=torch.full_like(mean, 0.5)))


def test_latents_are_scaled_as_the_unet_knows_them_and_the_crop_is_told() -> None:
    image = RGB(np.full((16, 24, 3), (255, 0, 51), np.uint8))
    weights = np.ones((16, 24), np.float32)
    weights[:, :8] = 4.0
    example = Example(image, weights / weights.mean(), "a", crop_left=3, crop_top=5, original_size=(40, 30))
    base: Any = SimpleNamespace(family=Sdxl(), vae=Vae(), device=torch.device("cpu"))
    text = TextEmbedding(torch.zeros(1, 2, 2), torch.zeros(1, 2))
    (cached,) = encode_examples(base, [example], {"a": text})
    assert base.vae.words["dtype"] == torch.float32
    # RGB 255, 0, 51 is 1, -1, -0.6 to the VAE.
    assert cached.mean.shape == (3, 2, 3)
    assert cached.mean.mean(dim=(1, 2)).tolist() == pytest.approx([SCALE, -SCALE, -0.6 * SCALE], abs=1e-6)
    assert cached.deviation.flatten().tolist() == pytest.approx([0.5 * SCALE] * 18)
    # Original height and width, crop's top and left, target height and width: SDXL's order.
    assert cached.crop_ids.tolist() == [30, 40, 5, 3, 16, 24]
    assert cached.weights.tolist() == [[[2.0, 0.5, 0.5], [2.0, 0.5, 0.5]]]
    assert cached.text is text
    (certain,) = encode_examples(base, [example], {"a": text}, noise=False)
    assert certain.deviation.abs().max() == 0
    assert torch.equal(certain.mean, cached.mean)
    assert cached.size == (2, 3)


def test_a_prompt_is_encoded_once() -> None:
    asked: list[str] = []

    def encode_prompt(prompt: str, **words: Any) -> tuple[Any, ...]:
        asked.append(prompt)
        assert words["do_classifier_free_guidance"] is False
        return torch.ones(1, 3, 2), None, torch.ones(1, 2), None

    encoder = SimpleNamespace(to=lambda _: None)
    pipeline = SimpleNamespace(text_encoder=encoder, text_encoder_2=encoder, encode_prompt=encode_prompt)
    base: Any = SimpleNamespace(family=Sdxl(), pipeline=pipeline, device=torch.device("cpu"))
    assert list(encode_text(base, ["a", "b", "a"])) == ["a", "b"]
    assert asked == ["a", "b"]


def test_held_out_photos_are_never_trained_on(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [stored(store, "a", 10), stored(store, "b", 20, held_out=True), stored(store, "c", 30)]
    report = PreprocessReport(digest="d", images=images, ceiling=0.6)
    store.write("dataset/report.json", report.to_json().encode())
    order = TrainOrder(
        request=RequestRef(namespace="hr", name="minji"),
        digest="one",
        output="out/",
        dataset="dataset/report.json",
        parameters=TrainParameters(base_model="tiny", resolution=64, crops_per_photo=2),
    )
    trained_on: list[int] = []

    class Caught(Exception):
        pass

    def load_base(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(device=torch.device("cpu"))

    def encode_them(_base: Any, examples: list[Example], _texts: Any, *, noise: bool) -> Any:
        assert noise
        trained_on.extend(int(example.image[0, 0, 0]) for example in examples)
        raise Caught

    monkeypatch.setattr(stage, "load_base", load_base)
    monkeypatch.setattr(stage, "check_weights", lambda *_: None)
    monkeypatch.setattr(stage, "encode_text", lambda *_: {})
    monkeypatch.setattr(stage, "encode_examples", encode_them)
    progress = StageProgress(order.request, Stage.TRAIN, "one", Silent())
    with pytest.raises(Caught):
        stage.run(order, StageContext(store, progress, store.root / "models"))
    assert trained_on == [10, 10, 30, 30]
    assert [image.photo for image in report.reference_images] == ["b.jpg"]


def test_without_held_out_photos_all_judge(store: FolderStore) -> None:
    report = PreprocessReport(digest="d", images=[stored(store, "a", 10), stored(store, "b", 20)])
    assert [image.photo for image in report.reference_images] == ["a.jpg", "b.jpg"]
    assert [image.photo for image in report.training_images] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("report", [b"", b"{}", b"[]", b"\xff", b'{"stage":"train"}'])
def test_a_dataset_that_is_none_is_named(store: FolderStore, report: bytes) -> None:
    store.write("dataset/report.json", report)
    with pytest.raises(BadInput, match="run preprocessing again"):
        read_report(store, "dataset/report.json")


def test_steps_count_photos_that_are_trained_on() -> None:
    assert (
        Settings(500, 4, 1024, gradient_checkpointing=False).key
        != Settings(500, 2, 1024, gradient_checkpointing=False).key
    )
