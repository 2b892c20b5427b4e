"""What `eval "$(python -m profile_sandbox env)"` sets: enough for kubectl, and for `kubectl profile`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from profile_cli.plugin.store import open_named
from profile_runtime.store.s3 import S3Store
from profile_sandbox.__main__ import _env
from profile_sandbox.passwords import STORE_OPERATOR_USER


def test_the_store_and_its_account_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox: Any = SimpleNamespace(
        kubeconfig=Path("/a b/kubeconfig"),
        address=lambda name: {"minio": "127.0.0.1:9000"}.get(name, "127.0.0.1:1"),
        passwords=SimpleNamespace(store_operator="a$b'c"),
    )
    assert _env(sandbox, argparse.Namespace()) == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert all(word == "export" and len(rest) == 1 for word, *rest in lines)
    told = dict(rest.split("=", 1) for _, rest in lines)
    assert told["KUBECONFIG"] == "/a b/kubeconfig"
    assert told["PROFILE_STORE"].startswith("s3://")
    assert "endpoint=127.0.0.1:9000&secure=false" in told["PROFILE_STORE"]
    assert (told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]) == (STORE_OPERATOR_USER, "a$b'c")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, told[name])
    assert isinstance(open_named(told["PROFILE_STORE"]), S3Store)
