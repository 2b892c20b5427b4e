"""spec.retention: adapter and candidates go after their days; what needs them then is made anew at a person's word."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

import pytest

from operator_world import AREA, SPEC, World, change, ready, stages_of, stalled
from profile_contract.conditions import Reason
from profile_contract.layouts import LayoutName
from profile_contract.request import Retention
from profile_contract.request_status import ProfileRequestStatus, StageStatus
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleRef
from profile_operator.clock import parsed
from profile_operator.decide.plan import DropReport, GenerationWork, StartGeneration, WriteResolved
from profile_operator.observe.references import expired_folders

KEPT, ADAPTER, CANDIDATES = Retention(), Retention(adapter_days=30), Retention(candidate_days=30)
BOTH = Retention(adapter_days=30, candidate_days=30)
LONGER = timedelta(days=31)


def finished(retention: Retention = KEPT, styles: list[StyleRef] = SPEC.styles) -> World:
    spec = SPEC.model_copy(update={"styles": styles, "retention": retention})
    world = World(spec=spec).run()
    world.created, world.generated, world.writes = [], [], []
    return world


def entry(world: World, stage: Stage) -> StageStatus:
    stages = world.status.stages
    found = stages.of(stage) if stages is not None else None
    assert found is not None
    return found


def folders(world: World) -> frozenset[str]:
    """What a sweep would take now."""
    return expired_folders(world.head, world.recorded, AREA, world.now)


def test_what_is_kept_for_good_has_no_end() -> None:
    world = finished()
    assert (entry(world, Stage.TRAIN).expires, entry(world, Stage.GENERATE).expires) == (None, None)
    world.now += timedelta(days=9999)
    assert folders(world) == frozenset()


def test_the_end_is_told_from_when_the_portraits_are_there() -> None:
    world = finished(Retention(adapter_days=30, candidate_days=3))
    done = parsed(entry(world, Stage.FINISH).completion_time or "")
    assert parsed(entry(world, Stage.TRAIN).expires or "") == done + timedelta(days=30)
    assert parsed(entry(world, Stage.GENERATE).expires or "") == done + timedelta(days=3)
    assert (entry(world, Stage.PREPROCESS).expires, entry(world, Stage.FINISH).expires) == (None, None)
    drawn = {world.chain.prefix(Stage.GENERATE, digest) for digest in world.chain.styles.values()}
    for days, gone in ((2.9, set()), (3.1, drawn), (30.1, {*drawn, world.chain.prefix(Stage.TRAIN)})):
        world.now = done + timedelta(days=days)
        assert folders(world) == gone


def test_what_has_had_its_time_leaves_a_finished_request_as_it_is() -> None:
    world = finished(BOTH)
    before = world.status
    world.now += LONGER
    for _ in range(3):
        world.cycle()
    assert (world.status, world.writes, world.created, world.generated) == (before, [], [], [])
    # Another form of the same wish changes nothing either, and gives nothing back.
    for retention in (KEPT, Retention(adapter_days=99, candidate_days=99)):
        change(world, retention=retention)
        world.run()
        assert ready(world)
        assert folders(world) != frozenset()
    assert (world.created, world.generated) == ([], [])


def test_more_days_are_given_before_the_end_and_not_after_it() -> None:
    world = finished(ADAPTER)
    change(world, retention=Retention(adapter_days=60))
    world.run()
    world.now += LONGER
    assert folders(world) == frozenset()
    world.now += LONGER
    assert folders(world) == {world.chain.prefix(Stage.TRAIN)}


@pytest.mark.parametrize(
    ("retention", "told"), [(ADAPTER, "the adapter was kept until "), (CANDIDATES, "the candidates were")]
)
def test_another_look_waits_for_a_person_and_is_then_made_of_all_that_it_needs(retention: Retention, told: str) -> None:
    world = finished(retention, SPEC.styles[:1])
    world.now += LONGER
    portraits = world.status.portraits
    change(world, styles=SPEC.styles)
    world.run()
    assert told in stalled(world, Reason.EXPIRED)
    assert "Raise spec.refresh" in stalled(world, Reason.EXPIRED)
    assert world.status.portraits == portraits
    assert (world.created, world.generated) == ([], [])
    change(world, refresh=1)
    world.run()
    assert ready(world)
    trained = ["train"] if retention is ADAPTER else []
    assert stages_of(world) == [*trained, "finish"]
    assert sorted(world.generated) == (["plain"] if retention is ADAPTER else ["plain", "warm"])
    assert folders(world) == frozenset()
    world.now += LONGER
    assert folders(world) != frozenset()


def raised(*styles: str) -> list[StyleRef]:
    """The styles as they are, with a raised `refresh` of these."""
    return [style.model_copy(update={"refresh": 1}) if style.name in styles else style for style in SPEC.styles]


def test_the_refresh_of_each_style_has_candidates_drawn_anew() -> None:
    world = finished(CANDIDATES)
    world.now += LONGER
    change(world, layouts=[LayoutName.RESUME])
    world.run()
    stalled(world, Reason.EXPIRED)
    change(world, styles=raised("warm"))
    world.run()
    # The candidates of the other are gone too, and nobody asked for them.
    assert "the candidates were kept until" in stalled(world, Reason.EXPIRED)
    assert (world.created, world.generated) == ([], [])
    change(world, styles=raised("warm", "plain"))
    world.run()
    assert ready(world)
    assert (stages_of(world), sorted(world.generated)) == (["finish"], ["plain", "warm"])
    assert folders(world) == frozenset()


def test_the_refresh_of_styles_trains_nobody() -> None:
    world = finished(BOTH)
    world.now += LONGER
    change(world, styles=raised("warm", "plain"), layouts=[LayoutName.RESUME])
    world.run()
    assert "the adapter was kept until" in stalled(world, Reason.EXPIRED)
    assert (world.created, world.generated) == ([], [])
    change(world, refresh=1)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["train", "finish"]


def test_a_layout_needs_no_adapter() -> None:
    world = finished(ADAPTER)
    world.now += LONGER
    change(world, layouts=[LayoutName.RESUME])
    world.run()
    assert ready(world)
    assert stages_of(world) == ["finish"]


def test_a_layout_needs_the_candidates_and_they_an_adapter() -> None:
    world = finished(BOTH)
    world.now += LONGER
    change(world, layouts=[LayoutName.RESUME])
    world.run()
    message = stalled(world, Reason.EXPIRED)
    assert "the adapter was kept until" in message
    assert "and the candidates were kept until" in message
    change(world, refresh=1)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["train", "finish"]
    assert sorted(world.generated) == ["plain", "warm"]


def test_a_change_that_is_taken_back_finds_the_request_ready() -> None:
    world = finished(CANDIDATES)
    ends = entry(world, Stage.GENERATE).expires
    world.now += LONGER
    change(world, layouts=[LayoutName.RESUME])
    world.run()
    stalled(world, Reason.EXPIRED)
    assert folders(world) == frozenset()
    change(world, layouts=SPEC.layouts)
    world.run()
    assert ready(world)
    assert entry(world, Stage.GENERATE).expires == ends


def test_suspended_meanwhile_an_end_is_not_forgotten() -> None:
    world = finished(CANDIDATES)
    world.now += LONGER
    change(world, layouts=[LayoutName.RESUME], suspend=True)
    world.run()
    change(world, suspend=False)
    world.run()
    stalled(world, Reason.EXPIRED)
    assert world.created == []


def test_work_that_was_begun_in_time_is_not_held_up() -> None:
    """While it goes on no file goes: the request is not ready."""
    world = finished(ADAPTER)
    change(world, candidates=3)
    world.cycle()
    assert world.view.running
    assert entry(world, Stage.TRAIN).expires is None
    world.now += LONGER
    assert folders(world) == frozenset()
    # The operator comes back, and generation is not under way.
    world.view = replace(world.view, running=False, digest="")
    world.run()
    assert ready(world)
    assert stages_of(world) == ["finish"]


def test_other_photos_need_nothing_of_before() -> None:
    world = finished(BOTH)
    world.now += LONGER
    change(world, subject=world.spec.subject.model_copy(update={"noun": "woman"}))
    world.run()
    assert ready(world)
    assert stages_of(world) == ["train", "finish"]


def test_a_status_that_is_lost_tells_the_same_end_again() -> None:
    world = finished(ADAPTER)
    ends = entry(world, Stage.TRAIN).expires
    world.now += LONGER
    world.status, world.jobs = ProfileRequestStatus(), {}
    world.run()
    assert ready(world)
    assert parsed(entry(world, Stage.TRAIN).expires or "") <= parsed(ends or "")
    assert world.created == []


def test_nothing_goes_while_a_person_asks_to_try_again_or_nobody_knows_the_record() -> None:
    world = finished(ADAPTER)
    world.now += LONGER
    assert folders(world) != frozenset()
    assert expired_folders(world.head, None, AREA, world.now) == frozenset()
    assert expired_folders(replace(world.head, retry="1"), world.recorded, AREA, world.now) == frozenset()
    assert expired_folders(replace(world.head, generation=9), world.recorded, AREA, world.now) == frozenset()


def test_what_is_interrupted_as_it_is_made_anew_is_not_blocked_again() -> None:
    world = finished(BOTH)
    world.now += LONGER
    # A layout would change the room around the person too, and with it what is drawn.
    change(world, portraits=2, refresh=1)
    before = deepcopy(world)
    steps = world.cycle().actions
    assert [type(step) for step in steps].count(DropReport) == 3
    for count in range(len(steps) + 1):
        world = deepcopy(before)
        for action in steps[:count]:
            world._act(action)
        world.run()
        assert ready(world), count
        assert stages_of(world) == ["train", "finish"]
        assert sorted(world.generated) == ["plain", "warm"]


class Paid(World):
    """Each style takes one GPU four seconds."""

    def _generate(self, work: GenerationWork) -> None:
        drawn = [style.prefix for style in work.styles if style.prefix not in self.store]
        super()._generate(work)
        for prefix in drawn:
            report = self.store[prefix]
            assert isinstance(report, GenerateReport)
            self.store[prefix] = report.model_copy(update={"seconds": 4.0, "gpu": "H100", "gpu_count": 1})


def test_what_is_drawn_a_second_time_is_billed_a_second_time() -> None:
    """Candidates of the same digest: their time was over, and somebody asked for them anew."""
    world = Paid(spec=SPEC.model_copy(update={"retention": CANDIDATES})).run()
    first, before = entry(world, Stage.GENERATE), world.status.gpu_seconds
    world.now += LONGER
    change(world, portraits=2, refresh=1)
    world.run()
    second = entry(world, Stage.GENERATE)
    assert (second.digest, first.gpu_seconds, second.gpu_seconds) == (first.digest, 8, 8)
    assert world.status.gpu_seconds == before + 8 + entry(world, Stage.FINISH).gpu_seconds


def test_a_style_that_is_left_after_its_time_and_asked_for_again_is_drawn_anew_and_nobody_trained() -> None:
    """The report of the first style would tell candidates that are no more."""
    world = finished(CANDIDATES, SPEC.styles[:1])
    portraits = world.status.portraits
    world.now += LONGER
    change(world, styles=SPEC.styles[1:])
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["finish"], ["plain"])
    change(world, styles=SPEC.styles[:1])
    world.run()
    assert ready(world)
    assert world.status.portraits == portraits
    assert (stages_of(world), world.generated) == (["finish"], ["plain"])
    change(world, styles=SPEC.styles)
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["finish", "finish"], ["plain", "warm"])


def test_a_style_that_is_left_in_time_is_not_drawn_again() -> None:
    world = finished(CANDIDATES, SPEC.styles[:1])
    change(world, styles=SPEC.styles[1:])
    world.run()
    change(world, styles=SPEC.styles)
    world.run()
    assert ready(world)
    assert world.generated == ["plain"]


def test_styles_there_and_back_with_a_refresh_between_are_drawn_with_what_it_made() -> None:
    world = finished(BOTH, SPEC.styles[:1])
    world.now += LONGER
    change(world, styles=SPEC.styles[1:])
    world.run()
    assert "the adapter was kept until" in stalled(world, Reason.EXPIRED)
    change(world, refresh=1)
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["train", "finish"], ["plain"])
    change(world, styles=SPEC.styles)
    world.run()
    assert ready(world)
    assert (stages_of(world), world.generated) == (["train", "finish", "finish"], ["plain", "warm"])


def test_an_adapter_that_is_left_after_its_time_is_trained_anew_where_it_is_needed_again() -> None:
    world = finished(BOTH)
    world.now += LONGER
    woman, person = world.spec.subject.model_copy(update={"noun": "woman"}), world.spec.subject
    change(world, subject=woman)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["train", "finish"]
    change(world, subject=person)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["train", "finish"]
    change(world, subject=person, candidates=3)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["train", "finish", "train", "finish"]


def test_what_is_left_after_its_time_is_forgotten_wherever_the_operator_dies() -> None:
    world = finished(CANDIDATES, SPEC.styles[:1])
    world.now += LONGER
    change(world, styles=SPEC.styles[1:])
    before = deepcopy(world)
    steps = world.cycle().actions
    kinds = [type(step) for step in steps]
    assert kinds.index(DropReport) < kinds.index(WriteResolved) < kinds.index(StartGeneration)
    for count in range(len(steps) + 1):
        world = deepcopy(before)
        for action in steps[:count]:
            world._act(action)
        world.run()
        change(world, styles=SPEC.styles)
        world.run()
        assert ready(world), count
        assert sorted(world.generated) == ["plain", "warm"], count
