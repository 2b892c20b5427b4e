"""Bad input ends in a clear condition with a reason and advice; nothing loops, nothing is lost, no GPU is asked."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from product import Product, Request, Space, named_styles, pictures_in, wait_for
from profile_contract.photos import PHOTO_ADVICE, PhotoReason
from profile_sandbox import SandboxError

pytestmark = pytest.mark.cluster
TRACEBACK = re.compile(r'Traceback|File ".*", line|Error\(')


@pytest.fixture(scope="module")
def one_space(product: Product) -> Iterator[Space]:
    """One namespace for all requests that never come to be."""
    with product.space() as space:
        yield space


def stalled(request: Request, reason: str, seconds: float = 120) -> str:
    """Wait for the stall; its message is short, plain and says what to do."""
    condition = request.wait("Stalled", reason=reason, seconds=seconds)
    ready = request.condition("Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", reason)
    for text in (condition.message, ready.message):
        assert 20 < len(text) < 600
        assert not TRACEBACK.search(text)
    return ready.message


def is_stalled(request: Request) -> bool:
    condition = request.condition("Stalled")
    return condition is not None and condition.status == "True"


def settles(request: Request, seconds: float = 8) -> dict[str, str]:
    """The Jobs of a request, which stay the same for a while: nothing loops."""
    before, pods = request.job_uids(), {pod["metadata"]["uid"] for pod in request.pods()}
    time.sleep(seconds)
    assert request.job_uids() == before
    assert {pod["metadata"]["uid"] for pod in request.pods()} == pods
    return before


def no_gpu_was_asked(request: Request) -> None:
    assert not [name for name in request.job_uids() if "-train-" in name]
    assert request.status.gpu_seconds == 0


def test_no_photos_then_photos(space: Space, people: Path) -> None:
    request = space.request(styles=named_styles("studio-warm"))
    message = stalled(request, "NoPhotos")
    assert f"{space.area}uploads/person/" in message
    assert "Upload" in message
    assert settles(request) == {}
    space.upload(pictures_in(people / "p00060"))
    request.patch({"photos": {"revision": 2}, "suspend": False})
    request.wait("Preprocessed", seconds=120)
    assert request.status.photos is not None
    assert request.status.photos.accepted >= 8


def test_fewer_usable_photos_than_the_minimum(space: Space, people: Path, tmp_path: Path) -> None:
    text = tmp_path / "holiday.jpg"
    text.write_text("this is no picture")
    space.upload([*pictures_in(people / "p00060", limit=3), text])
    request = space.request()
    message = stalled(request, "TooFewUsablePhotos")
    assert "status.photos.verdicts" in message
    status = request.status
    assert status.photos is not None
    verdicts = {verdict.name: verdict for verdict in status.photos.verdicts}
    assert len(verdicts) == 4
    assert verdicts["holiday.jpg"].reason is PhotoReason.NOT_AN_IMAGE
    assert verdicts["holiday.jpg"].advice == PHOTO_ADVICE[PhotoReason.NOT_AN_IMAGE]
    jobs = settles(request)
    assert len(jobs) == 1
    no_gpu_was_asked(request)
    # The way out that the message names: more photos, and a raised revision.
    space.upload(pictures_in(people / "p00060"))
    request.patch({"photos": {"revision": 2}})
    request.wait("Preprocessed", seconds=120)


def test_a_verdict_for_every_photo(space: Space, people: Path, tmp_path: Path) -> None:
    woman, man = pictures_in(people / "p00060"), pictures_in(people / "p900055")
    good = woman[:8]
    text, two, huge = tmp_path / "text.jpg", tmp_path / "two.jpg", tmp_path / "huge.jpg"
    text.write_text("not a picture")
    left, right = (cv2.imread(str(file)) for file in (woman[8], man[8]))
    assert left is not None
    assert right is not None
    cv2.imwrite(str(two), np.hstack([left, right]))
    cv2.imwrite(str(huge), cv2.resize(left, (10_000, 10_000), interpolation=cv2.INTER_NEAREST))
    other = tmp_path / "other.jpg"
    other.write_bytes(man[0].read_bytes())
    space.upload([*good, text, two, huge, other])
    request = space.request(suspend=False)
    request.wait("Preprocessed", seconds=180)
    request.patch({"suspend": True})
    photos = request.status.photos
    assert photos is not None
    reasons = {verdict.name: verdict.reason for verdict in photos.verdicts}
    assert {name: reasons[name] for name in ("text.jpg", "two.jpg", "huge.jpg", "other.jpg")} == {
        "text.jpg": PhotoReason.NOT_AN_IMAGE,
        "two.jpg": PhotoReason.SEVERAL_PEOPLE,
        "huge.jpg": PhotoReason.TOO_MANY_PIXELS,
        "other.jpg": PhotoReason.OTHER_PERSON,
    }
    assert (photos.found, photos.accepted + photos.rejected) == (12, 12)
    assert photos.accepted >= 5
    assert all(verdict.advice for verdict in photos.verdicts if not verdict.accepted)
    columns = request.kubectl.run("-n", space.name, "get", "preq", "person", "-o", "wide")
    assert f"{photos.accepted}/{photos.found}" in columns


def test_unknown_style_then_the_style(space: Space, people: Path) -> None:
    space.upload(pictures_in(people / "p00060"))
    own = {"name": "own", "kind": "ProfileStyle"}
    request = space.request(styles=[*named_styles("studio-warm"), own])
    message = stalled(request, "StyleNotFound")
    assert "ProfileStyle own" in message
    assert "studio-warm" in message  # which ones there are
    assert settles(request) == {}
    document = space.kubectl.get("cpstyle", "studio-warm")
    metadata = {"name": "own", "namespace": space.name}
    space.kubectl.apply(json.dumps({**document, "kind": "ProfileStyle", "metadata": metadata}))
    # Nothing of the request itself has changed: until the operator has seen the style, it stays stalled.
    wait_for(lambda: not is_stalled(request), 60, "the operator has seen the style")
    request.wait("Preprocessed", seconds=120)


@pytest.mark.parametrize(
    "prefix",
    [
        "uploads/../../hr/uploads/minji/",
        "hr/uploads/minji/",
        "/uploads/minji/",
        "uploads/minji",
        "uploads//",
        "uploads/./x/",
        "uploads/a/./b/",
        "uploads/.hidden/",
        "uploads/a//b/",
        'uploads/a"b/',
        "uploads/a'b/",
        "uploads/a`b/",
        "uploads/a\\b/",
        "uploads/a*/",
        "uploads/a\nb/",
        "uploads/a/\n",
    ],
)
def test_a_prefix_of_another_namespace_is_refused_at_once(one_space: Space, prefix: str) -> None:
    with pytest.raises(SandboxError, match=r"photos\.prefix must begin with 'uploads/'|should be at least"):
        one_space.request(photos={"prefix": prefix})


def test_photos_of_another_namespace_are_not_seen(space: Space, people: Path) -> None:
    """The same prefix names a place in the own namespace's area."""
    with_photos = space.upload(pictures_in(people / "p00060"), prefix="uploads/secret/")
    assert with_photos
    request = space.request(photos={"prefix": "uploads/elsewhere/"})
    assert f"{space.area}uploads/elsewhere/" in stalled(request, "NoPhotos")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"portraits": 5, "candidates": 2}, "portraits must not exceed candidates"),
        ({"styles": []}, "spec.styles"),
        ({"minimumLikeness": 101}, "spec.minimumLikeness"),
        ({"layouts": ["passport"]}, "spec.layouts"),
        ({"subject": {"noun": "dog"}}, "spec.subject.noun"),
        ({"training": {"resolution": 100}}, "spec.training.resolution"),
    ],
)
def test_what_cannot_be_is_refused_by_the_api_server(one_space: Space, spec: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SandboxError, match=complaint):
        one_space.request(**spec)


def test_a_name_too_long_for_jobs_is_refused(one_space: Space) -> None:
    with pytest.raises(SandboxError, match="at most 40 characters"):
        one_space.request("x" * 41)


# --- what the cluster refuses ------------------------------------------------------------------------------------


def test_a_quota_that_lets_no_pod_come_is_told_in_its_own_words(space: Space, people: Path) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team", "namespace": space.name}}
    space.kubectl.apply(json.dumps({**quota, "spec": {"hard": {"pods": "0"}}}))
    space.upload(pictures_in(people / "p00060", 3))
    request = space.request()
    condition = request.wait("Preprocessed", status="False", reason="Refused", seconds=180)
    assert "exceeded quota: team" in condition.message
    assert request.status.stage_text != "Stalled"
    assert request.status.gpu_seconds == 0
    events = json.loads(space.kubectl.run("-n", space.name, "get", "events", "-o", "json"))["items"]
    refusals = [event for event in events if event["reason"] == "Refused"]
    assert len(refusals) == 1
    assert refusals[0]["type"] == "Warning"
    request.delete()
