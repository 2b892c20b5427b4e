"""A cluster, a store and a predictor in memory, for testing decisions: the same reads and writes, none of the I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from operator_house import AREA, CONFIG, KEY, NOW, SPEC, STYLES, photo
from profile_contract.artifacts import request_prefix
from profile_contract.conditions import Reason
from profile_contract.layouts import LayoutName
from profile_contract.look import LookState, drawable, hindrances, ready_files
from profile_contract.look_ref import LookFile
from profile_contract.request import DeletionPolicy, ProfileRequestSpec
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resolved import AskedFor, Resolved, looks_anew, resolve
from profile_contract.resource import FINALIZER, RequestHead
from profile_contract.stages.finish import FinishOrder, FinishReport
from profile_contract.stages.generate import Candidate, GenerateReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainReport
from profile_contract.style import ProfileStyleSpec
from profile_operator.compared import fingerprints_today, platform_of
from profile_operator.config import OperatorConfig
from profile_operator.decide import DeletionFacts, Facts, decide, decide_deletion
from profile_operator.decide.plan import (
    Action,
    AddFinalizer,
    CreateJob,
    DeleteJob,
    DropReport,
    EventNote,
    GenerationWork,
    Plan,
    Purge,
    RemoveFinalizer,
    Revoke,
    StartGeneration,
    StopGeneration,
    WriteResolved,
)
from profile_operator.decide.turns import Turn
from profile_operator.observe.chain import chain_of
from profile_operator.observe.observer import asked_of
from profile_operator.observe.snapshot import (
    Cause,
    Chain,
    GenerationView,
    JobState,
    JobView,
    Remains,
    Reports,
    Snapshot,
    is_settled,
)
from stage_reports import report_for


class Crash(Exception):
    """The operator was killed."""


@dataclass
class World:
    """What is true; `writes` counts writes to the Kubernetes API, and `crash_after` kills the operator after one."""

    spec: ProfileRequestSpec = SPEC
    styles: dict[str, ProfileStyleSpec] = field(default_factory=lambda: dict(STYLES))
    photos: list[PhotoRef] = field(default_factory=lambda: [photo(f"{n}.jpg") for n in range(6)])
    status: ProfileRequestStatus = field(default_factory=ProfileRequestStatus)
    finalizers: tuple[str, ...] = ()
    generation: int = 1
    uid: str = "u1"
    retry: str = ""
    deleting: bool = False
    gone: bool = False
    jobs: dict[str, JobView] = field(default_factory=dict)
    orders: dict[str, PreprocessOrder | TrainOrder | FinishOrder] = field(default_factory=dict)
    store: dict[str, StageReport] = field(default_factory=dict)
    recorded: Resolved | None = None
    unclear: dict[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    looks: dict[str, LookState] = field(default_factory=dict)
    work: GenerationWork | None = None
    view: GenerationView = GenerationView()
    now: datetime = NOW
    created: list[str] = field(default_factory=list)
    generated: list[str] = field(default_factory=list)
    # The prefixes of the styles that were drawn.
    drawn: list[str] = field(default_factory=list)
    events: list[EventNote] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    listings: int = 0
    seconds_since_write: float = float("inf")
    seen_running: bool = False
    crash_after: int | None = None
    deleted: datetime | None = None
    config: OperatorConfig = field(default_factory=lambda: CONFIG)
    turn: Turn = Turn()
    revoked: datetime | None = None
    plan: Plan = Plan()

    # --- reading ---

    @property
    def head(self) -> RequestHead:
        return RequestHead(
            key=KEY,
            uid=self.uid,
            generation=self.generation,
            resource_version="1",
            deleting=self.deleting,
            deleted=self.deleted,
            created=NOW.timestamp(),
            finalizers=self.finalizers,
            retry=self.retry,
            status=self.status,
            deletion_policy=self.spec.deletion_policy,
        )

    def remains(self) -> Remains:
        return Remains(self.head, AREA, tuple(self.jobs.values()), self.view, revoked=self.revoked)

    def snapshot(self) -> Snapshot:
        wish = asked_of(self.head, self.spec, self.recorded)
        listed = None
        if looks_anew(self.recorded, wish):
            self.listings += 1
            listed = tuple(self.photos)
        resolved = self._resolved(wish, listed)
        chain = chain_of(KEY, AREA, resolved)
        reports = Reports() if is_settled(self.head, self.recorded, resolved) else self.reports(chain)
        if resolved.photos.gone and reports.preprocess is not None and reports.preprocess.outcome == "Done":
            listed = None
        return Snapshot(
            head=self.head,
            spec=self.spec,
            resolved=resolved,
            chain=chain,
            recorded=self.recorded,
            today=fingerprints_today(
                self.spec, drawable(self.styles, self.looks), platform_of(self.config), self._files
            ),
            styles=(asked := {key: self.styles[key] for key in self.spec.style_keys if key in self.styles}),
            unready_looks=hindrances(asked, self.looks),
            known_styles=tuple(sorted(self.styles)),
            unclear_styles=self.unclear,
            absent_predictors=self.absent,
            photos=listed,
            jobs=tuple(self.jobs.values()),
            reports=reports,
            generation=self.view,
            seconds_since_write=self.seconds_since_write,
        )

    def facts(self, **seen: object) -> Facts:
        """The facts as they are, but for what of the snapshot is seen otherwise."""
        return Facts(replace(self.snapshot(), **seen), self.config, self.now, self.turn)  # type: ignore[arg-type]

    @property
    def chain(self) -> Chain:
        """Of what is recorded, or would be."""
        wish = asked_of(self.head, self.spec, self.recorded)
        listed = tuple(self.photos) if looks_anew(self.recorded, wish) else None
        return chain_of(KEY, AREA, self._resolved(wish, listed))

    @property
    def _files(self) -> dict[str, LookFile]:
        return ready_files(self.styles.values(), self.looks)

    def _resolved(self, wish: AskedFor, listed: tuple[PhotoRef, ...] | None) -> Resolved:
        styles, platform = drawable(self.styles, self.looks), platform_of(self.config)
        return resolve(self.recorded, wish, listed, styles, platform, looks=self._files)

    def reports(self, chain: Chain) -> Reports:
        generate = {}
        for name, digest in chain.styles.items():
            report = self.store.get(chain.prefix(Stage.GENERATE, digest))
            if isinstance(report, GenerateReport):
                generate[name] = report
        preprocess = self.store.get(chain.prefix(Stage.PREPROCESS))
        train = self.store.get(chain.prefix(Stage.TRAIN))
        finish = self.store.get(chain.prefix(Stage.FINISH)) if chain.finish else None
        assert preprocess is None or isinstance(preprocess, PreprocessReport)
        assert train is None or isinstance(train, TrainReport)
        assert finish is None or isinstance(finish, FinishReport)
        return Reports(preprocess, train, generate, finish)

    # --- one cycle of the operator ---

    def cycle(self) -> Plan:
        self.now += timedelta(seconds=5)
        self.deleted = (self.deleted or self.now) if self.deleting else None
        if self.deleting:
            self.plan = decide_deletion(DeletionFacts(self.remains(), self.config, self.now))
        else:
            self.plan = decide(self.facts())
        for action in self.plan.actions:
            self._act(action)
        if self.plan.status is not None:
            self.status = self.plan.status
            self._write("status")
        self.events += self.plan.events
        return self.plan

    def _write(self, what: str) -> None:
        self.writes.append(what)
        if self.crash_after is not None and len(self.writes) == self.crash_after:
            self.view = GenerationView()
            self.work = None
            raise Crash

    def _act(self, action: Action) -> None:
        match action:
            case AddFinalizer():
                self.finalizers = (*self.finalizers, FINALIZER)
                self._write("finalizer")
            case RemoveFinalizer():
                self.gone = True
                self._write("finalizer")
            case CreateJob():
                self._create(action)
            case DeleteJob(name):
                self.jobs.pop(name, None)
                self._write("job")
            case _:
                self._beside(action)

    def _beside(self, action: Action) -> None:
        """Actions outside the Kubernetes API."""
        match action:
            case WriteResolved(_, resolved):
                self.recorded = resolved
            case DropReport(key):
                self.store.pop(key.removesuffix("report.json"), None)
            case StartGeneration(work):
                if not (self.view.running and self.view.digest == work.digest):
                    self.work = work
                    self.view = GenerationView(digest=work.digest, running=True, total=work.total)
            case StopGeneration():
                self.view = replace(self.view, running=False)
            case Revoke():
                self.revoked = self.now
            case Purge(prefix):
                self.store = {key: report for key, report in self.store.items() if not key.startswith(prefix)}
                self.recorded = None
            case _:
                pass

    def _create(self, action: CreateJob) -> None:
        if action.name not in self.jobs:
            self.created.append(action.name)
            self.orders[action.name] = action.order
            self.jobs[action.name] = JobView(
                name=action.name,
                stage=action.stage,
                digest=action.order.digest,
                owner_uid=self.uid,
                state=JobState.SUSPENDED if action.queue else JobState.ACTIVE,
                started=None if action.queue else self.now,
                queue=action.queue.name if action.queue else "",
                priority_class=action.queue.priority_class if action.queue else "",
                gpus=self.config.jobs.of(action.stage).gpus,
            )
        self._write("job")

    # --- what the others do ---

    def work_on(self) -> None:
        """Jobs and generation that run come to their end; pods that are `seen_running` first start."""
        self.now += timedelta(seconds=10)
        for name, job in list(self.jobs.items()):
            if job.state is JobState.ACTIVE and self.seen_running and not job.running:
                self.jobs[name] = replace(job, running=True)
            elif job.state is JobState.ACTIVE:
                order = self.orders[name]
                self.store[order.output] = report_for(order, self.stamp)
                self.end(name, JobState.SUCCEEDED)
        if self.view.running and self.work is not None:
            self._generate(self.work)

    def _generate(self, work: GenerationWork) -> None:
        for style in work.styles:
            if style.prefix in self.store:
                continue
            self.generated.append(style.key)
            self.drawn.append(style.prefix)
            candidates = [Candidate(seed=c.seed, key=c.key, twin=c.twin) for c in style.candidates]
            times = {"started_at": self.stamp, "finished_at": self.stamp}
            self.store[style.prefix] = GenerateReport(
                digest=style.digest,
                style=style.key,
                candidates=candidates,
                reason=style.omitted.reason if style.omitted is not None else Reason.SUCCEEDED,
                message=str(style.omitted or ""),
                **times,
            )
        self.view = replace(self.view, running=False)

    def end(self, name: str, state: JobState, cause: Cause | None = None) -> None:
        """A Job ends, whose pod ran for as long as it was there."""
        job = self.jobs[name]
        self.jobs[name] = replace(
            job, state=state, completed=self.now, cause=cause, runs=((job.started or self.now, self.now),)
        )

    @property
    def stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def run(self, until: Callable[[World], bool] | None = None, most: int = 30) -> World:
        """Cycle until nothing changes any more (or `until` holds)."""
        for _ in range(most):
            self.cycle()
            if until is not None and until(self):
                return self
            if until is None and not self.running and self.plan == Plan(again=self.plan.again):
                return self
            self.work_on()
        raise AssertionError(f"not settled after {most} cycles: {self.status.stage_text}")

    @property
    def running(self) -> bool:
        return self.view.running or any(job.state is JobState.ACTIVE for job in self.jobs.values())

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason, message of a condition."""
        found = next(c for c in self.status.conditions if c.type == kind)
        return found.status, found.reason, found.message

    def recreate(self) -> None:
        """Deleted with Retain, and created again as it was."""
        assert self.spec.deletion_policy is DeletionPolicy.RETAIN
        self.status, self.finalizers, self.uid, self.jobs = ProfileRequestStatus(), (), "u2", {}
        self.gone = self.deleting = False
        self.created, self.generated, self.writes = [], [], []
        self.view = GenerationView()


