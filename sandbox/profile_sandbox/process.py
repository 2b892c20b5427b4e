"""The sandbox's outer process: `unshare`, whose death takes the namespaces and everything in them along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from .boot import Boot

END_SECONDS = 20.0


class SandboxError(RuntimeError):
    """What a person has to know and do; shown without a traceback."""


def start(boot: Boot, scratch: Path, log: Path) -> int:
    """Start the supervisor in namespaces of its own and return the outer process's id."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "unshare",
                *("--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
                *(sys.executable, "-m", "profile_sandbox.supervisor", boot.to_json(), str(scratch)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=list(boot.forwards.values()),
            env=_environment(),
            cwd="/",
        )
    process.returncode = 0  # it outlives this program; nobody here waits for it
    return process.pid


def _environment() -> dict[str, str]:
    folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    kept = {key: os.environ[key] for key in ("HOME", "LANG", "PYTHONPATH") if key in os.environ}
    return {**kept, "PATH": ":".join(folders)}


def alive(pid: int, started: float) -> bool:
    """Whether the process with that id is the one that began at `started` (clock ticks, see `birth`)."""
    return pid > 0 and birth(pid) == started


def birth(pid: int) -> float:
    """When a process began, in clock ticks since the machine's start; -1 if there is none. Tells reused ids apart."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1.0
    return -1.0 if fields[0] == "Z" else float(fields[19])


def inner(pid: int) -> int:
    """The machine's id of the first process in the namespaces of the outer process `pid`.

    Raises SandboxError while there is none.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    if not children:
        raise SandboxError("the sandbox's process has ended; see `python -m profile_sandbox logs supervisor`")
    return int(children[0])


def run_inside(pid: int, argv: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program in the namespaces of the outer process `pid`, and return its output."""
    entry = ["nsenter", f"--target={inner(pid)}", "--net", "--mount", "--pid", "--ipc", "--"]
    return subprocess.run([*entry, *argv], check=check, capture_output=True, text=True)


def end(pid: int, started: float) -> None:
    """End the outer process, and wait until the namespaces' first process is gone as well."""
    if not alive(pid, started):
        return
    try:
        first = inner(pid)
    except SandboxError:
        first = 0
    first_started = birth(first)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_SECONDS
    while alive(pid, started) or alive(first, first_started):
        if time.monotonic() > deadline:
            raise SandboxError(f"process {pid} does not end; something in it hangs in the kernel")
        time.sleep(0.05)


def environment_for(kubeconfig: Path) -> Mapping[str, str]:
    """The environment in which kubectl and helm talk to the sandbox."""
    return {**os.environ, "KUBECONFIG": str(kubeconfig)}
