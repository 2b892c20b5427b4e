"""write_section: what was measured, as the section of docs/benchmarks.md about many requests."""

from __future__ import annotations

from figures import PAGE, Figures

from .crowd import Crowd, Start
from .engines import ENGINES, TUNED
from .results import Results
from .throughput import Throughput

SECTION = "Many requests (`make bench-scale`: kwok's nodes, stages done by a stub in a second)"
PRODUCT, JOBS = "product", "jobs"
# Of its writes three are Secrets: each stage has rights of its own.
GOALS = {
    PRODUCT: " (goal: 10): 3 Jobs, 3 Secrets, since each stage has rights of its own, the finalizer, else statuses"
}
YARDSTICKS = {"argo": "its defaults", "argo-tuned": "tuned"}
SIZES = (250, 500, 1000, 2000)


def write_section(results: Results) -> None:
    """Put everything that was measured on the page, and what was not."""
    figures = Figures(PAGE)
    complete = [size for size in SIZES if all(results.throughput(key, size) for key in (PRODUCT, *YARDSTICKS))]
    left = [str(size) for size in SIZES if size not in complete]
    how = "each engine at each size takes minutes on few cores; `make bench-scale` goes on with what is left"
    figures.add(SECTION, "sizes not run", ", ".join(left) or "none", how)
    for row in results.throughputs:
        figures.add(
            SECTION, f"{row.size} at once: {ENGINES[row.engine].name}", f"{row.rate:.2f} /s", _how(row), row.load
        )
    for size in sorted({row.size for row in results.throughputs}):
        ratios = _ratios(results, size)
        if ratios:
            how = f"Argo Workflows 3.7.4, four steps, same stand; tuned: `{' '.join(TUNED)}`; goal at 2000: 2 x"
            how += _what_stands_in_the_way(results, size)
            figures.add(SECTION, f"{size} at once: ratio", ratios, how, _load(results, size))
    for crowd in results.crowds:
        _add_crowd(figures, crowd)


def _how(row: Throughput) -> str:
    taken = f"{row.finished} in {row.seconds:.0f} s"
    everything = f"{1000 * row.everything / row.finished:.0f} ms with API server, etcd, store and all else"
    if row.engine == JOBS:
        return f"{taken}; CPU {everything}: what the cluster takes for three Jobs a request, made by no operator"
    parts = [taken, f"CPU {1000 * row.cpu_seconds / row.finished:.0f} ms each, {everything}"]
    parts.append(f"peak memory {row.peak_mebibytes:.0f} MiB")
    parts.append(f"{row.writes:.1f} API writes each, without Events{GOALS.get(row.engine, '')}")
    return "; ".join(parts)


def _ratios(results: Results, size: int) -> str:
    """How many times as many the product finishes in the same time as each yardstick."""
    product = results.throughput(PRODUCT, size)
    if product is None:
        return ""
    others = ((words, results.throughput(key, size)) for key, words in YARDSTICKS.items())
    return ", ".join(f"{product.rate / other.rate:.2f} x {words}" for words, other in others if other is not None)


def _what_stands_in_the_way(results: Results, size: int) -> str:
    """How much the Jobs alone take of what a request takes of the tuned yardstick: no operator comes below."""
    jobs, tuned = results.throughput(JOBS, size), results.throughput("argo-tuned", size)
    if jobs is None or tuned is None or not tuned.everything:
        return ""
    share = jobs.everything / jobs.finished / (tuned.everything / tuned.finished)
    return f"; the Jobs alone take {share:.2f} of the CPU time of a tuned workflow with all that serves it"


def _load(results: Results, size: int) -> float:
    return max(row.load for row in results.throughputs if row.size == size)


def _add_crowd(figures: Figures, crowd: Crowd) -> None:
    """The rows of one crowd."""
    beside = f"{crowd.settled} settled"
    both = f"{beside}, {crowd.active} active"
    rows = {
        f"{beside}: start": (f"{crowd.start.seconds:.0f} s", _start_costs(crowd.start)),
        f"{beside}: at rest": (f"{crowd.rest.cores:.3f} cores", f"memory {crowd.rest.mebibytes:.0f} MiB"),
        f"{both}: at rest": (
            f"{crowd.busy_rest.cores:.3f} cores",
            f"memory {crowd.busy_rest.mebibytes:.0f} MiB; goals: 0.25 cores, 256 MiB",
        ),
        f"{both}: picked up": (
            f"{crowd.pickup_p95:.2f} s",
            f"p95 of new requests, until the operator's first write; p50 {crowd.pickup_p50:.2f} s; goal: 1 s",
        ),
        f"{both}: restart": (f"{crowd.restart.seconds:.0f} s", _start_costs(crowd.restart)),
        f"{both}: peak memory": (
            f"{crowd.peak_mebibytes:.0f} MiB",
            f"of the operator's process; reports of {crowd.stored} lay in the store",
        ),
    }
    for name, (value, how) in rows.items():
        figures.add(SECTION, name, value, how, crowd.load)


def _start_costs(start: Start) -> str:
    costs = f"{start.writes} API writes, {start.store_reads} reads of the store"
    return f"until nothing is left to be done; {costs}; goals: 30 s, 0 writes, 1 read a request"
