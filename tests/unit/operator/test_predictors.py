"""A style that names a predictor that does not exist: its requests say so, and go on by themselves once it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from operator_world import SPEC, STYLES, World, change, ready
from profile_contract.conditions import Reason
from profile_contract.request import Updates
from profile_contract.style_ref import StyleRef
from profile_operator.decide.plan import StartGeneration, StopGeneration
from profile_operator.observe.predictors import absent_predictors

TYPO = STYLES | {"warm": STYLES["warm"].model_copy(update={"predictor": "typo"})}


def waiting(world: World) -> World:
    return world.run(until=lambda w: w.condition("Ready")[1] == Reason.PREDICTOR_NOT_FOUND)


def test_a_predictor_that_does_not_exist_is_named_after_training_and_called_by_nobody() -> None:
    world = waiting(World(styles=TYPO, absent=frozenset({"typo"})))
    status, reason, message = world.condition("Ready")
    assert (status, reason) == ("False", Reason.PREDICTOR_NOT_FOUND)
    text = "the InferenceService typo of the style warm does not exist in namespace profile-studio"
    assert message == f"generate: {text}"
    assert world.condition("Trained")[0] == "True"
    assert world.condition("Generated")[1:] == (Reason.PREDICTOR_NOT_FOUND, text)
    assert (world.condition("Reconciling")[0], world.condition("Stalled")[0]) == ("True", "False")
    assert world.work is None
    assert [note.reason for note in world.events if note.warning] == [Reason.PREDICTOR_NOT_FOUND]
    plan = world.cycle()
    assert (plan.actions, plan.status, plan.again) == ((), None, 60.0)


def test_it_goes_on_by_itself_when_the_predictor_appears() -> None:
    world = waiting(World(styles=TYPO, absent=frozenset({"typo"})))
    world.absent = frozenset()
    assert any(isinstance(action, StartGeneration) for action in world.cycle().actions)
    assert ready(world.run())


def test_a_predictor_that_only_styles_of_others_name_keeps_nobody_waiting() -> None:
    assert ready(World(absent=frozenset({"typo"})).run())


def test_what_is_drawn_already_needs_no_predictor() -> None:
    world = World(styles=TYPO)
    world.run(until=lambda w: w.view.running)
    world.work_on()
    world.absent = frozenset({"typo"})
    assert ready(world.run())


def test_a_style_that_is_drawn_keeps_no_other_waiting_for_its_predictor() -> None:
    world = World(styles=TYPO | {"cool": STYLES["plain"]}).run()
    world.absent = frozenset({"typo"})
    change(world, styles=[*SPEC.styles, StyleRef(name="cool")])
    drawn = len(world.generated)
    assert ready(world.run())
    assert world.generated[drawn:] == ["cool"]


def test_while_one_starts_the_request_is_queued_and_goes_on_by_itself() -> None:
    world = World().run(until=lambda w: w.view.running)
    world.view = replace(world.view, reason=Reason.QUEUED, message="waiting for a predictor to start: none answers")
    world.cycle()
    assert world.status.stage_text == "Queued"
    assert world.condition("Generated") == ("False", "Queued", "waiting for a predictor to start: none answers")
    assert world.condition("Reconciling")[:2] == ("True", "Queued")
    assert world.condition("Stalled")[0] == "False"
    # What runs is left alone.
    assert world.view.running
    world.view = replace(world.view, reason=None, message="")
    world.cycle()
    assert world.status.stage_text == "Generating"
    assert ready(world.run())


@pytest.mark.parametrize("reason", [Reason.PREDICTOR_UNAVAILABLE, Reason.QUEUED])
def test_one_that_vanishes_while_it_draws_is_told_once_it_does_not_answer(reason: Reason) -> None:
    world = World(styles=TYPO)
    world.run(until=lambda w: w.view.running)
    world.absent = frozenset({"typo"})
    world.cycle()
    assert world.condition("Generated")[1] != Reason.PREDICTOR_NOT_FOUND
    world.view = replace(world.view, reason=reason, message="it does not answer")
    assert StopGeneration() in world.cycle().actions
    assert world.condition("Generated")[1] == Reason.PREDICTOR_NOT_FOUND


def test_a_pinned_request_is_told_how_it_takes_over_what_was_corrected() -> None:
    world = waiting(World(styles=TYPO, absent=frozenset({"typo"})))
    world.styles, world.absent = dict(STYLES), frozenset()
    world.run(until=lambda w: w.view.running)
    world.view = replace(world.view, reason=Reason.PREDICTOR_UNAVAILABLE, message="the predictor typo does not answer")
    world.cycle()
    hint = "the style names profile-predictor now: raise spec.refresh to draw with that"
    assert world.condition("Generated")[2] == f"the predictor typo does not answer; {hint}"
    world.absent = frozenset({"typo"})
    world.cycle()
    assert world.condition("Generated")[2].endswith(f"profile-studio; {hint}")
    change(world, refresh=1)
    assert ready(world.run())


def test_a_followed_request_takes_over_what_was_corrected() -> None:
    world = World(styles=TYPO, absent=frozenset({"typo"}))
    change(world, updates=Updates.FOLLOWED)
    waiting(world)
    world.styles = dict(STYLES)
    assert ready(world.run())
    assert world.work is not None
    assert {style.spec.predictor for style in world.work.styles} == {"profile-predictor"}


# --- what styles tell --------------------------------------------------------------------------------------------


def style(reason: str, predictor: str | None = "typo", **status: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "False", "reason": reason, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    told = {"observedGeneration": 3, "installation": "ns/release", "conditions": [condition], **status}
    spec = {"predictor": predictor} if predictor else {}
    return {"metadata": {"name": "warm", "generation": 3}, "spec": spec, "status": told}


@pytest.mark.parametrize(
    ("styles", "absent"),
    [
        ([style("PredictorNotFound")], {"typo"}),
        ([style("PredictorNotFound", None)], {"profile-predictor"}),
        ([style("PredictorNotReady")], set()),
        ([style("PredictorElsewhere")], set()),
        ([style("PredictorNotFound", observedGeneration=2)], set()),
        ([style("PredictorNotFound", installation="other/release")], set()),
        ([style("PredictorNotFound"), style("PredictorReady")], set()),
        ([style("PredictorNotFound", conditions="?")], set()),
        ([{"metadata": {"name": "warm"}}], set()),
    ],
)
def test_absent_is_what_was_looked_for_by_us_for_what_the_style_says_now(
    styles: list[dict[str, Any]], absent: set[str]
) -> None:
    assert absent_predictors(styles, "ns/release") == absent
