"""Trials: one life each, disturbed in one way, and compared with a life that nothing disturbs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from profile_contract.artifacts import purgeable_mark

from .effects import Ending, Fate
from .kube import Document, jobs_path
from .life import NAME, READY_SECONDS, SETTLE_SECONDS, STAGES, Fault, Life, difference
from .results import CRASHES, DELETIONS, TWO, WATCHES
from .stand import Stand

JOB_STAGES = ("preprocess", "train", "finish")
LAG_SECONDS = 2.0
ALIVE_AGAIN = Fate()


@dataclass(frozen=True)
class Trial:
    """What is tried: its line in the table, what tells it from others, and how.

    `run` returns the line's name where only the run itself can tell it, and raises Fault.
    """

    section: str
    kind: str
    case: str
    run: Callable[[Stand, Document], str]
    # Takes something away from everybody: nothing else may run beside it.
    alone: bool = False


def undisturbed(stand: Stand) -> tuple[Document, list[str]]:
    """The outcome that all others are compared with, and the kinds of all effects of a life, its deletion too."""
    with life_in(stand) as life:
        operator = stand.operator(life.space)
        life.create()
        life.until_ready()
        time.sleep(3.0)
        outcome = life.outcome()
        life.delete()
        life.until_gone()
        life.check_gone()
        life.check_log()
        return outcome, operator.effects


@contextlib.contextmanager
def life_in(stand: Stand, name: str = "life") -> Iterator[Life]:
    """A life in a namespace of its own, whose operators are kept alive."""
    with stand.space(name) as space:
        life = Life(stand, space)
        life.watch = lambda: _keep_alive(life)
        yield life


def _keep_alive(life: Life) -> None:
    """What a Deployment does: an operator that died is started again. Raises Fault for one that ended by itself."""
    if not life.space.operators or life.space.operators[-1].alive:
        return
    last = life.space.operators[-1]
    if not last.died:
        raise Fault(f"the operator ended with {last.exit_code}: {last.log.read_text()[-600:]}")
    life.stand.operator(life.space, ALIVE_AGAIN)


def settle(life: Life, expected: Document) -> None:
    """Wait until all that must be the same is. Raises Fault with what differs."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while fault := difference(expected, life.outcome()):
        life.watch()
        if time.monotonic() > deadline:
            raise Fault(fault)
        time.sleep(1.0)


def end(life: Life) -> None:
    """Delete the request, and nothing is left of it. Raises Fault."""
    life.delete()
    life.until_gone()
    life.check_gone()
    life.check_log()


# --- an operator dies ----------------------------------------------------------------------------------------------


def crash_points(count: int) -> Iterator[Trial]:
    """A life for every effect and both ways of dying at it. `count`: as many effects as an undisturbed life has."""
    for number in range(1, count + 1):
        for ending in (Ending.BEFORE, Ending.AFTER):
            yield Trial(CRASHES, "", f"effect {number}, {ending}", crash(number, ending))


def crash(number: int, ending: Ending) -> Callable[[Stand, Document], str]:
    """A life in which the operator dies at that effect. The run tells its line in the table."""

    def run(stand: Stand, expected: Document) -> str:
        with life_in(stand) as life:
            first = stand.operator(life.space, Fate(number, ending))
            try:
                life.create()
                life.until_ready()
                settle(life, expected)
                end(life)
            except Fault as fault:
                fault.kind = line_of(first.effects, number)
                raise
            return line_of(first.effects, number)

    return run


def line_of(effects: Sequence[str], number: int) -> str:
    """What was done where the process died."""
    return effects[number - 1] if len(effects) >= number else "not reached, and so no crash"


# --- two operators -------------------------------------------------------------------------------------------------


def pairs(count: int) -> Iterator[Trial]:
    """The leader dies, or freezes, at every fifth effect."""
    for number in range(2, count + 1, 5):
        yield Trial(TWO, "the leader dies, the effect done", f"dies at effect {number}", _two(number, Ending.AFTER))
        yield Trial(TWO, "the leader freezes and comes back", f"freezes at {number}", _two(number, Ending.FROZEN))


def _two(number: int, ending: Ending) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with life_in(stand) as life:
            first = stand.operator(life.space, Fate(number, ending), lease=True)
            life.wait(lambda: first.leads, 120, "led")
            second = stand.operator(life.space, lease=True)
            life.watch = lambda: _another(life)
            life.create()
            life.wait(lambda: not first.alive or first.frozen or life.ready, READY_SECONDS, "at the point")
            if first.frozen:
                life.wait(lambda: second.leads, 120, "led by the second")
                first.thaw()
            life.until_ready()
            settle(life, expected)
            life.delete()
            if ending is Ending.FROZEN:
                life.wait(lambda: first.frozen or not first.alive or life.document == {}, 120, "deleted")
                if first.frozen:
                    life.wait(lambda: second.leads, 120, "led by the second")
                    first.thaw()
            life.until_gone()
            life.check_gone()
            life.check_log()
        return ""

    return run


def _another(life: Life) -> None:
    """Two are alive, as a Deployment has it: one that could not renew its Lease in time ends, too."""
    if not life.space.operators[-1].alive:
        life.stand.operator(life.space, lease=True)


# --- watches -------------------------------------------------------------------------------------------------------


