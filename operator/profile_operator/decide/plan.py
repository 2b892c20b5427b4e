"""Plan: what is to be done, in actions that the applier knows, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.candidates import PlannedCandidate
from profile_contract.conditions import Reason
from profile_contract.look_ref import LookFile
from profile_contract.picture_size import PictureSize
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resolved import Resolved
from profile_contract.sources import Undrawable
from profile_contract.stages.finish import FinishOrder
from profile_contract.stages.order import FileRef, RequestRef
from profile_contract.stages.preprocess import PreprocessOrder
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder
from profile_contract.style import ProfileStyleSpec
from profile_contract.trace import SpanPlace

# When what is under way is looked at again: nothing tells us the moment that it is gone.
SOON_SECONDS = 2.0


@dataclass(frozen=True)
class StyleWork:
    """The candidates of one style, all under one prefix. `omitted`: why there are none, where nothing can be drawn."""

    key: str
    spec: ProfileStyleSpec
    size: PictureSize
    digest: str
    prefix: str
    candidates: tuple[PlannedCandidate, ...]
    looks: tuple[LookFile, ...] = ()
    omitted: Undrawable | None = None


@dataclass(frozen=True)
class GenerationWork:
    """All that generation has to do for a request. Two works with the same digest are the same work.

    `adapter` None: what it draws are previews, over photos. `place`: of the stage's span in the request's trace.
    """

    request: RequestRef
    digest: str
    adapter: FileRef | None
    styles: tuple[StyleWork, ...]
    place: SpanPlace

    @property
    def total(self) -> int:
        """Pictures in all."""
        return sum(len(style.candidates) for style in self.styles)


@dataclass(frozen=True)
class Scope:
    """What one stage's credentials may do: read below these prefixes, read and write below `write`; below `shared`,
    which others use too, read and write, and delete nothing. Empty: nothing is shared."""

    stage: Stage
    read: tuple[str, ...]
    write: str
    shared: str = ""


@dataclass(frozen=True)
class AddFinalizer:
    """Hold the request until what it made is purged."""


@dataclass(frozen=True)
class RemoveFinalizer:
    """Let the request go."""


@dataclass(frozen=True)
class KueueQueue:
    """Where a Job waits: a LocalQueue of its namespace, and the WorkloadPriorityClass it has there, if any."""

    name: str
    priority_class: str = ""


@dataclass(frozen=True)
class WriteResolved:
    """Write down in the store what the request is resolved to, before anything is begun with it."""

    key: str
    resolved: Resolved


@dataclass(frozen=True)
class MarkPurgeable:
    """Let the store say that what lies below the prefix may go with its request, or that it may not."""

    prefix: str
    purgeable: bool


@dataclass(frozen=True)
class CreateJob:
    """Run a stage. `scopes` are those of every stage that is still to run: their credentials are issued together.

    With a `queue` it is made suspended, and without credentials: it has them when the queue lets it go.
    """

    stage: Stage
    name: str
    order: PreprocessOrder | TrainOrder | FinishOrder
    scopes: tuple[Scope, ...]
    queue: KueueQueue | None = None


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job and wait for its pods to end before it is gone. `uid`: of this Job, and no later one of its name."""

    name: str
    uid: str = ""


@dataclass(frozen=True)
class IssueCredentials:
    """Make the Secret hold the stage's credentials again: a pod that waits for them starts by itself."""

    stage: Stage
    scopes: tuple[Scope, ...]


@dataclass(frozen=True)
class WithdrawCredentials:
    """Take the stage's Secret away: a pod that comes later waits for a new one, and starts with none that ends soon."""

    stage: Stage


@dataclass(frozen=True)
class DropReport:
    """Forget a BadInput report, so that the stage may run again."""

    key: str


@dataclass(frozen=True)
class StartGeneration:
    """Let generation work on this; does nothing if it does so already."""

    work: GenerationWork


@dataclass(frozen=True)
class StopGeneration:
    """Begin no further batch."""


@dataclass(frozen=True)
class Purge:
    """Delete everything that the request made: predictor cache, store, progress."""

    prefix: str


@dataclass(frozen=True)
class Revoke:
    """End every link and all credentials that were handed out for the request, if the store can."""

    prefix: str


@dataclass(frozen=True)
class PurgePhotos:
    """Delete the photos that lie below this prefix of the store."""

    prefix: str


@dataclass(frozen=True)
class Keep:
    """Leave the artifacts, marked as kept; end what was handed out for them. A store that is away holds nothing up."""

    prefix: str


@dataclass(frozen=True)
class Abandon:
    """Try once to purge and to end what was handed out. What does not succeed stays behind, for the sweep.

    `photos`: the prefix of the photos that go, too; empty: none do.
    """

    prefix: str
    photos: str = ""


Action = (
    AddFinalizer
    | RemoveFinalizer
    | WriteResolved
    | MarkPurgeable
    | CreateJob
    | DeleteJob
    | IssueCredentials
    | WithdrawCredentials
    | DropReport
    | StartGeneration
    | StopGeneration
    | Purge
    | Revoke
    | PurgePhotos
    | Keep
    | Abandon
)


@dataclass(frozen=True)
class EventNote:
    """An Event to post. `warning`: the user or the platform should look."""

    reason: Reason
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Plan:
    """Actions in order, then the status (None: as it is), then Events; look again after so many seconds."""

    actions: tuple[Action, ...] = ()
    status: ProfileRequestStatus | None = None
    events: tuple[EventNote, ...] = ()
    again: float | None = None
