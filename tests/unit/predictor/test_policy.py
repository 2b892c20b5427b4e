"""Which rows share a batch, which slot gives way, what stays in host memory."""

import threading
from types import MappingProxyType
from typing import Any

import pytest

from profile_contract.framing import Skeleton
from profile_contract.generation import GenerationItem, GenerationOrder, ReadGrant
from profile_contract.stages.order import RequestRef
from profile_contract.style import Mode
from profile_draw.adapters.weights import AdapterWeights
from profile_draw.errors import Refused
from profile_draw.rows import Piece, Row, by_pose, check, next_batch, shape_of
from profile_draw.slots import SlotTable
from profile_predictor.engine.host_cache import HostCache
from profile_predictor.engine.tickets import Ticket

POSE = ReadGrant(url="http://store/pose.png")
JOINTS: Skeleton = ((0.5, 0.4), *[None] * 17)


def order(**changes: Any) -> GenerationOrder:
    values: dict[str, Any] = {
        "request": RequestRef(namespace="team", name="minji"),
        "items": [GenerationItem(seed=1, prompt="a person")],
        "width": 128,
        "height": 128,
        "steps": 6,
    }
    return GenerationOrder(**values | changes)


def piece(person: str = "", rows: int = 1, weight: float = 1.0, **changes: Any) -> Piece:
    adapters = ((AdapterWeights(person, MappingProxyType({})), weight),) if person else ()
    drawn = tuple(Row(index, index, "a person", adapters=adapters) for index in range(rows))
    return Piece(shape_of(order(**changes), has_pose=False), drawn)


def test_compatible_pieces_share_a_batch_whoever_they_are_from() -> None:
    waiting = [piece("ann"), piece("ben", steps=8), piece("cem", rows=2), piece()]
    assert next_batch(waiting, limit=4, slots=4) == [0, 2, 3]


def test_the_first_piece_is_always_drawn() -> None:
    waiting = [piece("ann", rows=4, guidance=7.0), *(piece("ben") for _ in range(9))]
    assert next_batch(waiting, limit=4, slots=4) == [0]
    assert next_batch(waiting[1:], limit=4, slots=4) == [0, 1, 2, 3]
    assert next_batch([], limit=4, slots=4) == []


def test_a_batch_has_no_more_people_than_slots() -> None:
    waiting = [piece("ann"), piece("ben"), piece("cem"), piece("ann"), piece()]
    assert next_batch(waiting, limit=8, slots=2) == [0, 1, 3, 4]


@pytest.mark.parametrize(
    "difference",
    [
        {"width": 136},
        {"height": 136},
        {"steps": 7},
        {"guidance": 4.0},
    ],
)
def test_what_changes_the_picture_keeps_pieces_apart(difference: dict[str, Any]) -> None:
    assert next_batch([piece("ann"), piece("ben", **difference)], limit=4, slots=4) == [0]


def test_what_does_not_matter_does_not_keep_pieces_apart() -> None:
    """Control and strength mean nothing to rows without a pose, drawn from noise."""
    waiting = [piece("ann"), piece("ben", control_weight=0.3, control_end=0.5, strength=0.2)]
    assert next_batch(waiting, limit=4, slots=4) == [0, 1]


def test_people_of_any_weight_share_a_batch() -> None:
    assert next_batch([piece("ann"), piece("ben", weight=0.5)], limit=4, slots=4) == [0, 1]


def test_a_piece_is_cut_to_the_batch() -> None:
    parts = piece("ann", rows=4).cut(3)
    assert [[row.index for row in part.rows] for part in parts] == [[0, 1, 2], [3]]
    assert {part.digests for part in parts} == {frozenset({"ann"})}


def test_rows_with_and_without_pose_take_different_ways() -> None:
    items = [GenerationItem(seed=seed, prompt="", pose=POSE if seed % 2 else None) for seed in range(4)]
    items.append(GenerationItem(seed=4, prompt="", joints=JOINTS))
    assert by_pose(order(items=items[:3] + items[4:])) == {False: [0, 2], True: [1, 3]}


