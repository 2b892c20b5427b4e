"""Receipts: what was drawn is told once more to whoever lost the answer, by the replica that drew it."""

from __future__ import annotations

from typing import Any

import pytest

from areas import area
from predictor_world import World, order, world
from profile_contract.generation import Receipt
from profile_predictor.server import receipts as module
from profile_predictor.server.receipts import ReceiptBook

AREA = area("team")
KEYS = [f"{AREA}requests/minji/candidates/x/{number}.png" for number in range(3)]


def receipt(key: str, milliseconds: float = 10.0) -> Receipt:
    return Receipt(key=key, sha256="a" * 64, milliseconds=milliseconds)


async def asked(found: World, keys: list[str], namespace: str = "team") -> Any:
    return await found.client.order({"namespace": namespace, "keys": keys}, "receipt")


async def test_who_lost_an_answer_asks_once_more() -> None:
    with world(bucket="profiles") as found:
        drawn = order(seeds=(1, 2))
        for item, key in zip(drawn["items"], KEYS, strict=False):
            item |= {"key": key, "put_url": found.store.link(f"/profiles/{key}")}
        answered = (await found.client.order(drawn)).result
        told = (await asked(found, [KEYS[2], *KEYS[1::-1], KEYS[0]])).result
        assert [one["key"] for one in told["items"]] == [KEYS[1], KEYS[0]]
        assert [one["sha256"] for one in reversed(told["items"])] == [item["sha256"] for item in answered["items"]]
        each = {one["milliseconds"] for one in told["items"]}
        assert len(each) == 1
        assert round(sum(each) * 2) == answered["timings"]["generate"]
        assert told["device"] == answered["device"] == "cpu"


async def test_nobody_is_told_of_another_namespace() -> None:
    with world(bucket="profiles") as found:
        found.model._receipts.keep(receipt(KEYS[0]))
        assert len((await asked(found, KEYS[:1])).result["items"]) == 1
        for namespace, keys in (("other", KEYS), ("team", [*KEYS, f"{area('other')}requests/a/candidates/x/1.png"])):
            reply = await asked(found, keys, namespace)
            assert (reply.status, "do not lie in the area" in reply.error) == (400, True)


@pytest.mark.parametrize(
    "document", [{"namespace": "team", "keys": []}, {"namespace": "", "keys": ["a"]}, {"namespace": "team"}]
)
async def test_what_is_no_order_for_receipts_is_refused(document: dict[str, Any]) -> None:
    with world() as found:
        assert (await found.client.order(document, "receipt")).status == 400


def test_what_was_drawn_twice_has_cost_twice() -> None:
    book = ReceiptBook()
    book.keep(receipt("a", 10.0))
    book.keep(receipt("a", 5.0))
    assert [one.milliseconds for one in book.of(["a", "a", "b"])] == [15.0]


def test_receipts_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    now = [0.0]
    book = ReceiptBook(lambda: now[0])
    for key in "abc":
        book.keep(receipt(key))
    assert [one.key for one in book.of("abc")] == ["b", "c"]
    now[0] = module.KEPT_SECONDS + 1
    book.keep(receipt("d"))
    assert [one.key for one in book.of("abcd")] == ["d"]
