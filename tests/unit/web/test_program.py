"""The page as a program: where it listens."""

from __future__ import annotations

import socket

import pytest

from profile_web import __main__ as program
from profile_web import metrics


def _reached(address: str, port: int, family: socket.AddressFamily) -> bool:
    with socket.socket(family) as caller:
        caller.settimeout(2)
        return caller.connect_ex((address, port)) == 0


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_listens_by_both_kinds_of_addresses() -> None:
    with program.listening_socket(0) as listening:
        port = listening.getsockname()[1]
        assert _reached("127.0.0.1", port, socket.AF_INET)
        assert _reached("::1", port, socket.AF_INET6)


def test_a_machine_without_ipv6_is_served_by_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with program.listening_socket(0) as listening:
        assert listening.family == socket.AF_INET
        assert _reached("127.0.0.1", listening.getsockname()[1], socket.AF_INET)


def test_metrics_are_answered_by_both_or_by_ipv4_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def start(_: int, addr: str) -> None:
        asked.append(addr)
        if addr == "::" and len(asked) == 1:
            raise OSError("no IPv6")

    monkeypatch.setattr(metrics, "start_http_server", start)
    metrics.serve()
    metrics.serve()
    assert asked == ["::", "0.0.0.0", "::"]  # noqa: S104 - what it asked for
