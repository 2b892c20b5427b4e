"""What a change runs again: the table of the API, as digests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from profile_contract.layouts import LayoutName
from profile_contract.stages.finish import FinishParameters, finish_digest
from profile_contract.stages.generate import generate_digest
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters, photos_digest, preprocess_digest
from profile_contract.stages.train import TrainParameters, train_digest
from profile_contract.style import ProfileStyleSpec, Title, Tone

PHOTOS = (PhotoRef(name="a.jpg", key="hr.1a2b3c4d-5e6f/uploads/minji/a.jpg", bytes=10, etag="e1"),)
STYLE = ProfileStyleSpec(title=Title(en="Warm"), tone=Tone.WARM, prompt="portrait of {subject}, {tone}")


@dataclass(frozen=True)
class Inputs:
    photos: tuple[PhotoRef, ...] = PHOTOS
    preprocess: PreprocessParameters = PreprocessParameters()
    train: TrainParameters = TrainParameters(base_model="sdxl")
    style: ProfileStyleSpec = STYLE
    finish: FinishParameters = FinishParameters(portraits=4, minimum_likeness=45, layouts=[LayoutName.SQUARE])


def chain(inputs: Inputs) -> tuple[str, str, str, str]:
    dataset = preprocess_digest(photos_digest(list(inputs.photos)), inputs.preprocess)
    adapter = train_digest(dataset, inputs.train)
    candidates = generate_digest(adapter, "studio-warm", inputs.style, [1, 8])
    return dataset, adapter, candidates, finish_digest([candidates], inputs.finish)


CASES = {
    "nothing": (Inputs(), (False, False, False, False)),
    "photos": (Inputs(photos=(PHOTOS[0].model_copy(update={"etag": "e2"}),)), (True, True, True, True)),
    "training": (
        Inputs(train=TrainParameters(base_model="sdxl", rank=8)),
        (False, True, True, True),
    ),
    "style": (Inputs(style=STYLE.model_copy(update={"tone": Tone.COOL})), (False, False, True, True)),
    "layouts": (
        Inputs(finish=FinishParameters(portraits=4, minimum_likeness=45, layouts=[LayoutName.RESUME])),
        (False, False, False, True),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_runs_again_what_depends_on_it(name: str) -> None:
    changed, expected = CASES[name]
    before, after = chain(Inputs()), chain(changed)
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == expected


def test_photos_have_no_order() -> None:
    other = replace(Inputs(), photos=()).photos
    first = PHOTOS[0]
    second = first.model_copy(update={"name": "b.jpg", "etag": "e9"})
    assert photos_digest([first, second]) == photos_digest([second, first])
    assert photos_digest([first]) != photos_digest(list(other))


def test_the_neutral_twin_has_the_same_prompt_but_for_the_tone() -> None:
    assert STYLE.prompt_for("sks woman") == "portrait of sks woman, warm light"
    assert STYLE.prompt_for("sks woman", neutral=True) == "portrait of sks woman, neutral light"