def stale_watches(count: int) -> Iterator[Trial]:
    """Late events, lost watches, both, and with an operator that dies in the middle."""
    fates = {
        f"every event {LAG_SECONDS:.0f} s late": Fate(lag=LAG_SECONDS),
        "every third event loses the watch": Fate(cut_every=3),
        "late and lost": Fate(lag=1.0, cut_every=2),
    }
    for kind, fate in fates.items():
        yield Trial(WATCHES, kind, kind, _watched(fate))
        for number in range(4, count + 1, 10):
            case = f"{kind}, dies at effect {number}"
            yield Trial(
                WATCHES, f"{kind}, and it dies", case, _watched(Fate(number, Ending.AFTER, fate.lag, fate.cut_every))
            )


def _watched(fate: Fate) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with life_in(stand) as life:
            stand.operator(life.space, fate)
            after = Fate(0, Ending.BEFORE, fate.lag, fate.cut_every)
            life.watch = lambda: _again(life, after)
            life.create()
            life.until_ready()
            settle(life, expected)
            end(life)
        return ""

    return run


def _again(life: Life, fate: Fate) -> None:
    if not life.space.operators[-1].alive:
        life.stand.operator(life.space, fate)


# --- deletions -----------------------------------------------------------------------------------------------------

PROPAGATIONS = ("Foreground", "Background", "Orphan")


def deletions() -> Iterator[Trial]:
    """Of Jobs, of the request in both modes, and of the namespace, in every stage."""
    for propagation in PROPAGATIONS:
        for stage in JOB_STAGES:
            kind = f"the Job, {propagation.lower()}"
            yield Trial(DELETIONS, kind, f"{kind}, in {stage}", _job_deleted(stage, propagation))
        for policy in ("Delete", "Retain"):
            for stage in STAGES:
                kind = f"the request, {propagation.lower()}, deletionPolicy {policy}"
                yield Trial(DELETIONS, kind, f"{kind}, in {stage}", _request_deleted(stage, propagation, policy))
    for policy in ("Delete", "Retain"):
        for stage in STAGES:
            kind = f"the namespace, deletionPolicy {policy}"
            yield Trial(DELETIONS, kind, f"{kind}, in {stage}", _namespace_deleted(stage, policy))
    yield Trial(DELETIONS, "store gone, Retain", "store gone, Retain", _store_gone("Retain"), alone=True)
    yield Trial(DELETIONS, "store gone, Delete, abandon", "store gone, Delete", _store_gone("Delete"), alone=True)


@contextlib.contextmanager
def in_stage(stand: Stand, stage: str, *, redis: bool = False, **spec: object) -> Iterator[Life]:
    """A life in the middle of a stage. `redis`: whether its stages may tell their progress."""
    with life_in(stand) as life:
        life.hold(stage)
        stand.operator(life.space, redis=redis)
        life.create(**spec)
        life.until_in(stage)
        yield life


def without(expected: Document, *names: str) -> Document:
    """What is expected, but for what a disturbance changes."""
    return {name: value for name, value in expected.items() if name not in names}


def _kept(expected: Document) -> Document:
    """What is expected of a request whose artifacts stay: no mark says that they may go with it."""
    mark = purgeable_mark(f"requests/{NAME}/")
    return expected | {"artifacts": {key: what for key, what in expected["artifacts"].items() if key != mark}}


def _job_deleted(stage: str, propagation: str) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with in_stage(stand, stage) as life:
            job = next(job for job in life.jobs if f"-{stage}-" in job["metadata"]["name"])
            path = jobs_path(life.space.namespace, job["metadata"]["name"])
            uid = job["metadata"]["uid"]
            life.kube.delete(path, propagation)
            life.wait(
                lambda: any(f"-{stage}-" in j["metadata"]["name"] and j["metadata"]["uid"] != uid for j in life.jobs),
                120,
                "with a new Job",
            )
            life.let_go(stage)
            life.until_ready()
            settle(life, without(expected, "jobs created", "containers run", "status", "GPU seconds were counted"))
            created = stand.jobs_created(life.space)
            if sorted(created.values()) != [1, 1, 2]:
                raise Fault(f"Jobs created: {dict(created)}")
            end(life)
        return ""

    return run


def _request_deleted(stage: str, propagation: str, policy: str) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with in_stage(stand, stage, deletionPolicy=policy) as life:
            life.delete(propagation)
            if stage == "generate":
                life.let_go(stage)
            life.until_gone()
            life.let_go(stage)
            if policy == "Delete":
                life.check_gone()
                life.check_log()
                return ""
            # Made anew, it goes on from what stands.
            life.create(deletionPolicy=policy)
            life.until_ready()
            changed = ("jobs created", "containers run", "status", "GPU seconds were counted", "Secrets")
            settle(life, without(_kept(expected), *changed))
            twice = {name: count for name, count in stand.jobs_created(life.space).items() if count > 1}
            if {name for name in twice if f"-{stage}-" not in name}:
                raise Fault(f"Jobs of stages that were done were created again: {twice}")
            life.check_log()
        return ""

    return run


def _namespace_deleted(stage: str, policy: str) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with in_stage(stand, stage, deletionPolicy=policy) as life:
            path = f"/api/v1/namespaces/{life.space.namespace}"
            life.kube.delete(path)
            if stage == "generate":
                life.let_go(stage)
            life.wait(lambda: life.kube.get(path) is None, 240, "rid of its namespace")
            if policy == "Delete":
                life.check_gone()
            elif stage != "preprocess" and not life.objects():
                raise Fault("what was to be retained is gone")
            life.check_log()
        return ""

    return run


def _store_gone(policy: str) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with in_stage(stand, "train", deletionPolicy=policy) as life:
            stand.stop_store()
            try:
                life.delete()
                if policy == "Delete":
                    life.annotate("abandon", "true")
                life.until_gone()
            finally:
                stand.heal(life.space)
            life.check_log()
        return ""

    return run
