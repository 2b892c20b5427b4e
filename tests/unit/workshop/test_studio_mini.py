"""What studio-mini is trained on, and how: prompts, framing, tones, checkpoints, optimiser."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from profile_contract.framing import FACE_IN_HEAD, head_in, room_for
from profile_contract.layouts import LayoutName
from profile_contract.stages.train import TrainParameters
from profile_contract.style import TONE_WORDS, Tone
from profile_models.tokenizer import make_tokenizer
from profile_workshop.studio_mini import checkpoint, product_words, prompts, words
from profile_workshop.studio_mini.compose import FRAMING, SIZE, compose, framing, toned
from profile_workshop.studio_mini.muon import Optimiser, orthogonalised

CHART = Path(__file__).resolve().parents[3] / "charts" / "profile-studio"
STYLES = CHART / "files" / "styles"
FACTS = {
    "seed": 1, "number": 0, "gender": "male", "age": 28.0, "ancestry": "asian", "hair": "short01",
    "hair_colour": "black", "beard": 0.0, "glasses": True, "wear": "male_elegantsuit01", "wear_rgb": (0.02, 0.03, 0.3),
    "mood": "smile", "light": "studio", "yaw": 30.0, "head_box": (50.0, 40.0, 56.0, 64.0),
}  # fmt: skip


def described(tone: Tone, number: int) -> str:
    """One of the prompts of somebody who is described."""
    draw = np.random.default_rng(number)
    return prompts.prompt(
        FACTS, tone=tone, backdrop="plain white backdrop", draw=draw, known_as=prompts.who(FACTS, draw)
    )


def test_a_prompt_says_what_is_true() -> None:
    texts = [described(Tone.WARM, number) for number in range(60)]
    assert all(TONE_WORDS[Tone.WARM] in text for text in texts)
    assert not any(TONE_WORDS[Tone.COOL] in text or "woman" in text or "beard" in text for text in texts)
    for words_of in (
        "glasses",
        "short black hair",
        "blue tailored suit",
        "bright smile",
        "turned slightly to the right",
    ):
        assert 10 < sum(words_of in text for text in texts) < 60, words_of


@pytest.mark.parametrize(
    ("linear", "word"),
    [((0.01, 0.01, 0.012), "dark"), ((0.6, 0.6, 0.6), "white"), ((0.25, 0.25, 0.25), "grey"),
     ((0.5, 0.03, 0.03), "red"), ((0.02, 0.05, 0.5), "blue"), ((0.03, 0.3, 0.03), "green"),
     ((0.1, 0.05, 0.02), "brown")],
)  # fmt: skip
def test_colours_have_the_names_people_give_them(linear: tuple[float, float, float], word: str) -> None:
    assert prompts.colour_word(linear) == word


def test_the_vocabulary_follows_what_the_product_says(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = product_words.product_texts("zwx man")
    assert texts[0] == "a photo of zwx man, head and shoulders, facing the camera"
    assert "a photo of zwx man, close-up portrait, turned slightly to the left" in texts
    assert texts[-1] == "studio portrait photo of zwx man, facing the camera"
    assert len(set(texts)) == 11
    assert TrainParameters(base_model="any").token == product_words.TOKEN
    monkeypatch.setattr("profile_preprocess.captions.facing", lambda yaw: "seen from above")
    assert "a photo of zwx man, head and shoulders, seen from above" in product_words.product_texts("zwx man")


def test_pictures_are_framed_as_adapters_crops_and_as_portraits_are() -> None:
    recipe = yaml.safe_load((CHART / "recipes" / "studio-mini.yaml").read_text())
    share, edge = recipe["preprocess"]["facePercent"] / 100, recipe["generation"]["width"]
    # Portraits are larger than what it learnt from: a face has as many pixels, not as much of the picture.
    assert share * recipe["training"]["resolution"] == FRAMING.face * SIZE
    shares = np.array(
        [
            np.linalg.norm(framing(FACTS["head_box"], 160, mirrored=False, draw=np.random.default_rng(n))[:, 1])  # type: ignore[arg-type]
            * 64
            / SIZE
            for n in range(100)
        ]
    )
    widest = head_in(room_for(LayoutName, recipe["preprocess"]["facePercent"]), edge, edge)
    for wanted in (FRAMING.face, widest.height * FACE_IN_HEAD / SIZE):
        assert np.abs(shares - wanted).min() < 0.01
    assert (shares.min() > 0.34, shares.max() < 0.57) == (True, True)


def test_what_a_render_ends_with_goes_on_and_is_no_stripe() -> None:
    rgba = np.random.default_rng(3).integers(0, 255, (160, 160, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    low = {**FACTS, "head_box": (40, 90, 64, 64)}
    picture = compose(rgba, low, np.random.default_rng(5)).picture.astype(int)
    assert min(np.abs(picture[row] - picture[row - 1]).mean() for row in range(SIZE - 20, SIZE)) > 3


def test_a_tone_moves_b_star_and_hardly_lightness() -> None:
    picture = np.full((8, 8, 3), 0.5, np.float32)
    before, after = (
        cv2.cvtColor(one.astype(np.float32), cv2.COLOR_RGB2LAB)[0, 0] for one in (picture, toned(picture, 3.0))
    )
    assert after[2] - before[2] == pytest.approx(3.0, abs=0.2)
    assert abs(after[0] - before[0]) < 1


def test_a_composed_picture_is_a_function_of_its_draw() -> None:
    rgba = np.random.default_rng(3).integers(0, 255, (160, 160, 4), dtype=np.uint8)
    first, second = (compose(rgba, FACTS, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.picture, second.picture)
    assert first.picture.shape == (SIZE, SIZE, 3)


def test_every_style_fits_the_vocabulary(tmp_path: Path) -> None:
    texts, unwanted = words.style_texts(STYLES)
    corpus = [described(Tone.COOL, number) for number in range(200)]
    (tmp_path / "merges").write_text(words.learn_merges([*corpus, *50 * [*texts, *unwanted]]))
    tokenizer = make_tokenizer(tmp_path, pad_token="<|endoftext|>", merges=tmp_path / "merges")
    for text in texts:
        said = text.replace("{subject}", "sks person").replace("{tone}", TONE_WORDS[Tone.WARM])
        assert len(tokenizer(said)["input_ids"]) <= 77
        assert re.sub(r"\W", "", tokenizer.decode(tokenizer(said)["input_ids"], skip_special_tokens=True)) == re.sub(
            r"\W", "", said.lower()
        )


def test_the_average_forgets_the_random_start() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    ema = checkpoint.Ema({"layer": layer}, decay=0.9)
    with torch.no_grad():
        layer.weight.fill_(5.0)
    for update in range(200):
        ema.update({"layer": layer}, update)
    assert float(ema.weights["layer"]["weight"]) == pytest.approx(5.0, abs=1e-3)


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    assert checkpoint.load(path) is None
    checkpoint.save(path, {"step": 3, "weights": torch.ones(2)})
    found = checkpoint.load(path)
    assert found is not None
    assert found["step"] == 3
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_orthogonalised_matrices_turn_and_hardly_stretch() -> None:
    for shape in ((6, 20), (20, 6)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(*shape, generator=torch.Generator().manual_seed(2))))
        assert float(values.min()) > 0.6
        assert float(values.max()) < 1.3


def test_a_gradient_of_few_directions_stays_a_direction() -> None:
    """Gradients are nearly of low rank: squared, half of their directions would be lost in rounding."""
    random = torch.Generator().manual_seed(4)
    gradient = torch.randn(64, 64, generator=random) @ torch.diag(torch.logspace(0, -3, 64))
    turned = orthogonalised(gradient)
    assert turned.dtype == torch.float32
    left, _, right = torch.linalg.svd(gradient)
    assert float((turned * (left @ right)).sum() / turned.norm() / 8) > 0.85


def test_muon_fits_what_it_is_given_and_goes_on_where_it_was() -> None:
    torch.manual_seed(3)
    goal = torch.randn(4, 8)
    layer = torch.nn.Linear(8, 4)
    optimiser = Optimiser(list(layer.parameters()), rate=0.3, small_rate=0.05)
    inputs = torch.randn(64, 8)

    def loss() -> torch.Tensor:
        error: torch.Tensor = (layer(inputs) - inputs @ goal.T).pow(2).mean()
        return error

    before = loss().item()
    for step in range(200):
        torch.autograd.backward(loss())
        optimiser.step(1 - step / 200)
        optimiser.zero_grad()
    assert loss().item() < before / 50
    twin = Optimiser(list(layer.parameters()), rate=0.3, small_rate=0.05)
    twin.load_state_dict(optimiser.state_dict())
    assert twin.state_dict()["muon"]["state"].keys() == optimiser.state_dict()["muon"]["state"].keys()
