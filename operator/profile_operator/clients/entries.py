"""RequestEntry, JobEntry, StyleEntry: what is kept of an object between looks, read by msgspec from its JSON.

Whatever stands in an object, reading it raises nothing: what cannot be understood is looked at whole instead.
"""

from __future__ import annotations

from typing import Any

import msgspec

from profile_contract.conditions import REASONS, RETRY_ANNOTATION, ConditionType, ReasonKind
from profile_contract.look import LookStatus
from profile_contract.look_ref import LookKind
from profile_contract.model import digest_of
from profile_contract.resource import FINALIZER, INSTALLATION_ANNOTATION, RETRY_LENGTH, Key
from profile_contract.stages.stage_text import StageText
from profile_contract.style_ref import OWN, StyleKind
from profile_contract.understood import understood
from profile_operator import names
from profile_runtime.kubernetes.resources import Document

# What kubectl keeps of what somebody applied: the object once more.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Reasons of the platform, of which the operator tries again by itself.
HEALING = frozenset(reason.value for reason, row in REASONS.items() if row.kind is ReasonKind.PLATFORM)


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    resource_version: str
    uid: str = ""
    namespace: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    finalizers: list[str] = []
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class _Object(msgspec.Struct):
    metadata: _Metadata


class _Style(msgspec.Struct):
    name: str
    kind: str = StyleKind.CLUSTER.value


class _RequestSpec(msgspec.Struct, rename="camel"):
    styles: list[str | _Style] = []
    suspend: bool = False
    priority: int = 0
    queue_name: str = ""
    refresh: int = 0


class _Condition(msgspec.Struct, rename="camel"):
    type: str
    status: str
    reason: str = ""
    observed_generation: int = -1


class _PhotosStatus(msgspec.Struct):
    retry: str = ""


class _Failure(msgspec.Struct):
    reason: str = ""
    attempt: int = 0


class _StageStatus(msgspec.Struct):
    failure: _Failure | None = None


class _RequestStatus(msgspec.Struct, rename="camel"):
    observed_generation: int = -1
    stage_text: str = ""
    conditions: list[_Condition] = []
    last_handled_retry: str = ""
    # Where an earlier version kept the retry.
    photos: _PhotosStatus | None = None
    compared: str = ""
    installation: str = ""
    stages: dict[str, _StageStatus | None] | None = None


class _Request(msgspec.Struct):
    metadata: _Metadata
    spec: _RequestSpec = msgspec.field(default_factory=_RequestSpec)
    status: _RequestStatus = msgspec.field(default_factory=_RequestStatus)


class RequestEntry(msgspec.Struct, frozen=True, gc=False):
    """A request in a list of all of them: what says whether it is to be looked at, and where it stands in a queue.

    `document` is its whole JSON, and empty once nothing is to be done for it: ten thousand of them are kept.
    """

    key: Key
    version: str
    uid: str
    generation: int
    created: str
    deleting: bool
    retry: str
    styles: tuple[str, ...] = ()
    suspended: bool = False
    priority: int = 0
    queue_name: str = ""
    # As the operator told it last: the generation it had seen, the column STAGE, the reason of Ready.
    observed_generation: int = -1
    stage_text: str = ""
    reason: str = ""
    finished: bool = False
    # What it was compared with when it was looked at last.
    compared: str = ""
    outdated: bool = False
    # Who serves it; empty: nobody yet.
    installation: str = ""
    # Who serves it and who is to, where a person named another.
    handover: tuple[str, str] | None = None
    # How often the stage that the platform failed most often was tried in vain.
    retried: int = 0
    document: bytes = b""

    @property
    def served_by(self) -> str:
        """The installation that is to serve it; empty: any."""
        return self.handover[1] if self.handover is not None else self.installation


