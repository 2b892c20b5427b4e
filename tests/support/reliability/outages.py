"""Outages: what a life needs is taken away while a stage runs, or before, and comes back some seconds later."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from profile_contract import GROUP

from .kube import Document, KubeApi, Refusal, core_path
from .life import STAGES, Fault, Life
from .results import OUTAGES
from .stage_node import EVICTED, NODE_LOST, Disruption
from .stand import Stand
from .trials import JOB_STAGES, Trial, end, in_stage, life_in, settle, without

AWAY_SECONDS = 3.0
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# What a newer version of the kinds knows of every spec.
NOVELTY = {"type": "integer", "default": 3}


def outages(*, store_fills: bool, redis: bool) -> Iterator[Trial]:
    """Each in each stage in which it can be met. `store_fills`: the store's disk can be filled; `redis`: there is
    one."""
    for stage in STAGES:
        if store_fills:
            yield Trial(OUTAGES, "the store's disk is full", f"full store, in {stage}", _store_full(stage), alone=True)
        if redis:
            yield Trial(OUTAGES, "Redis stands still", f"Redis, in {stage}", _redis_away(stage), alone=True)
        yield Trial(OUTAGES, "the store stands still", f"store, in {stage}", _store_away(stage), alone=True)
        yield Trial(OUTAGES, "the API server is killed", f"API server, in {stage}", _api_away(stage), alone=True)
        yield Trial(OUTAGES, "the kinds are upgraded", f"kinds, in {stage}", kinds_upgraded(stage), alone=True)
        yield Trial(OUTAGES, "the predictor answers 503", f"predictor, in {stage}", _predictor_away(stage))
    for stage in JOB_STAGES:
        yield Trial(OUTAGES, "the node is lost", f"node, in {stage}", _disrupted(stage, NODE_LOST))
        yield Trial(OUTAGES, "the pod is evicted", f"eviction, in {stage}", _disrupted(stage, EVICTED))
        yield Trial(OUTAGES, "the Secret is deleted by hand", f"Secret, in {stage}", _secret_deleted(stage))
        yield Trial(OUTAGES, "the Secret is replaced by hand", f"other Secret, in {stage}", secret_replaced(stage))
        yield Trial(OUTAGES, "a quota lets no Job come", f"quota, before {stage}", _quota(stage))
        yield Trial(OUTAGES, "no image, until it is there", f"image, in {stage}", _image(stage))


def _away(
    stage: str,
    take: Callable[[Life], None],
    *ignored: str,
    seconds: float = AWAY_SECONDS,
    redis: bool = False,
) -> Callable[[Stand, Document], str]:
    """Something is away while a stage comes to its end, and back after some seconds. `redis`: is used."""

    def run(stand: Stand, expected: Document) -> str:
        with in_stage(stand, stage, redis=redis) as life:
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


def _store_full(stage: str) -> Callable[[Stand, Document], str]:
    """What is written meanwhile is refused, and stages that come to their end run again."""
    again = ("jobs created", "containers run", "status", "candidates drawn more than once")
    return _away(stage, lambda life: life.stand.fill_store(), *again)


def _redis_away(stage: str) -> Callable[[Stand, Document], str]:
    """Redis answers nobody: no progress is told, and nothing else is otherwise."""
    return _away(stage, lambda life: life.stand.stop_redis(), redis=True)


def _disrupted(stage: str, disruption: Disruption) -> Callable[[Stand, Document], str]:
    """The cluster takes the pod away while the stage works: its Job begins another, and no other Job is made."""

    def run(stand: Stand, expected: Document) -> str:
        with in_stage(stand, stage) as life:
            place = life.space.namespace, stage
            stand.node.disruptions[place] = disruption
            life.wait(lambda: stand.node.runs[place] == 2, 240, "with another pod")
            life.let_go(stage)
            life.until_ready()
            settle(life, without(expected, "containers run", "status"))
            twice = {name: stand.node.runs[life.space.namespace, name] for name in JOB_STAGES}
            if twice != {name: 1 + (name == stage) for name in JOB_STAGES}:
                raise Fault(f"containers run: {twice}")
            end(life)
        return ""

    return run


def _api_away(stage: str) -> Callable[[Stand, Document], str]:
    return _away(stage, lambda life: life.stand.cluster.stop_api_server(), "status")


def _predictor_away(stage: str) -> Callable[[Stand, Document], str]:
    return _away(stage, lambda life: life.stand.drawer.away.add(life.space.namespace), "status", seconds=8.0)


def _secret_deleted(stage: str) -> Callable[[Stand, Document], str]:
    """Deleted while no container of the stage has started, which then waits for it."""

    def run(stand: Stand, expected: Document) -> str:
        with life_in(stand) as life:
            life.kube.delete(_secret_before_start(life, stage))
            stand.node.without_image.discard(life.space.namespace)
            life.until_ready()
            settle(life, without(expected, "status"))
            end(life)
        return ""

    return run


def secret_replaced(stage: str) -> Callable[[Stand, Document], str]:
    """Another one under its name, whose credentials open nothing: a container may start with them, and is tried
    again."""

    def run(stand: Stand, expected: Document) -> str:
        with life_in(stand) as life:
            path = _secret_before_start(life, stage)
            replaced = life.kube.call("GET", path)
            life.kube.delete(path)
            metadata = {"name": replaced["metadata"]["name"]}
            secret = {"metadata": metadata, "stringData": dict.fromkeys(replaced["data"], "of-no-worth")}
            life.kube.call("POST", core_path(life.space.namespace, "secrets"), secret)
            stand.node.without_image.discard(life.space.namespace)
            life.until_ready()
            settle(life, without(expected, "status", "containers run"))
            end(life)
        return ""

    return run


def _secret_before_start(life: Life, stage: str) -> str:
    """The path of a stage's Secret, once its Job is there, none of whose containers can start."""
    _up_to(life, stage, lambda: life.stand.node.without_image.add(life.space.namespace))
    life.wait(lambda: any(f"-{stage}-" in name for name in life.secrets), 240, "with a Secret")
    life.wait(lambda: any(f"-{stage}-" in job["metadata"]["name"] for job in life.jobs), 240, "with a Job")
    return core_path(life.space.namespace, "secrets", next(name for name in life.secrets if f"-{stage}-" in name))


