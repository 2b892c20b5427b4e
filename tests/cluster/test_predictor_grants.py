"""The predictor's grants against the cluster's own store, with links as the operator presigns them."""

import time
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from profile_cli.demo.target import Target
from profile_draw.errors import Denied, Expired, Refused
from profile_predictor.server.grants import StoreGrants
from profile_runtime.store.s3 import S3Store

pytestmark = pytest.mark.cluster
SECONDS = 60


@pytest.fixture(scope="module")
def store(target: Target) -> S3Store:
    """The cluster's store, with the operator's account."""
    return target.store()


@pytest.fixture
def prefix(store: S3Store) -> Iterator[str]:
    prefix = f"test-{uuid.uuid4().hex[:8]}.1a2b3c4d-5e6f/requests/minji/"
    yield prefix
    store.delete(prefix)


@pytest.fixture
def grants(store: S3Store) -> Iterator[StoreGrants]:
    grants = StoreGrants([urlsplit(store.presign_get("any", SECONDS)).netloc], seconds=20)
    yield grants
    grants.close()


def test_what_is_granted_is_read_written_and_known_again(store: S3Store, grants: StoreGrants, prefix: str) -> None:
    grants.write(store.presign_put(prefix + "1.png", SECONDS), b"picture", "image/png")
    assert store.read(prefix + "1.png") == b"picture"
    link = store.presign_get(prefix + "1.png", SECONDS)
    read = grants.read(link, 100)
    assert read.content == b"picture"
    assert grants.stamp(store.presign_get(prefix + "1.png", SECONDS - 1)) == read.stamp
    with pytest.raises(Refused, match="more than 3 bytes"):
        grants.read(link, 3)
    store.write(prefix + "1.png", b"another")
    assert grants.stamp(link) != read.stamp
    store.write(prefix + "2.png", b"another")
    assert grants.stamp(store.presign_get(prefix + "2.png", SECONDS)) != grants.stamp(link)


def test_what_is_not_granted_is_denied(store: S3Store, grants: StoreGrants, prefix: str) -> None:
    store.write(prefix + "1.png", b"mine")
    store.write(prefix + "2.png", b"somebody else's")
    link = store.presign_get(prefix + "1.png", SECONDS)
    with pytest.raises(Denied):
        grants.read(link.replace("1.png", "2.png"), 100)
    with pytest.raises(Denied):
        grants.write(link, b"overwritten", "image/png")
    assert store.read(prefix + "1.png") == b"mine"
    store.delete(prefix + "1.png")
    with pytest.raises(Denied, match="not in the store"):
        grants.stamp(link)


def test_a_link_whose_time_is_over_says_so(store: S3Store, grants: StoreGrants, prefix: str) -> None:
    store.write(prefix + "1.png", b"mine")
    link = store.presign_get(prefix + "1.png", 1)
    time.sleep(2.5)
    with pytest.raises(Expired, match="fresh"):
        grants.stamp(link)
    with pytest.raises(Expired, match="fresh"):
        grants.read(link, 100)
