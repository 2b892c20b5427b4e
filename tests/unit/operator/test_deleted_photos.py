"""Photos that go with their request, and those that stay."""

from __future__ import annotations

import pytest

from fake_kubernetes import REQUESTS
from profile_operator.workqueue import ExpectedError
from real_operator import RealOperator

pytestmark = pytest.mark.usefixtures("everything_has_arrived")

AREA = "hr.1a2b3c4d-5e6f/requests/minji/"


def stored(operator: RealOperator) -> list[str]:
    return [key for key in operator.store.objects if key.startswith(AREA)]


PHOTOS = {"prefix": "uploads/minji/", "deletionPolicy": "Delete"}


def photos_of(operator: RealOperator) -> list[str]:
    return [key for key in operator.store.objects if key.startswith("hr.1a2b3c4d-5e6f/uploads/")]


async def test_photos_go_with_the_request_that_says_so(operator: RealOperator) -> None:
    operator.store.objects["hr.1a2b3c4d-5e6f/uploads/minji-2/a.jpg"] = b"another's"
    operator.change(photos=PHOTOS)
    await operator.ready()
    operator.delete()
    await operator.cycle()
    # Somebody still sends one; it goes with the second purge.
    operator.store.objects["hr.1a2b3c4d-5e6f/uploads/minji/late.jpg"] = b"late"
    await operator.cycle()
    assert operator.gone()
    assert photos_of(operator) == ["hr.1a2b3c4d-5e6f/uploads/minji-2/a.jpg"]
    assert ("ArtifactsPurged", "everything that the request made was deleted, and so were its photos") in operator.told


async def test_photos_stay_with_a_request_that_says_nothing(operator: RealOperator) -> None:
    await operator.ready()
    operator.delete()
    await operator.cycle()
    await operator.cycle()
    assert len(photos_of(operator)) == 6


@pytest.mark.parametrize("prefix", ["uploads/minji/", "uploads/minji/deeper/"])
async def test_photos_that_another_request_names_stay(operator: RealOperator, prefix: str) -> None:
    spec = {**operator.document["spec"], "photos": {"prefix": prefix, "deletionPolicy": "Delete"}}
    twin = operator.server.put(REQUESTS.format("hr"), {"metadata": {"name": "twin"}, "spec": spec})
    operator.change(photos=PHOTOS)
    await operator.ready()
    operator.delete()
    await operator.cycle()
    await operator.cycle()
    assert operator.gone()
    assert len(photos_of(operator)) == 6
    assert [text for reason, text in operator.told if reason == "ArtifactsPurged" and "twin" in text] != []
    assert twin is not None


async def test_photos_of_two_that_go_together_go(operator: RealOperator) -> None:
    spec = {**operator.document["spec"], "photos": PHOTOS}
    metadata = {"name": "twin", "deletionTimestamp": "2026-01-02T03:00:00Z", "finalizers": ["profilestudio.io/purge"]}
    operator.server.put(REQUESTS.format("hr"), {"metadata": metadata, "spec": spec})
    operator.change(photos=PHOTOS)
    await operator.ready()
    operator.delete()
    await operator.cycle()
    assert photos_of(operator) == []


async def test_photos_stay_where_nobody_can_tell_whose_they_are(operator: RealOperator) -> None:
    operator.change(photos=PHOTOS)
    await operator.ready()
    operator.delete()
    operator.server.refuse("GET", "/namespaces/hr/profilerequests", 500, "no", times=100)
    operator.server.refusals[-1].matches = lambda call: call.method == "GET" and call.path.endswith("profilerequests")
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert len(photos_of(operator)) == 6


async def test_photos_go_although_what_was_made_of_them_stays(operator: RealOperator) -> None:
    operator.change(photos=PHOTOS, deletionPolicy="Retain")
    await operator.ready()
    operator.delete()
    await operator.cycle()
    assert operator.gone()
    assert photos_of(operator) == []
    assert stored(operator) != []
