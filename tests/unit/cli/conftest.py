"""The plug-in before an API server and a store, as most of its tests want it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_api import FakeApi, serving
from plugin_world import WITH_STORE, Bucket, Call
from profile_cli.plugin import connection
from profile_cli.plugin.__main__ import main


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    api = FakeApi()
    with serving(api, tmp_path / "kubeconfig"):
        yield api


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    store = Bucket(tmp_path / "store")
    monkeypatch.setattr(connection, "open_named", lambda _: store)
    return store


@pytest.fixture
def call(api: FakeApi, store: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str, code: int = 0) -> str:
        # The command's own words win.
        verb, *rest = words
        url = ["--store", "s3://profiles?endpoint=store.example"] if verb in WITH_STORE else []
        assert main(["--kubeconfig", str(tmp_path / "kubeconfig"), verb, *url, *rest]) == code, capsys.readouterr().out
        return capsys.readouterr().out

    return run
