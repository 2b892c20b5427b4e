"""measure_throughput: so many at once, from the first create until the last is finished, and what that took."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field

from .api import ClusterApi
from .engines import Engine, path
from .processes import cpu_seconds_below
from .stand import Stand

# Nothing finishes any more: what hangs so long is a fault.
STUCK_SECONDS = 300.0
LOOK_SECONDS = 1.0
# Until a controller that was started watches everything.
BEGIN_SECONDS = 10.0


@dataclass(frozen=True)
class Throughput:
    """What one engine took for so many. `others`: CPU seconds of what stands beside it, by name; `everything`: those of
    all processes together, API server, etcd and store among them, but without the one that asks."""

    engine: str
    size: int
    seconds: float
    finished: int
    cpu_seconds: float
    peak_mebibytes: float
    writes: float
    load: float
    others: dict[str, float]
    everything: float = 0.0

    @property
    def rate(self) -> float:
        """Finished in a second."""
        return self.finished / self.seconds


async def measure_throughput(
    stand: Stand, api: ClusterApi, engine: Engine, size: int, namespaces: list[str]
) -> Throughput:
    """Start the engine, ask for `size` and wait until all are finished; the engine has ended when this returns."""
    process = engine.start(stand)
    try:
        await asyncio.sleep(BEGIN_SECONDS)
        if not process.runs:
            raise RuntimeError(f"{engine.name} does not run: see {stand.folder}")
        writes, cpu = stand.writes(engine.user), process.cpu_seconds
        others = {name: other.cpu_seconds for name, other in stand.processes.items()}
        everything = cpu_seconds_below(os.getpid())
        load = os.getloadavg()[0]
        seconds, finished = await _until_finished(api, engine, size * engine.each, namespaces)
        finished //= engine.each
        return Throughput(
            engine=engine.key,
            size=size,
            seconds=round(seconds, 1),
            finished=finished,
            cpu_seconds=round(process.cpu_seconds - cpu, 1),
            peak_mebibytes=round(process.peak_mebibytes),
            writes=round((stand.writes(engine.user) - writes) / max(finished, 1), 2),
            load=round((load + os.getloadavg()[0]) / 2),
            others={name: round(other.cpu_seconds - others[name], 1) for name, other in stand.processes.items()},
            everything=round(cpu_seconds_below(os.getpid()) - everything, 1),
        )
    finally:
        await asyncio.to_thread(process.end)


@dataclass
class _Progress:
    """What is finished of what was asked for, in seconds since `begin`; `moved`: when any of it changed last."""

    wanted: frozenset[str]
    begin: float = field(default_factory=time.monotonic)
    moved: float = field(default_factory=time.monotonic)
    done: dict[str, float] = field(default_factory=dict)

    async def follow(self, api: ClusterApi, engine: Engine) -> None:
        """Read changes until all is finished."""
        async for document in api.changes(path(engine.collection)):
            name = document["metadata"]["name"]
            if name not in self.wanted or name in self.done:
                continue
            self.moved = time.monotonic()
            if engine.finished(document):
                self.done[name] = self.moved - self.begin
                if len(self.done) == len(self.wanted):
                    return


async def _until_finished(api: ClusterApi, engine: Engine, size: int, namespaces: list[str]) -> tuple[float, int]:
    """Ask for all; returns when the last finished, counted from the first create, and how many did.

    An engine is given up when nothing of all that was asked for has changed for `STUCK_SECONDS`: one that takes the
    first step of everything before the second of anything finishes nothing for a long time.
    """
    names = [f"{engine.key}-{number:05}" for number in range(size)]
    progress = _Progress(frozenset(names))
    asked = asyncio.gather(
        *(
            api.call("POST", path(engine.collection, namespace), engine.work(namespace, name))
            for number, name in enumerate(names)
            for namespace in (namespaces[number % len(namespaces)],)
        )
    )
    following = asyncio.create_task(progress.follow(api, engine))
    await asked
    told, done = 0, progress.done
    while len(done) < size:
        if following.done():
            following.result()
        await asyncio.sleep(LOOK_SECONDS)
        if len(done) >= told + size // 10 + 1:
            told = len(done)
            print(f"    {time.monotonic() - progress.begin:5.0f} s: {told} of {size}", flush=True)
        if time.monotonic() - progress.moved > STUCK_SECONDS:
            break
    following.cancel()
    if not done:
        raise RuntimeError(f"nothing is finished of {engine.name}")
    return max(done.values()), len(done)
