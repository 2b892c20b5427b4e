"""Rounds of the sweep over a real MinIO with a versioned bucket, and an API server in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from areas import area
from fake_kubernetes import JOBS, REQUESTS
from operator_world import CONFIG, SPEC, STYLES, photo
from profile_contract.artifacts import (
    kept_mark,
    resolved_key,
    stage_prefix,
    uploads_prefix,
)
from profile_contract.request_status import Condition, PhotosStatus, ProfileRequestStatus
from profile_contract.resolved import AskedFor, resolve
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_operator import metrics
from profile_operator.compared import platform_of
from profile_operator.decide.sweep import Waste
from profile_operator.observe.chain import chain_of
from profile_runtime.store.leftovers import S3Leftovers, open_leftovers
from profile_runtime.store.port import StoreError
from profile_sandbox import services
from real_minio import RealMinio
from tidy import NOBODY, Tidy


@pytest.fixture
def tidy(minio: RealMinio) -> Iterator[Tidy]:
    tidy = Tidy(minio)
    yield tidy
    tidy.clear()


async def test_what_nobody_made_goes_after_its_pause_with_all_its_versions(tidy: Tidy) -> None:
    for key in (f"{NOBODY}adapter/aa/a", f"{NOBODY}adapter/aa/a", f"{NOBODY}dataset/bb/b"):
        tidy.store.write(key, b"face")
    tidy.store.write("other.1a2b3c4d-5e6f/requests/nobody/adapter/aa/a", b"of a namespace that is not served")
    await tidy.round()
    assert len(tidy.keys(NOBODY)) == 2
    tidy.may_go()
    await tidy.round()
    assert len(tidy.keys(NOBODY)) == 4
    # The mark is as old as the round before.
    tidy.later = 8
    findings = await tidy.round()
    assert findings.objects[Waste.ORPHANED] == 4
    assert tidy.versions(NOBODY) == []
    assert len(tidy.keys("other.")) == 1


async def test_versions_of_what_a_deletion_purged_go(tidy: Tidy) -> None:
    tidy.store.write(f"{NOBODY}adapter/aa/a", b"face")
    tidy.store.delete(NOBODY)
    assert len(tidy.versions(NOBODY)) == 2
    await tidy.round()
    assert len(tidy.versions(NOBODY)) == 2
    tidy.later = 8
    await tidy.round()
    # The marker goes after what it hides.
    assert len(tidy.versions(NOBODY)) == 1
    assert tidy.keys(NOBODY) == []
    await tidy.round()
    assert tidy.versions(NOBODY) == []


async def test_a_round_that_only_reports_leaves_all(tidy: Tidy) -> None:
    tidy.store.write(f"{NOBODY}adapter/aa/a", b"face")
    tidy.may_go()
    await tidy.round()
    tidy.later = 8
    before = tidy.versions()
    findings = await tidy.round("Report")
    assert findings.objects[Waste.ORPHANED] == 3
    assert "3 orphaned (4 bytes)" in str(findings)
    assert tidy.versions() == before


def left(kind: Waste) -> tuple[float, float]:
    """Objects and bytes that Prometheus is told of."""
    return metrics.WASTE_OBJECTS.labels(kind=kind)._value.get(), metrics.WASTE_BYTES.labels(kind=kind)._value.get()


async def test_prometheus_is_told_what_a_round_has_left(tidy: Tidy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What went is no waste any more: an alert would stand until the next round, which may be a week off."""
    tidy.store.write(f"{NOBODY}adapter/aa/a", b"face")
    tidy.may_go()
    await tidy.round()
    tidy.later = 8
    await tidy.round("Report")
    assert left(Waste.ORPHANED) == (3, 4)
    with monkeypatch.context() as patch:
        patch.setattr(S3Leftovers, "remove", refuse)
        await tidy.round()
        assert left(Waste.ORPHANED) == (3, 4)
    findings = await tidy.round()
    assert findings.objects[Waste.ORPHANED] == 3
    assert left(Waste.ORPHANED) == (0, 0)


def refuse(*_: object) -> None:
    raise StoreError("the account may not delete")


async def test_what_is_kept_stays(tidy: Tidy) -> None:
    tidy.store.write(f"{NOBODY}adapter/aa/a", b"face")
    tidy.store.write(kept_mark(NOBODY), b"")
    tidy.may_go()
    tidy.later = 400
    await tidy.round()
    assert len(tidy.keys(NOBODY)) == 3


@pytest.mark.parametrize(("method", "path"), [("GET", "/profilerequests"), ("GET", "/jobs")])
async def test_a_namespace_whose_requests_cannot_be_seen_is_left_alone(tidy: Tidy, method: str, path: str) -> None:
    tidy.store.write(f"{NOBODY}adapter/aa/a", b"face")
    tidy.may_go()
    await tidy.round()
    tidy.later = 8
    for status in (403, 500, 404):
        tidy.server.refuse(method, path, status, "no", times=100)
        await tidy.round()
        tidy.server.refusals.clear()
    assert f"{NOBODY}adapter/aa/a" in tidy.keys(NOBODY)


