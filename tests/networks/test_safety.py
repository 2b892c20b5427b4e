"""The safety checker, a small one with random weights of diffusers' own architecture, and what is held back by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessor

from predictor_world import BASE, TinyPipeline
from profile_contract.generation import GenerationOrder
from profile_draw.config import EngineConfig
from profile_draw.errors import Refused
from profile_draw.safety import SafetyChecker
from profile_draw.upscaling import Upscaler
from profile_predictor.engine import Drawn, Engine
from profile_vision.files import SOURCE_TYPE

NAME = "small-checker"
EDGE = 32
# A cosine that is never reached, one that always is, and one that a picture itself alone reaches.
NEVER, ALWAYS, ITSELF = 2.0, -2.0, 0.999


def picture(seed: int) -> np.ndarray:
    """Coarse squares in random colours."""
    squares = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    return squares.repeat(16, axis=0).repeat(16, axis=1)


def write_checker(models: Path, held: np.ndarray | None = None, threshold: float = NEVER) -> Path:
    """A folder with a checker that holds back what is like `held`; without, everything or nothing by the threshold."""
    torch.manual_seed(5)
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": EDGE, "patch_size": 8,
    }  # fmt: skip
    config = CLIPConfig(vision_config=vision, projection_dim=8)
    network = StableDiffusionSafetyChecker(config)
    torch.nn.init.normal_(network.visual_projection.weight)
    network.concept_embeds_weights.fill_(threshold if held is None else NEVER)
    network.special_care_embeds_weights.fill_(NEVER)
    reader = CLIPImageProcessor(
        size={"shortest_edge": EDGE}, crop_size={"height": EDGE, "width": EDGE}, do_normalize=True
    )
    if held is not None:
        with torch.no_grad():
            seen = reader(images=[held], return_tensors="pt").pixel_values
            network.concept_embeds[0] = network.visual_projection(network.vision_model(seen)[1])[0]
            network.concept_embeds_weights[0] = ITSELF
    folder = models / NAME
    network.save_pretrained(folder)
    reader.save_pretrained(folder)
    return folder


def checker(models: Path) -> SafetyChecker:
    return SafetyChecker.load(models, NAME, torch.device("cpu"))


def test_what_it_was_taught_is_held_back_and_nothing_else(tmp_path: Path) -> None:
    write_checker(tmp_path, held=picture(1))
    assert checker(tmp_path).held_back([picture(2), picture(1), picture(3)]) == [False, True, False]


def test_what_it_says_of_a_picture_does_not_hang_on_those_beside_it(tmp_path: Path) -> None:
    write_checker(tmp_path, held=picture(1))
    safety = checker(tmp_path)
    assert [safety.held_back([picture(seed)])[0] for seed in (2, 1, 3)] == [False, True, False]


def engine(safety: SafetyChecker | None, upscaler: Any = None) -> Engine:
    settings = EngineConfig(Path("/models"), BASE, slots=2, batch=4)
    pipeline: Any = TinyPipeline(settings.slots)
    return Engine(settings, pipeline, upscaler=upscaler, safety=safety)


def drawn(made: Engine, **more: object) -> list[Drawn]:
    """Two pictures of 64 x 64."""
    items = [{"seed": seed, "prompt": "a portrait", "key": f"{seed}.png"} for seed in (1, 2)]
    order = GenerationOrder.model_validate(
        {"request": {"namespace": "hr", "name": "minji"}, "items": items, "width": 64, "height": 64, "steps": 1, **more}
    )
    files: Any = None
    return made.generate(order, files)


def test_a_picture_that_is_held_back_goes_out_black_and_says_so(tmp_path: Path) -> None:
    write_checker(tmp_path, threshold=ALWAYS)
    pictures = drawn(engine(checker(tmp_path)))
    assert [candidate.held_back for candidate in pictures] == [True, True]
    assert all((candidate.pixels == 0).all() and candidate.pixels.shape == (64, 64, 3) for candidate in pictures)
    assert SOURCE_TYPE.encode() in pictures[0].png


def test_others_are_what_they_are_without_a_checker(tmp_path: Path) -> None:
    write_checker(tmp_path, threshold=NEVER)
    looked_at, plain = drawn(engine(checker(tmp_path))), drawn(engine(None))
    assert [candidate.held_back for candidate in looked_at] == [False, False]
    assert [candidate.sha256 for candidate in looked_at] == [candidate.sha256 for candidate in plain]


def test_networks_beside_the_base_model_are_told_by_their_names(tmp_path: Path) -> None:
    write_checker(tmp_path)
    assert engine(checker(tmp_path)).beside == {"upscaler": "none", "safety_checker": NAME}
    assert engine(None).beside == {"upscaler": "none", "safety_checker": "none"}


class Repeating:
    """Enlarges by repeating pixels."""

    scale, dtype, device = 2, torch.float32, torch.device("cpu")

    def __call__(self, seen: torch.Tensor) -> torch.Tensor:
        return seen.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_an_order_says_how_large_its_pictures_become(tmp_path: Path) -> None:
    write_checker(tmp_path, threshold=NEVER)
    made = engine(checker(tmp_path), Upscaler(Repeating(), "repeating"))
    small, large = drawn(made), drawn(made, upscale=2)
    assert [candidate.pixels.shape for candidate in (*small, *large)] == [(64, 64, 3)] * 2 + [(128, 128, 3)] * 2
    assert (large[0].pixels[::2, ::2] == small[0].pixels).all()


def test_what_is_held_back_is_not_enlarged(tmp_path: Path) -> None:
    write_checker(tmp_path, threshold=ALWAYS)
    made = engine(checker(tmp_path), Upscaler(Repeating(), "repeating"))
    assert [candidate.pixels.shape for candidate in drawn(made, upscale=2)] == [(64, 64, 3)] * 2


def test_an_order_that_wants_what_is_not_there_is_refused_with_advice() -> None:
    with pytest.raises(Refused, match=r"enlarged by 2, and this predictor has no network for it: the platform team"):
        drawn(engine(None), upscale=2)
    with pytest.raises(Refused, match="enlarged by 4, and the upscaler 'repeating' enlarges by 2"):
        drawn(engine(None, Upscaler(Repeating(), "repeating")), upscale=4)


def test_a_folder_without_its_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no safety checker 'small-checker'"):
        checker(tmp_path)


def test_a_checker_that_lacks_its_vectors_is_not_taken(tmp_path: Path) -> None:
    folder = write_checker(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["concept_embeds"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="its weights lack"):
        checker(tmp_path)


def test_another_network_is_no_checker(tmp_path: Path) -> None:
    folder = write_checker(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["hidden_size"] = 32
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="is no safety checker"):
        checker(tmp_path)


@pytest.mark.parametrize("name", ["concept_embeds", "concept_embeds_weights", "special_care_embeds_weights"])
def test_a_checker_that_could_hold_nothing_back_is_not_taken(tmp_path: Path, name: str) -> None:
    folder = write_checker(tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, name: weights[name].fill_(float("nan"))}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="its weights are no finite numbers"):
        checker(tmp_path)


def test_a_checker_that_was_cut_off_is_told(tmp_path: Path) -> None:
    file = write_checker(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:900])
    with pytest.raises(ValueError, match="is no safety checker"):
        checker(tmp_path)
