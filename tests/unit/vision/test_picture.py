"""What a platform overrides of every style, for a base model unlike SDXL."""

from profile_contract.picture_size import PictureSize
from profile_contract.style import ProfileStyleSpec
from profile_operator.config import GenerationConfig

STYLE = ProfileStyleSpec.model_validate(
    {
        "title": {"en": "Warm"},
        "tone": "Warm",
        "prompt": "photo of {subject}, {tone}",
        "sampler": {"steps": 30, "guidanceTenths": 50},
        "controlWeightPercent": 60,
        "controlEndPercent": 70,
    }
)


def test_without_overrides_a_style_is_drawn_as_it_says() -> None:
    assert PictureSize(896, 1152).of(STYLE) == STYLE


def test_what_is_overridden_is_so_even_where_it_is_nothing() -> None:
    drawn = PictureSize(128, 128, steps=20, guidance_tenths=30, control_weight_percent=0, control_end_percent=100)
    style = drawn.of(STYLE)
    assert (style.sampler.steps, style.sampler.guidance_tenths) == (20, 30)
    assert (style.control_weight_percent, style.control_end_percent) == (0, 100)
    assert style.prompt == STYLE.prompt


def test_candidates_of_before_stay_where_nothing_new_is_overridden() -> None:
    assert PictureSize(896, 1152, 20).parameters == [896, 1152, 20]
    assert PictureSize(128, 128, None, control_weight_percent=100).parameters == [
        128, 128, None, {"control_weight": 100},
    ]  # fmt: skip


def test_the_configuration_says_it_in_the_charts_words() -> None:
    config = GenerationConfig.model_validate({"width": 128, "height": 128, "controlWeightPercent": 100, "steps": 20})
    assert config.picture == PictureSize(128, 128, 20, control_weight_percent=100)