def request_entry(data: bytes) -> RequestEntry:
    """What is kept of a ProfileRequest. Raises msgspec.DecodeError for what is no object with a name."""
    try:
        request = msgspec.json.decode(data, type=_Request)
    except msgspec.ValidationError:
        request = _Request(msgspec.json.decode(data, type=_Object).metadata)
    metadata, spec, status = request.metadata, request.spec, request.status
    ready = next((condition for condition in status.conditions if condition.type == ConditionType.READY), None)
    retry = metadata.annotations.get(RETRY_ANNOTATION, "")[:RETRY_LENGTH]
    holder, handed_to = status.installation, metadata.annotations.get(INSTALLATION_ANNOTATION, "")
    finished = (
        ready is not None
        and ready.status == "True"
        and ready.observed_generation == status.observed_generation == metadata.generation
        and metadata.deletion_timestamp is None
        and FINALIZER in metadata.finalizers
        and retry in ("", status.last_handled_retry or (status.photos.retry if status.photos is not None else ""))
    )
    return RequestEntry(
        key=Key(metadata.namespace, metadata.name),
        version=metadata.resource_version,
        uid=metadata.uid,
        generation=metadata.generation,
        created=metadata.creation_timestamp,
        deleting=metadata.deletion_timestamp is not None,
        retry=retry,
        styles=tuple(style if isinstance(style, str) else _style_key(style) for style in spec.styles),
        suspended=spec.suspend,
        priority=spec.priority,
        queue_name=spec.queue_name,
        observed_generation=status.observed_generation,
        stage_text=status.stage_text,
        reason=ready.reason if ready is not None else "",
        finished=finished,
        compared=status.compared,
        outdated=any(c.type == ConditionType.OUTDATED and c.status == "True" for c in status.conditions),
        installation=holder,
        handover=(holder, handed_to) if handed_to not in ("", holder) else None,
        retried=0 if finished or _rests(request) else _retried(status),
        document=b"" if finished else _slim(data),
    )


def _rests(request: _Request) -> bool:
    """Whether nothing is tried for a request: it goes, is held, or waits for a person."""
    resting = request.status.stage_text in (StageText.STALLED, StageText.SUSPENDED)
    return resting or request.spec.suspend or request.metadata.deletion_timestamp is not None


def _retried(status: _RequestStatus) -> int:
    """The most attempts of a stage that failed for want of the platform; 0: none did."""
    failures = (stage.failure for stage in (status.stages or {}).values() if stage is not None and stage.failure)
    return max((failure.attempt for failure in failures if failure.reason in HEALING), default=0)


def _style_key(style: _Style) -> str:
    """What tells a style apart from every other of a request, as StyleRef has it."""
    return OWN + style.name if style.kind == StyleKind.OWN else style.name


class _Owner(msgspec.Struct, omit_defaults=True):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class _JobMetadata(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    resource_version: str = ""
    uid: str = ""
    namespace: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[_Owner] = []


class _Resources(msgspec.Struct, omit_defaults=True):
    limits: dict[str, str | int | float] = {}


class _Container(msgspec.Struct, omit_defaults=True):
    name: str = ""
    resources: _Resources = msgspec.field(default_factory=_Resources)


class _PodSpec(msgspec.Struct):
    containers: list[_Container] = []


class _Template(msgspec.Struct):
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)


class _JobSpec(msgspec.Struct):
    template: _Template = msgspec.field(default_factory=_Template)
    suspend: bool = False


