"""Requests, styles and statuses that a newer or an older version wrote."""

from __future__ import annotations

import pytest

from fake_kubernetes import CLUSTER_STYLES
from profile_operator.workqueue import ExpectedError
from real_operator import RealOperator


def writes(operator: RealOperator) -> int:
    return len([call for call in operator.server.writes() if call.body != {}])


async def test_fields_of_a_newer_version_change_nothing(operator: RealOperator) -> None:
    await operator.ready()
    before = writes(operator)
    operator.document["spec"] |= {"priority": 3}
    operator.document["spec"]["photos"]["novelty"] = {"a": [1]}
    for style in operator.server.named(CLUSTER_STYLES).values():
        style["spec"] |= {"novelty": "none"}
        style["spec"]["sampler"]["novelty"] = 1
    await operator.cycle()
    assert writes(operator) == before
    assert operator.condition("Ready")[0] == "True"


async def test_a_style_that_is_not_understood_leaves_what_is_finished(operator: RealOperator) -> None:
    await operator.ready()
    operator.server.named(CLUSTER_STYLES)["warm"]["spec"]["tone"] = "Golden"
    jobs = set(operator.jobs)
    await operator.cycle()
    assert set(operator.jobs) == jobs
    assert operator.condition("Ready")[0] == "True"
    assert operator.condition("Outdated")[:2] == ("True", "PlatformChanged")
    assert "the style warm cannot be understood by this version" in operator.condition("Outdated")[2]
    # Asked for something else, it goes on with what the style said when it was resolved.
    operator.change(seed=8)
    await operator.cycle()
    assert operator.condition("Generated")[1] == "Running"
    assert operator.beside.work is not None
    assert {style.key: style.spec.tone for style in operator.beside.work.styles} == {
        "warm": "Warm",
        "plain": "Neutral",
    }


async def test_a_style_that_is_not_understood_is_not_missing(operator: RealOperator) -> None:
    operator.server.named(CLUSTER_STYLES)["warm"]["spec"]["tone"] = "Golden"
    await operator.cycle()
    status, reason, message = operator.condition("Stalled")
    assert (status, reason) == ("True", "StyleNotUnderstood")
    assert "the ClusterProfileStyle warm: spec.tone" in message
    assert operator.jobs == {}
    operator.server.named(CLUSTER_STYLES)["warm"]["spec"]["tone"] = "Warm"
    await operator.cycle()
    assert len(operator.jobs) == 1


async def test_a_spec_that_is_not_understood_leaves_what_is_finished(operator: RealOperator) -> None:
    await operator.ready()
    operator.document["spec"]["layouts"] = ["passport-of-tomorrow"]
    before = writes(operator)
    with pytest.raises(ExpectedError, match=r"spec\.layouts"):
        await operator.cycle()
    assert writes(operator) == before
    operator.change(layouts=["passport-of-tomorrow"])
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert operator.condition("Stalled")[:2] == ("True", "InvalidSpec")
    assert len(operator.status.portraits) == 2


async def test_a_status_that_a_newer_version_wrote_is_not_wiped_for_a_spec_that_is_not_understood(
    operator: RealOperator,
) -> None:
    await operator.ready()
    operator.document["status"]["portraits"][0]["layouts"] = {"passport-of-tomorrow": "key"}
    operator.document["spec"]["layouts"] = ["passport-of-tomorrow"]
    before = dict(operator.document["status"])
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert operator.document["status"] == before
