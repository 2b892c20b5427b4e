"""Numbers on a command line, and what is said of those that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from profile_cli.__main__ import main

SERVE = ("serve", "--out", "out", "--port")
EVALUATE = ("evaluate", "--people", "people", "--out", "out")


@pytest.mark.parametrize("port", ["0", "65536", "99999999", "-1", "80.5", "", "9" * 5000, "\u0665"])
def test_a_port_that_is_none_is_told_at_once(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*SERVE[:-1], f"--port={port}"])
    assert ended.value.code == 2
    assert "is not a whole number from 1 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--limit=0", "--limit=-1", "--candidates=0", "--portraits=x"])
def test_as_many_as_none_cannot_be_measured(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*EVALUATE, option])
    assert ended.value.code == 2
    assert "is not a whole number of at least 1" in capsys.readouterr().err


def test_results_go_into_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "people" / "minji").mkdir(parents=True)
    (tmp_path / "people" / "minji" / "00.jpg").write_bytes(b"")
    (tmp_path / "out").write_text("a file")
    assert main(["evaluate", "--people", str(tmp_path / "people"), "--out", str(tmp_path / "out")]) == 1
    assert "out cannot be used: File exists" in capsys.readouterr().out
