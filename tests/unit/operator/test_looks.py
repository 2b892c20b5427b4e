"""Looks: a style that lacks one waits and is told why, other styles go on, and what was drawn stays."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from areas import area
from look_cluster import DONE, LEARNT, Cluster, Signer, document, entry, of_photos, told
from operator_world import NOW, World, ready
from operator_world import STYLES as SAID
from profile_contract.conditions import Reason
from profile_contract.generation import LookCheckResult
from profile_contract.look import LookReason, LookState, LookStatus, look_state
from profile_contract.look_learning import LookCondition
from profile_contract.look_ref import LookFile, LookKind, LookRef
from profile_contract.resource import Key
from profile_operator.act.look_learner import LookOwner
from profile_operator.clients.entries import look_entry, style_entry
from profile_operator.clients.predictor import PredictorUnavailable
from profile_operator.decide.look_learning import ConditionRow, Learning
from profile_operator.decide.look_status import LookSight, look_status
from profile_operator.decide.plan import StartGeneration
from profile_operator.generate.run import RequestGrants
from profile_runtime.store.port import StoreError

OWN = LookRef(name="rim", kind=LookKind.OWN)
WORN = SAID | {"warm": SAID["warm"].model_copy(update={"adapters": [OWN]})}
RIM = LookState("profile-predictor", LookFile(key=f"{area()}looks/rim.safetensors", sha256="a" * 64))
UNREAD = LookState("profile-predictor", hindrance="is not ready: looks/rim.safetensors: rank 128 at to_q")


# --- what a request does ---


def lacking(world: World) -> World:
    return world.run(until=lambda w: w.condition("Stalled")[1] == Reason.STYLE_ADAPTER_NOT_READY and not w.view.running)


@pytest.mark.parametrize(
    ("looks", "text"),
    [
        ({}, "warm: there is no StyleAdapter rim"),
        ({"rim": RIM}, "warm: there is no StyleAdapter rim"),
        ({"team_rim": UNREAD}, "warm: the StyleAdapter rim is not ready: looks/rim.safetensors: rank 128 at to_q"),
        (
            {"team_rim": LookState("other", RIM.file)},
            "warm: the StyleAdapter rim was read by other, and the style is drawn by profile-predictor",
        ),
    ],
    ids=["absent", "a cluster's of that name", "refused", "for another base"],
)
def test_a_style_that_lacks_its_look_waits_with_advice_and_the_others_are_drawn(
    looks: dict[str, LookState], text: str
) -> None:
    world = lacking(World(styles=WORN, looks=looks))
    status, _, message = world.condition("Stalled")
    assert status == "True"
    assert message.startswith(f"{text}. Create or correct the adapter")
    assert world.condition("Trained")[0] == "True"
    assert world.condition("Generated")[:2] == ("False", Reason.STYLE_ADAPTER_NOT_READY)
    assert world.generated == ["plain"]
    assert not any("finish" in name for name in world.jobs)
    assert world.cycle().again == 60.0


def test_it_goes_on_by_itself_when_the_look_is_ready_and_draws_the_others_no_second_time() -> None:
    world = lacking(World(styles=WORN))
    world.looks = {"team_rim": RIM}
    assert ready(world.run())
    assert world.generated == ["plain", "warm"]
    assert [style.looks for style in world.recorded.generate.styles] == [None, [RIM.file]]  # type: ignore[union-attr]


def test_where_every_style_lacks_a_look_nothing_is_drawn_and_nothing_finished() -> None:
    worn = {key: style.model_copy(update={"adapters": [OWN]}) for key, style in SAID.items()}
    world = lacking(World(styles=worn))
    assert world.generated == []
    assert ready_after(world)


def ready_after(world: World) -> bool:
    world.looks = {"team_rim": RIM}
    return ready(world.run())


def test_looks_travel_with_the_work_of_their_style() -> None:
    world = World(styles=WORN, looks={"team_rim": RIM})
    world.run(until=lambda w: w.work is not None)
    assert world.work is not None
    assert {style.key: style.looks for style in world.work.styles} == {"plain": (), "warm": (RIM.file,)}


def test_a_look_that_is_deleted_takes_nothing_of_what_was_drawn_and_is_told() -> None:
    world = World(styles=WORN, looks={"team_rim": RIM}).run()
    world.looks = {}
    world.run()
    assert ready(world)
    assert world.condition("Outdated")[0] == "True"
    assert "of the style warm there is no StyleAdapter rim" in world.condition("Outdated")[2]


def test_a_look_that_is_deleted_while_it_is_drawn_is_drawn_to_the_end() -> None:
    world = World(styles=WORN, looks={"team_rim": RIM})
    world.run(until=lambda w: w.view.running)
    world.looks = {}
    assert ready(world.run())
    assert set(world.generated) == {"plain", "warm"}


def test_another_file_of_a_look_trains_nobody_anew() -> None:
    world = World(styles=WORN, looks={"team_rim": RIM}).run()
    before = list(world.created)
    world.looks = {"team_rim": LookState("profile-predictor", LookFile(key=RIM.file.key, sha256="b" * 64))}  # type: ignore[union-attr]
    world.run()
    assert world.created == before
    assert world.condition("Outdated")[0] == "True"
    assert not any(isinstance(action, StartGeneration) for action in world.cycle().actions)


# --- how a look stands ---

PLACE = area()


def test_a_look_is_drawn_with_once_its_own_installation_read_it_as_it_stands() -> None:
    assert look_state(document(**told()), PLACE, "ns/release").file == RIM.file
    unread: dict[str, Any] = {}
    for status in (unread, told(generation=1), told(installation="other/release")):
        assert look_state(document(**status), PLACE, "ns/release").hindrance == "was not looked at yet"
    assert look_state(document(**told("False")), PLACE, "ns/release").hindrance == "is not ready: rank 128"


@pytest.mark.parametrize("key", ["../requests/ceo/adapter.safetensors", "looks/a.b/x.safetensors", "looks/x.pt", "x"])
def test_a_look_that_names_another_place_is_never_ready(key: str) -> None:
    look = document(**told())
    look["spec"]["file"]["key"] = key
    state = look_state(look, PLACE, "ns/release")
    assert state.file is None
    assert state.hindrance.startswith("cannot be understood: ")


def test_a_status_is_new_where_something_changed_and_keeps_its_time() -> None:
    sight = LookSight(LookReason.FITS, "fits", "a" * 64, 4, 8)
    first = look_status(LookStatus(), 2, sight, styles=1, installation="ns/release", now=NOW)
    assert (first.layers, first.rank, first.styles, first.digest) == (4, 8, 1, "a" * 64)
    later = NOW.replace(year=NOW.year + 1)
    assert look_status(first, 2, sight, styles=1, installation="ns/release", now=later) == first
    assert look_status(first, 2, None, styles=3, installation="ns/release", now=later).styles == 3


# --- who reads it ---


async def test_a_look_is_read_by_the_predictor_through_a_link_to_its_own_place() -> None:
    style = {"metadata": {"name": "golden", "namespace": "hr", "resourceVersion": "1"}, "spec": {"adapters": [
        {"name": "rim", "kind": "StyleAdapter"}, {"name": "film"},
    ]}}  # fmt: skip
    cluster = Cluster([entry()], [entry("film", "")], [style_entry(msgspec.json.encode(style))])
    ready = await cluster.look()
    text = "it changes 4 layers, at rank 8 at most"
    assert ready == {
        "namespaces/hr/styleadapters/rim": ("True", "Fits", text),
        "clusterstyleadapters/film": ("True", "Fits", text),
    }
    assert {path: status["styles"] for path, status in cluster.written.items()} == dict.fromkeys(ready, 1)
    assert {order.look.url for _, order in cluster.asked} == {
        f"read {area()}looks/rim.safetensors below {area()}looks/",
        "read looks/film.safetensors below looks/",
    }
    assert {(order.namespace, order.look.name) for _, order in cluster.asked} == {("hr", "rim"), ("", "film")}


async def test_what_was_read_is_not_read_again_until_it_changes() -> None:
    cluster = Cluster([entry(**told())])
    assert await cluster.look() == {}
    assert cluster.asked == []
    # Nothing of it waits for a GPU any more.
    assert (cluster.rested, cluster.kept) == ([Key("hr", "rim")], {Key("hr", "rim")})
    cluster.listed_looks = [entry(**told(generation=1))]
    assert len(await cluster.look()) == 1


@pytest.mark.parametrize(
    ("answer", "status", "reason", "text"),
    [
        (LookCheckResult(refused="rank 128 at to_q"), "False", "Refused", "looks/rim.safetensors: rank 128 at to_q"),
        (LookCheckResult(refused="not in the store", absent=True), "False", "NotFound", "not in the store"),
        (PredictorUnavailable("it does not answer"), "Unknown", "PredictorUnavailable", "it does not answer"),
    ],
)
async def test_what_hinders_a_look_is_told_and_looked_at_again_where_it_may_heal(
    answer: LookCheckResult | Exception, status: str, reason: str, text: str
) -> None:
    cluster = Cluster([entry()], answers={"rim": answer})
    (ready,) = (await cluster.look()).values()
    assert ready[:2] == (status, reason)
    assert text in ready[2]
    cluster.listed_looks = [entry(**cluster.written["namespaces/hr/styleadapters/rim"])]
    cluster.answers = {}
    assert bool(await cluster.look()) is (reason != "Refused")


async def test_a_store_that_is_away_and_a_spec_of_a_newer_version_are_told() -> None:
    newer = document()
    newer["spec"]["file"] = {"oci": "registry/rim"}
    cluster = Cluster(
        [entry(), look_entry(msgspec.json.encode(newer | {"metadata": newer["metadata"] | {"name": "new"}}))]
    )
    cluster.without_store = True
    ready = await cluster.look()
    assert ready["namespaces/hr/styleadapters/rim"][:2] == ("Unknown", "StoreUnavailable")
    assert ready["namespaces/hr/styleadapters/new"][:2] == ("False", "NotUnderstood")


async def test_another_installations_look_is_left_alone() -> None:
    cluster = Cluster([entry(**told("False", installation="other/release"))])
    assert await cluster.look() == {}
    assert cluster.asked == []


async def test_a_look_of_a_former_name_is_read_once_more_and_carries_todays() -> None:
    cluster = Cluster([entry(**told(installation="old/release"))], formerly=["old/release"])
    ((path, ready),) = (await cluster.look()).items()
    assert ready[:2] == ("True", "Fits")
    assert cluster.written[path]["installation"] == "ns/release"
    cluster.listed_looks = [entry(**cluster.written[path])]
    assert await cluster.look() == {}
    assert len(cluster.asked) == 1


# --- one that is learnt ---


async def test_a_look_that_is_learnt_is_read_by_the_predictor_as_a_file_is() -> None:
    cluster = Cluster([of_photos()], learns=Learning(DONE, learnt=LEARNT, sha256="b" * 64))
    ready = await cluster.look()
    assert ready["namespaces/hr/styleadapters/rim"][:2] == ("True", "Fits")
    ((_, order),) = cluster.asked
    assert (order.look.key, order.look.sha256) == (f"{area()}{LEARNT.adapter}", "b" * 64)
    status = cluster.written["namespaces/hr/styleadapters/rim"]
    assert (status["digest"], status["learnt"]["adapter"]) == ("b" * 64, LEARNT.adapter)
    assert [row["type"] for row in status["conditions"]] == ["Ready", "Judged"]
    assert cluster.steps == [(LookOwner(Key("hr", "rim"), "look-uid"), True)]


async def test_a_look_on_its_way_is_looked_at_again_and_one_that_was_refused_is_not() -> None:
    for learning, reason, again in (
        (Learning({}, message="it is trained"), "Learning", True),
        (Learning({}, refusal="TooFewPeople: one person"), "Refused", False),
        (ValueError("the credentials' policy has 4000 characters"), "Refused", False),
        (StoreError("the store is away"), "StoreUnavailable", True),
    ):
        cluster = Cluster([of_photos()], learns=learning)
        assert (await cluster.look())["namespaces/hr/styleadapters/rim"][1] == reason
        assert cluster.asked == []
        cluster.listed_looks = [of_photos(**cluster.written["namespaces/hr/styleadapters/rim"])]
        await cluster.look()
        assert [fresh for _, fresh in cluster.steps] == ([True, False] if again else [True]), reason


async def test_a_look_is_read_once_and_looked_at_until_its_base_model_stands() -> None:
    cluster = Cluster([of_photos()])
    for number, (reason, steps) in enumerate(((Reason.RUNNING, 1), (Reason.SUCCEEDED, 2), (Reason.SUCCEEDED, 2)), 1):
        row = ConditionRow(reason is Reason.SUCCEEDED, reason)
        cluster.learns = Learning({**DONE, LookCondition.MERGED: row}, learnt=LEARNT, sha256="b" * 64)
        await cluster.look()
        if cluster.written:
            cluster.listed_looks = [of_photos(**cluster.written["namespaces/hr/styleadapters/rim"])]
        assert (len(cluster.asked), len(cluster.steps)) == (1, steps), number


# --- links ---


def test_a_look_is_signed_for_by_its_own_signer_and_all_else_by_the_requests() -> None:
    grants = RequestGrants(Signer("hr/requests/minji/"), 60, {"looks/": Signer("looks/")})  # type: ignore[arg-type, dict-item]
    assert grants.get("looks/rim.safetensors").endswith("below looks/")
    assert grants.get("hr/requests/minji/adapter").endswith("below hr/requests/minji/")
    with pytest.raises(AssertionError):
        grants.get("sales/looks/rim.safetensors")
