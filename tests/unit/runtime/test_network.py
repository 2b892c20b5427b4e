"""Why something did not answer, in words: tried on real sockets, by each of the clients that we use."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing

import aiohttp
import httpx2
import pytest
import urllib3

from plain_server import plain_server
from profile_runtime.network import network_trouble


@pytest.fixture
def plain() -> Iterator[str]:
    """Something that answers every connection in plain words."""
    with plain_server() as address:
        yield address


def trouble(url: str) -> str:
    with pytest.raises(urllib3.exceptions.HTTPError) as failed:
        urllib3.PoolManager(retries=False, timeout=2).request("GET", url)
    return network_trouble(failed.value)


def test_what_happens_on_the_network_is_said_in_words(plain: str) -> None:
    assert trouble("http://127.0.0.1:1/") == "nothing listens there (connection refused)"
    assert trouble("http://nobody.invalid/") == "no host of this name is known"
    assert trouble(f"https://{plain}/") == "it does not speak TLS there"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ssl.SSLCertVerificationError(1, "self-signed"), "its certificate is not trusted here"),
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(104, "reset"), "the connection was cut"),
        (ValueError("odd"), "ValueError"),
    ],
)
def test_other_troubles_too(error: Exception, words: str) -> None:
    assert network_trouble(urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("h"), "/", error)) == words


async def test_every_client_says_the_same_of_a_port_where_nothing_listens() -> None:
    words = "nothing listens there (connection refused)"
    with pytest.raises(httpx2.HTTPError) as refused:
        async with httpx2.AsyncClient() as client:
            await client.get("http://127.0.0.1:1/")
    assert network_trouble(refused.value) == words
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as failed:
            await session.get("http://127.0.0.1:1/")
    assert network_trouble(failed.value) == words


async def test_a_client_that_waited_in_vain_says_so() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server, pytest.raises(httpx2.HTTPError) as late:
        async with httpx2.AsyncClient(timeout=0.05) as client:
            await client.get(f"http://127.0.0.1:{server.getsockname()[1]}/")
    assert network_trouble(late.value) == "no answer in time"
