"""Training's pure rules: steps, batches, crops, names for WebUI, the choice of a checkpoint."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from profile_contract.stages.preprocess import DatasetImage
from profile_contract.stages.train import TrainParameters
from profile_draw.families.sdxl import Sdxl
from profile_train.checkpoints import Saved
from profile_train.dataset import loss_weights, random_crop, scaled_size
from profile_train.loop import best
from profile_train.loss import drawn_timesteps, min_snr_weights
from profile_train.optimising import share_of_rate
from profile_train.sampling import alone, batch_of, epoch_batches
from profile_train.settings import settings_of
from profile_vision.pixels import Mask

PARAMETERS = TrainParameters(base_model="sdxl")


@pytest.mark.parametrize(("photos", "steps"), [(4, 500), (7, 560), (11, 880), (20, 900)])
def test_steps_follow_the_photos(photos: int, steps: int) -> None:
    assert settings_of(PARAMETERS, photos).steps == steps


def test_steps_can_be_given() -> None:
    assert settings_of(PARAMETERS.model_copy(update={"steps": 40}), 12).steps == 40


def test_an_epoch_shows_every_example_in_batches_of_one_size() -> None:
    sizes = [(16, 16)] * 5 + [(16, 24)] * 3
    batches = epoch_batches(sizes, 2, seed=1, epoch=0)
    assert {i for batch in batches for i in batch} == set(range(8))
    assert all(len(batch) == 2 and len({sizes[i] for i in batch}) == 1 for batch in batches)


SHAPES = {
    "ten photos, one of another shape": ("a" * 9 + "b", 1),
    "a dozen of four shapes": ("aaaaaabbbccd", 1),
    "a dozen of four shapes, three crops": ("aaaaaabbbccd", 3),
    "eleven of one shape": ("a" * 11, 1),
    "five, all different": ("abcde", 1),
}


@pytest.mark.parametrize("steps", [500, 560, 880])
@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize("name", SHAPES)
def test_every_photo_is_shown_equally_often(name: str, batch: int, steps: int) -> None:
    shapes, crops = SHAPES[name]
    sizes = [shape for shape in shapes for _ in range(crops)]
    shown = Counter(index // crops for step in range(steps) for index in batch_of(sizes, batch, 3, step))
    assert sum(shown.values()) == steps * batch
    assert max(shown.values()) <= 1.2 * min(shown.values())


def test_batches_that_fill_themselves_are_drawn_as_ever() -> None:
    # The order is that of the first release: a training without a short batch gives the same adapter.
    draw = random.Random("3/1")  # noqa: S311
    first, second = [0, 1, 2, 3], [4, 5]
    draw.shuffle(first)
    draw.shuffle(second)
    expected = [first[:2], first[2:], second]
    draw.shuffle(expected)
    assert epoch_batches("aaaabb", 2, seed=3, epoch=1) == expected


def test_a_shape_that_one_photo_has_is_told() -> None:
    square, tall = (1024, 1024), (832, 1216)
    assert alone([square] * 6 + [tall] * 3, crops=3) == [tall]
    assert alone([square] * 3 + [tall] * 6, crops=3) == [square]
    assert alone([square, square, tall, tall], crops=1) == []
    assert alone([square] * 3, crops=3) == [], "a single photo is alone anyway"


def test_a_step_is_the_same_whoever_asks() -> None:
    sizes = [(16, 16)] * 5
    walked = [batch_of(sizes, 2, 7, step) for step in range(9)]
    assert batch_of(sizes, 2, 7, 8) == walked[8]
    assert walked[:3] != walked[3:6], "another epoch is shuffled otherwise"


def image(face_box: tuple[int, int, int, int]) -> DatasetImage:
    return DatasetImage(photo="a.jpg", image="", mask="", pose="", caption="", width=128, height=160, face_box=face_box)


@pytest.mark.parametrize("seed", range(20))
def test_a_crop_holds_the_whole_face(seed: int) -> None:
    face = (10, 20, 60, 70)
    x, y, w, h = random_crop(image(face), np.random.default_rng(seed))
    assert x <= 10
    assert y <= 20
    assert x + w >= 70
    assert y + h >= 90
    assert x >= 0
    assert y >= 0
    assert x + w <= 128
    assert y + h <= 160


def test_the_face_weighs_most_and_the_background_keeps_a_floor() -> None:
    mask = Mask(np.zeros((100, 100), np.uint8))
    mask[20:100, 20:80] = 255
    weights = loss_weights(mask, (40, 30, 20, 20), 2.0)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[35, 45] > weights[80, 50] > weights[5, 5] > 0


@pytest.mark.parametrize("face", [1.0, 2.0, 4.0])
def test_a_face_weighs_so_many_times_what_the_rest_of_the_person_does(face: float) -> None:
    mask = Mask(np.zeros((100, 100), np.uint8))
    mask[20:100, 20:80] = 255
    weights = loss_weights(mask, (40, 30, 20, 10), face)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[35, 45] / weights[80, 50] == pytest.approx(face)
    assert weights[39, 59] / weights[40, 60] == pytest.approx(face)
    assert weights[5, 5] / weights[80, 50] == pytest.approx(0.3)


def test_sizes_stay_multiples_of_eight() -> None:
    assert scaled_size((832, 1216), 0.75) == (624, 912)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        # Names as they stand in files written by kohya's sd-scripts for SDXL.
        ("down_blocks.1.attentions.0", "input_blocks.4.1"),
        ("down_blocks.2.attentions.1", "input_blocks.8.1"),
        ("mid_block.attentions.0", "middle_block.1"),
        ("up_blocks.0.attentions.2", "output_blocks.2.1"),
        ("up_blocks.1.attentions.0", "output_blocks.3.1"),
    ],
)
def test_names_for_webui(module: str, name: str) -> None:
    rest = ".transformer_blocks.0.attn1.to_out.0"
    assert Sdxl().webui_name(module + rest, {"layers_per_block": 2}) == name + rest


@pytest.mark.parametrize("rest", [".proj_in", ".transformer_blocks.0.ff.net.0.proj"])
def test_the_rest_of_a_transformer_has_names_for_webui(rest: str) -> None:
    assert Sdxl().webui_name("down_blocks.1.attentions.0" + rest, {"layers_per_block": 2}) == "input_blocks.4.1" + rest


@pytest.mark.parametrize("layer", ["time_embedding.linear_1", "down_blocks.0.resnets.0.norm1", "mid_block.resnets.2"])
def test_a_layer_that_no_adapter_changes_has_no_name_for_webui(layer: str) -> None:
    with pytest.raises(ValueError, match="no layer of an SDXL UNet that an adapter changes"):
        Sdxl().webui_name(layer, {"layers_per_block": 2})


def test_the_rate_falls_to_nothing() -> None:
    shares = [share_of_rate(step, 300) for step in range(300)]
    assert shares[0] == 1.0
    assert shares[150] == pytest.approx(0.5)
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[-1] < 1e-3


def test_the_rate_rises_over_a_warm_up_and_then_falls() -> None:
    shares = [share_of_rate(step, 10, 4) for step in range(10)]
    assert shares[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert shares[7] == pytest.approx(0.5)
    assert shares[4:] == sorted(shares[4:], reverse=True)
    assert [share_of_rate(step, 3, 9) for step in range(3)] == pytest.approx([0.1, 0.2, 0.3]), "it may be longer"


def test_timesteps_are_drawn_as_often_as_they_weigh() -> None:
    weights = torch.tensor([0.0, 1.0, 3.0, 0.0])
    draw = torch.Generator().manual_seed(1)
    drawn = torch.cat([drawn_timesteps(weights, 4, draw) for _ in range(500)])
    assert torch.bincount(drawn, minlength=4).tolist() == [0, 500, 1500, 0]


def test_min_snr_follows_the_paper() -> None:
    noise = DDPMScheduler(num_train_timesteps=1000, beta_schedule="scaled_linear")
    steps = torch.tensor([1, 500, 999])
    alphas = noise.alphas_cumprod[steps]
    snr = alphas / (1 - alphas)
    assert torch.allclose(min_snr_weights(noise, steps, 5.0, "epsilon"), snr.clamp(max=5) / snr, rtol=1e-4)
    assert torch.allclose(min_snr_weights(noise, steps, 5.0, "v_prediction"), snr.clamp(max=5) / (snr + 1), rtol=1e-4)
    assert torch.equal(min_snr_weights(noise, steps, 0.0, "epsilon"), torch.ones(3))


def test_the_checkpoint_most_like_the_person_is_delivered() -> None:
    likeness = {100: 40.0, 200: 71.0, 300: 66.0}
    saved = [Saved(step, f"p{step}/", 0.1, figure) for step, figure in likeness.items()]
    assert best(saved).step == 200
    assert best([Saved(step, "", 0.1, None) for step in likeness]).step == 300
