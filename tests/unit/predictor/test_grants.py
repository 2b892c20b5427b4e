"""What grants open and what they do not: which stores, which places in them, for how long and how much."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from areas import NAMESPACE_UID, area
from predictor_world import Store
from profile_predictor.engine import Denied, Refused, Unavailable
from profile_predictor.server.grants import ATTEMPTS, StoreGrants
from profile_predictor.server.links import allowed, signed_at
from properties import examples


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as found:
        yield found


@pytest.fixture
def grants(store: Store) -> Iterator[StoreGrants]:
    found = StoreGrants([store.host], seconds=5.0)
    yield found
    found.close()


@pytest.fixture
def no_pauses() -> Iterator[None]:
    """As many attempts as ever, without the pauses between them."""
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


# --- whereto ---


def test_a_store_that_sends_elsewhere_is_not_followed(store: Store, grants: StoreGrants) -> None:
    with Store() as elsewhere:
        link = elsewhere.put("/secret", b"secret")
        store.redirects["/moved"] = link
        with pytest.raises(Refused, match="302"):
            grants.read(store.link("/moved"), 100)
        with pytest.raises(Refused, match="302"):
            grants.stamp(store.link("/moved"))
        with pytest.raises(Refused, match="none of the configured stores"):
            grants.read(link, 100)
        assert elsewhere.asked == []


_HOSTS = st.sampled_from(["store", "STORE", "evil", "store.evil", "evil.store", "[::1]", "store.", "store%2e"])
_USERS = st.sampled_from(["", "user@", "user:secret@", "store:9000@", ":@", "store%40"])
_PORTS = st.sampled_from(["", ":80", ":443", ":9000", ":9001", ":0", ":99999"])
_SCHEMES = st.sampled_from(["http", "https", "HTTP", "ftp", "file", "//", ""])


@examples(400)
@given(_SCHEMES, _USERS, _HOSTS, _PORTS, st.text(max_size=12))
def test_whatever_a_link_looks_like_it_leads_to_the_store_or_nowhere(
    scheme: str, user: str, host: str, port: str, rest: str
) -> None:
    """Of `store:9000` and `https://store` these three ways in, and no other."""
    try:
        url = httpx2.URL(f"{scheme}://{user}{host}{port}/{rest}")
    except (httpx2.InvalidURL, ValueError):
        return
    if allowed(url, ["store:9000", "https://store"]):
        assert (url.scheme, url.host, url.port) in {
            ("http", "store", 9000),
            ("https", "store", 9000),
            ("https", "store", None),
        }
        assert not url.userinfo


@pytest.fixture(scope="module")
def idle_grants() -> Iterator[StoreGrants]:
    """Of a store that is not asked: a client takes longer to make than a hundred links to check."""
    idle = StoreGrants(["store:9000"])
    yield idle
    idle.close()


@examples(150)
@given(st.text(max_size=60))
def test_no_text_is_a_link_by_accident(idle_grants: StoreGrants, text: str) -> None:
    for link in (text, f"http://{text}", f"http://store:9000{text}"):
        try:
            idle_grants.check(link, ("/bucket/team.1a2b3c4d-5e6f/requests/",))
        except Refused:
            continue
        assert httpx2.URL(link).path.startswith("/bucket/team.1a2b3c4d-5e6f/requests/")


def test_a_link_without_end_is_refused(grants: StoreGrants, store: Store) -> None:
    with pytest.raises(Refused, match="4096"):
        grants.check(store.link("/" + "x" * 5000))


def test_an_order_reaches_its_namespaces_requests_and_nothing_else(store: Store) -> None:
    grants = StoreGrants([store.host], bucket="profiles")
    order = grants.of("hr", [f"{area()}requests/minji/candidates/d/1.png"])
    inside = store.put(f"/profiles/{area()}requests/minji/adapter/d/adapter.safetensors", b"mine")
    assert order.read(inside, 100).content == b"mine"
    assert order.stamp(inside)
    order.check(inside)
    for path in (
        "/profiles/finance.1a2b3c4d-5e6f/requests/ceo/adapter/d/adapter.safetensors",
        "/profiles/hr.1a2b3c4d-5e6f/uploads/minji/1.jpg",
        "/other/hr.1a2b3c4d-5e6f/requests/minji/x",
        "/profiles/hr/requests",
        "/profiles/hr.1a2b3c4d-5e6f/requests/../../finance.1a2b3c4d-5e6f/requests/x",
        "/profiles/hr.1a2b3c4d-5e6f/requests/%2e%2e/%2e%2e/finance.1a2b3c4d-5e6f/requests/x",
        "/profiles/hr.1a2b3c4d-5e6f/requests//x",
        "/",
        "",
    ):
        link = store.link(path)
        for asked in (order.check, order.stamp, lambda one: order.read(one, 100)):
            with pytest.raises(Refused, match="outside"):
                asked(link)
    assert {path for _, path, _ in store.asked} == {f"/profiles/{area()}requests/minji/adapter/d/adapter.safetensors"}
    grants.close()


def test_looks_are_read_from_the_namespaces_own_and_the_installations_alone(store: Store) -> None:
    """A look is no person's adapter, and another namespace's is nobody's else."""
    grants = StoreGrants([store.host], bucket="profiles")
    order = grants.of("hr", [f"{area('hr', NAMESPACE_UID, 'prod/')}requests/minji/candidates/d/1.png"])
    for path in (f"{area('hr', NAMESPACE_UID, 'prod/')}looks/rim.safetensors", "prod/looks/film.safetensors"):
        assert order.looks.read(store.put(f"/profiles/{path}", b"look"), 100).content == b"look"
        with pytest.raises(Refused, match="outside"):
            order.read(store.link(f"/profiles/{path}"), 100)
    for path in (
        f"{area('hr', NAMESPACE_UID, 'prod/')}requests/minji/adapter/d/adapter.safetensors",
        f"{area('finance', NAMESPACE_UID, 'prod/')}looks/rim.safetensors",
        f"{area('hr', NAMESPACE_UID, 'prod/')}uploads/looks/1.jpg",
        f"prod/looks/../{area('finance')}requests/ceo/adapter.safetensors",
        "looks/film.safetensors",
        "test/looks/film.safetensors",
    ):
        with pytest.raises(Refused, match="outside"):
            order.looks.stamp(store.link(f"/profiles/{path}"))
    grants.close()


