"""Trials: one life each, disturbed in one way, and compared with a life that nothing disturbs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .effects import Ending, Fate
from .kube import Document, core_path, jobs_path
from .life import READY_SECONDS, SETTLE_SECONDS, STAGES, Fault, Life, difference
from .results import CRASHES, DELETIONS, OUTAGES, TWO, WATCHES
from .stand import Stand

JOB_STAGES = ("preprocess", "train", "finish")
AWAY_SECONDS = 3.0
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
    with _life(stand) as life:
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
def _life(stand: Stand, name: str = "life") -> Iterator[Life]:
    with stand.space(name) as space:
        life = Life(stand, space)
        life.watch = lambda: _keep_alive(life)
        yield life


def _keep_alive(life: Life) -> None:
    """What a Deployment does: an operator that died is started again. Raises Fault for one that ended by itself."""
    last = life.space.operators[-1]
    if last.alive:
        return
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
        with _life(stand) as life:
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
        with _life(stand) as life:
            first = stand.operator(life.space, Fate(number, ending), lease=True)
            life.wait(lambda: first.leads, 30, "led")
            second = stand.operator(life.space, lease=True)
            life.watch = lambda: _another(life)
            life.create()
            life.wait(lambda: not first.alive or first.frozen or life.ready, READY_SECONDS, "at the point")
            if first.frozen:
                life.wait(lambda: second.leads, 30, "led by the second")
                first.thaw()
            life.until_ready()
            settle(life, expected)
            life.delete()
            if ending is Ending.FROZEN:
                life.wait(lambda: first.frozen or not first.alive or life.document == {}, 30, "deleted")
                if first.frozen:
                    life.wait(lambda: second.leads, 30, "led by the second")
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
        with _life(stand) as life:
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
def _in_stage(stand: Stand, stage: str, **spec: object) -> Iterator[Life]:
    """A life in the middle of a stage."""
    with _life(stand) as life:
        life.hold(stage)
        stand.operator(life.space)
        life.create(**spec)
        life.until_in(stage)
        yield life


def without(expected: Document, *names: str) -> Document:
    """What is expected, but for what a disturbance changes."""
    return {name: value for name, value in expected.items() if name not in names}


def _job_deleted(stage: str, propagation: str) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with _in_stage(stand, stage) as life:
            job = next(job for job in life.jobs if f"-{stage}-" in job["metadata"]["name"])
            path = jobs_path(life.space.namespace, job["metadata"]["name"])
            uid = job["metadata"]["uid"]
            life.kube.delete(path, propagation)
            life.wait(
                lambda: any(f"-{stage}-" in j["metadata"]["name"] and j["metadata"]["uid"] != uid for j in life.jobs),
                30,
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
        with _in_stage(stand, stage, deletionPolicy=policy) as life:
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
            settle(
                life,
                without(expected, "jobs created", "containers run", "status", "GPU seconds were counted", "Secrets"),
            )
            twice = {name: count for name, count in stand.jobs_created(life.space).items() if count > 1}
            if {name for name in twice if f"-{stage}-" not in name}:
                raise Fault(f"Jobs of stages that were done were created again: {twice}")
            life.check_log()
        return ""

    return run


def _namespace_deleted(stage: str, policy: str) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with _in_stage(stand, stage, deletionPolicy=policy) as life:
            path = f"/api/v1/namespaces/{life.space.namespace}"
            life.kube.delete(path)
            if stage == "generate":
                life.let_go(stage)
            life.wait(lambda: life.kube.get(path) is None, 60, "rid of its namespace")
            if policy == "Delete":
                life.check_gone()
            elif stage != "preprocess" and not life.objects():
                raise Fault("what was to be retained is gone")
            life.check_log()
        return ""

    return run


def _store_gone(policy: str) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, expected: Document) -> str:
        with _in_stage(stand, "train", deletionPolicy=policy) as life:
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


# --- outages -------------------------------------------------------------------------------------------------------


def outages() -> Iterator[Trial]:
    """Each in each stage in which it can be met."""
    for stage in STAGES:
        yield Trial(OUTAGES, "the store stands still", f"store, in {stage}", _store_away(stage), alone=True)
        yield Trial(OUTAGES, "the API server is killed", f"API server, in {stage}", _api_away(stage), alone=True)
        yield Trial(OUTAGES, "the predictor answers 503", f"predictor, in {stage}", _predictor_away(stage))
    for stage in JOB_STAGES:
        yield Trial(OUTAGES, "the Secret is deleted by hand", f"Secret, in {stage}", _secret_deleted(stage))
        yield Trial(OUTAGES, "a quota lets no Job come", f"quota, before {stage}", _quota(stage))
        yield Trial(OUTAGES, "no image, until it is there", f"image, in {stage}", _image(stage))


def _away(
    stage: str, take: Callable[[Life], None], *ignored: str, seconds: float = AWAY_SECONDS
) -> Callable[[Stand, Document], str]:
    """Something is away while a stage comes to its end, and back after some seconds."""

    def run(stand: Stand, expected: Document) -> str:
        with _in_stage(stand, stage) as life:
            take(life)
            life.let_go(stage)
            time.sleep(seconds)
            stand.heal(life.space)
            life.until_ready()
            settle(life, without(expected, *ignored))
            end(life)
        return ""

    return run


def _store_away(stage: str) -> Callable[[Stand, Document], str]:
    return _away(
        stage,
        lambda life: life.stand.stop_store(),
        "status",
        "candidates drawn more than once",
        "GPU seconds were counted",
    )


def _api_away(stage: str) -> Callable[[Stand, Document], str]:
    return _away(stage, lambda life: life.stand.cluster.stop_api_server(), "status")


def _predictor_away(stage: str) -> Callable[[Stand, Document], str]:
    return _away(stage, lambda life: life.stand.drawer.away.add(life.space.namespace), "status", seconds=8.0)


def _secret_deleted(stage: str) -> Callable[[Stand, Document], str]:
    """Deleted while no container of the stage has started, which then waits for it."""

    def run(stand: Stand, expected: Document) -> str:
        with _life(stand) as life:
            _up_to(life, stage, lambda: stand.node.without_image.add(life.space.namespace))
            life.wait(lambda: any(f"-{stage}-" in name for name in life.secrets), 60, "with a Secret")
            life.wait(lambda: any(f"-{stage}-" in job["metadata"]["name"] for job in life.jobs), 60, "with a Job")
            name = next(name for name in life.secrets if f"-{stage}-" in name)
            life.kube.delete(core_path(life.space.namespace, "secrets", name))
            stand.node.without_image.discard(life.space.namespace)
            life.until_ready()
            settle(life, without(expected, "status"))
            end(life)
        return ""

    return run


def _before(stage: str) -> str:
    return STAGES[STAGES.index(stage) - 1]


def _up_to(life: Life, stage: str, disturb: Callable[[], None]) -> None:
    """Disturb a life right before a stage begins."""
    if stage == STAGES[0]:
        disturb()
    else:
        life.hold(_before(stage))
    life.stand.operator(life.space)
    life.create()
    if stage != STAGES[0]:
        life.until_in(_before(stage))
        disturb()
        life.let_go(_before(stage))


def _forbid_jobs(life: Life, path: str) -> None:
    """A quota for no Job more, once it is in force."""
    quota = {"metadata": {"name": "jobs"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    life.kube.call("POST", path, quota)
    life.wait(lambda: bool((life.kube.get(f"{path}/jobs") or {}).get("status", {}).get("hard")), 30, "with a quota")


def _quota(stage: str) -> Callable[[Stand, Document], str]:
    """A quota for no Job more, which is told in its own words, and raised after a while."""

    def run(stand: Stand, expected: Document) -> str:
        with _life(stand) as life:
            path = core_path(life.space.namespace, "resourcequotas")
            _up_to(life, stage, lambda: _forbid_jobs(life, path))
            life.wait(lambda: life.condition("Ready").get("reason") == "Refused", 30, "refused")
            if "quota" not in life.condition("Ready").get("message", ""):
                raise Fault(f"the quota is not named: {life.told()}")
            life.kube.delete(f"{path}/jobs")
            life.until_ready()
            settle(life, without(expected, "status"))
            end(life)
        return ""

    return run


def _image(stage: str) -> Callable[[Stand, Document], str]:
    """The stage's image cannot be pulled, which is told, until it can."""

    def run(stand: Stand, expected: Document) -> str:
        with _life(stand) as life:
            _up_to(life, stage, lambda: stand.node.without_image.add(life.space.namespace))
            life.wait(lambda: "ImagePull" in life.told(), 60, "told that the image is missing")
            stand.node.without_image.discard(life.space.namespace)
            life.until_ready()
            settle(life, without(expected, "status"))
            end(life)
        return ""

    return run
