"""What namespaces that are gone have left goes as what a request leaves, where it is known to be this cluster's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from areas import area
from fake_kubernetes import NAMESPACES
from profile_contract.artifacts import (
    class_picture_key,
    class_pictures_prefix,
    cluster_mark,
    kept_mark,
    purgeable_mark,
    request_prefix,
    uploads_prefix,
)
from profile_operator.decide.sweep import Waste
from profile_runtime.store.leftovers import open_leftovers
from profile_sandbox import services
from real_minio import RealMinio
from tidy import Tidy

OLD = area(uid="ffffffff-5e6f-4a7b-8c9d-0e1f2a3b4c5d")
OLD_REQUEST = request_prefix(OLD, "nobody")
OURS, THEIRS = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"


@pytest.fixture
def tidy(minio: RealMinio) -> Iterator[Tidy]:
    tidy = Tidy(minio)
    tidy.server.put(NAMESPACES, {"metadata": {"name": "kube-system", "uid": OURS}})
    yield tidy
    tidy.clear()


async def test_an_area_without_a_mark_is_left_alone(tidy: Tidy) -> None:
    """Nobody knows whether its namespace is gone for good, or another cluster's in the same bucket."""
    keys = [f"{OLD_REQUEST}adapter/aa/a", purgeable_mark(OLD_REQUEST), uploads_prefix(OLD, "uploads/left/") + "1.jpg"]
    for key in keys:
        tidy.store.write(key, b"face")
    for tidy.later in (0, 8, 400):
        await tidy.round(expire="30d")
        await tidy.round(expire="30d", watched=())
    assert tidy.keys() == sorted(keys)


@pytest.mark.parametrize("marks", [[THEIRS], [OURS, THEIRS]])
async def test_an_area_of_another_cluster_is_left_alone(tidy: Tidy, marks: list[str]) -> None:
    keys = [*(cluster_mark(OLD, uid) for uid in marks), f"{OLD_REQUEST}adapter/aa/a", purgeable_mark(OLD_REQUEST)]
    for key in keys:
        tidy.store.write(key, b"face")
    client = tidy.store._client
    client._create_multipart_upload(services.BUCKET, f"{OLD_REQUEST}adapter/aa/big", {})
    for tidy.later in (0, 8, 400):
        await tidy.round(expire="30d", watched=())
    assert tidy.keys() == sorted(keys)
    assert len(open_leftovers(tidy.minio.url, tidy.minio.operator).unfinished(10)) == 1


async def test_a_namespace_that_goes_leaves_in_the_end_nothing(tidy: Tidy) -> None:
    """It is marked while it is there; then what its requests made goes, its photos, and at last the mark."""
    photo = uploads_prefix(area(), "uploads/left/") + "1.jpg"
    purged, kept = request_prefix(area(), "nobody"), request_prefix(area(), "kept")
    drawn = class_picture_key(class_pictures_prefix(area(), "c1"), 0)
    for key in (f"{purged}adapter/aa/a", purgeable_mark(purged), photo, drawn):
        tidy.store.write(key, b"face")
    tidy.store._client._create_multipart_upload(services.BUCKET, f"{purged}adapter/aa/big", {})
    await tidy.round(watched=())
    assert cluster_mark(area(), OURS) in tidy.keys("")
    del tidy.server.objects[f"{NAMESPACES}/hr"]
    findings = await tidy.round("Report", watched=())
    tidy.store.write(f"{kept}adapter/aa/a", b"face")
    tidy.store.write(kept_mark(kept), b"")
    assert findings.objects[Waste.ORPHANED] == 0
    tidy.later = 8
    findings = await tidy.round(watched=())
    assert findings.objects[Waste.ORPHANED] == 3
    assert findings.objects[Waste.CLASS_PICTURE] == 1
    assert sorted(tidy.keys()) == sorted([cluster_mark(area(), OURS), f"{kept}adapter/aa/a", kept_mark(kept), photo])
    assert open_leftovers(tidy.minio.url, tidy.minio.operator).unfinished(10) == []
    tidy.later = 31
    await tidy.round(expire="30d", watched=())
    assert photo not in tidy.keys("")
    tidy.store.delete(kept)
    tidy.later = 70
    for _ in range(3):
        await tidy.round(expire="30d", watched=())
    assert tidy.versions() == []


async def test_one_that_is_made_anew_under_its_name_keeps_what_is_its_own(tidy: Tidy) -> None:
    for prefix in (OLD_REQUEST, request_prefix(area(), "nobody")):
        tidy.store.write(f"{prefix}adapter/aa/a", b"face")
        tidy.store.write(purgeable_mark(prefix), b"")
    tidy.store.write(cluster_mark(OLD, OURS), b"")
    tidy.server.put("/apis/profilestudio.io/v1alpha1/namespaces/hr/profilerequests", {"metadata": {"name": "nobody"}})
    await tidy.round()
    tidy.later = 8
    await tidy.round()
    assert tidy.keys(OLD_REQUEST) == []
    assert f"{request_prefix(area(), 'nobody')}adapter/aa/a" in tidy.keys("")


@pytest.mark.parametrize("watched", [("hr",), ("sales",)])
async def test_of_a_namespace_that_is_not_served_nothing_goes(tidy: Tidy, watched: tuple[str, ...]) -> None:
    tidy.store.write(f"{OLD_REQUEST}adapter/aa/a", b"face")
    tidy.store.write(purgeable_mark(OLD_REQUEST), b"")
    tidy.store.write(cluster_mark(OLD, OURS), b"")
    await tidy.round(watched=watched)
    tidy.later = 8
    await tidy.round(watched=watched)
    assert bool(tidy.keys(OLD_REQUEST)) is (watched == ("sales",))


async def test_a_cluster_that_nobody_can_tell_from_others_marks_and_takes_nothing(tidy: Tidy) -> None:
    del tidy.server.objects[f"{NAMESPACES}/kube-system"]
    for prefix in (OLD_REQUEST, request_prefix(area(), "somebody")):
        tidy.store.write(f"{prefix}adapter/aa/a", b"face")
    tidy.store.write(cluster_mark(OLD, OURS), b"")
    before = tidy.keys()
    for tidy.later in (0, 8, 400):
        await tidy.round()
    assert tidy.keys() == before


async def test_a_round_that_only_reports_marks_nothing(tidy: Tidy) -> None:
    tidy.store.write(f"{request_prefix(area(), 'somebody')}adapter/aa/a", b"face")
    await tidy.round("Report")
    assert len(tidy.keys()) == 1


async def test_photos_of_a_namespace_that_is_there_stay_where_a_request_names_them(tidy: Tidy) -> None:
    tidy.request("minji")
    photo = uploads_prefix(area(), "uploads/minji/") + "1.jpg"
    tidy.store.write(photo, b"face")
    for tidy.later in (0, 31, 62):
        await tidy.round(expire="30d", watched=())
    assert sorted(tidy.keys()) == sorted([cluster_mark(area(), OURS), photo])
