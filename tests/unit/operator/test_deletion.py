"""Deletion: what goes with a request, in which order, and what may hold it up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fake_kubernetes import JOBS
from profile_operator.clock import parsed, stamp
from profile_operator.workqueue import ExpectedError
from real_operator import RealOperator

pytestmark = pytest.mark.usefixtures("everything_has_arrived")

AREA = "hr.1a2b3c4d-5e6f/requests/minji/"


def stored(operator: RealOperator) -> list[str]:
    return [key for key in operator.store.objects if key.startswith(AREA)]


def purged(operator: RealOperator) -> bool:
    return any(reason == "ArtifactsPurged" for reason, _ in operator.told)


async def test_what_is_written_while_it_is_deleted_goes_too(operator: RealOperator) -> None:
    await operator.ready()
    operator.delete()
    assert await operator.cycle() == 2
    assert stored(operator) == []
    assert operator.tokens.revoked == [operator.document["metadata"]["uid"]]
    assert not operator.gone()
    assert not purged(operator)
    assert operator.condition("Ready")[:2] == ("False", "Deleting")
    # A predictor's thread that was under way: its face arrives after the first purge.
    operator.store.objects[f"{AREA}candidates/late.png"] = b"face"
    await operator.cycle()
    assert stored(operator) == []
    assert operator.gone()
    assert purged(operator)


async def test_a_store_that_revokes_nothing_is_waited_for(
    operator: RealOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.ready()
    operator.tokens.revokes = False
    operator.delete()
    for _ in range(3):
        again = await operator.cycle()
        assert again == 2
    assert not operator.gone()
    assert not purged(operator)
    end = operator.status.purge_after
    assert end is not None
    # The finishing Job's credentials, which were issued last, or training's.
    assert timedelta(seconds=4100) < parsed(end) - datetime.now(UTC) <= timedelta(seconds=4200)
    assert f"may still write until {end}" in operator.condition("Ready")[2]
    operator.store.objects[f"{AREA}dataset/late.png"] = b"face"
    # A restarted operator knows as well, even if the Secrets went with the namespace.
    for path in [path for path in operator.server.objects if "/secrets/" in path]:
        operator.server.objects.pop(path)
    await operator.cycle()
    assert operator.status.purge_after == end
    operator.document["status"]["purgeAfter"] = stamp(datetime.now(UTC) - timedelta(seconds=1))
    for stage in operator.document["status"]["stages"].values():
        stage["startTime"] = stage["completionTime"] = "2020-01-01T00:00:00Z"
    await operator.cycle()
    assert operator.gone()
    assert stored(operator) == []


async def test_what_ended_long_ago_is_not_waited_for(operator: RealOperator) -> None:
    await operator.ready()
    for stage in operator.document["status"]["stages"].values():
        stage["startTime"] = stage["completionTime"] = "2020-01-01T00:00:00Z"
    operator.delete()
    await operator.cycle()
    assert operator.gone()
    assert purged(operator)
    assert operator.tokens.revoked == []


@pytest.mark.parametrize(("policy", "stays"), [("Delete", False), ("Retain", True)])
async def test_a_spec_that_nobody_understands_holds_no_deletion(
    operator: RealOperator, policy: str, stays: bool
) -> None:
    await operator.ready()
    operator.document["spec"] = {"styles": "odd", "deletionPolicy": policy}
    operator.delete()
    await operator.cycle()
    await operator.cycle()
    assert operator.gone()
    assert bool(stored(operator)) is stays


async def test_a_request_that_began_nothing_is_let_go_at_once(operator: RealOperator) -> None:
    for key in list(operator.store.objects):
        del operator.store.objects[key]
    await operator.cycle()
    operator.delete()
    await operator.cycle()
    assert operator.gone()


async def test_a_store_that_is_away_holds_the_deletion(operator: RealOperator) -> None:
    await operator.ready()
    operator.delete()
    operator.store.away = True
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert not operator.gone()
    assert not purged(operator)
    operator.store.away = False
    await operator.cycle()
    await operator.cycle()
    assert operator.gone()


def replicas(operator: RealOperator, *addresses: str) -> None:
    labels = {"kubernetes.io/service-name": "profile-predictor-predictor"}
    document = {
        "metadata": {"name": "s", "labels": labels},
        # In no order that one may rely on.
        "ports": [{"name": name, "port": port} for name, port in (("metrics", 9090), ("grpc", 9000), ("http1", 8080))],
        "endpoints": [{"addresses": [address]} for address in addresses],
    }
    operator.server.put("/apis/discovery.k8s.io/v1/namespaces/profile-studio/endpointslices", document)


async def test_every_replica_of_a_predictor_is_told_and_one_that_is_deaf_holds_nothing_up(
    operator: RealOperator,
) -> None:
    await operator.ready()
    replicas(operator, "10.0.0.1", "10.0.0.2", "fd00::3")
    operator.beside.deaf = {"http://10.0.0.2:8080"}
    operator.delete()
    await operator.cycle()
    # The deaf one is asked once more, and no more often than that.
    told = ["http://10.0.0.1:8080", "http://10.0.0.2:8080", "http://10.0.0.2:8080", "http://[fd00::3]:8080"]
    assert sorted(operator.beside.origins) == told
    assert len(operator.beside.evicted) == 2
    await operator.cycle()
    assert operator.gone()


async def test_where_the_replicas_may_not_be_listed_any_one_is_told(operator: RealOperator) -> None:
    await operator.ready()
    operator.server.refuse("GET", "endpointslices", 403, "forbidden", times=9)
    operator.delete()
    await operator.cycle()
    assert operator.beside.origins == [""]


async def test_the_predictors_are_told_to_forget_before_the_reports_go(operator: RealOperator) -> None:
    await operator.ready()
    operator.delete()
    await operator.cycle()
    assert operator.beside.evicted[0] == ("profile-predictor", ["a" * 64])


async def test_what_is_kept_goes_without_a_store(operator: RealOperator) -> None:
    operator.change(deletionPolicy="Retain")
    await operator.ready()
    assert not operator.status.purgeable
    operator.delete()
    operator.store.away = operator.tokens.away = True
    await operator.cycle()
    assert operator.gone()
    assert stored(operator) != []
    # No sweep takes what is not marked, however long the store was away.
    assert f"{AREA}purgeable" not in operator.store.objects
    assert ("ArtifactsRetained", "the artifacts stay in the store, as spec.deletionPolicy says") in operator.told


async def test_what_is_to_be_kept_at_last_waits_for_a_store_that_says_otherwise(operator: RealOperator) -> None:
    await operator.ready()
    assert operator.status.purgeable
    assert f"{AREA}purgeable" in operator.store.objects
    operator.change(deletionPolicy="Retain")
    operator.delete()
    operator.store.away = True
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert not operator.gone()
    operator.store.away = False
    await operator.cycle()
    assert operator.gone()
    assert f"{AREA}purgeable" not in operator.store.objects
    assert f"{AREA}kept" in operator.store.objects


async def test_what_is_to_be_kept_is_not_purged_though_its_request_is_abandoned(operator: RealOperator) -> None:
    await operator.ready()
    made = [key for key in stored(operator) if not key.endswith("/purgeable")]
    operator.change(deletionPolicy="Retain")
    operator.delete()
    operator.annotate("profilestudio.io/abandon", "true")
    await operator.cycle()
    assert operator.gone()
    assert set(made) <= set(stored(operator))


async def test_the_proof_that_artifacts_may_go_follows_the_policy(operator: RealOperator) -> None:
    # As an earlier request of the name left it.
    operator.store.objects[f"{AREA}purgeable"] = b""
    operator.change(deletionPolicy="Retain")
    await operator.cycle()
    assert f"{AREA}purgeable" not in operator.store.objects
    for policy, purgeable in (("Delete", True), ("Retain", False)):
        operator.change(deletionPolicy=policy)
        await operator.cycle()
        assert (f"{AREA}purgeable" in operator.store.objects) is operator.status.purgeable is purgeable


async def test_what_is_kept_is_marked_and_nobody_may_write_it_any_more(operator: RealOperator) -> None:
    await operator.ready()
    uid = operator.head.uid
    operator.change(deletionPolicy="Retain")
    operator.delete()
    await operator.cycle()
    assert f"{AREA}kept" in operator.store.objects
    assert operator.tokens.revoked == [uid]


async def test_a_request_that_a_store_holds_is_let_go_by_a_persons_word(operator: RealOperator) -> None:
    await operator.ready()
    operator.delete()
    operator.store.away = operator.tokens.away = True
    operator.annotate("profilestudio.io/abandon", "no")
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert not operator.gone()
    operator.annotate("profilestudio.io/abandon", "true")
    await operator.cycle()
    assert operator.gone()
    assert not purged(operator)
    (told,) = [message for reason, message in operator.told if reason == "ArtifactsAbandoned"]
    assert AREA in told


async def test_what_can_be_purged_of_an_abandoned_request_is(operator: RealOperator) -> None:
    await operator.cycle()
    name = next(iter(operator.jobs))
    operator.pod(name)
    operator.delete()
    operator.annotate("profilestudio.io/abandon", "true")
    await operator.cycle()
    assert operator.gone()
    # What a pod that still runs writes later is left to the sweep.
    assert stored(operator) == [f"{AREA}purgeable"]
    assert "deletionTimestamp" in operator.jobs[name]["metadata"]
    assert operator.tokens.revoked != []


async def test_a_namespace_that_lost_its_role_binding_ends(operator: RealOperator) -> None:
    """Jobs and Secrets may not be seen any more, the request itself may: as the role for what is going has it."""
    await operator.ready()
    operator.delete()
    for method, part in (("GET", "/jobs"), ("DELETE", "/jobs"), ("PATCH", "/secrets"), ("GET", "/hr/profilestyles")):
        operator.server.refuse(method, part, 403, "forbidden", times=100)
    await operator.cycle()
    await operator.cycle()
    assert operator.gone()
    assert purged(operator)


async def test_jobs_that_may_not_be_seen_are_taken_to_run(operator: RealOperator) -> None:
    await operator.cycle()
    operator.tokens.revokes = False
    # Its status tells of no stage: what runs began a moment before it was written.
    operator.document["status"].pop("stages")
    operator.delete()
    for method, part in (("GET", "/jobs"), ("PATCH", "/secrets")):
        operator.server.refuse(method, part, 403, "forbidden", times=100)
    await operator.cycle()
    assert not operator.gone()
    end = parsed(operator.status.purge_after or "")
    # The longest Job's credentials, as if it had begun with the deletion: an hour and ten minutes.
    assert timedelta(seconds=4100) < end - datetime.now(UTC) <= timedelta(seconds=4200)


async def test_a_million_objects_are_not_listed_to_find_the_adapters(
    operator: RealOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from profile_operator.act import purge

    monkeypatch.setattr(purge, "MOST_OBJECTS", 50)
    for number in range(200):
        operator.store.objects[f"{AREA}adapter/zz/{number}"] = b""
    before = operator.store.looked_at
    await operator.purger.forget_adapters(operator.head, AREA)
    assert operator.store.looked_at - before == 50


async def test_the_job_and_its_pods_end_before_the_purge(operator: RealOperator) -> None:
    await operator.cycle()
    name = next(iter(operator.jobs))
    operator.pod(name)
    operator.store.objects[f"{AREA}dataset/half"] = b"half"
    operator.delete()
    for _ in range(3):
        assert await operator.cycle() == 2
        assert f"{AREA}dataset/half" in stored(operator)
    operator.server.end_pods(name)
    await operator.cycle()
    assert stored(operator) == []
    assert operator.server.named(JOBS.format("hr")) == {}


async def test_generation_is_stopped_before_the_purge(operator: RealOperator) -> None:
    await operator.cycle()
    for stage in ("preprocess", "train"):
        operator.finish(stage)
        await operator.cycle()
    assert operator.beside.seen.running
    operator.delete()
    await operator.cycle()
    assert operator.beside.stopped == [operator.document["metadata"]["uid"]]
    assert stored(operator) != []
    await operator.cycle()
    assert stored(operator) == []
