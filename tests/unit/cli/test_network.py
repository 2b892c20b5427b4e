"""Why something did not answer, in words: tried on real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from areas import area
from plain_server import plain_server
from profile_cli.errors import CommandError
from profile_cli.plugin.store import open_named, store_explained, store_trouble
from profile_cli.upload import standing_photos
from profile_runtime.store.port import StoreError


@pytest.fixture
def plain() -> Iterator[str]:
    """Something that answers every connection in plain words."""
    with plain_server() as address:
        yield address


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")


@pytest.mark.usefixtures("account")
def test_a_store_that_is_away_is_said_with_what_was_tried_and_what_to_check() -> None:
    url = "s3://profiles?endpoint=127.0.0.1:1&secure=false"
    with pytest.raises(CommandError, match=r"Tried http://127.0.0.1:1, bucket profiles: nothing listens") as failed:
        _listed(url)
    assert "without &secure=false" in str(failed.value)
    assert "MaxRetryError" not in str(failed.value).splitlines()[1]


def _listed(url: str) -> None:
    with store_explained(url):
        standing_photos(open_named(url), area(), "uploads/minji/")


@pytest.mark.usefixtures("account")
def test_a_store_of_plain_http_is_told_from_one_with_tls(plain: str) -> None:
    url = f"s3://profiles?endpoint={plain}"
    with pytest.raises(StoreError) as failed:
        open_named(url).list("hr/")
    advice = store_trouble(url, failed.value)
    assert "it does not speak TLS there" in advice
    assert "with &secure=false, if it speaks plain HTTP" in advice


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("NoSuchBucket", "no such bucket"),
        ("InvalidAccessKeyId", "does not know AWS_ACCESS_KEY_ID"),
        ("ExpiredToken", "expired"),
    ],
)
def test_what_the_store_refuses_is_said_in_words(code: str, words: str) -> None:
    assert words in store_trouble("s3://profiles?endpoint=h:1", StoreError(f"the store refused hr/: {code}"))


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("url", ["profiles", "https://minio:9000/profiles", "s3://", "file:///tmp", "s3://[bad"])
def test_a_store_is_named_as_it_must_be(url: str) -> None:
    with pytest.raises(CommandError, match=r"must be named as s3://BUCKET\?endpoint=HOST:PORT"):
        open_named(url)


def test_a_missing_account_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(CommandError, match="set AWS_SECRET_ACCESS_KEY in the environment"):
        open_named("s3://profiles?endpoint=h:1")
