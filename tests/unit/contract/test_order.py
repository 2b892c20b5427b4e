"""What a style becomes in the order that the predictor gets: every number in its own place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from profile_contract.candidates import PlannedCandidate, generation_order, judged_style
from profile_contract.generation import EvictionOrder, GenerationItem, GenerationOrder
from profile_contract.look_ref import LookFile, LookKind, LookRef
from profile_contract.picture_size import PictureSize
from profile_contract.sources import PhotoSource
from profile_contract.stages.generate import generate_digest
from profile_contract.stages.order import FileRef, RequestRef
from profile_contract.style import (
    DetailMode,
    FaceDetail,
    Mode,
    ProfileStyleSpec,
    Sampler,
    SamplerName,
    SamplerPreset,
    Title,
)
from properties import examples

REQUEST = RequestRef(namespace="hr", name="minji", uid="u-1")
ADAPTER = FileRef(key="hr.1a2b3c4d-5e6f/requests/minji/adapter/d/adapter.safetensors", sha256="a" * 64, bytes=9)
# No two numbers are alike.
STYLE = ProfileStyleSpec(
    title=Title(en="Golden"),
    prompt="{subject} in {tone}",
    negative_prompt="hat",
    mode=Mode.IMAGE_TO_IMAGE,
    strength_percent=35,
    sampler=Sampler(steps=23, guidance_tenths=47),
    adapter_weight_percent=91,
    control_weight_percent=62,
    control_end_percent=73,
)
CANDIDATES = [
    PlannedCandidate(
        5, "c/000005.png", "sks woman in warm light", twin=False, pose_key="p/1.png", source=PhotoSource("i/1.png")
    ),
    PlannedCandidate(6, "c/000006.png", "sks woman in neutral light", twin=True),
    PlannedCandidate(
        7, "c/000007.png", "sks woman", twin=False, pose_key="p/1.png", joints=((0.0, 0.0), (0.1, 1.2), *[None] * 16)
    ),
]


class Links:
    """Says which way it was asked for what."""

    def get(self, key: str) -> str:
        return f"get:{key}"

    def put(self, key: str) -> str:
        return f"put:{key}"


def document(size: PictureSize = PictureSize(896, 1152), style: ProfileStyleSpec = STYLE) -> dict[str, Any]:  # noqa: B008
    return generation_order(REQUEST, ADAPTER, style, CANDIDATES, size=size, grants=Links()).document()


def test_a_golden_order() -> None:
    assert document() == {
        "request": {"namespace": "hr", "name": "minji", "uid": "u-1"},
        "adapter": {
            "key": "hr.1a2b3c4d-5e6f/requests/minji/adapter/d/adapter.safetensors",
            "url": "get:hr.1a2b3c4d-5e6f/requests/minji/adapter/d/adapter.safetensors",
            "sha256": "a" * 64,
            "weight": 0.91,
        },
        "items": [
            {
                "seed": 5,
                "prompt": "sks woman in warm light",
                "negativePrompt": "hat",
                "pose": {"url": "get:p/1.png", "sha256": ""},
                "initialImage": {"url": "get:i/1.png", "sha256": ""},
                "key": "c/000005.png",
                "putUrl": "put:c/000005.png",
            },
            {
                "seed": 6,
                "prompt": "sks woman in neutral light",
                "negativePrompt": "hat",
                "key": "c/000006.png",
                "putUrl": "put:c/000006.png",
            },
            {
                # Joints, where there are some, where the head stands as all layouts need it.
                "seed": 7,
                "prompt": "sks woman",
                "negativePrompt": "hat",
                "joints": [[0.5, 0.37833], [0.54717, 0.81858], *[None] * 16],
                "key": "c/000007.png",
                "putUrl": "put:c/000007.png",
            },
        ],
        "width": 896,
        "height": 1152,
        "steps": 23,
        "guidance": 4.7,
        "controlWeight": 0.62,
        "controlEnd": 0.73,
        "mode": "ImageToImage",
        "strength": 0.35,
        "poseLineThousandths": 16,
    }


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ({"steps": 11}, {"steps": 11}),
        ({"guidance_tenths": 12}, {"guidance": 1.2}),
        ({"control_weight_percent": 13}, {"controlWeight": 0.13}),
        ({"control_end_percent": 14}, {"controlEnd": 0.14}),
        ({"control_end_percent": 0}, {"controlEnd": 0.0}),
        ({"pose_line_thousandths": 21}, {"poseLineThousandths": 21}),
        ({"strength_percent": 17}, {"strength": 0.17}),
    ],
)
def test_what_a_base_model_wants_otherwise_changes_that_and_the_digest(
    override: dict[str, Any], changes: dict[str, Any]
) -> None:
    size = PictureSize(896, 1152, **override)
    assert document(size) == document() | changes
    assert size.parameters != PictureSize(896, 1152).parameters
    assert str(next(iter(override.values()))) in json.dumps(size.parameters)


PRESET_DRAWS = [
    (SamplerPreset.LCM, {"sampler": "LCM", "steps": 6, "guidance": 1.5}),
    (SamplerPreset.LIGHTNING_4, {"sampler": "EulerTrailing", "steps": 4, "guidance": 1.0}),
    (SamplerPreset.LIGHTNING_8, {"sampler": "EulerTrailing", "steps": 8, "guidance": 1.0}),
]


def _preset(preset: SamplerPreset | None, **more: Any) -> ProfileStyleSpec:
    sampler = Sampler(steps=23, guidance_tenths=47, preset=preset)
    return STYLE.model_copy(update={"sampler": sampler, **more})


@pytest.mark.parametrize(("preset", "drawn"), PRESET_DRAWS)
def test_a_preset_of_few_steps_says_sampler_steps_and_guidance_whatever_others_say(
    preset: SamplerPreset, drawn: dict[str, Any]
) -> None:
    # A recipe that overrides every style does not override this: a picture of 40 such steps would be ruined.
    size = PictureSize(896, 1152, steps=40, guidance_tenths=20, sampler=SamplerName.DPM)
    for wanted in (PictureSize(896, 1152), size):
        order = document(wanted, _preset(preset))
        assert {name: order[name] for name in drawn} == drawn
    digests = {generate_digest("a", "warm", _preset(each), []) for each in (None, *SamplerPreset)}
    assert len(digests) == 4
    assert generate_digest("a", "warm", _preset(None), []) == generate_digest("a", "warm", STYLE, [])


@pytest.mark.parametrize(("steps", "drawn"), [(30, 30), (150, 50)])
def test_no_order_asks_lcm_for_more_steps_than_it_knows(steps: int, drawn: int) -> None:
    detail = FaceDetail(mode=DetailMode.ALWAYS, steps=steps)
    style = STYLE.model_copy(update={"sampler": Sampler(steps=steps), "detail": detail})
    order = document(PictureSize(896, 1152, sampler=SamplerName.LCM), style)
    assert (order["steps"], order["detail"]["steps"]) == (drawn, drawn)
    with pytest.raises(ValidationError, match="at most 50 steps, and 51 are asked for"):
        GenerationOrder.model_validate({**order, "steps": 51})


def test_a_checkpoint_is_judged_without_a_preset_that_wants_the_styles_own_adapter() -> None:
    taught_by_adapter = _preset(SamplerPreset.LCM, adapters=[LookRef(name="lcm")])
    assert judged_style(taught_by_adapter).sampler == STYLE.sampler
    # The base model itself was taught.
    assert judged_style(_preset(SamplerPreset.LCM)).sampler.preset is SamplerPreset.LCM


_STYLES = st.builds(
    ProfileStyleSpec,
    title=st.just(Title(en="x")),
    prompt=st.just("{subject}"),
    negative_prompt=st.text(max_size=1000).filter(lambda text: not any("\ud800" <= one <= "\udfff" for one in text)),
    mode=st.sampled_from(Mode),
    strength_percent=st.integers(5, 95),
    sampler=st.builds(Sampler, steps=st.integers(1, 150), guidance_tenths=st.integers(10, 300)),
    adapter_weight_percent=st.integers(0, 150),
    control_weight_percent=st.integers(0, 200),
    control_end_percent=st.integers(0, 100),
)


@examples(100)
@given(_STYLES)
def test_whatever_a_style_may_say_makes_an_order_that_arrives_as_it_was_sent(style: ProfileStyleSpec) -> None:
    sent = generation_order(REQUEST, ADAPTER, style, CANDIDATES, size=PictureSize(64, 2048), grants=Links())
    assert GenerationOrder.model_validate_json(sent.to_json()) == sent
    assert sent.guidance == pytest.approx(style.sampler.guidance_tenths / 10)
    assert sent.control_end == pytest.approx(style.control_end_percent / 100)
    assert sent.control_weight == pytest.approx(style.control_weight_percent / 100)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, 1.5, "1", True, None])
def test_seeds_are_whole_numbers_that_a_generator_takes(seed: Any) -> None:
    assert GenerationItem(seed=2**63 - 1, prompt="").seed == 2**63 - 1
    with pytest.raises(ValidationError):
        GenerationItem(seed=seed, prompt="")


@pytest.mark.parametrize("digest", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 63 + "\n"])
def test_digests_look_like_digests(digest: str) -> None:
    wrong = document() | {"adapter": {"key": "k", "url": "u", "sha256": digest}}
    with pytest.raises(ValidationError):
        GenerationOrder.model_validate(wrong)


@pytest.mark.parametrize("digests", [[], [""], ["a" * 65], ["a"] * 65])
def test_an_eviction_names_somebody_and_not_everybody(digests: list[str]) -> None:
    with pytest.raises(ValidationError):
        EvictionOrder(sha256=digests)


def test_looks_stand_behind_the_person_each_with_its_weight_and_its_grant() -> None:
    refs = [LookRef(name="rim", weight_percent=35), LookRef(name="grain", kind=LookKind.OWN)]
    files = [
        LookFile(key=f"looks/{ref.name}.safetensors", sha256=digit * 64) for ref, digit in zip(refs, "bc", strict=True)
    ]
    style = STYLE.model_copy(update={"adapters": refs})
    order = generation_order(
        REQUEST, ADAPTER, style, CANDIDATES, size=PictureSize(896, 1152), grants=Links(), looks=files
    )
    assert order.adapter is not None
    assert order.adapter.weight == 0.91
    assert [(look.name, look.url, look.sha256[0], look.weight) for look in order.looks or ()] == [
        ("rim", "get:looks/rim.safetensors", "b", 0.35),
        ("grain", "get:looks/grain.safetensors", "c", 0.6),
    ]
    assert "looks" not in document()
