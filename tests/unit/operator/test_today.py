"""What a request would be resolved to now is found once, and again when anything that it depends on is another."""

from __future__ import annotations

import msgspec

from fake_kubernetes import CLUSTER_STYLES, REQUESTS, FakeKubernetes
from fake_store import MemoryStore, store_access
from operator_world import CONFIG, KEY, SPEC, STYLES
from profile_contract.resource import parse_head
from profile_operator.clients.progress import ProgressReader
from profile_operator.clients.watched import WatchedKube
from profile_operator.observe import today
from profile_operator.observe.issued import Issued
from profile_operator.observe.observer import Observer
from profile_operator.observe.snapshot import GenerationView
from profile_operator.observe.today import Today


def test_it_is_found_anew_with_another_mark_and_where_there_is_none() -> None:
    memory, times = Today(), list[int]()

    def find() -> dict[str, str]:
        times.append(1)
        return {"train": str(len(times))}

    marks = ["a", "a", "b", "a", None, None, "a"]
    assert [memory.of("u", mark, find)["train"] for mark in marks] == ["1", "1", "2", "3", "4", "5", "6"]
    assert memory.of("v", "a", find)["train"] == "7"


def test_no_more_are_remembered_than_there_is_room_for() -> None:
    memory = Today()
    for number in range(today.MOST + 10):
        memory.of(str(number), "a", dict)
    assert len(memory._known) == today.MOST


async def test_a_look_after_a_style_or_the_spec_changed_finds_it_anew() -> None:
    server, store = FakeKubernetes(), MemoryStore()
    spec = SPEC.document()
    document = server.put(REQUESTS.format(KEY.namespace), {"metadata": {"name": KEY.name}, "spec": spec})
    async with server.kube() as plain:
        kube = WatchedKube(plain.api._api, (KEY.namespace,), lambda key, version, within=0.0: None)
        for lister in (kube.listed_styles, kube.listed_jobs, kube.listed):
            lister._synced.add(KEY.namespace)
        kube.listed_cluster_styles._synced.add(None)

        def offer(name: str, prompt: str) -> None:
            style = STYLES[name].model_copy(update={"prompt": prompt})
            put = server.put(CLUSTER_STYLES, {"metadata": {"name": name}, "spec": style.document()})
            kube.listed_cluster_styles.put(msgspec.json.encode(put))

        observer = Observer(
            kube, store_access(store), ProgressReader(""), lambda uid: GenerationView(), CONFIG, issued=Issued()
        )

        async def look(**changes: object) -> dict[str, str]:
            document["spec"] = {**spec, **changes}
            document["metadata"]["generation"] += bool(changes)
            snapshot = await observer.snapshot(parse_head(document), document["spec"], 0.0)
            return dict(snapshot.today)

        for name, style in STYLES.items():
            offer(name, style.prompt)
        first = await look()
        assert await look() == first
        offer("warm", "{subject}, other")
        second = await look()
        assert {key for key in first if first[key] != second[key]} == {"style/warm"}
        offer("warm", STYLES["warm"].prompt)
        assert await look() == first
        third = await look(training={"rank": 4})
        assert {key for key in first if first[key] != third[key]} == {"train"}
