"""Whole operators over one API server: who works, what a round costs, and what a second one does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes.aio import client

from event_receiver import Receiver
from fake_kubernetes import EVENTS, REQUESTS, FakeKubernetes
from fake_store import MemoryStore, store_access
from operator_world import CONFIG, SPEC
from profile_contract.resource import INSTALLATION_ANNOTATION, Key
from profile_operator import election, metrics, operator_app, workqueue
from profile_operator.clients import breaker, lister
from profile_operator.clients import store as store_module
from profile_operator.clock import stamp
from profile_operator.compared import compared_with, platform_digest
from profile_operator.config import EventsConfig, EventSinkConfig, LeaseConfig, OperatorConfig
from profile_operator.operator_app import OperatorApp
from profile_operator.reconcile import Reconciler
from profile_runtime.store.port import StoreUnreachable
from real_operator import SECRETS_GIVEN

SETTINGS = CONFIG.model_copy(update={"metrics_port": 0, "health_port": 0, "resync_seconds": 0.2})
LED = SETTINGS.model_copy(update={"lease": LeaseConfig(namespace="studio", name="operator")})


async def until(holds: Callable[[], bool], seconds: float = 40.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lister, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(election, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_SECONDS", 0.02)


@asynccontextmanager
async def running(
    monkeypatch: pytest.MonkeyPatch, url: str, store: MemoryStore, config: OperatorConfig
) -> AsyncIterator[OperatorApp]:
    """One operator, from its start to its end."""

    async def connect() -> client.ApiClient:
        return client.ApiClient(client.Configuration(host=url))

    def open_store(_: Any, __: Any, fence: Callable[[], None] | None) -> store_module.StoreAccess:
        access = store_access(store)
        access._fence = fence
        return access

    monkeypatch.setattr(operator_app, "connect", connect)
    monkeypatch.setattr(store_module, "connect", open_store)
    app = OperatorApp(config, SECRETS_GIVEN)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


def settled(name: str) -> dict[str, Any]:
    """A finished request of a platform that has not changed since."""
    condition = {"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}
    compared = compared_with(platform_digest(SETTINGS), dict.fromkeys(SPEC.style_keys, ""))
    return {
        "kind": "ProfileRequest",
        "metadata": {"name": name, "generation": 1, "finalizers": ["profilestudio.io/purge"]},
        "spec": SPEC.document(),
        "status": {"observedGeneration": 1, "stageText": "Done", "conditions": [condition], "compared": compared},
    }


def fresh(name: str) -> dict[str, Any]:
    """A request that nobody has looked at."""
    return {"kind": "ProfileRequest", "metadata": {"name": name}, "spec": SPEC.document()}


async def test_settled_requests_cost_no_read_and_no_write_and_stand_before_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, store = FakeKubernetes(), MemoryStore()
    for number in range(2000):
        server.put(REQUESTS.format("hr"), settled(f"r{number}"))
    rounds: list[int] = []
    go_round = OperatorApp._resync_once

    async def counted(self: OperatorApp) -> None:
        await go_round(self)
        rounds.append(1)

    monkeypatch.setattr(OperatorApp, "_resync_once", counted)
    async with server.running() as url, running(monkeypatch, url, store, SETTINGS):
        await until(lambda: len(rounds) >= 3, 30)
        asked = [call for call in server.calls if "watch" not in call.query]
        assert {call.method for call in asked} == {"GET"}
        # Four pages of requests, one of Jobs, one of each kind of styles and of their adapters.
        assert len(asked) == 9
        assert store.reads == store.lists == []
        server.put(REQUESTS.format("hr"), fresh("new"))
        # At once, but for what else a busy machine does.
        await until(lambda: bool(server.writes("/new")), 10)
        assert [call.path for call in server.writes() if "/new" not in call.path] == []


async def test_what_another_installation_serves_is_counted_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the alerts of both would tell of it, and here nobody could end them."""
    server, config = FakeKubernetes(), SETTINGS.model_copy(update={"installation": "hr/ours"})
    stages = {"train": {"digest": "d", "failure": {"reason": "Evicted", "attempt": 14, "digest": "d"}}}
    condition = {"type": "Ready", "status": "False", "reason": "Evicted"}
    for name, holder in (("kept", "lab/other"), ("handed", "hr/ours"), ("ours", "hr/ours")):
        document = fresh(name)
        document["status"] = {"installation": holder, "stageText": "Training", "stages": stages}
        document["status"]["conditions"] = [condition]
        if name == "handed":
            document["metadata"]["annotations"] = {INSTALLATION_ANNOTATION: "lab/other"}
        server.put(REQUESTS.format("hr"), document)
    counted: list[float] = []
    monkeypatch.setattr(metrics.RETRIED, "set", counted.append)
    async with server.running() as url, running(monkeypatch, url, MemoryStore(), config):
        await until(lambda: bool(counted))
    assert counted[0] == 1


