"""measure_crowd: the operator among thousands of finished requests: its start, its rest, and new work beside others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import time
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aiohttp

from profile_contract.areas import area_of
from profile_contract.artifacts import request_prefix
from profile_runtime.store.s3 import S3Store

from .api import ClusterApi, Document
from .engines import Product, path
from .processes import Process
from .stand import Stand

SEED = "person-00000"
NEWCOMERS = 60
NEWCOMER_PAUSE_SECONDS = 0.5
REST_SECONDS = 30.0
# Busy for less than this share of so long: nothing is left to be done.
STEADY_SHARE, STEADY_SECONDS = 0.1, 3.0
LONGEST_START_SECONDS = 300.0
READS = ("GetObject", "HeadObject", "ListObjectsV2", "ListObjectsV1")
THREADS = 16


@dataclass(frozen=True)
class Start:
    """What a start of the operator cost until it had nothing to do any more."""

    seconds: float
    writes: int
    store_reads: int


@dataclass(frozen=True)
class Rest:
    """What it cost to do nothing: cores used, and memory held."""

    cores: float
    mebibytes: float


@dataclass(frozen=True)
class Crowd:
    """The operator with `settled` finished requests, and with `active` unfinished ones beside. Pick-ups in seconds."""

    settled: int
    active: int
    stored: int
    load: float
    start: Start
    rest: Rest
    busy_rest: Rest
    pickup_p50: float
    pickup_p95: float
    restart: Start
    peak_mebibytes: float

    @classmethod
    def read(cls, row: Document) -> Crowd:
        """As `asdict` wrote it."""
        starts = {name: Start(**row[name]) for name in ("start", "restart")}
        return cls(**{**row, **starts, **{name: Rest(**row[name]) for name in ("rest", "busy_rest")}})


@dataclass(frozen=True)
class Size:
    """How many finished requests, how many unfinished ones, and how many of the finished have reports in the store."""

    settled: int
    active: int
    stored: int


async def measure_crowd(stand: Stand, api: ClusterApi, size: Size, namespaces: list[str]) -> Crowd:
    """Make the crowd of copies of one real request, and measure."""
    settled, active = size.settled, size.active
    product = Product()
    async with _running(stand, product):
        seed = await _finish(api, product, namespaces[0])
    begin = time.monotonic()
    await _settle(stand, api, product, seed, size)
    print(f"  {settled} settled in {time.monotonic() - begin:.0f} s", flush=True)
    async with _running(stand, product) as process:
        start = await _steady(stand, product, process)
        print(f"  {start}", flush=True)
        rest = await _rest(process)
        print(f"  {rest}", flush=True)
        await _activate(stand, api, product, active, namespaces)
        busy_rest = await _rest(process)
        print(f"  with {active} active: {busy_rest}", flush=True)
        pickups = sorted(await _pickups(api, product, namespaces))
        print(f"  pick-ups {pickups[0]:.2f} to {pickups[-1]:.2f} s", flush=True)
        peak = process.peak_mebibytes
    load = os.getloadavg()[0]
    async with _running(stand, product) as process:
        restart = await _steady(stand, product, process)
        peak = max(peak, process.peak_mebibytes)
    return Crowd(
        settled=settled,
        active=active,
        stored=size.stored,
        load=round(load),
        start=start,
        rest=rest,
        busy_rest=busy_rest,
        pickup_p50=round(statistics.median(pickups), 2),
        pickup_p95=round(statistics.quantiles(pickups, n=20, method="inclusive")[-1], 2),
        restart=restart,
        peak_mebibytes=round(peak),
    )


@contextlib.asynccontextmanager
async def _running(stand: Stand, product: Product) -> AsyncIterator[Process]:
    """The operator, until the block ends."""
    process = product.start(stand)
    try:
        yield process
    finally:
        await asyncio.to_thread(process.end)


# --- the crowd ---


async def _finish(api: ClusterApi, product: Product, namespace: str) -> Document:
    """One real request, finished."""
    await api.call("POST", path(product.collection, namespace), product.work(namespace, SEED))
    async for document in api.changes(path(product.collection, namespace)):
        if document["metadata"]["name"] == SEED and product.finished(document):
            return document
    raise AssertionError


async def _settle(stand: Stand, api: ClusterApi, product: Product, seed: Document, size: Size) -> None:
    """Copies of a finished request, each under a name of its own, with its reports and records in the store."""
    metadata = seed["metadata"]
    namespace, place = metadata["namespace"], path(product.collection, metadata["namespace"])
    uid = (await api.call("GET", f"/api/v1/namespaces/{namespace}"))["metadata"]["uid"]
    prefix, store = request_prefix(area_of(namespace, uid), SEED), stand.minio.store()
    records = {entry.key: store.read(entry.key) for entry in store.list(prefix) if entry.key.endswith(".json")}
    pool = ThreadPoolExecutor(THREADS)

    async def copy(number: int) -> None:
        name = f"person-{number:05}"
        bare = {**product.work(namespace, name)}
        bare["metadata"] = {"name": name, "namespace": namespace, "finalizers": metadata["finalizers"]}
        created = await api.call("POST", place, bare)
        other = created["metadata"]["uid"]
        status = json.dumps(seed["status"]).replace(SEED, name).replace(metadata["uid"], other)
        await api.call("PATCH", f"{place}/{name}/status", {"status": json.loads(status)})
        if number > size.stored:
            return
        renamed = {
            key.replace(SEED, name): data.replace(SEED.encode(), name.encode()).replace(
                metadata["uid"].encode(), other.encode()
            )
            for key, data in records.items()
        }
        await asyncio.get_running_loop().run_in_executor(pool, _write, store, renamed)

    for first in range(1, size.settled, 500):
        last = min(first + 500, size.settled)
        await asyncio.gather(*(copy(number) for number in range(first, last)))
        print(f"    {last} settled", flush=True)
    pool.shutdown()


def _write(store: S3Store, objects: dict[str, bytes]) -> None:
    for key, data in objects.items():
        store.write(key, data)


async def _activate(stand: Stand, api: ClusterApi, product: Product, active: int, namespaces: list[str]) -> None:
    """So many requests whose training runs and does not end."""
    async with aiohttp.ClientSession() as session, session.put(f"{stand.predictor}/hold/train") as answer:
        answer.raise_for_status()
    places = [(path(product.collection, namespaces[number % len(namespaces)]), number) for number in range(active)]
    works = [
        ("POST", place, product.work(namespaces[number % len(namespaces)], f"active-{number:05}"))
        for place, number in places
    ]
    await api.all(works)
    selector = {"labelSelector": "profilestudio.io/stage=train", "fieldSelector": "status.phase=Running"}
    while len((await api.call("GET", "/api/v1/pods", None, **selector))["items"]) < active:
        await asyncio.sleep(3)
    await asyncio.sleep(STEADY_SECONDS)


# --- what is measured ---


async def _steady(stand: Stand, product: Product, process: Process) -> Start:
    """Wait until a process that was started just now has begun and does nothing any more, and say what that took."""
    begin, writes, reads = time.monotonic(), stand.writes(product.user), _store_reads(stand)
    while not await asyncio.to_thread(_works, stand):
        await asyncio.sleep(0.2)
    quiet = time.monotonic()
    while time.monotonic() - quiet < STEADY_SECONDS and time.monotonic() - begin < LONGEST_START_SECONDS:
        busy, moment = process.busy_seconds, time.monotonic()
        await asyncio.sleep(0.5)
        if (process.busy_seconds - busy) / (time.monotonic() - moment) > STEADY_SHARE:
            quiet = time.monotonic()
    seconds = round(quiet - begin, 1)
    return Start(seconds, stand.writes(product.user) - writes, _store_reads(stand) - reads)


def _works(stand: Stand) -> bool:
    """Whether the operator has gone round its requests once: then it has counted them."""
    url = f"http://127.0.0.1:{stand.metrics_port}/metrics"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
        return b"profile_requests{" in answer.read()
    return False


async def _rest(process: Process) -> Rest:
    """What it uses while nothing is asked of it."""
    cpu, begin = process.cpu_seconds, time.monotonic()
    await asyncio.sleep(REST_SECONDS)
    cores = (process.cpu_seconds - cpu) / (time.monotonic() - begin)
    return Rest(round(cores, 3), round(process.mebibytes))


async def _pickups(api: ClusterApi, product: Product, namespaces: list[str]) -> list[float]:
    """For each of some new requests, how long it takes until the operator has written something to it."""
    asked: dict[str, float] = {}
    answered: dict[str, float] = {}

    async def follow() -> None:
        async for document in api.changes(path(product.collection)):
            name = document["metadata"]["name"]
            if name in asked and name not in answered and document["metadata"].get("finalizers"):
                answered[name] = time.monotonic() - asked[name]

    following = asyncio.create_task(follow())
    await asyncio.sleep(STEADY_SECONDS)
    for number in range(NEWCOMERS):
        name, namespace = f"newcomer-{number:05}", namespaces[number % len(namespaces)]
        asked[name] = time.monotonic()
        await api.call("POST", path(product.collection, namespace), product.work(namespace, name))
        await asyncio.sleep(NEWCOMER_PAUSE_SECONDS)
    deadline = time.monotonic() + REST_SECONDS
    while len(answered) < NEWCOMERS and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    following.cancel()
    return [answered.get(name, REST_SECONDS) for name in asked]


def _store_reads(stand: Stand) -> int:
    """Objects read, asked about and lists made until now, as the store counts them."""
    url = f"http://{stand.minio.address}/minio/metrics/v3/api/requests"
    with urllib.request.urlopen(url, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    named = tuple(f'minio_api_requests_total{{name="{name}"' for name in READS)
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(named))
