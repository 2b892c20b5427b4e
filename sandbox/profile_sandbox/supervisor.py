"""The first process of a sandbox's namespaces: prepares them, starts the units in order, relays ports, tells status.

Run by `process.py` as `unshare … python -m profile_sandbox.supervisor PLAN SCRATCH`. It restarts nothing: a part
that dies is a fact that `status` shows, with its log's last lines.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from . import layout, loopback, relay
from .boot import FORWARDS, Boot, Forward
from .namespaces import prepare
from .units import Kind, Unit, units

POLL_SECONDS = 0.1
# `kubectl` may come a moment before what it needs (a resource type that is being set up): tries, and the pause between.
STEP_TRIES = 8
STEP_PAUSE_SECONDS = 0.7
RESOLVED_FOR_SECONDS = 3.0


class UnitPhase(StrEnum):
    """How a unit stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    FAILED = "failed"


@dataclass
class UnitState:
    """A unit's phase, process and exit code, and the seconds after start when the phase began."""

    phase: UnitPhase = UnitPhase.WAITING
    pid: int = 0
    code: int | None = None
    at: float = 0.0


class Supervisor:
    """Runs units in the order of their needs."""

    def __init__(self, all_units: list[Unit], logs: Path, status: Path) -> None:
        self._units = all_units
        self._logs = logs
        self._status = status
        self._started = time.monotonic()
        self._ready = {unit.name: asyncio.Event() for unit in all_units}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self.standing = {unit.name: UnitState() for unit in all_units}

    async def run(self) -> None:
        """Start everything; returns never (the sandbox ends when its first process is killed)."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
        self._write_status()
        await asyncio.gather(*(self._run_unit(unit) for unit in self._units))
        await asyncio.Event().wait()

    async def _run_unit(self, unit: Unit) -> None:
        """Run a unit once everything that it comes after is ready."""
        for need in unit.after:
            await self._ready[need].wait()
        if unit.kind is Kind.STEP:
            await self._run_step(unit)
        else:
            await self._run_daemon(unit)

    async def _run_step(self, unit: Unit) -> None:
        """Run a command to its end, again a few times if it fails."""
        code = 1
        for attempt in range(STEP_TRIES):
            if attempt:
                await asyncio.sleep(STEP_PAUSE_SECONDS)
            code = await self._start(unit)
            if code == 0:
                break
        self._set(unit, UnitPhase.DONE if code == 0 else UnitPhase.FAILED, code=code)
        if code == 0:
            self._ready[unit.name].set()

    async def _run_daemon(self, unit: Unit) -> None:
        """Start a program, call it ready when it answers, and failed when it ends."""
        ended = self._start(unit)
        while not ended.done() and not await _answers(unit.ready):
            await asyncio.wait([ended], timeout=POLL_SECONDS)
        if not ended.done():
            self._set(unit, UnitPhase.READY)
            self._ready[unit.name].set()
        self._set(unit, UnitPhase.FAILED, code=await ended)

    def _start(self, unit: Unit) -> asyncio.Future[int]:
        """Start a unit's process; its exit code, once it has ended, or 127 where it cannot be started."""
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with (self._logs / f"{unit.name}.log").open("ab") as log:
            try:
                process = subprocess.Popen(
                    unit.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, **unit.environment},
                )
            except OSError as error:
                log.write(f"{unit.argv[0]}: {error.strerror}\n".encode())
                ended.set_result(127)
                return ended
        process.returncode = 0  # `_reap` waits for every child; Popen must not
        self._exits[process.pid] = ended
        self._set(unit, UnitPhase.STARTING, pid=process.pid)
        return ended

    def _reap(self) -> None:
        """Collect ended children: our own, and the orphans that a first process inherits."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._exits.pop(pid, None)
            if ended is not None:
                ended.set_result(os.waitstatus_to_exitcode(status))

    def _set(self, unit: Unit, phase: UnitPhase, *, pid: int | None = None, code: int | None = None) -> None:
        """Note a phase, and tell the outside."""
        standing = self.standing[unit.name]
        standing.phase, standing.code = phase, code
        standing.at = round(time.monotonic() - self._started, 2)
        if pid is not None:
            standing.pid = pid
        self._write_status()

    def _write_status(self) -> None:
        partial = self._status.with_suffix(".part")
        partial.write_text(json.dumps({name: asdict(standing) for name, standing in self.standing.items()}, indent=1))
        partial.replace(self._status)


async def _answers(ready: str) -> bool:
    """Whether what tells that a unit is ready, a socket or an address, takes a connection; nothing always does."""
    if not ready:
        return True
    if ready.startswith("/"):
        return Path(ready).exists() and await asyncio.to_thread(_socket_accepts, ready)
    return await asyncio.to_thread(_url_answers, ready)


def _socket_accepts(path: str) -> bool:
    """Whether a socket's file takes a connection."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
    return True


def _url_answers(url: str) -> bool:
    """Whether an address answers at all."""
    try:
        loopback.fetch(url)
    except (OSError, http.client.HTTPException):
        return False
    return True


class Resolver:
    """Where a forwarded port leads; a Service's address is asked for again after a few seconds."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._known: tuple[float, tuple[str, int]] | None = None

    async def __call__(self) -> tuple[str, int]:
        """Host and port. Raises LookupError while the Service is not there."""
        if not self._forward.namespace:
            return self._forward.service, self._forward.port
        if self._known is None or time.monotonic() - self._known[0] > RESOLVED_FOR_SECONDS:
            self._known = (time.monotonic(), await self._ask())
        return self._known[1]

    async def _ask(self) -> tuple[str, int]:
        """The Service's address now. Raises LookupError."""
        service = await asyncio.to_thread(loopback.service, self._forward.namespace, self._forward.service)
        address = str(service["clusterIP"])
        if address == "None":
            raise LookupError(f"{self._forward.service} is a headless Service")
        return address, self._forward.port or int(service["ports"][0]["port"])


async def supervise(boot: Boot) -> None:
    """Relay ports and run all units."""
    state = Path(layout.STATE)
    servers = [
        await relay.serve(socket.socket(fileno=number), Resolver(FORWARDS[name]))
        for name, number in boot.forwards.items()
    ]
    supervisor = Supervisor(units(), state / "logs", state / "status.json")
    await supervisor.run()
    for server in servers:
        server.close()


def main() -> None:
    """Entry point: the boot is the only argument, the scratch folder to mount on the second."""
    boot = Boot.from_json(sys.argv[1])
    prepare(boot.binds, Path(sys.argv[2]))
    asyncio.run(supervise(boot))


if __name__ == "__main__":
    main()