def kinds_upgraded(stage: str) -> Callable[[Stand, Document], str]:
    """A newer version's kinds, with a field more in every spec, as Helm leaves them before the operator is another."""

    def run(stand: Stand, expected: Document) -> str:
        try:
            with in_stage(stand, stage) as life:
                for kind in ("profilerequests", "clusterprofilestyles"):
                    _give(stand.kube, kind, NOVELTY)
                life.wait(lambda: life.document["spec"].get("novelty") == NOVELTY["default"], 120, "of the newer kind")
                life.let_go(stage)
                life.until_ready()
                settle(life, expected)
                end(life)
        finally:
            for kind in ("profilerequests", "clusterprofilestyles"):
                _give(stand.kube, kind, None)
        return ""

    return run


def _give(kube: KubeApi, kind: str, novelty: Document | None) -> None:
    """Let every spec of a kind have the field, or not."""
    while True:
        definition = kube.call("GET", f"{DEFINITIONS}/{kind}.{GROUP}")
        fields = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        fields.pop("novelty", None)
        fields |= {"novelty": novelty} if novelty else {}
        # Its own controllers write it, too.
        with contextlib.suppress(Refusal):
            kube.call("PUT", f"{DEFINITIONS}/{kind}.{GROUP}", definition)
            return


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
    life.wait(lambda: bool((life.kube.get(f"{path}/jobs") or {}).get("status", {}).get("hard")), 120, "with a quota")


def _quota(stage: str) -> Callable[[Stand, Document], str]:
    """A quota for no Job more, which is told in its own words, and raised after a while."""

    def run(stand: Stand, expected: Document) -> str:
        with life_in(stand) as life:
            path = core_path(life.space.namespace, "resourcequotas")
            _up_to(life, stage, lambda: _forbid_jobs(life, path))
            life.wait(lambda: life.condition("Ready").get("reason") == "Refused", 120, "refused")
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
        with life_in(stand) as life:
            _up_to(life, stage, lambda: stand.node.without_image.add(life.space.namespace))
            life.wait(lambda: "ImagePull" in life.told(), 240, "told that the image is missing")
            stand.node.without_image.discard(life.space.namespace)
            life.until_ready()
            settle(life, without(expected, "status"))
            end(life)
        return ""

    return run