def ready(digest: str) -> dict[str, Any]:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = Condition(type="Ready", status="True", reason="Succeeded", last_transition_time=moment)
    status = ProfileRequestStatus(
        observed_generation=1, conditions=[condition], photos=PhotosStatus(digest=digest, revision=1)
    )
    return status.document()


async def test_superseded_runs_of_a_ready_request_go_and_current_ones_stay(tidy: Tidy) -> None:
    tidy.request("minji", **ready("photos"))
    key = Key("hr", "minji")
    resolved = resolve(None, AskedFor(SPEC), [photo("1.jpg")], STYLES, platform_of(CONFIG))
    chain = chain_of(key, area(), resolved)
    runs: list[tuple[Stage, str]] = [(Stage.GENERATE, digest) for digest in chain.styles.values()]
    runs += [(stage, chain.of(stage)) for stage in Stage if stage is not Stage.GENERATE]
    current = [f"{stage_prefix(area(), 'minji', stage, digest)}report.json" for stage, digest in runs]
    old = f"{stage_prefix(area(), 'minji', Stage.TRAIN, 'old')}adapter.safetensors"
    for file in (*current, old):
        tidy.store.write(file, b"{}")
    tidy.store.write(resolved_key(area(), key.name), resolved.to_json().encode())
    tidy.later = 13
    await tidy.round()
    assert tidy.store.stat(old) is not None
    tidy.later = 15
    await tidy.round()
    assert sorted(tidy.keys()) == sorted([*current, resolved_key(area(), key.name)])


@pytest.mark.parametrize("record", [None, b"{", b"{}"])
async def test_without_a_record_that_can_be_read_nothing_of_a_request_goes(tidy: Tidy, record: bytes | None) -> None:
    tidy.request("minji", **ready("photos"))
    old = f"{stage_prefix(area(), 'minji', Stage.TRAIN, 'old')}adapter.safetensors"
    tidy.store.write(old, b"{}")
    if record is not None:
        tidy.store.write(resolved_key(area(), "minji"), record)
    tidy.later = 400
    await tidy.round()
    assert tidy.store.stat(old) is not None


async def test_runs_of_another_installations_request_are_left_to_that_one(tidy: Tidy) -> None:
    resolved = resolve(None, AskedFor(SPEC), [photo("1.jpg")], STYLES, platform_of(CONFIG))
    tidy.store.write(resolved_key(area(), "minji"), resolved.to_json().encode())
    old = f"{stage_prefix(area(), 'minji', Stage.TRAIN, 'old')}adapter.safetensors"
    tidy.store.write(old, b"{}")
    tidy.later = 400
    tidy.request("minji", **(ready("photos") | {"installation": "another/profile-studio"}))
    await tidy.round()
    assert tidy.store.stat(old) is not None
    tidy.request("minji", **(ready("photos") | {"installation": CONFIG.installation}))
    await tidy.round()
    assert tidy.store.stat(old) is None


async def test_photos_that_no_request_names_go_if_the_platform_says_so(tidy: Tidy) -> None:
    tidy.request("minji")
    left, used = (uploads_prefix(area(), f"uploads/{name}/") + "1.jpg" for name in ("left", "minji"))
    for key in (left, used):
        tidy.store.write(key, b"face")
    tidy.later = 31
    await tidy.round()
    assert len(tidy.keys()) == 2
    await tidy.round(expire="30d")
    assert tidy.keys() == [used]


async def test_uploads_in_parts_that_never_ended_are_aborted(tidy: Tidy) -> None:
    client = tidy.store._client
    for key in (f"{NOBODY}adapter/aa/big", "other.1a2b3c4d-5e6f/requests/nobody/adapter/aa/big"):
        client._create_multipart_upload(services.BUCKET, key, {})
    leftovers = open_leftovers(tidy.minio.url, tidy.minio.operator)
    await tidy.round()
    assert len(leftovers.unfinished(10)) == 2
    tidy.later = 8
    await tidy.round()
    assert [upload.key for upload in leftovers.unfinished(10)] == ["other.1a2b3c4d-5e6f/requests/nobody/adapter/aa/big"]


async def test_a_job_that_lost_its_request_ends_and_its_credentials_with_it(tidy: Tidy) -> None:
    tidy.request("minji")
    uid = tidy.server.named(REQUESTS.format("hr"))["minji"]["metadata"]["uid"]
    owner = [{"uid": "someone", "controller": True}]
    for name, of, label, owners in (
        ("lost", "gone", "u-gone", []),
        ("replaced", "minji", "u-before", []),
        ("adopted", "minji", uid, []),
        ("owned", "gone", "u-gone", owner),
    ):
        labels = {"profilestudio.io/request": of, "profilestudio.io/request-uid": label}
        metadata = {"name": name, "labels": labels, "ownerReferences": owners}
        tidy.server.put(JOBS.format("hr"), {"metadata": metadata, "spec": {}})
    await tidy.round()
    assert len(tidy.server.named(JOBS.format("hr"))) == 4
    tidy.later = 0.01
    await tidy.round("Report")
    assert len(tidy.server.named(JOBS.format("hr"))) == 4
    await tidy.round()
    assert sorted(tidy.server.named(JOBS.format("hr"))) == ["adopted", "owned"]
    assert tidy.tokens.revoked == ["u-gone", "u-before"]
