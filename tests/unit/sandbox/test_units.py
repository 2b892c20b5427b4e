"""The table of units, and the supervisor that runs one: order, retries, and what it says about a part that died."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from profile_sandbox import supervisor
from profile_sandbox.supervisor import Supervisor
from profile_sandbox.units import Kind, Unit, units


def test_every_need_is_a_unit_and_comes_without_a_circle() -> None:
    needs = {unit.name: set(unit.after) for unit in units()}
    assert len(needs) == len(units())
    done: set[str] = set()
    while len(done) < len(needs):
        ready = {name for name, wanted in needs.items() if name not in done and wanted <= done}
        assert ready, f"these wait for each other or for nothing: {set(needs) - done}"
        done |= ready


async def supervised(folder: Path, table: list[Unit], until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Run a table until its status satisfies `until`, and return the status."""
    status = folder / "status.json"
    rows: dict[str, Any] = {}
    running: Awaitable[None] = asyncio.create_task(Supervisor(table, folder, status).run())
    try:
        for _ in range(100):
            await asyncio.sleep(0.05)
            rows = json.loads(status.read_text())
            if until(rows):
                return rows
        raise AssertionError(rows)
    finally:
        asyncio.ensure_future(running).cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_unit_waits_for_what_it_needs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    table = [
        Unit("second", ("test", "-e", str(mark)), Kind.STEP, after=("first",)),
        Unit("first", ("sh", "-c", f"sleep 0.2; touch '{mark}'"), Kind.STEP),
    ]
    rows = await supervised(tmp_path, table, lambda rows: rows["second"]["phase"] in ("done", "failed"))
    assert [rows[name]["phase"] for name in ("first", "second")] == ["done", "done"]


async def test_a_step_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STEP_PAUSE_SECONDS", 0.01)
    count = tmp_path / "count"
    table = [Unit("apply", ("sh", "-c", f"echo . >> '{count}'; test $(wc -l < '{count}') = 3"), Kind.STEP)]
    rows = await supervised(tmp_path, table, lambda rows: rows["apply"]["phase"] == "done")
    assert rows["apply"]["code"] == 0


async def test_a_daemon_that_dies_is_failed_with_its_code_and_log(tmp_path: Path) -> None:
    table = [
        Unit("daemon", ("sh", "-c", "echo out of order; exit 3")),
        Unit("absent", ("/no/such/program",)),
        Unit("waiting", ("true",), after=("absent",)),
    ]
    rows = await supervised(
        tmp_path, table, lambda rows: {rows["daemon"]["phase"], rows["absent"]["phase"]} == {"failed"}
    )
    assert (rows["daemon"]["code"], rows["absent"]["code"]) == (3, 127)
    assert rows["waiting"]["phase"] == "waiting"
    assert (tmp_path / "daemon.log").read_text() == "out of order\n"
    assert "No such file" in (tmp_path / "absent.log").read_text()