async def test_a_changed_platform_looks_once_at_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeKubernetes()
    server.put(REQUESTS.format("hr"), settled("minji"))
    other = SETTINGS.model_copy(update={"training": CONFIG.training.model_copy(update={"rank": 8})})
    async with server.running() as url, running(monkeypatch, url, MemoryStore(), other) as app:
        assert not app._kube.settled(Key("hr", "minji"), platform_digest(other))
        await until(lambda: any(call.path.endswith("/minji") and call.method == "GET" for call in server.calls))


async def test_what_was_handed_over_while_nobody_watched_is_claimed_at_the_next_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, config = FakeKubernetes(), SETTINGS.model_copy(update={"installation": "hr/ours"})
    document = settled("minji")
    document["status"]["installation"] = "lab/other"
    document["metadata"]["annotations"] = {INSTALLATION_ANNOTATION: "hr/ours"}
    server.put(REQUESTS.format("hr"), document)
    async with server.running() as url, running(monkeypatch, url, MemoryStore(), config):
        await until(lambda: bool(server.writes("/minji/status")))
    assert server.writes("/minji/status")[0].body["status"]["installation"] == "hr/ours"


async def test_one_of_two_works_and_the_other_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    server, store = FakeKubernetes(), MemoryStore()
    server.put(REQUESTS.format("hr"), fresh("minji"))
    async with server.running() as url, running(monkeypatch, url, store, LED) as first:
        await until(lambda: bool(server.writes("/profilerequests/")))
        async with running(monkeypatch, url, store, LED) as second:
            await until(lambda: len(second._kube.listed) == 1)
            await asyncio.sleep(0.3)
            assert (first._leads, second._leads) == (True, False)
            assert second.healthy
            await first.stop()
            before = len(server.writes("/profilerequests/"))
            await until(lambda: second._leads)
            server.put(REQUESTS.format("hr"), fresh("sora"))
            await until(lambda: any("/sora" in call.path for call in server.writes()))
            assert len(server.writes("/profilerequests/minji")) <= before
            assert not second.ended.is_set()


async def test_who_cannot_renew_writes_nothing_more_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "WORK_SECONDS", 0.3)
    server = FakeKubernetes()
    async with server.running() as url, running(monkeypatch, url, MemoryStore(), LED) as app:
        await until(lambda: app._leads)
        server.refuse("PATCH", "/leases/", 500, "etcd is away", times=10**6)
        async with asyncio.timeout(5):
            await app.ended.wait()
        before = len(server.writes("/profilerequests/"))
        server.put(REQUESTS.format("hr"), fresh("late"))
        await asyncio.sleep(0.3)
        assert len(server.writes("/profilerequests/")) == before
        with pytest.raises(election.NotLeading):
            await app._kube.set_finalizers(Key("hr", "late"), ["a/b"], "1")


async def test_the_echo_of_our_own_write_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = SETTINGS.model_copy(update={"resync_seconds": 1000})
    server, store = FakeKubernetes(), MemoryStore()
    looks: list[Key] = []
    reconcile = Reconciler.reconcile

    async def counted(self: Reconciler, key: Key) -> float | None:
        looks.append(key)
        return await reconcile(self, key)

    monkeypatch.setattr(Reconciler, "reconcile", counted)
    async with server.running() as url, running(monkeypatch, url, store, quiet) as app:
        await until(lambda: app._leads)
        server.put(REQUESTS.format("hr"), fresh("minji"))
        await until(lambda: bool(server.writes("/minji/status")))
        await asyncio.sleep(0.5)
        assert looks == [Key("hr", "minji")]


