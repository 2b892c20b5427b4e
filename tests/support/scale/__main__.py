"""`python -m scale`: measure what is not measured yet, tell it, and write it down in docs/benchmarks.md.

Each figure is kept in a file as soon as it is there, so that a run that is cut off goes on where it was; `--anew`
begins again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from profile_sandbox.paths import CLONE

from .api import ClusterApi
from .crowd import Size, measure_crowd
from .engines import ENGINES, Engine, Jobs, prepare
from .page import JOBS, PRODUCT, SIZES, write_section
from .results import Results
from .stand import Stand, install, stand
from .throughput import Throughput, measure_throughput

SETTLED, ACTIVE = 10_000, 500
NAMESPACES = [f"team-{number}" for number in range(10)]
# In memory: what is measured are the engines, not this machine's disk.
PLACE = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES), help="at once, of each engine")
    parser.add_argument("--engines", nargs="*", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--settled", type=int, default=SETTLED, help="finished ones beside; 0: leave that out")
    parser.add_argument("--active", type=int, default=ACTIVE, help="unfinished ones beside those")
    parser.add_argument("--stored", type=int, help="finished ones with reports in the store; else all")
    parser.add_argument("--results", type=Path, default=CLONE / "out" / "scale.json")
    parser.add_argument("--anew", action="store_true", help="forget what was measured before")
    arguments = parser.parse_args()
    if arguments.anew:
        arguments.results.unlink(missing_ok=True)
    results = Results.read(arguments.results)
    for size in arguments.sizes:
        asyncio.run(_race(results, size, arguments.engines))
    if arguments.settled and results.crowd(arguments.settled, arguments.active) is None:
        stored = arguments.settled if arguments.stored is None else arguments.stored
        asyncio.run(_crowd(results, Size(arguments.settled, arguments.active, stored)))
    write_section(results)
    return 0


async def _race(results: Results, size: int, keys: list[str]) -> None:
    """One engine after the other, each on an API server of its own, but for the Jobs, which are copied from what the
    product made before them.

    What one leaves slows the next down, and not by its own fault: past 12,500 pods that have ended, Kubernetes deletes
    the oldest one by one, while the next is measured.
    """
    missing = [key for key in keys if results.throughput(key, size) is None]
    for first in (key for key in missing if key != JOBS):
        async with _prepared() as (place, api):
            for key in (PRODUCT, JOBS) if first == PRODUCT and JOBS in missing else (first,):
                results.add(await _measured(place, api, ENGINES[key], size))


async def _measured(place: Stand, api: ClusterApi, engine: Engine, size: int) -> Throughput:
    print(f"{engine.name}, {size} at once", flush=True)
    if isinstance(engine, Jobs):
        await engine.copy(api, NAMESPACES[0])
    taken = await measure_throughput(place, api, engine, size, NAMESPACES)
    print(f"  {taken}", flush=True)
    return taken


async def _crowd(results: Results, size: Size) -> None:
    """The product with those that are finished."""
    async with _prepared() as (place, api):
        taken = await measure_crowd(place, api, size, NAMESPACES)
        results.add(taken)
        print(f"  {taken}", flush=True)


@contextlib.asynccontextmanager
async def _prepared() -> AsyncIterator[tuple[Stand, ClusterApi]]:
    """A fresh API server with all that the engines need. Its folder stays when something fails."""
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=PLACE))
    print(f"logs are in {folder}", flush=True)
    with stand(folder) as place:
        async with place.api() as api:
            await install(api, NAMESPACES)
            await prepare(api, place, NAMESPACES)
            yield place, api
    shutil.rmtree(folder)


if __name__ == "__main__":
    raise SystemExit(main())
