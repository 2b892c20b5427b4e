"""Many at once: places, clients that go, slow stores, and deletion in every state of an order."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from predictor_world import Reply, World, adapter, order, world
from profile_contract.generation import DetailOutcome, GenerationOrder
from profile_predictor.engine import Full, Refused
from profile_predictor.engine.tickets import Ticket
from profile_predictor.server import model as server_model
from profile_predictor.server.pools import Writing
from profile_vision.faces import Face
from profile_vision.pixels import BGR

DELETED = "deleted while the order waited"


async def until(condition: Callable[[], object], seconds: float = 40.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.01)


def begun(call: Awaitable[Reply]) -> asyncio.Future[Reply]:
    return asyncio.ensure_future(call)


# --- places ---


@pytest.mark.parametrize("places", [1, 3])
async def test_as_many_orders_are_let_in_as_there_are_places(places: int) -> None:
    with world(queue=places) as found:
        found.pipeline.pause = 0.3
        replies = await asyncio.gather(*(found.client.order(order(seeds=(n,))) for n in range(places + 2)))
        statuses = sorted(reply.status for reply in replies)
        assert statuses == [200] * places + [429] * 2
        refused = next(reply for reply in replies if reply.status == 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert "queue is full" in refused.error
        assert found.queue.taken == 0
        assert (await found.client.order(order())).status == 200


async def test_a_place_is_freed_once() -> None:
    with world(queue=1) as found:
        place = found.queue.take_place()
        with pytest.raises(Full):
            found.queue.take_place()
        place.free()
        place.free()
        assert found.queue.taken == 0
        found.queue.take_place().free()


async def test_who_hangs_up_while_the_store_is_slow_holds_a_place_until_the_thread_ends() -> None:
    with world(queue=2) as found:
        grant = found.store.grant("/a/slow", adapter(1))
        found.store.delay["/a/slow"] = 1.0
        reply = await found.client.order(order(grant), hang_up=0.1)
        assert reply.status == 0, "nobody is answered"
        assert found.queue.taken == 1
        started = time.monotonic()
        assert (await found.client.order(order())).status == 200
        assert time.monotonic() - started < 0.5, "who needs no store waits for none"
        await until(lambda: found.queue.taken == 0)


async def test_a_slow_store_fills_the_places_and_nothing_else() -> None:
    """Reads have a thread a place, uploads their own: neither waits behind the other, nor does anything else."""
    with world(queue=3) as found:
        found.store.delay["/a/slow"] = 1.5
        grant = found.store.grant("/a/slow", adapter(1))
        out = found.store.link("/out")
        waiting = [begun(found.client.order(order({**grant, "sha256": f"{n:064x}"}))) for n in range(2)]
        await until(lambda: found.queue.taken == 2)
        started = time.monotonic()
        assert (await found.client.order(order(item={"putUrl": out}))).status == 200
        assert (await found.client.evict("f" * 64)) == 0
        assert time.monotonic() - started < 1
        assert "/out" in found.store.files
        assert [reply.status for reply in await asyncio.gather(*waiting)] == [400, 400]


async def test_who_hangs_up_while_it_is_drawn_ends_the_drawing() -> None:
    with world() as found:
        found.pipeline.pause = 0.05
        started = time.monotonic()
        await found.client.order(order(steps=150), hang_up=0.2)
        await until(lambda: found.queue.taken == 0)
        assert (await found.client.order(order())).status == 200
        assert time.monotonic() - started < 3


class Nobody:
    """Finds no face in any picture."""

    def find(self, image: BGR) -> list[Face]:
        return []


async def test_only_who_asked_for_a_second_pass_pays_for_it() -> None:
    with world() as found:
        found.engine._faces = Nobody()  # type: ignore[assignment]
        found.pipeline.pause = 0.3
        grants = found.model._grants.of("team")

        def submitted(**more: Any) -> Ticket:
            fetched = found.engine.fetch(GenerationOrder.model_validate(order(**more)), grants)
            ticket: Ticket = found.queue.submit(fetched)
            return ticket

        submitted(width=128)
        await until(lambda: found.pipeline.drawn)
        paid, free = submitted(detail={"strength": 0.5, "steps": 2}), submitted()
        assert [ticket.future.result(5)[0].detail for ticket in (paid, free)] == [DetailOutcome.NO_FACE, None]
        assert len(found.pipeline.drawn) == 2, "they were drawn together"
        assert paid.detailed > 0
        assert free.detailed == 0
        assert paid.drew == pytest.approx(free.drew + paid.detailed)


async def test_one_bad_order_does_not_cost_the_others_theirs() -> None:
    with world() as found:
        alone = (await found.client.order(order(seeds=(2,)))).result
        found.pipeline.pause = 0.2
        busy = begun(found.client.order(order(seeds=(9,))))
        await until(lambda: found.queue.taken == 1 and len(found.pipeline.drawn) == 2)
        bad = begun(found.client.order(order(item={"prompt": "not finite"})))
        good = begun(found.client.order(order(seeds=(2,))))
        assert (await bad).status == 400
        assert (await good).result["items"] == alone["items"]
        assert (await busy).status == 200
        assert ["not finite", "portrait of sks woman"] in found.pipeline.drawn, "they shared a batch"


# --- deletion ---


async def test_a_deleted_adapter_leaves_every_tier() -> None:
    with world() as found:
        grant = found.store.grant("/a/ann", adapter(1))
        assert (await found.client.order(order(grant))).status == 200
        assert await found.client.evict(grant["sha256"]) == 2, "one in host memory, one in a slot"
        assert await found.client.evict(grant["sha256"]) == 0


async def test_deleted_while_it_is_read() -> None:
    with world() as found:
        grant = found.store.grant("/a/ann", adapter(1))
        found.store.delay["/a/ann"] = 0.5
        waiting = begun(found.client.order(order(grant)))
        await until(lambda: found.store.asked)
        assert await found.client.evict(grant["sha256"]) == 0
        reply = await waiting
        assert reply.status == 400
        assert DELETED in reply.error
        assert await found.client.evict(grant["sha256"]) == 0, "nothing was kept"


async def test_deleted_while_it_waits() -> None:
    with world() as found:
        ann, ben = (found.store.grant(f"/a/{seed}", adapter(seed)) for seed in (1, 2))
        found.pipeline.pause = 0.5
        busy = begun(found.client.order(order(ben, width=128)))
        await until(lambda: found.pipeline.drawn)
        waiting = begun(found.client.order(order(ann)))
        await until(lambda: found.queue._waiting)
        await found.client.evict(ann["sha256"])
        assert DELETED in (await waiting).error
        assert (await busy).status == 200
        assert len(found.pipeline.drawn) == 1


async def test_deleted_while_it_is_drawn() -> None:
    """Nothing is written, the drawing ends with its step, and another person's in the same batch comes."""
    with world() as found:
        ann, ben = (found.store.grant(f"/a/{seed}", adapter(seed)) for seed in (1, 2))
        found.pipeline.pause = 0.1
        steps: dict[str, Any] = {"steps": 40}
        waiting = begun(found.client.order(order(ann, item={"putUrl": found.store.link("/face")}, **steps)))
        await until(lambda: found.pipeline.drawn)
        started = time.monotonic()
        await found.client.evict(ann["sha256"])
        reply = await waiting
        assert DELETED in reply.error
        assert time.monotonic() - started < 2
        assert "/face" not in found.store.files
        found.pipeline.pause = 0
        assert (await found.client.order(order(ben))).status == 200


