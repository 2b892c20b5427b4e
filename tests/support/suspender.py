"""Suspender: what Kueue does to Jobs, and no more: of those in a queue it lets go as many as its quota, and preempts.

It writes `spec.suspend` alone, under a field manager of its own, as Kueue's controller for batch/v1 Jobs does.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from profile_sandbox import SandboxError
from profile_sandbox.kubectl import Kubectl

QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY = "kueue.x-k8s.io/priority-class"
MANAGER = "suspender"
LOOK_SECONDS = 1.0


@dataclass
class Suspender:
    """A queue of one namespace. `closed` Jobs are let go no more until they are opened again."""

    kubectl: Kubectl
    namespace: str
    queue: str
    quota: int = 1
    closed: set[str] = field(default_factory=set)
    admitted: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Suspender:
        self._thread = threading.Thread(target=self._run, name="suspender", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join()

    def jobs(self) -> list[dict[str, Any]]:
        """The Jobs of the queue that have not ended, the oldest first."""
        items = self.kubectl.get("-n", self.namespace, "jobs", "-l", f"{QUEUE}={self.queue}")["items"]
        going = [job for job in items if not job["status"].get("conditions") or not _ended(job)]
        return sorted(going, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))

    def preempt(self, name: str) -> None:
        """Take a Job's place away and close it."""
        self.closed.add(name)
        self._suspend(name, suspended=True)

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._look()
            except SandboxError:
                continue

    def _look(self) -> None:
        """Let go whoever comes next, while there is quota."""
        jobs = self.jobs()
        free = self.quota - sum(not job["spec"].get("suspend") for job in jobs)
        waiting = [job["metadata"]["name"] for job in jobs if job["spec"].get("suspend")]
        for name in [name for name in waiting if name not in self.closed][: max(free, 0)]:
            self._suspend(name, suspended=False)
            self.admitted.append(name)

    def _suspend(self, name: str, *, suspended: bool) -> None:
        patch = json.dumps({"spec": {"suspend": suspended}})
        self.kubectl.run(
            "-n", self.namespace, "patch", "job", name, f"--field-manager={MANAGER}", "--type=merge", "-p", patch
        )


def _ended(job: dict[str, Any]) -> bool:
    """Whether a Job succeeded or failed."""
    ends = ("Complete", "Failed")
    return any(one["type"] in ends and one["status"] == "True" for one in job["status"].get("conditions", ()))
