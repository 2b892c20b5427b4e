"""What is true now: everything that one decision about a request may look at, read once, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from profile_contract.areas import Area
from profile_contract.artifacts import stage_prefix
from profile_contract.conditions import Reason
from profile_contract.progress import ProgressEvent
from profile_contract.request import ProfileRequestSpec
from profile_contract.resolved import Resolved
from profile_contract.resource import Key, RequestHead
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PhotoRef, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_contract.style import ProfileStyleSpec


class JobState(StrEnum):
    """Where a Job stands."""

    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True)
class Cause:
    """Why a stage ended badly, or does not run. What the cluster is to blame for has a reason of the PLATFORM's kind.

    `final`: the Job's next pods would end the same way, and none is to be started.
    """

    reason: Reason
    message: str
    final: bool = False


@dataclass(frozen=True)
class JobView:
    """A Job of the request. `running`: a pod is ready. `cause`: why it failed, or why no pod of it runs.

    `runs`: from when to when its stage's containers ran, by the pods that are left, where they were looked at.
    """

    name: str
    stage: Stage
    digest: str
    owner_uid: str
    state: JobState
    deleting: bool = False
    started: datetime | None = None
    completed: datetime | None = None
    failed_pods: int = 0
    running: bool = False
    gpus: int = 0
    # Of Kueue, which holds the Job until there is a place for it.
    queue: str = ""
    priority_class: str = ""
    # Why that queue lets nobody go, where it was looked at and something is wrong with it.
    hindrance: str = ""
    cause: Cause | None = None
    uid: str = ""
    runs: tuple[tuple[datetime, datetime], ...] = ()
    # Made by this product for a request of this name that is not the one that stands: it has nobody.
    orphaned: bool = False
    # No owner reference is left of it: nobody deletes it with its request.
    unowned: bool = False

    @property
    def finished(self) -> bool:
        """Whether no pod of it runs any more."""
        return self.state in (JobState.SUCCEEDED, JobState.FAILED)


@dataclass(frozen=True)
class GenerationView:
    """What the generation beside the loop does for this request. `digest` is the whole work's."""

    digest: str = ""
    running: bool = False
    done: int = 0
    total: int = 0
    remaining_seconds: int | None = None
    # Set while something hinders it: PredictorUnavailable, StoreUnavailable (it goes on trying), PredictorRefused.
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True)
class Reports:
    """The reports that stand in the store under the current digests. A BadInput report may be a bare StageReport."""

    preprocess: PreprocessReport | None = None
    train: TrainReport | None = None
    generate: Mapping[str, GenerateReport] = field(default_factory=dict)
    finish: FinishReport | None = None

    def of(self, stage: Stage) -> StageReport | None:
        """The report of a stage that runs as one Job."""
        report: StageReport | None = getattr(self, stage.value)
        return report


@dataclass(frozen=True)
class Chain:
    """One digest a stage, from the photos' on; for generate one a style, and one of all together; and where they lie.

    `finish` is empty while a style is missing.
    """

    key: Key
    area: Area
    photos: str
    preprocess: str
    train: str
    styles: Mapping[str, str]
    generate: str
    finish: str

    def of(self, stage: Stage) -> str:
        """The digest of a stage."""
        digest: str = getattr(self, stage.value)
        return digest

    def prefix(self, stage: Stage, digest: str = "") -> str:
        """Where a stage's artifacts lie; for generate give a style's digest."""
        return stage_prefix(self.area, self.key.name, stage, digest or self.of(stage))

    def job_name(self, stage: Stage) -> str:
        """The deterministic name of a stage's Job: at most 40 + 20 characters."""
        return f"{self.key.name}-{stage.value}-{self.of(stage)[:8]}"


def is_settled(head: RequestHead, recorded: Resolved | None, resolved: Resolved) -> bool:
    """Whether a request is ready as it is recorded and nothing else is asked for: its reports are of no matter then."""
    return head.ready and not head.retrying and resolved == recorded


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment. Styles go by their keys.

    `photos` is None where those that count were looked at before.

    `resolved` is what the stages are run with now, `recorded` what the store holds of it: None where nothing was
    recorded, or what this version cannot read. `styles` are those that are asked for and exist, as they are now, and
    `today` are the fingerprints of the inputs that a first look would resolve to now.
    """

    head: RequestHead
    spec: ProfileRequestSpec
    resolved: Resolved
    chain: Chain
    recorded: Resolved | None = None
    today: Mapping[str, str] = field(default_factory=dict)
    styles: Mapping[str, ProfileStyleSpec] = field(default_factory=dict)
    known_styles: tuple[str, ...] = ()
    # Styles that exist and that this version cannot understand, with what it stumbles over.
    unclear_styles: Mapping[str, str] = field(default_factory=dict)
    # Of the styles that are asked for, those that cannot be drawn for want of a look, and what is wrong with it.
    unready_looks: Mapping[str, str] = field(default_factory=dict)
    # InferenceServices that some style names and that do not exist, by what was seen of them lately.
    absent_predictors: frozenset[str] = frozenset()
    photos: tuple[PhotoRef, ...] | None = None
    jobs: tuple[JobView, ...] = ()
    reports: Reports = Reports()
    generation: GenerationView = GenerationView()
    progress: ProgressEvent | None = None
    seconds_since_write: float = float("inf")
    # The digest of the platform's settings and of the styles, as they are now.
    compared: str = ""
    # Where a pod is still to start: when the credentials in the Secret that stands end. None: there is none, or it is
    # not known what it holds.
    credentials_end: datetime | None = None

    @property
    def photos_withdrawn(self) -> bool:
        """Whether somebody asked that the photos be looked at anew: what runs may be for others."""
        return self.photos is not None and self.recorded is not None

    @property
    def settled(self) -> bool:
        """Whether what was asked for was delivered, and nothing else is asked for."""
        return is_settled(self.head, self.recorded, self.resolved)

    def job(self, name: str) -> JobView | None:
        """The Job of that name."""
        return next((job for job in self.jobs if job.name == name), None)


@dataclass(frozen=True)
class Remains:
    """What may still write of a request that is being deleted. Its spec is not asked: it may be one that nobody reads.

    `jobs` is None where the operator may no longer see them, as in a namespace that is going and lost its RoleBinding.
    `revoked`: when everything that was handed out was revoked. `photos_shared`: another request whose photos lie in the
    same prefix, or around it; asked for where the photos are to go.
    """

    head: RequestHead
    area: Area
    jobs: tuple[JobView, ...] | None = ()
    generation: GenerationView = GenerationView()
    revoked: datetime | None = None
    photos_shared: str = ""