class _JobCondition(msgspec.Struct, rename="camel", omit_defaults=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class _JobStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    conditions: list[_JobCondition] = []
    completion_time: str = ""


class JobPace(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a Job's pods do: when the first began, how many are ready and how many failed. Nothing is begun for it."""

    start_time: str = ""
    ready: int = 0
    failed: int = 0


class _Job(msgspec.Struct):
    metadata: _JobMetadata
    spec: _JobSpec = msgspec.field(default_factory=_JobSpec)
    status: _JobStatus = msgspec.field(default_factory=_JobStatus)


class _JobOfPods(msgspec.Struct):
    status: JobPace = JobPace()


class JobEntry(msgspec.Struct, frozen=True, gc=False):
    """A Job of a request: whose, whether its pods have ended, how they do, and the rest of what decisions read, as
    JSON: where neither that nor `pace` is another, nothing happened."""

    key: Key
    version: str
    request: Key
    finished: bool
    document: bytes
    pace: JobPace = JobPace()


def job_entry(data: bytes) -> JobEntry:
    """What is kept of a Job that carries a request's label. Raises msgspec.DecodeError for what is no object with a
    name."""
    job = msgspec.json.decode(data, type=_Job)
    metadata, status = job.metadata, job.status
    version, metadata.resource_version = metadata.resource_version, ""
    metadata.annotations.pop(LAST_APPLIED, None)
    status.conditions = [condition for condition in status.conditions if condition.type in ("Complete", "Failed")]
    return JobEntry(
        key=Key(metadata.namespace, metadata.name),
        version=version,
        request=Key(metadata.namespace, metadata.labels.get(names.LABEL_REQUEST, "")),
        finished=any(end.status == "True" for end in status.conditions),
        document=msgspec.json.encode(job),
        pace=msgspec.json.decode(data, type=_JobOfPods).status,
    )


class StyleEntry(msgspec.Struct, frozen=True, gc=False):
    """A style: its whole JSON, the digest of what it says, and the keys of the looks that it draws with."""

    key: Key
    version: str
    digest: str
    document: bytes
    looks: tuple[str, ...] = ()


def style_entry(data: bytes) -> StyleEntry:
    """What is kept of a style."""
    metadata = msgspec.json.decode(data, type=_Object).metadata
    digest = digest_of(msgspec.json.decode(data).get("spec"))
    try:
        looks = msgspec.json.decode(data, type=_StyleOfLooks).spec.adapters or []
    except msgspec.ValidationError:
        looks = []
    keys = tuple(OWN + look.name if look.kind == LookKind.OWN else look.name for look in looks)
    return StyleEntry(Key(metadata.namespace, metadata.name), metadata.resource_version, digest, _slim(data), keys)


class _LookOfStyle(msgspec.Struct):
    name: str
    kind: str = LookKind.CLUSTER.value


class _StyleSpec(msgspec.Struct):
    adapters: list[_LookOfStyle] | None = None


class _StyleOfLooks(msgspec.Struct):
    spec: _StyleSpec = msgspec.field(default_factory=_StyleSpec)


class LookEntry(msgspec.Struct, frozen=True, gc=False):
    """A look: its whole JSON, and the digest of what a request is drawn by: what it says, and whether it is ready."""

    key: Key
    version: str
    digest: str
    document: bytes

    @property
    def look(self) -> str:
        """Its key, as styles name it."""
        return OWN + self.key.name if self.key.namespace else self.key.name


def look_entry(data: bytes) -> LookEntry:
    """What is kept of a StyleAdapter or a ClusterStyleAdapter."""
    metadata = msgspec.json.decode(data, type=_Object).metadata
    document = msgspec.json.decode(data)
    status, _ = understood(LookStatus, document.get("status") or {})
    ready = status.ready.document() if status.ready is not None else None
    digest = digest_of([document.get("spec"), metadata.generation, status.observed_generation, ready])
    return LookEntry(Key(metadata.namespace, metadata.name), metadata.resource_version, digest, _slim(data))


def whole(entry: RequestEntry | JobEntry | StyleEntry | LookEntry) -> Document:
    """The object as the API server gave it, less what nobody reads."""
    document: Document = msgspec.json.decode(entry.document)
    if isinstance(entry, JobEntry):
        document["status"] |= msgspec.to_builtins(entry.pace)
    return document


def _slim(data: bytes) -> bytes:
    """The JSON of an object without what is long and looked at by nobody."""
    document: dict[str, Any] = msgspec.json.decode(data)
    metadata = document["metadata"]
    metadata.pop("managedFields", None)
    (metadata.get("annotations") or {}).pop(LAST_APPLIED, None)
    return msgspec.json.encode(document)
