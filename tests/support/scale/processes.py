"""Process: one that is measured or stands beside, with the CPU time and the memory that it took."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
END_SECONDS = 30


def cpu_seconds_below(pid: int) -> float:
    """What all processes that a process started have used so far, and those that these started; not what it used."""
    return sum(_cpu_seconds(child) + cpu_seconds_below(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


def _cpu_seconds(pid: int) -> float:
    """What a process has used of all cores together so far; 0 for one that has ended meanwhile."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


class Process:
    """A child process. Its output goes to a log."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], sockets: Sequence[int] = ()
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, env=dict(environment), pass_fds=tuple(sockets)
            )

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def cpu_seconds(self) -> float:
        """What it has used of all cores together so far."""
        return _cpu_seconds(self._process.pid)

    @property
    def busy_seconds(self) -> float:
        """How long its first thread worked, or waited for a core that others had."""
        worked, waited, _ = Path(f"/proc/{self._process.pid}/schedstat").read_text().split()
        return (int(worked) + int(waited)) / 1e9

    @property
    def peak_mebibytes(self) -> float:
        """The most memory that it ever held at once (VmHWM)."""
        return self._memory("VmHWM")

    @property
    def mebibytes(self) -> float:
        """The memory that it holds (VmRSS)."""
        return self._memory("VmRSS")

    def _memory(self, field: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(f"{field}:"))) / 1024

    def end(self) -> None:
        """Ask it to end, and wait for that; kill it when that takes too long."""
        if not self.runs:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
