"""What is watched, over an API server in memory: lists in pages, watches that lag, end, expire and are refused."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fake_kubernetes import CLUSTER_LOOKS, CLUSTER_STYLES, JOBS, LOOKS, REQUESTS, STYLES, FakeKubernetes
from profile_contract.resource import Key
from profile_operator.clients import lister as module
from profile_operator.clients.entries import request_entry
from profile_operator.clients.watched import WatchedKube
from profile_operator.compared import compared_with
from profile_runtime.kubernetes import aio
from profile_runtime.kubernetes.errors import ApiError, Forbidden, ResourceNotFound
from watched_kube import Woken, following, job, until

KEY = Key("hr", "minji")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)


def request(name: str = "minji", *, ready: bool = False, **metadata: Any) -> dict[str, Any]:
    """A request as it stands, finished for its generation where it is `ready`."""
    condition = {"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}
    status = {"observedGeneration": 1, "stageText": "Done", "conditions": [condition]} if ready else {}
    return {
        "kind": "ProfileRequest",
        "metadata": {"name": name, "generation": 1, "finalizers": ["profilestudio.io/purge"], **metadata},
        "spec": {"styles": ["studio-warm"], "photos": {"prefix": f"uploads/{name}/"}, "priority": 3},
        "status": status,
    }


async def test_what_was_there_and_what_comes_is_known_without_a_further_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "PAGE", 2)
    server = FakeKubernetes()
    for number in range(5):
        server.put(REQUESTS.format("hr"), request(f"r{number}"))
    server.put(JOBS.format("hr"), job("r1-train-0", of="r1"))
    async with following(server) as (kube, woken):
        assert sorted(entry.key.name for entry in kube.listed) == [f"r{number}" for number in range(5)]
        pages = [call for call in server.calls if call.path.endswith("profilerequests") and "watch" not in call.query]
        assert [call.query.get("continue") for call in pages] == [None, "2", "4"]
        server.put(REQUESTS.format("lab"), request("sora"))
        server.put(CLUSTER_STYLES, {"metadata": {"name": "studio-warm"}, "spec": {"predictor": "p"}})
        server.put(JOBS.format("lab"), job("sora-train-0", of="sora"))
        await until(lambda: len(kube.listed) == 6 and len(kube.listed_jobs) == 2)
        await until(lambda: len(kube.listed_cluster_styles) == 1)
        before = len(server.calls)
        assert (await kube.request(Key("lab", "sora")))["spec"]["photos"] == {"prefix": "uploads/sora/"}
        (train,) = await kube.jobs(Key("lab", "sora"))
        assert train["metadata"]["labels"]["profilestudio.io/stage"] == "train"
        assert [style["spec"] for style in await kube.cluster_styles()] == [{"predictor": "p"}]
        with pytest.raises(ResourceNotFound):
            await kube.request(Key("hr", "nobody"))
        assert len(server.calls) == before
    assert woken.keys >= {Key("lab", "sora"), Key("hr", "r1")}


async def test_what_goes_is_forgotten_and_its_owner_woken() -> None:
    server = FakeKubernetes()
    server.put(REQUESTS.format("hr"), request())
    server.put(JOBS.format("hr"), job("minji-train-0"))
    async with following(server) as (kube, woken):
        woken.calls.clear()
        server.take(f"{JOBS.format('hr')}/minji-train-0")
        await until(lambda: not len(kube.listed_jobs))
        assert await kube.jobs(KEY) == []
        assert woken.calls == [(KEY, "")]
        server.take(f"{REQUESTS.format('hr')}/minji")
        await until(lambda: not len(kube.listed))
        assert kube.listed.asking("studio-warm") == []


async def test_a_watch_that_is_too_far_behind_lists_anew_what_came_and_what_went_meanwhile() -> None:
    server = FakeKubernetes()
    for name in ("minji", "sora"):
        server.put(REQUESTS.format("hr"), request(name))
    async with following(server) as (kube, woken):
        server.lagging = True
        woken.calls.clear()
        server.take(f"{REQUESTS.format('hr')}/minji")
        server.put(REQUESTS.format("hr"), request("jun"))
        server.oldest = server._version
        await until(lambda: {entry.key.name for entry in kube.listed} == {"sora", "jun"})
        assert {key.name for key in woken.keys} == {"minji", "jun"}


async def test_one_namespace_that_may_not_be_listed_stops_no_other() -> None:
    server = FakeKubernetes()
    server.refuse("GET", "/namespaces/closed/", 403, "profilerequests is forbidden", times=10**6)
    server.put(REQUESTS.format("open"), request())
    server.put(JOBS.format("closed"), job("a"))
    async with following(server, "closed", "open") as (kube, woken):
        assert [entry.key for entry in kube.listed] == [Key("open", "minji")]
        assert not kube.listed_jobs.knows("closed")
        server.put(REQUESTS.format("open"), request("sora"))
        await until(lambda: Key("open", "sora") in woken.keys)
        # What is not known is asked for, and its refusal told.
        with pytest.raises(ApiError, match="403"):
            await kube.jobs(Key("closed", "minji"))
        server.refusals.clear()
        await until(lambda: kube.listed_jobs.knows("closed"))


async def test_what_may_not_be_watched_any_more_is_not_known_any_more() -> None:
    """A namespace that is going lost its RoleBinding: what the watch said last of its Jobs is no truth to wait for."""
    server = FakeKubernetes()
    server.put(JOBS.format("hr"), job("minji-train-0"))
    async with following(server, "hr") as (kube, _):
        assert len(await kube.jobs(KEY)) == 1
        server.refuse("GET", "/jobs", 403, "forbidden", times=10_000)
        # The watch ends, as watches do.
        server.lagging = True
        server.put(JOBS.format("hr"), job("minji-train-1"))
        server.oldest = server._version
        await until(lambda: not kube.listed_jobs.knows("hr"))
        with pytest.raises(Forbidden):
            await kube.jobs(KEY)
        server.refusals.clear()
        server.lagging = False
        await until(lambda: kube.listed_jobs.knows("hr"))


async def test_a_write_of_our_own_is_seen_at_once_and_an_older_word_changes_nothing() -> None:
    server = FakeKubernetes()
    server.put(REQUESTS.format("hr"), request())
    async with following(server) as (kube, woken):
        server.lagging = True
        version = server.objects[f"{REQUESTS.format('hr')}/minji"]["metadata"]["resourceVersion"]
        woken.calls.clear()
        await kube.set_status(KEY, {"stageText": "Training"}, version)
        await kube.create_job(
            {**job("minji-train-0"), "metadata": {**job("minji-train-0")["metadata"], "namespace": "hr"}}
        )
        assert (await kube.request(KEY))["status"]["stageText"] == "Training"
        assert [entry["metadata"]["name"] for entry in await kube.jobs(KEY)] == ["minji-train-0"]
        old = {**request(), "metadata": {**request()["metadata"], "namespace": "hr", "resourceVersion": version}}
        kube.listed.put(msgspec.json.encode(old))
        assert (await kube.request(KEY))["status"]["stageText"] == "Training"
        server.lagging = False
        await asyncio.sleep(0.05)
        assert woken.calls == []


async def test_what_a_write_found_to_be_another_is_read_anew_whatever_the_watch_says() -> None:
    server = FakeKubernetes()
    server.put(REQUESTS.format("hr"), request())
    async with following(server) as (kube, _):
        server.lagging = True
        server.put(REQUESTS.format("hr"), {**request(), "spec": {"styles": ["plain"]}})
        assert (await kube.request(KEY))["spec"]["styles"] == ["studio-warm"]
        await kube.refresh(KEY)
        assert (await kube.request(KEY))["spec"]["styles"] == ["plain"]
        server.put(JOBS.format("hr"), job("minji-train-0"))
        assert await kube.jobs(KEY) == []
        await kube.job("hr", "minji-train-0")
        assert [entry["metadata"]["name"] for entry in await kube.jobs(KEY)] == ["minji-train-0"]
        server.take(f"{REQUESTS.format('hr')}/minji")
        await kube.refresh(KEY)
        with pytest.raises(ResourceNotFound):
            await kube.request(KEY)


async def test_versions_are_numbers_that_grow() -> None:
    server = FakeKubernetes()
    async with following(server) as (kube, _):
        for version, stage in (("999", "Training"), ("1000", "Generating"), ("998", "Queued")):
            document = {**request(namespace="hr", resourceVersion=version), "status": {"stageText": stage}}
            kube.listed.put(msgspec.json.encode(document))
        entry = kube.listed.get(KEY)
        assert entry is not None
        assert entry.stage_text == "Generating"


async def test_an_answer_that_comes_after_the_end_brings_nobody_back() -> None:
    server = FakeKubernetes()
    server.put(JOBS.format("hr"), job("minji-train-0"))
    async with following(server) as (kube, _):
        late = await kube.job("hr", "minji-train-0")
        server.take(f"{JOBS.format('hr')}/minji-train-0")
        await until(lambda: not len(kube.listed_jobs))
        kube.listed_jobs.put(msgspec.json.encode(late))
        assert await kube.jobs(KEY) == []


async def test_a_style_wakes_those_who_ask_for_it() -> None:
    server = FakeKubernetes()
    server.put(REQUESTS.format("hr"), request())
    server.put(REQUESTS.format("hr"), {**request("sora"), "spec": {"styles": ["plain"]}})
    async with following(server) as (kube, woken):
        woken.calls.clear()
        server.put(CLUSTER_STYLES, {"metadata": {"name": "studio-warm"}, "spec": {"predictor": "p"}})
        await until(lambda: bool(woken.calls))
        assert woken.keys == {KEY}
        server.put(REQUESTS.format("lab"), {**request(), "spec": {"styles": [{"name": "own", "kind": "ProfileStyle"}]}})
        server.put(
            REQUESTS.format("hr"), {**request("jun"), "spec": {"styles": [{"name": "own", "kind": "ProfileStyle"}]}}
        )
        await until(lambda: Key("hr", "jun") in woken.keys and Key("lab", "minji") in woken.keys)
        woken.calls.clear()
        server.put(STYLES.format("lab"), {"metadata": {"name": "own"}, "spec": {"predictor": "p"}})
        await until(lambda: bool(woken.calls))
        assert woken.keys == {Key("lab", "minji")}
        assert [style["metadata"]["name"] for style in await kube.styles("lab")] == ["own"]
        assert await kube.styles("hr") == []
        assert kube.style_digests("hr", ["team_own"]) == {"team_own": ""}
        assert kube.style_digests("lab", ["team_own"]) != {"team_own": ""}


def test_a_settled_request_is_kept_without_its_document() -> None:
    metadata: dict[str, Any] = {"namespace": "hr", "resourceVersion": "7"}
    entry = request_entry(msgspec.json.encode(request(ready=True, **metadata)))
    assert (entry.finished, entry.document, entry.stage_text, entry.priority) == (True, b"", "Done", 3)
    for unsettled in (
        request(ready=True, **metadata | {"generation": 2}),
        request(ready=True, **metadata | {"finalizers": []}),
        request(ready=True, **metadata, deletionTimestamp="2026-01-01T00:00:00Z"),
        request(ready=True, **metadata, annotations={"profilestudio.io/retry": "1"}),
        request(**metadata),
    ):
        assert not request_entry(msgspec.json.encode(unsettled)).finished


@pytest.mark.parametrize(
    ("holder", "handed_to", "settled"),
    [
        ("lab/other", "", True),
        ("lab/other", "hr/ours", False),
        ("lab/other", "hr/before", False),
        ("lab/other", "lab/third", True),
        ("", "hr/ours", False),
        ("hr/ours", "hr/ours", True),
        ("hr/ours", "hr/before", True),
        ("hr/before", "hr/ours", True),
        ("hr/ours", "lab/other", True),
    ],
)
async def test_a_settled_request_that_was_handed_over_is_none_until_it_is_taken_over(
    holder: str, handed_to: str, settled: bool
) -> None:
    server, annotations = FakeKubernetes(), {"profilestudio.io/installation": handed_to} if handed_to else {}
    document = request(ready=True, annotations=annotations)
    document["status"] |= {"installation": holder, "compared": compared_with("p", {"studio-warm": ""})}
    server.put(REQUESTS.format("hr"), document)
    async with following(server, installations=["hr/ours", "hr/before"]) as (kube, _):
        assert kube.settled(KEY, "p") is settled


def test_what_nobody_understands_is_kept_whole_and_raises_nothing() -> None:
    odd = {**request(namespace="hr", resourceVersion="7"), "status": {"conditions": "none"}, "spec": {"styles": 7}}
    entry = request_entry(msgspec.json.encode(odd))
    assert (entry.key, entry.finished, entry.styles) == (KEY, False, ())
    assert msgspec.json.decode(entry.document)["spec"] == {"styles": 7}


def test_what_is_long_and_read_by_nobody_is_not_kept() -> None:
    long = request(namespace="hr", resourceVersion="7", managedFields=[{"a": "x" * 5000}])
    long["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "x" * 5000, "note": "a"}
    assert len(request_entry(msgspec.json.encode(long)).document) < 500


def test_ten_thousand_settled_requests_take_little_and_grow_in_proportion() -> None:
    def bytes_of(count: int) -> int:
        documents = [
            msgspec.json.encode(
                request(f"r{number}", ready=True, namespace="hr", resourceVersion=str(number), uid="u" * 36)
            )
            for number in range(count)
        ]
        tracemalloc.start()
        entries = [request_entry(document) for document in documents]
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(entries) == count
        return taken

    small, large = bytes_of(1_000), bytes_of(10_000)
    assert large / 10_000 < 1_200
    assert large < 12 * small


async def test_watches_of_many_namespaces_leave_room_for_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each watch holds a connection for as long as it lasts: three of every namespace that is served."""
    server, namespaces = FakeKubernetes(), [f"team-{number}" for number in range(40)]
    async with server.running() as url:
        cluster = {"name": "c", "cluster": {"server": url}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        config = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {}}]}
        (tmp_path / "config").write_text(json.dumps({**config, "current-context": "x"}))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        kube = WatchedKube(await aio.connect(), namespaces, Woken())
        task = asyncio.create_task(kube.follow())
        try:
            async with asyncio.timeout(20):
                await kube.asked()
                while sum("watch" in call.query for call in server.calls) <= 3 * len(namespaces):
                    await asyncio.sleep(0.01)
                assert await kube.namespace_uid("team-0")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await kube.close()