def request_area() -> str:
    return request_prefix(AREA, KEY.name)


__all__ = [
    "AREA",
    "CONFIG",
    "KEY",
    "NOW",
    "SPEC",
    "STYLES",
    "Crash",
    "LayoutName",
    "Reason",
    "World",
    "photo",
    "request_area",
]


def ready(world: World) -> bool:
    return world.condition("Ready")[0] == "True"


def gone(world: World) -> bool:
    return world.gone


def stages_of(world: World) -> list[str]:
    """The stages of the Jobs that were created, in order."""
    return [name.removeprefix("minji-").rpartition("-")[0] for name in world.created]


def stalled(world: World, reason: Reason) -> str:
    """The request is stalled for that reason; returns the advice."""
    assert world.condition("Ready")[:2] == ("False", reason)
    assert world.condition("Stalled")[:2] == ("True", reason)
    assert world.condition("Reconciling")[0] == "False"
    assert world.status.stage_text == "Stalled"
    return world.condition("Stalled")[2]


def change(world: World, listed: list[object] | None = None, **fields: object) -> None:
    world.spec = world.spec.model_copy(update=fields)
    world.generation += 1
    world.photos += listed or []  # type: ignore[arg-type]


def fail(world: World, stage: Stage, cause: Cause | None) -> str:
    """Run until the stage's Job is there and let it fail; returns the Job's name."""
    world.run(until=lambda w: any(f"-{stage}-" in name for name in w.jobs))
    name = next(name for name in world.jobs if f"-{stage}-" in name)
    world.end(name, JobState.FAILED, cause)
    world.cycle()
    return name