async def test_deleted_between_drawing_and_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    with world() as found:
        grant = found.store.grant("/a/ann", adapter(1))
        bring = found.model._bring

        def late(*arguments: Any) -> Any:
            found.engine.forget([grant["sha256"]])
            return bring(*arguments)

        monkeypatch.setattr(found.model, "_bring", late)
        for item in ({"putUrl": found.store.link("/face")}, {}):
            reply = await found.client.order(order(grant, item=item))
            assert (reply.status, DELETED in reply.error) == (400, True)
        assert "/face" not in found.store.files


async def test_deleted_between_two_attempts_to_write() -> None:
    with world() as found:
        grant = found.store.grant("/a/ann", adapter(1))
        found.store.statuses["/face"] = [503]
        found.store.delay["/face"] = 0.4
        waiting = begun(found.client.order(order(grant, item={"putUrl": found.store.link("/face")})))
        await until(lambda: ("PUT", "/face", "") in found.store.asked)
        await found.client.evict(grant["sha256"])
        assert DELETED in (await waiting).error
        assert "/face" not in found.store.files


async def test_who_deletes_is_answered_when_no_candidate_is_being_written() -> None:
    """So that what is purged afterwards stays away."""
    with world() as found:
        grant = found.store.grant("/a/ann", adapter(1))
        found.store.delay["/face"] = 0.6
        waiting = begun(found.client.order(order(grant, item={"putUrl": found.store.link("/face")})))
        await until(lambda: ("PUT", "/face", "") in found.store.asked)
        assert "/face" not in found.store.files
        await found.client.evict("f" * 64)
        assert "/face" not in found.store.files, "another person's writing is nobody's business"
        await found.client.evict(grant["sha256"])
        assert found.store.files.pop("/face")
        await waiting
        assert "/face" not in found.store.files


async def test_who_deletes_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_model, "WRITES_SECONDS", 0.1)
    with world() as found:
        grant = found.store.grant("/a/ann", adapter(1))
        found.store.delay["/face"] = 1.0
        waiting = begun(found.client.order(order(grant, item={"putUrl": found.store.link("/face")})))
        await until(lambda: ("PUT", "/face", "") in found.store.asked)
        reply = await found.client.order({"sha256": [grant["sha256"]]}, "evict")
        assert (reply.status, "ask again" in reply.error) == (503, True)
        await waiting