# --- looks ---


def a_look(name: str) -> dict[str, Any]:
    file = {"key": f"looks/{name}.safetensors", "sha256": "a" * 64, "licence": "our own"}
    return {"metadata": {"name": name}, "spec": {"file": file}}


async def test_a_change_of_a_look_wakes_whoever_asks_for_a_style_that_draws_with_it() -> None:
    server = FakeKubernetes()
    style = {"metadata": {"name": "golden"}, "spec": {"adapters": [{"name": "film"}]}}
    server.put(CLUSTER_STYLES, style)
    own = {"metadata": {"name": "golden"}, "spec": {"adapters": [{"name": "rim", "kind": "StyleAdapter"}]}}
    for namespace, asked in (("hr", {"name": "golden"}), ("sales", {"name": "golden", "kind": "ProfileStyle"})):
        server.put(REQUESTS.format(namespace), {**request(namespace=namespace), "spec": {"styles": [asked]}})
        server.put(STYLES.format(namespace), own)
    async with following(server) as (kube, woken):
        digests = [kube.style_digests(space, [key]) for space, key in (("hr", "golden"), ("sales", "team_golden"))]
        woken.calls.clear()
        server.put(CLUSTER_LOOKS, a_look("film"))
        await until(lambda: woken.keys == {Key("hr", "minji")})
        woken.calls.clear()
        server.put(LOOKS.format("sales"), a_look("rim"))
        await until(lambda: woken.keys == {Key("sales", "minji")})
        assert kube.looks_changed.is_set()
        now = [kube.style_digests(space, [key]) for space, key in (("hr", "golden"), ("sales", "team_golden"))]
        assert all(before != after for before, after in zip(digests, now, strict=True))
        assert [look["metadata"]["name"] for look in await kube.looks("sales")] == ["film", "rim"]
        assert [look["metadata"]["name"] for look in await kube.looks("hr")] == ["film"]