async def test_a_store_that_is_down_is_asked_by_one_and_those_who_waited_go_on_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Down(MemoryStore):
        asked = 0

        def _there(self) -> None:
            self.asked += 1
            if self.away:
                raise StoreUnreachable("the store cannot be reached: MaxRetryError")

    server, store = FakeKubernetes(), Down(away=True)
    for number in range(40):
        server.put(REQUESTS.format("hr"), fresh(f"r{number}"))
    async with server.running() as url, running(monkeypatch, url, store, SETTINGS):
        await until(lambda: len(server.named(REQUESTS.format("hr"))) == 40 and len(server.writes("/status")) >= 40)
        # Each worker may have been under way when the first of them found it down; then the probe alone asks.
        assert store.asked <= SETTINGS.workers + 10
        store.away = False
        await until(lambda: len(store.lists) >= 40, 5)


async def test_when_the_api_server_returns_those_who_waited_for_it_go_on_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workqueue, "FIRST_BACKOFF_SECONDS", 1000.0)
    monkeypatch.setattr(workqueue, "LONGEST_BACKOFF_SECONDS", 1000.0)
    quiet = SETTINGS.model_copy(update={"resync_seconds": 1000})
    server, store = FakeKubernetes(), MemoryStore()
    server.put(REQUESTS.format("hr"), fresh("minji"))
    server.refuse("PATCH", "/minji", 503, "etcd is away", times=10**6)
    serving = server.running()
    url = await serving.__aenter__()
    async with running(monkeypatch, url, store, quiet) as app:
        await until(lambda: Key("hr", "minji") in app.queue._failures)
        await serving.__aexit__(None, None, None)
        server.refusals.clear()
        assert "status" not in server.named(REQUESTS.format("hr"))["minji"]
        async with server.running(int(url.rpartition(":")[2])):
            await until(lambda: "status" in server.named(REQUESTS.format("hr"))["minji"], 20)


async def test_what_was_reached_lately_is_told_again_after_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    server, store, receiver = FakeKubernetes(), MemoryStore(), Receiver()
    now = datetime.now(UTC)
    for name, age in (("late", timedelta(minutes=5)), ("long-ago", timedelta(hours=2))):
        request = settled(name)
        reached = {"message": "2 portraits", "lastTransitionTime": stamp(now - age)}
        request["status"]["conditions"][0] |= reached
        server.put(REQUESTS.format("hr"), request)
    async with receiver.listening() as url, server.running() as api:
        config = SETTINGS.model_copy(update={"events": EventsConfig(sink=EventSinkConfig(url=url))})
        for _ in range(2):
            taken = len(receiver.taken)
            async with running(monkeypatch, api, store, config):
                await receiver.until(taken + 1)
    told = {(event["subject"], event["type"]) for event in receiver.taken}
    assert told == {("late", "io.profilestudio.request.ready")}
    assert len({event["id"] for event in receiver.taken}) == 1


async def test_two_installations_over_one_namespace_one_writes_and_the_other_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, store = FakeKubernetes(), MemoryStore()
    first, second = (SETTINGS.model_copy(update={"installation": name}) for name in ("hr/ours", "lab/second"))
    server.put(REQUESTS.format("hr"), fresh("minji"))

    def kept_off() -> list[str]:
        events = server.named(EVENTS.format("hr")).values()
        return [event["message"] for event in events if event["reason"] == "OtherInstallation"]

    async with server.running() as url, running(monkeypatch, url, store, first):
        await until(lambda: bool(server.writes("/minji/status")))
        async with running(monkeypatch, url, store, second):
            await until(lambda: bool(kept_off()))
            version = server.named(REQUESTS.format("hr"))["minji"]["metadata"]["resourceVersion"]
            # Several of their rounds.
            await asyncio.sleep(1.0)
            assert server.named(REQUESTS.format("hr"))["minji"]["metadata"]["resourceVersion"] == version
            assert server.named(REQUESTS.format("hr"))["minji"]["status"]["installation"] == "hr/ours"
            (message,) = kept_off()
            assert "(lab/second) keeps off: hr/ours serves" in message


async def test_whoever_leads_renews_the_lease_in_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeKubernetes()
    async with server.running() as url, running(monkeypatch, url, MemoryStore(), LED):
        await until(lambda: any(thread.name.startswith("lease") for thread in threading.enumerate()))
    assert not any(thread.name.startswith("lease") for thread in threading.enumerate())