@pytest.mark.parametrize(
    ("wrong", "has_control", "says"),
    [
        ({"items": [GenerationItem(seed=1, prompt="", pose=POSE)]}, False, "control model"),
        ({"items": [GenerationItem(seed=1, prompt="", joints=JOINTS)]}, False, "control model"),
        ({"items": [GenerationItem(seed=1, prompt="", pose=POSE, joints=JOINTS)]}, True, "say one of them"),
        ({"mode": Mode.IMAGE_TO_IMAGE}, True, "initialImage"),
        ({"items": [GenerationItem(seed=1, prompt="", initial_image=POSE)]}, True, "initialImage"),
        ({"mode": Mode.IMAGE_TO_IMAGE, "strength": 0.1, "steps": 4}, True, "strength"),
    ],
)
def test_impossible_orders_are_refused_with_advice(wrong: dict[str, Any], has_control: bool, says: str) -> None:
    with pytest.raises(Refused, match=says):
        check(order(**wrong), has_control=has_control)
    check(order(), has_control=False)


# --- slots ---


def fill(table: SlotTable, *digests: str) -> list[int]:
    placements = table.place(digests)
    for placement in placements:
        table.hold(placement.slot, placement.digest)
    return [placement.slot for placement in placements]


def test_the_slot_used_longest_ago_gives_way() -> None:
    table = SlotTable(2)
    assert fill(table, "ann") != fill(table, "ben")
    fill(table, "ann")
    fill(table, "cem")
    assert table.holds("ann")
    assert table.holds("cem")
    assert not table.holds("ben")


def test_nobody_in_a_batch_displaces_another_one_of_it() -> None:
    table = SlotTable(2)
    fill(table, "ann", "ben")
    placements = table.place(["cem", "ann", "cem"])
    assert {placement.digest: placement.fresh for placement in placements} == {"cem": True, "ann": False}
    assert len({placement.slot for placement in placements}) == 2
    with pytest.raises(ValueError, match="3 adapters"):
        table.place(["ann", "ben", "cem"])


def test_a_slot_that_was_emptied_is_nobodys_until_it_is_held() -> None:
    """As when copying fails half way: neither the person before nor the new one is in the slot."""
    table = SlotTable(1)
    fill(table, "ann")
    placement = table.place(["ben"])[0]
    table.empty(placement.slot)
    assert not table.holds("ann")
    assert not table.holds("ben")
    assert table.place(["ann"])[0].fresh
    assert table.slots_of(["ann", "ben", ""]) == []


# --- host memory ---


def test_the_longest_unused_values_make_room() -> None:
    cache: HostCache[str] = HostCache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"
    cache.put("c", "C", 6)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.bytes) == ("A", None, "C", 10)


def test_what_is_too_large_is_not_kept_and_costs_nobody_a_place() -> None:
    cache: HostCache[str] = HostCache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 11)
    assert (cache.get("a"), cache.get("b"), cache.bytes) == ("A", None, 4)


def test_put_again_and_drop_count_right() -> None:
    cache: HostCache[str] = HostCache(10)
    cache.put("a", "A", 4)
    cache.put("a", "A2", 6)
    assert (cache.get("a"), cache.bytes, len(cache)) == ("A2", 6, 1)
    assert cache.drop("a")
    assert not cache.drop("a")
    assert cache.bytes == 0


def test_threads_do_not_break_the_count() -> None:
    cache: HostCache[int] = HostCache(50)

    def work(start: int) -> None:
        for number in range(300):
            cache.put(str((start + number) % 20), number, 7)
            cache.drop(str((start * number) % 20))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.bytes == 7 * len(cache) <= 50


@pytest.mark.parametrize("nothing", [{"control_end": 0.0}, {"control_weight": 0.0}])
def test_a_pose_that_counts_for_nothing_is_none(nothing: dict[str, float]) -> None:
    items = [GenerationItem(seed=1, prompt="a person", pose=POSE)]
    assert by_pose(order(items=items)) == {True: [0]}
    assert by_pose(order(items=items, **nothing)) == {False: [0]}


def test_a_ticket_outlives_who_hangs_up_at_the_last_moment() -> None:
    drawn, failed = Ticket(pieces=1), Ticket(pieces=1)
    drawn.abandon()
    failed.abandon()
    drawn.add([], 0.1)
    failed.fail(Refused("no"))
    assert drawn.future.cancelled()
    assert failed.future.cancelled()
