"""The operator's real parts over an API server and a store in memory: one cycle at a time, as in life."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from fake_kubernetes import CLUSTER_STYLES, EVENTS, JOBS, PODS, REQUESTS, SECRETS, FakeKubernetes
from fake_store import MemoryStore, Tokens, store_access
from operator_house import CONFIG, KEY, SPEC
from operator_world import STYLES as STYLE_SPECS
from profile_contract.generation import EvictionOrder
from profile_contract.progress import ProgressEvent
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import Key, RequestHead, parse_head
from profile_contract.stages.finish import FinishOrder
from profile_contract.stages.preprocess import PreprocessOrder
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder
from profile_operator.act.applier import Applier
from profile_operator.act.credentials import CredentialsIssuer
from profile_operator.act.event_sink import EventSink
from profile_operator.act.purge import ArtifactPurger
from profile_operator.clients.kubernetes import Kube
from profile_operator.clients.predictor import PredictorUnavailable
from profile_operator.clients.stage_redis import StageRedis
from profile_operator.config import OperatorConfig, Secrets
from profile_operator.decide.plan import GenerationWork
from profile_operator.observe.issued import Issued
from profile_operator.observe.observer import Observer
from profile_operator.observe.snapshot import GenerationView
from profile_operator.reconcile import Reconciler
from profile_operator.waiting_list import WaitingList
from profile_runtime.tracing import Traces
from stage_reports import report_for

SECRETS_GIVEN = Secrets(access_key=SecretStr("a"), secret_key=SecretStr("s"))
AT = "2026-01-02T03:04:05Z"
ORDERS: dict[str, type[PreprocessOrder] | type[TrainOrder] | type[FinishOrder]] = {
    "preprocess": PreprocessOrder,
    "train": TrainOrder,
    "finish": FinishOrder,
}


@dataclass
class Beside:
    """Generation, progress and predictor as the others see them."""

    work: GenerationWork | None = None
    seen: GenerationView = GenerationView()
    stopped: list[str] = field(default_factory=list)
    asked_progress: list[tuple[Stage, str]] = field(default_factory=list)
    event: ProgressEvent | None = None
    evicted: list[tuple[str, list[str]]] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    deaf: set[str] = field(default_factory=set)
    forgotten: list[Any] = field(default_factory=list)

    def view(self, uid: str) -> GenerationView:
        return self.seen

    def ensure(self, work: GenerationWork) -> None:
        self.work = work
        self.seen = GenerationView(digest=work.digest, running=True, total=work.total)

    def stop(self, uid: str) -> None:
        self.stopped.append(uid)
        self.seen = GenerationView(digest=self.seen.digest)

    async def latest(self, key: Key, stage: Stage, digest: str) -> ProgressEvent | None:
        self.asked_progress.append((stage, digest))
        return self.event

    async def delete(self, key: Key) -> bool:
        self.forgotten.append(key)
        return True

    async def evict(self, predictor: str, order: EvictionOrder, origin: str = "") -> int:
        self.origins.append(origin)
        if origin in self.deaf:
            raise PredictorUnavailable("it does not answer")
        self.evicted.append((predictor, order.sha256))
        return 1


@dataclass
class RealOperator:
    """One request `hr/minji`, its cluster and its store."""

    server: FakeKubernetes
    store: MemoryStore
    tokens: Tokens
    beside: Beside
    kube: Kube
    reconciler: Reconciler
    observer: Observer
    applier: Applier
    credentials: CredentialsIssuer
    purger: ArtifactPurger
    config: OperatorConfig
    waiting: WaitingList

    @property
    def document(self) -> dict[str, Any]:
        """The request as it stands."""
        return self.server.objects[f"{REQUESTS.format(KEY.namespace)}/{KEY.name}"]

    @property
    def head(self) -> RequestHead:
        return parse_head(self.document)

    @property
    def status(self) -> ProfileRequestStatus:
        return ProfileRequestStatus.model_validate(self.document.get("status", {}))

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason, message."""
        found = next(one for one in self.status.conditions if one.type == kind)
        return found.status, found.reason, found.message

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return self.server.named(JOBS.format(KEY.namespace))

    def job(self, stage: str) -> dict[str, Any]:
        """The newest Job of a stage."""
        return next(job for name, job in reversed(self.jobs.items()) if f"-{stage}-" in name)

    async def cycle(self) -> float | None:
        return await self.reconciler.reconcile(KEY)

    def finish(self, stage: str, *, seconds: int = 10) -> None:
        """The stage's Job leaves its report and ends well, after so many seconds."""
        job = self.job(stage)
        environment = {item["name"]: item.get("value") for item in _container(job)["env"]}
        order = ORDERS[stage].model_validate_json(environment["PROFILE_ORDER"] or "")
        self.store.objects[f"{order.output}report.json"] = report_for(order, AT).to_json().encode()
        self.end(stage, "Complete", seconds=seconds)

    def end(self, stage: str, condition: str, *, seconds: int = 10) -> None:
        """The stage's Job ends, well or not."""
        job = self.job(stage)
        job["status"] = {
            "startTime": AT,
            "conditions": [{"type": condition, "status": "True", "lastTransitionTime": _later(seconds)}],
        }

    def ran(self, stage: str, started: str, finished: str, *, exit_code: int) -> None:
        """A pod of the stage's Job ran from then to then."""
        ended = {"startedAt": started, "finishedAt": finished, "exitCode": exit_code}
        containers = [{"name": "stage", "state": {"terminated": ended}}]
        self.pod(self.job(stage)["metadata"]["name"], status={"phase": "Failed", "containerStatuses": containers})

    def end_pods(self, stage: str) -> None:
        """The pods of the stage's Job are cleaned up."""
        self.server.end_pods(self.job(stage)["metadata"]["name"])

    def generate(self) -> None:
        """Generation comes to its end."""
        from profile_contract.stages.generate import Candidate, GenerateReport

        assert self.beside.work is not None
        for style in self.beside.work.styles:
            candidates = [Candidate(seed=c.seed, key=c.key, twin=c.twin) for c in style.candidates]
            report = GenerateReport(
                digest=style.digest, style=style.key, candidates=candidates, started_at=AT, finished_at=AT
            )
            self.store.objects[f"{style.prefix}report.json"] = report.to_json().encode()
        self.beside.seen = GenerationView(digest=self.beside.work.digest)

    async def ready(self) -> None:
        """Run the whole life until the portraits are delivered."""
        await self.cycle()
        for stage in ("preprocess", "train"):
            self.finish(stage)
            await self.cycle()
        self.generate()
        await self.cycle()
        self.finish("finish")
        await self.cycle()
        assert self.condition("Ready")[0] == "True"

    def change(self, **fields: Any) -> None:
        """Somebody edits the spec."""
        self.document["spec"].update(fields)
        self.document["metadata"]["generation"] += 1
        self.server._stamped(self.document)

    def annotate(self, name: str, value: str | None) -> None:
        """Somebody sets an annotation, or takes it away."""
        annotations = self.document["metadata"].setdefault("annotations", {})
        if value is None:
            annotations.pop(name, None)
        else:
            annotations[name] = value
        self.server._stamped(self.document)

    def delete(self) -> None:
        """Somebody deletes the request."""
        from datetime import UTC, datetime

        self.document["metadata"]["deletionTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.server._stamped(self.document)

    def gone(self) -> bool:
        """Whether the request was let go."""
        return f"{REQUESTS.format(KEY.namespace)}/{KEY.name}" not in self.server.objects

    def pod(self, job: str, **status: Any) -> None:
        """A pod of a Job."""
        labels = {"batch.kubernetes.io/job-name": job}
        self.server.put(PODS.format(KEY.namespace), {"metadata": {"name": f"{job}-x", "labels": labels}, **status})

    @property
    def secret(self) -> dict[str, Any]:
        """That of the stage that began last."""
        return list(self.server.named(SECRETS.format(KEY.namespace)).values())[-1]

    @property
    def told(self) -> list[tuple[str, str]]:
        """Reasons and messages of the Events."""
        return [(one["reason"], one["message"]) for one in self.server.named(EVENTS.format(KEY.namespace)).values()]


def _container(job: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = job["spec"]["template"]["spec"]["containers"][0]
    return container


def _later(seconds: int) -> str:
    from datetime import datetime, timedelta

    return (datetime.fromisoformat(AT) + timedelta(seconds=seconds)).isoformat()


@asynccontextmanager
async def real_operator(
    config: OperatorConfig = CONFIG, photos: int = 6, events: EventSink | None = None, traces: Traces | None = None
) -> AsyncIterator[RealOperator]:
    """The operator before its first look at `hr/minji`."""
    server, store, tokens, beside = FakeKubernetes(), MemoryStore(), Tokens(), Beside()
    server.put(REQUESTS.format(KEY.namespace), {"metadata": {"name": KEY.name}, "spec": SPEC.document()})
    for name, style in STYLE_SPECS.items():
        server.put(CLUSTER_STYLES, {"metadata": {"name": name}, "spec": style.document()})
    for number in range(photos):
        store.objects[f"hr.1a2b3c4d-5e6f/uploads/minji/{number}.jpg"] = b"photo %d" % number
    access = store_access(store, tokens)
    async with server.kube() as kube:
        issued = Issued()
        credentials = CredentialsIssuer(kube, access, config, issued, StageRedis(""))
        purger = ArtifactPurger(kube, access, beside, beside, generation=config.generation)  # type: ignore[arg-type]
        applier = Applier(kube, access, credentials, beside, purger, config=config, secrets=SECRETS_GIVEN)
        observer = Observer(kube, access, beside, beside.view, config, issued=issued)  # type: ignore[arg-type]
        waiting = WaitingList(config.admission.limits, lambda key: None)
        reconciler = Reconciler(
            kube,
            observer,
            applier,
            config=config,
            forget=lambda uid: None,
            waiting=waiting,
            events=events,
            traces=traces,
        )
        yield RealOperator(
            server,
            store,
            tokens,
            beside,
            kube,
            reconciler,
            observer,
            applier,
            credentials,
            purger,
            config,
            waiting,
        )
