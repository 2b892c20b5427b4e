"""Lives: `python -m scale.lives [REQUESTS] [--profile]` measures what a request's life costs the operator's own loop.

The API server and the store are in memory, the server in a thread of its own, so that the CPU seconds of the loop's
thread are the operator's alone: HTTP is real, TLS and the store's client are left out. Needs no cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio import client

from api_documents import Call
from fake_kubernetes import CLUSTER_STYLES, REQUESTS, FakeKubernetes
from fake_store import MemoryStore, store_access
from operator_house import CONFIG, SPEC
from operator_world import STYLES as STYLE_SPECS
from profile_contract.resource import Key
from profile_contract.stages.generate import Candidate, GenerateReport
from profile_operator import operator_app
from profile_operator.clients import store as store_module
from profile_operator.config import LeaseConfig
from profile_operator.decide.plan import GenerationWork
from profile_operator.observe.snapshot import GenerationView
from profile_operator.operator_app import OperatorApp
from real_operator import ORDERS, SECRETS_GIVEN
from stage_reports import report_for

# A step of a pod's life: between them the operator sees what happened.
STEP_SECONDS = 0.25
STEPS = ("made", "active", "ready", "ended")


class Cluster(threading.Thread):
    """The API server with what moves Jobs on, in a thread with a loop of its own."""

    def __init__(self, store: MemoryStore, requests: int) -> None:
        super().__init__(daemon=True)
        self.server, self.store, self.requests = FakeKubernetes(), store, requests
        self.url, self.served, self._steps = "", threading.Event(), Counter[str]()
        self.first_jobs: dict[str, float] = {}

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with self.server.running() as self.url:
            self.served.set()
            while True:
                await asyncio.sleep(STEP_SECONDS)
                for path in [path for path in self.server.objects if "/jobs/" in path]:
                    self._move(path)

    def begin(self) -> None:
        """The requests, and what they need."""
        for name, style in STYLE_SPECS.items():
            self.server.put(CLUSTER_STYLES, {"metadata": {"name": name}, "spec": style.document()})
        for number in range(self.requests):
            namespace = f"team-{number % 10}"
            head = {"name": f"r{number}", "namespace": namespace}
            document = {"kind": "ProfileRequest", "metadata": head, "spec": SPEC.document()}
            self.server.put(REQUESTS.format(namespace), document)
            for photo in range(12):
                self.store.objects[f"{namespace}.1a2b3c4d-5e6f/uploads/minji/{photo}.jpg"] = b"photo %d" % photo

    def ready(self) -> int:
        """How many requests are Done."""
        objects = dict(self.server.objects)  # at once: the other thread writes
        documents = [document for path, document in objects.items() if "/profilerequests/" in path]
        return sum(document.get("status", {}).get("stageText") == "Done" for document in documents)

    def _move(self, path: str) -> None:
        """A Job one step on; at its end its report stands."""
        step = STEPS[min(self._steps[path], len(STEPS) - 1)]
        self._steps[path] += 1
        job = self.server.objects[path]
        owner = job["metadata"]["ownerReferences"][0]["uid"]
        self.first_jobs.setdefault(owner, time.monotonic())
        if step == "ended" and "conditions" in job.get("status", {}):
            return
        now = stamp()
        status: dict[str, Any] = {"startTime": now, "active": 1, "ready": int(step == "ready")}
        if step == "ended":
            variables = {item["name"]: item.get("value") for item in _container(job)["env"]}
            order = ORDERS[job["metadata"]["labels"]["profilestudio.io/stage"]].model_validate_json(
                variables["PROFILE_ORDER"] or ""
            )
            self.store.objects[f"{order.output}report.json"] = report_for(order, now).to_json().encode()
            end = {"type": "Complete", "status": "True", "lastTransitionTime": now}
            status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": [end]}
        self.server.objects[path] = self.server._stamped({**job, "status": status})


class Drawing:
    """The generation beside the loop, that needs no predictor."""

    def __init__(self, store: MemoryStore, add: Any) -> None:
        self._store, self._add = store, add
        self._seen: dict[str, GenerationView] = {}

    def view(self, uid: str) -> GenerationView:
        return self._seen.get(uid, GenerationView())

    def ensure(self, work: GenerationWork) -> None:
        if self.view(work.request.uid).running:
            return
        self._seen[work.request.uid] = GenerationView(digest=work.digest, running=True, total=work.total)
        asyncio.get_running_loop().call_later(4 * STEP_SECONDS, self._end, work)

    def _end(self, work: GenerationWork) -> None:
        for style in work.styles:
            candidates = [Candidate(seed=entry.seed, key=entry.key, twin=entry.twin) for entry in style.candidates]
            times = {"started_at": stamp(), "finished_at": stamp()}
            report = GenerateReport(digest=style.digest, style=style.key, candidates=candidates, **times)
            self._store.objects[f"{style.prefix}report.json"] = report.to_json().encode()
        self._seen[work.request.uid] = GenerationView(digest=work.digest)
        self._add(Key(work.request.namespace, work.request.name))

    def stop(self, uid: str) -> None:
        self._seen.pop(uid, None)

    forget = stop

    def serve(self, predictor: str, replicas: int | None) -> None:
        """How many replicas answer is of no matter here."""

    async def close(self) -> None:
        """Nothing is open."""


def stamp() -> str:
    """Now, as reports and Jobs say it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _container(job: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = job["spec"]["template"]["spec"]["containers"][0]
    return container


def kind_of(call: Call) -> str:
    """What a call is counted as."""
    parts = [part for part in call.path.split("/") if part]
    kind = parts[-1] if parts[-1] in ("status", "events", "jobs", "secrets") else parts[-2]
    dry = " on trial" if call.query.get("dryRun") else ""
    return f"{call.method} {kind}{dry}{' (watch)' if 'watch' in call.query else ''}"


async def lives(cluster: Cluster, store: MemoryStore, profile: cProfile.Profile | None) -> None:
    """Run the requests to their end, and tell what they cost."""

    async def connect() -> client.ApiClient:
        return client.ApiClient(client.Configuration(host=cluster.url))

    setattr(operator_app, "connect", connect)  # noqa: B010 - as a test would put it there
    setattr(operator_app, "GenerationRunner", lambda *given: Drawing(store, given[3]))  # noqa: B010
    setattr(store_module, "connect", lambda *_: store_access(store))  # noqa: B010
    lease = LeaseConfig(namespace="studio", name="operator")
    app = OperatorApp(CONFIG.model_copy(update={"metrics_port": 0, "health_port": 0, "lease": lease}), SECRETS_GIVEN)
    await app.start()
    await asyncio.sleep(1)
    cluster.server.calls.clear()
    began, wall = time.thread_time(), time.monotonic()
    if profile is not None:
        profile.enable()
    cluster.begin()
    while cluster.ready() < cluster.requests:
        await asyncio.sleep(0.5)
    await asyncio.sleep(1)
    if profile is not None:
        profile.disable()
    cpu, count = time.thread_time() - began, cluster.requests
    print(f"{count} requests in {time.monotonic() - wall:.1f} s; {1000 * cpu / count:.1f} ms of the loop's CPU each")
    first = sorted(moment - wall for moment in cluster.first_jobs.values())
    print(f"first Jobs: half after {first[count // 2]:.1f} s, all after {first[-1]:.1f} s")
    for kind, number in sorted(Counter(map(kind_of, cluster.server.calls)).items()):
        print(f"  {number / count:6.2f} {kind}")
    for kind, number in sorted(Counter(key.split("/")[3] for key in store.reads).items()):
        print(f"  {number / count:6.2f} reads of the store: {kind}")
    await app.stop()


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(prog="scale.lives")
    parser.add_argument("requests", type=int, nargs="?", default=40)
    parser.add_argument("--profile", action="store_true", help="tell where the time goes; slower")
    arguments = parser.parse_args()
    store, profile = MemoryStore(), cProfile.Profile(time.thread_time) if arguments.profile else None
    cluster = Cluster(store, arguments.requests)
    cluster.start()
    cluster.served.wait()
    asyncio.run(lives(cluster, store, profile))
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        pstats.Stats(profile).sort_stats("cumtime").print_stats(90)


if __name__ == "__main__":
    main()
