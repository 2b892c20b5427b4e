"""The program's settings, and what it answers to whoever asks how it is."""

from __future__ import annotations

import httpx2
import pytest

from profile_history.__main__ import main
from profile_history.probes import ProbeServer
from profile_history.settings import HistorySettings
from profile_runtime.configuration import ConfigError

ENVIRONMENT = {
    "PROFILE_STORE": "s3://profiles?endpoint=minio:9000&secure=false",
    "AWS_ACCESS_KEY_ID": "history",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "PROFILE_DATABASE": "postgresql://profile:p4ssword@postgres/profile",
}


def test_settings_come_from_the_environment() -> None:
    told = {"PROFILE_NAMESPACES": "hr, campus,", "PROFILE_RESYNC_SECONDS": "60", "PROFILE_PORT": "0"}
    settings = HistorySettings.from_environment({**ENVIRONMENT, **told})
    assert settings.namespaces == ("hr", "campus")
    assert (settings.resync_seconds, settings.port) == (60.0, 0)
    assert settings.account == {"AWS_ACCESS_KEY_ID": "history", "AWS_SECRET_ACCESS_KEY": "s3cret"}
    defaults = HistorySettings.from_environment({**ENVIRONMENT, "PROFILE_NAMESPACES": ""})
    assert (defaults.namespaces, defaults.resync_seconds, defaults.port) == ((), 3600.0, 9090)


def test_no_secret_is_shown() -> None:
    shown = repr(HistorySettings.from_environment(ENVIRONMENT))
    assert "s3cret" not in shown
    assert "p4ssword" not in shown


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"lacks {name}$"):
        HistorySettings.from_environment({**ENVIRONMENT, name: ""})


def test_what_cannot_be_used_is_named() -> None:
    with pytest.raises(ConfigError, match="PROFILE_RESYNC_SECONDS: Input should be a valid number"):
        HistorySettings.from_environment({**ENVIRONMENT, "PROFILE_RESYNC_SECONDS": "often"})


@pytest.mark.parametrize("command", ["run", "rebuild"])
def test_without_settings_the_program_says_what_it_lacks(
    command: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.argv", ["profile_history", command])
    assert main() == 2
    assert "PROFILE_DATABASE" in caplog.text


def test_probes_and_metrics_are_answered() -> None:
    healthy = True
    server = ProbeServer(0, lambda: healthy)
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"

        def ask(path: str) -> tuple[int, bytes]:
            answer = httpx2.get(f"{address}{path}", timeout=5)
            return answer.status_code, answer.content

        assert ask("/healthz") == (200, b"ok")
        status, text = ask("/metrics")
        assert status == 200
        assert b"\nprofile_history_pending " in text
        assert ask("/secrets")[0] == 404
        healthy = False
        assert ask("/healthz")[0] == 500
    finally:
        server.shutdown()
        server.server_close()
