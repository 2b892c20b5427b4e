"""OperatorProcess: the product's own operator in a process of its own, forked off one that has imported everything."""

from __future__ import annotations

import contextlib
import importlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from .effects import DIED, Fate, install

SUPPORT = Path(__file__).resolve().parents[1]
# Pauses, which are long in life and would say nothing here. What is not there any more is passed over.
PAUSES: dict[str, float | timedelta] = {
    "workqueue.FIRST_BACKOFF_SECONDS": 0.2,
    "workqueue.LONGEST_BACKOFF_SECONDS": 1.0,
    "clients.breaker.FIRST_PAUSE_SECONDS": 0.2,
    "clients.breaker.LONGEST_PAUSE_SECONDS": 1.0,
    "clients.lister.FIRST_PAUSE_SECONDS": 0.2,
    "clients.lister.LONGEST_PAUSE_SECONDS": 1.0,
    "clients.lister.LONGEST_AWAY_SECONDS": 1.0,
    "generate.runner.FIRST_PAUSE_SECONDS": 0.2,
    "decide.decision.LOOK_AGAIN_SECONDS": 2.0,
    "decide.deletion.SOON_SECONDS": 0.3,
    "decide.deletion.LOOK_SECONDS": 1.0,
    "decide.deletion.ARRIVAL": timedelta(seconds=1),
    "decide.failure.FIRST_PAUSE": timedelta(seconds=1),
    "decide.failure.LONGEST_PAUSE": timedelta(seconds=3),
    "observe.observer.PATIENCE": timedelta(seconds=2),
    "act.purge.EVICTION_SECONDS": 2.0,
    "act.purge.PATIENCE_SECONDS": 3.0,
    "election.LEASE_SECONDS": 6.0,
    "election.WORK_SECONDS": 4.0,
    "election.RETRY_SECONDS": 0.4,
}

# Two threads that ask after the same process at once would both read how it ended, of which one finds nothing.
_lock = threading.Lock()
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["profile_operator.__main__", "reliability.operators", "minio", "httpx2", "aiohttp"])


class OperatorProcess:
    """One process. Its log is `folder/NAME.log`, what it did `folder/NAME.effects`."""

    def __init__(self, name: str, folder: Path, config: Path, environment: Mapping[str, str], fate: Fate) -> None:
        os.environ["PYTHONPATH"] = str(SUPPORT)
        self.fate = fate
        self.log, self._record = folder / f"{name}.log", folder / f"{name}.effects"
        self._process: ForkServerProcess = _context.Process(
            target=_run, args=(config, dict(environment), fate, self.log, self._record), daemon=True
        )
        with _lock:
            self._process.start()

    @property
    def alive(self) -> bool:
        """Whether it runs, or stands still."""
        with _lock:
            return self._process.is_alive()

    @property
    def died(self) -> bool:
        """Whether it ended where it was asked to."""
        return self.exit_code == DIED

    @property
    def exit_code(self) -> int | None:
        """As it ended; None while it runs."""
        with _lock:
            return self._process.exitcode

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    @property
    def leads(self) -> bool:
        """Whether it ever led."""
        return self.log.exists() and "this operator leads" in self.log.read_text()

    @property
    def effects(self) -> list[str]:
        """The kinds of what it did, in order."""
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        return [line.partition("\t")[2] for line in lines]

    def thaw(self) -> None:
        """Let it go on."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        if self.alive:
            os.kill(self._pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.02)

    @property
    def _pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid


def _run(config: Path, environment: Mapping[str, str], fate: Fate, log: Path, record: Path) -> None:
    """The process itself."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    sys.argv = ["profile_operator", "--config", str(config)]
    for place, value in PAUSES.items():
        module, _, name = place.rpartition(".")
        with contextlib.suppress(ImportError):
            room = importlib.import_module(f"profile_operator.{module}")
            if hasattr(room, name):
                setattr(room, name, value)
    install(fate, record)
    from profile_operator.__main__ import main

    code = main()
    logging.shutdown()
    os._exit(code)