async def test_an_eviction_of_nobody_refuses_nobody() -> None:
    with world() as found:
        assert (await found.client.order({"sha256": [""]}, "evict")).status == 400
        assert found.queue.evict([""]).result(5) == 0
        assert (await found.client.order(order())).status == 200


async def test_deleted_between_reading_and_waiting() -> None:
    with world() as found:
        grant = found.store.grant("/a/ann", adapter(1))
        wanted = GenerationOrder.model_validate(order(grant))
        ready = found.engine.fetch(wanted, found.model._grants.of("team"))
        await found.client.evict(grant["sha256"])
        with pytest.raises(Refused, match=DELETED):
            found.queue.submit(ready)
        assert found.pipeline.drawn == []


async def test_who_needs_no_adapter_is_refused_by_no_deletion() -> None:
    with world() as found:
        found.pipeline.pause = 0.3
        calls = [begun(found.client.order(order(width=width))) for width in (64, 128)]
        await until(lambda: found.pipeline.drawn and found.queue._waiting)
        assert found.queue.evict(["", "f" * 64]).result(5) == 0
        assert [(await call).status for call in calls] == [200, 200]


@pytest.mark.parametrize(("late", "status"), [(-20, 400), (20, 200)])
async def test_what_was_signed_before_a_deletion_is_refused_whenever_it_comes(late: int, status: int) -> None:
    """An order on its way while its person was deleted; and one of the same weights, learned anew, afterwards."""
    with world() as found:
        content = adapter(1)
        found.store.files["/a/ann"] = content
        await found.client.evict(hashlib.sha256(content).hexdigest())
        signed = (datetime.now(UTC) + timedelta(seconds=late)).strftime("%Y%m%dT%H%M%SZ")
        grant = {**found.store.grant("/a/ann", content), "url": found.store.link("/a/ann", f"X-Amz-Date={signed}")}
        reply = await found.client.order(order(grant))
        assert reply.status == status
        assert status == 200 or DELETED in reply.error
        assert await found.client.evict(grant["sha256"]) == (2 if status == 200 else 0)


def test_writing_is_counted_by_person() -> None:
    writing = Writing()
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with writing.of(["ann"]):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    inside.wait(10)
    with writing.of(["ann"]):
        assert not writing.wait_for(["ann"], 0.05)
    assert not writing.wait_for(["ben", "ann"], 0.05)
    assert writing.wait_for(["ben"], 0.0)
    leave.set()
    assert writing.wait_for(["ann"], 5.0)
    thread.join()


# --- grants of an order ---


async def test_an_order_brings_nothing_from_elsewhere_and_takes_nothing_there() -> None:
    with world(bucket="profiles") as found:
        mine = "/profiles/team.1a2b3c4d-5e6f/requests/minji"
        drawn = {"key": "team.1a2b3c4d-5e6f/requests/minji/candidates/d/1.png"}
        good = found.store.grant(f"{mine}/adapter/a", adapter(1))
        reply = await found.client.order(
            order(good, item={**drawn, "putUrl": found.store.link(f"{mine}/candidates/1.png")})
        )
        assert reply.status == 200
        theirs = found.store.link("/profiles/other.1a2b3c4d-5e6f/requests/ceo/x.png")
        asked = len(found.store.asked)
        for wrong in (
            order({**good, "url": theirs}, item=drawn),
            order(item={**drawn, "putUrl": theirs}),
            order(item={**drawn, "pose": {"url": theirs}}),
            order(item={**drawn, "initialImage": {"url": theirs}}, mode="ImageToImage", steps=4),
            order(item={**drawn, "pose": {"url": "http://169.254.169.254/latest"}}),
        ):
            reply = await found.client.order(wrong)
            assert reply.status == 400
            assert "a grant points" in reply.error
        # Of a namespace that had the same name once, of another one, and of none.
        for key, said in (
            ("team.ffffffff-5e6f/requests/minji/candidates/d/1.png", "a grant points"),
            ("other.1a2b3c4d-5e6f/requests/ceo/x.png", "do not lie in the area"),
            ("team/requests/minji/x.png", "do not lie in the area"),
        ):
            reply = await found.client.order(order(good, item={"key": key}))
            assert reply.status == 400
            assert said in reply.error
        assert len(found.store.asked) == asked


async def test_a_world_is_closed_while_orders_wait(tmp_path: object) -> None:
    found: World
    with world() as found:
        found.pipeline.pause = 0.1
        waiting = begun(found.client.order(order(steps=100)))
        await until(lambda: found.pipeline.drawn)
    reply = await waiting
    assert (reply.status, "going down" in reply.error) == (503, True)