# --- how much, how long ---


def test_a_file_of_the_limit_is_read_and_one_byte_more_is_not(store: Store, grants: StoreGrants) -> None:
    link = store.put("/x", b"12345")
    assert grants.read(link, 5).content == b"12345"
    with pytest.raises(Refused, match="more than 4 bytes"):
        grants.read(link, 4)


def test_a_store_that_hides_the_size_is_read_to_the_limit(store: Store, grants: StoreGrants) -> None:
    store.silent = True
    store.trickle = 1000
    link = store.put("/x", b"x" * 20_000)
    with pytest.raises(Refused, match="more than 3000 bytes"):
        grants.read(link, 3000)
    assert grants.read(link, 20_000).content == b"x" * 20_000


def test_what_is_packed_is_refused(store: Store, grants: StoreGrants) -> None:
    """A small answer could unpack to fill the memory."""
    link = store.put("/x", b"\x1f\x8b")
    store.headers["Content-Encoding"] = "gzip"
    with pytest.raises(Refused, match="packed"):
        grants.read(link, 100)


def test_a_whole_read_has_a_deadline_however_steadily_bytes_come(store: Store) -> None:
    grants = StoreGrants([store.host], seconds=0.5)
    store.trickle = 1
    link = store.put("/x", b"x" * 500)
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"within 0.5 s"):
        grants.read(link, 1000)
    assert time.monotonic() - started < 3
    grants.close()


def test_all_reads_of_an_order_have_one_deadline(store: Store) -> None:
    grants = StoreGrants([store.host], seconds=0.2)
    order = grants.of("hr", [f"{area()}requests/minji/candidates/d/1.png"])
    link = store.put("/hr/x", b"x")
    assert order.read(link, 10).content == b"x"
    time.sleep(0.7)
    for asked in (order.stamp, lambda one: order.read(one, 10)):
        with pytest.raises(Unavailable, match="all that the order grants"):
            asked(link)
    grants.close()


def test_a_store_that_does_not_answer_is_away(store: Store) -> None:
    grants = StoreGrants([store.host], seconds=0.3)
    link = store.put("/x", b"x")
    store.delay["/x"] = 2
    with pytest.raises(Unavailable, match="does not answer"):
        grants.read(link, 10)
    grants.close()


# --- writing ---


@pytest.mark.usefixtures("no_pauses")
def test_writing_is_tried_again_until_the_store_takes_it(store: Store, grants: StoreGrants) -> None:
    store.statuses["/out"] = [503, 500]
    grants.write(store.link("/out"), b"picture", "image/png")
    assert store.files["/out"] == b"picture"
    store.statuses["/out"] = [503] * ATTEMPTS
    with pytest.raises(Unavailable, match="did not take"):
        grants.write(store.link("/out"), b"another", "image/png")
    assert store.statuses["/out"] == []
    store.statuses["/out"] = [403]
    with pytest.raises(Denied):
        grants.write(store.link("/out"), b"another", "image/png")
    assert store.files["/out"] == b"picture"


def test_a_store_that_is_away_for_a_second_loses_no_candidate(store: Store, grants: StoreGrants) -> None:
    store.statuses["/out"] = [503] * 1000
    back = threading.Timer(1.2, store.statuses["/out"].clear)
    back.start()
    grants.write(store.link("/out"), b"picture", "image/png")
    back.join()
    assert store.files["/out"] == b"picture"
    assert len(store.asked) <= ATTEMPTS


@pytest.mark.usefixtures("no_pauses")
def test_each_attempt_asks_before_it_writes(store: Store, grants: StoreGrants) -> None:
    """What was deleted between two attempts is not written by the second."""
    asked = []

    def before() -> None:
        asked.append(len(store.asked))
        if len(asked) == 2:
            raise Refused("deleted")

    store.statuses["/out"] = [503]
    with pytest.raises(Refused, match="deleted"):
        grants.write(store.link("/out"), b"face", "image/png", before)
    assert asked == [0, 1]
    assert "/out" not in store.files


# --- when ---


def test_links_say_when_they_were_signed() -> None:
    moment = datetime(2026, 11, 27, 12, 30, 5, tzinfo=UTC).timestamp()
    assert signed_at("http://store/x?X-Amz-Algorithm=A&X-Amz-Date=20261127T123005Z&X-Amz-Expires=60") == moment
    assert signed_at("http://store/x?X-Amz-Date=20261127T123005Z") == moment
    for url in (
        "http://store/x",
        "http://store/x?X-Amz-Date=20261327T123005Z",
        "http://store/x?X-Amz-Date=now",
        "http://store/x?Y-X-Amz-Date=20261127T123005Z",
        "http://store/X-Amz-Date=20261127T123005Z",
    ):
        assert signed_at(url) is None
