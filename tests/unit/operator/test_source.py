"""Portraits over a photo, and previews: what is drawn, what is left out, and what a change runs again."""

from __future__ import annotations

import pytest

from operator_world import SPEC, STYLES, World, ready, stages_of
from profile_contract.photos import PhotoReason
from profile_contract.request import ProfileRequestSpec, Training, TrainingMode
from profile_contract.stages.finish import FinishOrder
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessReport
from profile_contract.style import Mode

RETOUCH = STYLES["warm"].model_copy(update={"mode": Mode.IMAGE_TO_IMAGE})
OVER = {**STYLES, "retouch": RETOUCH}
PREVIEW = Training(mode=TrainingMode.NONE)


def asked(*styles: str, **fields: object) -> ProfileRequestSpec:
    document = SPEC.model_dump(mode="json", by_alias=True) | {"styles": [{"name": name} for name in styles]}
    return ProfileRequestSpec.model_validate(document).model_copy(update=fields)


def world(*styles: str, **fields: object) -> World:
    return World(spec=asked(*styles, **fields), styles=dict(OVER))


def again(standing: World, spec: ProfileRequestSpec) -> World:
    standing.spec, standing.generation = spec, standing.generation + 1
    return standing.run()


def test_the_chosen_photo_is_drawn_over_with_the_adapter() -> None:
    standing = world("retouch", source="3.jpg").run()
    assert ready(standing)
    assert standing.work is not None
    (style,) = standing.work.styles
    assert standing.work.adapter is not None
    assert {candidate.source.key.rpartition("/")[2] for candidate in style.candidates if candidate.source} == {"3.jpg"}
    assert {candidate.prompt for candidate in style.candidates} == {
        "sks person, warm light",
        "sks person, neutral light",
    }
    assert [portrait.style for portrait in standing.status.portraits] == ["retouch"]
    assert standing.status.previews == []


def test_a_photo_that_is_not_there_leaves_out_its_style_alone() -> None:
    standing = world("warm", "retouch", source="gone.jpg").run()
    assert ready(standing)
    status, reason, message = standing.condition("Omitted")
    assert (status, reason) == ("True", "SourceNotFound")
    assert "gone.jpg" in message
    assert "Correct spec.source" in message
    assert [portrait.style for portrait in standing.status.portraits] == ["warm"]
    order = next(order for order in standing.orders.values() if isinstance(order, FinishOrder))
    assert [(style.style, bool(style.candidates), bool(style.omitted)) for style in order.styles] == [
        ("warm", True, False),
        ("retouch", False, True),
    ]


def test_the_next_photo_draws_that_style_alone_and_the_condition_goes() -> None:
    standing = world("warm", "retouch", source="gone.jpg").run()
    drawn, jobs = list(standing.generated), stages_of(standing)
    again(standing, asked("warm", "retouch", source="2.jpg"))
    assert ready(standing)
    assert standing.generated[len(drawn) :] == ["retouch"]
    assert stages_of(standing).count("train") == jobs.count("train") == 1
    assert not [condition for condition in standing.status.conditions if condition.type == "Omitted"]


@pytest.mark.parametrize("training", [Training(), PREVIEW])
def test_nothing_is_trained_where_nothing_could_be_drawn(training: Training) -> None:
    standing = world("retouch", source="gone.jpg", training=training).run()
    status, reason, message = standing.condition("Stalled")
    assert (status, reason) == ("True", "SourceNotFound")
    assert "gone.jpg" in message
    assert stages_of(standing) == ["preprocess"]
    again(standing, asked("retouch", training=training))
    assert ready(standing)


def test_a_refused_photo_says_what_its_verdict_says(monkeypatch: pytest.MonkeyPatch) -> None:
    standing = world("retouch", source="0.jpg").run(lambda world: bool(world.store))
    for prefix, report in standing.store.items():
        if isinstance(report, PreprocessReport):
            bad = PhotoVerdict(name="0.jpg", accepted=False, reason=PhotoReason.BLURRED, advice="Hold still.")
            images = [image for image in report.images if image.photo == "1.jpg"]
            changed = {"verdicts": [bad, *report.verdicts[1:]], "images": images}
            standing.store[prefix] = report.model_copy(update=changed)
    standing.run()
    status, reason, message = standing.condition("Stalled")
    assert (status, reason) == ("True", "SourceRefused")
    assert "Hold still." in message


def test_a_preview_trains_nothing_and_is_no_portrait() -> None:
    standing = world("warm", "retouch", training=PREVIEW).run()
    assert ready(standing)
    assert stages_of(standing) == ["preprocess", "finish"]
    assert standing.work is not None
    assert standing.work.adapter is None
    assert {c.prompt for style in standing.work.styles for c in style.candidates} == {
        "person, warm light",
        "person, neutral light",
    }
    assert standing.status.portraits == []
    assert standing.status.best_likeness is None
    assert [preview.style for preview in standing.status.previews] == ["retouch"]
    assert standing.condition("Trained")[:2] == ("False", "NotAsked")
    assert standing.condition("Omitted")[:2] == ("True", "NotTrained")
    assert standing.condition("Ready")[2].startswith("1 preview in 1 style")
    order = next(order for order in standing.orders.values() if isinstance(order, FinishOrder))
    assert order.parameters.preview


def test_training_later_looks_at_no_photo_again_and_draws_everything() -> None:
    standing = world("warm", "retouch", training=PREVIEW).run()
    again(standing, asked("warm", "retouch"))
    assert ready(standing)
    assert stages_of(standing).count("preprocess") == 1
    assert stages_of(standing).count("train") == 1
    assert sorted(portrait.style for portrait in standing.status.portraits) == ["retouch", "warm"]
    assert standing.status.previews == []
    assert standing.condition("Trained")[:2] == ("True", "Succeeded")


def test_portraits_stay_beside_a_preview_that_is_asked_for_later() -> None:
    standing = world("retouch").run()
    again(standing, asked("retouch", training=PREVIEW))
    assert ready(standing)
    assert len(standing.status.portraits) == len(standing.status.previews) == 1
    assert standing.work is not None
    assert standing.work.adapter is None


def test_a_preview_of_styles_that_need_an_adapter_alone_waits_for_a_person() -> None:
    standing = world("warm", training=PREVIEW).run()
    assert standing.condition("Stalled")[:2] == ("True", "NotTrained")
    assert stages_of(standing) == ["preprocess"]
    again(standing, asked("warm"))
    assert ready(standing)
