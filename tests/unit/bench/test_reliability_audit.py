"""How often Jobs were created, as the API server's audit tells it."""

from __future__ import annotations

from typing import Any

import pytest

from reliability.stand import created_by


def tried(name: str, code: int, namespace: str = "life-1") -> dict[str, Any]:
    return {"objectRef": {"namespace": namespace, "name": name}, "responseStatus": {"code": code}}


@pytest.mark.parametrize(
    ("codes", "times"),
    [
        ([201], 1),
        ([201, 409], 1),
        ([201, 201], 2),
        ([403, 201], 1),
        # The caller hung up, and the API server had made it, or had not.
        ([504, 409], 1),
        ([504, 201], 1),
        ([504, 201, 409], 1),
        ([504, 409, 409, 201], 2),
        ([409], 0),
        ([504], 0),
    ],
)
def test_a_job_whose_creator_hung_up_is_counted_once(codes: list[int], times: int) -> None:
    audit = [tried("other", 504), *(tried("train", code) for code in codes), tried("train", 201, "life-2")]
    created = created_by(audit)
    assert created["life-1"]["train"] == times
    assert created["life-1"].total() == times
    assert created["life-2"] == {"train": 1}
