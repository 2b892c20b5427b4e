"""All reads: one request and what belongs to it, into one Snapshot. A read that fails raises: it is never 'empty'."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from profile_contract.areas import Area
from profile_contract.look import LookState, drawable, hindrances, look_ref_of, look_state, ready_files
from profile_contract.look_ref import LookFile
from profile_contract.problems import problems_of
from profile_contract.progress import ProgressEvent
from profile_contract.request import ProfileRequestSpec
from profile_contract.request_status import StagesStatus
from profile_contract.resolved import AskedFor, Resolved, looks_anew, resolve
from profile_contract.resource import Key, RequestHead, SpecError, parse_head, parse_spec
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.preprocess import Captions, PhotoRef, PreprocessReport
from profile_contract.stages.stage_text import StageText
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import ref_of
from profile_operator import names
from profile_operator.clients.kubernetes import Kube
from profile_operator.clients.progress import ProgressReader
from profile_operator.clients.store import ReportT, StoreAccess
from profile_operator.clock import stamp
from profile_operator.compared import compared_with, fingerprints_today, platform_digest, platform_of
from profile_operator.config import OperatorConfig
from profile_runtime.kubernetes.errors import Forbidden
from profile_runtime.kubernetes.resources import Document

from .absences import Absences, writers_of
from .areas import Areas
from .chain import chain_of
from .issued import Issued
from .jobs import job_view
from .pods import cause_of, runs_of, stage_runs
from .predictors import absent_predictors
from .queues import Queues
from .snapshot import Chain, GenerationView, JobState, JobView, Remains, Reports, Snapshot, is_settled
from .today import Today

log = logging.getLogger(__name__)

T = TypeVar("T")

# Younger pods are on their way; older ones wait for something worth telling.
PATIENCE = timedelta(seconds=45)


class Observer:
    """Reads everything that one decision may look at."""

    def __init__(
        self,
        kube: Kube,
        store: StoreAccess,
        progress: ProgressReader,
        generation: Callable[[str], GenerationView],
        config: OperatorConfig,
        *,
        issued: Issued,
    ) -> None:
        """`generation`: what goes on beside the loop for the request of a uid. `issued`: by our own hand."""
        self._kube, self._store, self._progress = kube, store, progress
        self._generation, self._config, self._issued = generation, config, issued
        self._platform, self._offered = platform_digest(config), platform_of(config)
        self._today = Today()
        self._areas = Areas(kube, config.store.prefix)
        self._queues = Queues(kube)
        self._absences = Absences()

    async def snapshot(self, head: RequestHead, spec_document: Document, seconds_since_write: float) -> Snapshot:
        """The whole snapshot of a request that lives. Raises SpecError, StoreError or ApiError."""
        spec = parse_spec(spec_document)
        # Before the styles are read: whoever changes one from now on finds the request compared with the old one.
        asked = self._kube.style_digests(head.key.namespace, spec.style_keys)
        compared = compared_with(self._platform, asked)
        # Jobs before reports: a Job that has ended leaves its report first, so this order never misses one.
        area, jobs, (styles, unclear, absent) = await asyncio.gather(
            self._areas.of(head), self._jobs(head.key), self._styles(head.key.namespace)
        )
        looks = await self._looks(head.key.namespace, area, spec, styles)
        ready = ready_files(styles.values(), looks)
        whole = drawable(styles, looks)
        # What their digests do not tell for certain is not remembered by them.
        certain = all(asked.values()) and asked == self._kube.style_digests(head.key.namespace, spec.style_keys)
        mark = (head.generation, compared) if certain else None
        today = self._today.of(head.uid, mark, lambda: fingerprints_today(spec, whole, self._offered, ready))
        recorded, photos, resolved = await self._resolved(head, area, spec, whole, ready)
        chain = chain_of(head.key, area, resolved)
        reports = Reports() if is_settled(head, recorded, resolved) else await self._reports(head, chain, jobs)
        if resolved.photos.gone and reports.preprocess is not None and reports.preprocess.outcome == "Done":
            photos = None
        return Snapshot(
            head=head,
            spec=spec,
            resolved=resolved,
            chain=chain,
            recorded=recorded,
            today=today,
            styles={key: styles[key] for key in spec.style_keys if key in styles},
            unready_looks=hindrances({key: styles[key] for key in spec.style_keys if key in styles}, looks),
            known_styles=tuple(sorted(styles)),
            unclear_styles={key: unclear[key] for key in spec.style_keys if key in unclear},
            absent_predictors=absent,
            photos=photos,
            jobs=tuple([await self._with_pods(job, head, chain, reports, suspend=spec.suspend) for job in jobs]),
            reports=reports,
            generation=self._generation(head.uid),
            progress=await self._latest_progress(head.key, chain, jobs),
            credentials_end=await self._credentials_end(head, _starting(head, chain, jobs)),
            seconds_since_write=seconds_since_write,
            compared=compared,
        )

    async def remains(self, head: RequestHead) -> Remains:
        """What may still write of a request that is being deleted. Raises ApiError, but for what may not be seen."""
        return Remains(
            head=head,
            area=await self._areas.left_by(head),
            jobs=await _if_allowed(self._jobs(head.key)),
            generation=self._generation(head.uid),
            revoked=self._store.revoked(head.uid),
            photos_shared=await self._sharing(head) if head.photos_to_delete else "",
        )

    async def _sharing(self, head: RequestHead) -> str:
        """Another request of the namespace that names the same photos, or some of them, and does not let them go too.

        Raises ApiError: photos that may be another's are not deleted.
        """
        for document in await self._kube.requests(head.key.namespace):
            other = parse_head(document)
            prefix = str(((document.get("spec") or {}).get("photos") or {}).get("prefix") or "")
            overlaps = prefix.startswith(head.photos_to_delete) or head.photos_to_delete.startswith(prefix)
            # What belongs to the request goes with it: the page's first pictures.
            belongs = any(owner.get("uid") == head.uid for owner in document["metadata"].get("ownerReferences") or ())
            if other.uid != head.uid and overlaps and not (belongs or (other.deleting and other.photos_to_delete)):
                return other.key.name
        return ""

    async def _styles(self, namespace: str) -> tuple[dict[str, ProfileStyleSpec], dict[str, str], frozenset[str]]:
        """The cluster's and the namespace's styles by key; what is wrong with those that this version does not
        understand; and the predictors of theirs that do not exist."""
        styles, unclear = {}, {}
        offered, own = await asyncio.gather(self._kube.cluster_styles(), self._kube.styles(namespace))
        for document in (*offered, *own):
            try:
                style = ref_of(document)
            except ValidationError:
                continue  # under a name that no request can say
            try:
                styles[style.key] = ProfileStyleSpec.model_validate(document.get("spec", {}), extra="ignore")
            except ValidationError as error:
                unclear[style.key] = problems_of(error, most=3, below="spec.")
                log.warning("the %s cannot be understood by this version: %s", style, unclear[style.key])
        return styles, unclear, absent_predictors((*offered, *own), self._config.installation)

    async def _resolved(
        self,
        head: RequestHead,
        area: Area,
        spec: ProfileRequestSpec,
        styles: Mapping[str, ProfileStyleSpec],
        looks: Mapping[str, LookFile],
    ) -> tuple[Resolved | None, tuple[PhotoRef, ...] | None, Resolved]:
        """What is recorded, the photos if they had to be looked at, and what the request is resolved to now."""
        recorded = await self._store.resolved(area, head.key.name)
        wish, photos = asked_of(head, spec, recorded), None
        if looks_anew(recorded, wish):
            limits = self._config.preprocess
            # Beside each photo may lie its caption.
            most = limits.maximum_photos * (2 if limits.captions is Captions.WRITTEN else 1) + 1
            try:
                photos = await self._store.photos(area, spec.photos.prefix, most)
            except ValueError as error:
                raise SpecError(str(error)) from None
        return recorded, photos, resolve(recorded, wish, photos, styles, self._offered, looks=looks)

    async def _looks(
        self, namespace: str, area: Area, spec: ProfileRequestSpec, styles: Mapping[str, ProfileStyleSpec]
    ) -> dict[str, LookState]:
        """How the looks stand that styles of a namespace may draw with; nobody is asked where none of those that are
        asked for draws with any."""
        if not any(styles[key].adapters for key in spec.style_keys if key in styles):
            return {}
        states = {}
        for document in await self._kube.looks(namespace):
            place = area if document["metadata"].get("namespace") else self._config.store.prefix
            try:
                states[look_ref_of(document).key] = look_state(document, place, self._config.installation)
            except ValidationError:
                continue  # under a name that no style can say
        return states

    async def _reports(self, head: RequestHead, chain: Chain, jobs: Sequence[JobView]) -> Reports:
        """The reports that stand under the chain's digests."""
        generation = self._generation(head.uid)

        async def report(stage: Stage, kind: type[ReportT], digest: str = "") -> ReportT | None:
            prefix = chain.prefix(stage, digest) if digest else chain.prefix(stage)
            writers = writers_of(stage, jobs, generation)
            if self._absences.last(head.uid, prefix, writers):
                return None
            report = await self._store.report(prefix, kind)
            if report is None:
                self._absences.keep(head.uid, prefix, writers)
            else:
                self._absences.end(head.uid, prefix)
            return report

        preprocess, train = await asyncio.gather(
            report(Stage.PREPROCESS, PreprocessReport), report(Stage.TRAIN, TrainReport)
        )
        styles = await asyncio.gather(
            *(report(Stage.GENERATE, GenerateReport, digest) for digest in chain.styles.values())
        )
        generate = {name: report for name, report in zip(chain.styles, styles, strict=True) if report is not None}
        finish = await report(Stage.FINISH, FinishReport) if chain.finish else None
        return Reports(preprocess=preprocess, train=train, generate=generate, finish=finish)

    async def _latest_progress(self, key: Key, chain: Chain, jobs: tuple[JobView, ...]) -> ProgressEvent | None:
        """The last event of the stage whose Job runs."""
        for job in jobs:
            if not job.finished and job.digest == chain.of(job.stage):
                return await self._progress.latest(key, job.stage, job.digest)
        return None

    async def _credentials_end(self, head: RequestHead, stage: Stage | None) -> datetime | None:
        """When the credentials of a stage whose pod is still to start end, by the Secret that stands."""
        if stage is None:
            return None
        if (lately := self._issued.lately(head.uid, stage)) is not None:
            return lately.ends
        name = names.credentials_secret(head.key.name, stage, head.uid)
        standing = self._issued.standing(head.uid, stage, await self._kube.secret_uid(head.key.namespace, name))
        if standing is None:
            return None
        self._issued.add(head.uid, stage, standing)
        return standing.ends

    # --- Jobs ---

    async def _jobs(self, key: Key) -> tuple[JobView, ...]:
        """The Jobs that carry the labels of the request and of a stage."""
        views = [job_view(document) for document in await self._kube.jobs(key)]
        return tuple(view for view in views if view is not None)

    async def _with_pods(
        self, job: JobView, head: RequestHead, chain: Chain, reports: Reports, *, suspend: bool
    ) -> JobView:
        """The Job with what only its pods tell: why it failed without a report, or does not run though it had the time
        to start; how long they ran, once it has ended, is about to be deleted or was preempted; and what hinders the
        queue that holds it."""
        if job.deleting or job.owner_uid != head.uid:
            return job
        if job.state is JobState.SUSPENDED and job.queue:
            job = replace(job, hindrance=await self._queues.hindrance(chain.key.namespace, job.queue))
        now, stale = datetime.now(UTC), job.digest != chain.of(job.stage)
        asks = not stale and reports.of(job.stage) is None and _asks_why(job, now)
        # Of a Job that a queue takes its place away from, the pods go, and what they ran would be forgotten.
        preempted = job.state is JobState.SUSPENDED and head.status.stage_text != StageText.QUEUED
        ending = not job.finished and (stale or suspend or preempted)
        if not asks and not (job.gpus and (ending or _is_unbilled(job, head))):
            return job
        pods = await self._kube.pods(chain.key.namespace, job.name)
        job = replace(job, runs=runs_of(pods, now if ending else None))
        if not asks:
            return job
        if stage_runs(pods):
            return replace(job, running=True)
        failed = job.state is JobState.FAILED
        events = [] if failed else await self._kube.events_about(chain.key.namespace, _names(job, pods))
        return replace(job, cause=cause_of(job, pods, events, now))


def _asks_why(job: JobView, now: datetime) -> bool:
    """Whether a Job failed, or has none of its pods running though it had the time to start one."""
    late = job.started is not None and now - job.started > PATIENCE
    idle = job.state is JobState.ACTIVE and not job.running and (late or job.failed_pods > 0)
    return job.state is JobState.FAILED or idle


def _is_unbilled(job: JobView, head: RequestHead) -> bool:
    """Whether a Job ended and the status does not count yet what it ran."""
    entry = head.status.stages.of(job.stage) if head.status.stages is not None else None
    if not job.finished or job.completed is None or (entry and entry.completion_time and entry.digest == job.digest):
        return False
    return entry is None or not entry.gpu_until or entry.gpu_until < stamp(job.completed)


def _names(job: JobView, pods: Sequence[Document]) -> tuple[str, ...]:
    """The Job, and the pods that have not ended."""
    live = (pod["metadata"]["name"] for pod in pods if pod.get("status", {}).get("phase") == "Pending")
    return (job.name, *live)


async def _if_allowed(reading: Awaitable[T]) -> T | None:
    """What is read, or None where the operator has no right to: a namespace that is deleted loses its RoleBinding
    before its last request is gone."""
    try:
        return await reading
    except Forbidden:
        return None


def asked_of(head: RequestHead, spec: ProfileRequestSpec, recorded: Resolved | None) -> AskedFor:
    """What is asked for, and the first stage that failed where a person asks to try again."""
    stages = head.status.stages or StagesStatus()
    failed = None
    if head.retrying and recorded is not None:
        failures = {stage: entry.failure for stage in Stage if (entry := stages.of(stage)) and entry.failure}
        alike = (stage for stage in failures if failures[stage].digest == recorded.digest_of_stage(stage))
        failed = next(alike, None)
    return AskedFor(spec, uid=head.uid, retry=head.retry, failed=failed)


def _starting(head: RequestHead, chain: Chain, jobs: tuple[JobView, ...]) -> Stage | None:
    """The stage whose pod is still to start, for which the Secret must be there."""
    starting = (
        job.stage
        for job in jobs
        if job.state is JobState.ACTIVE
        and not job.running
        and not job.deleting
        and job.owner_uid == head.uid
        and job.digest == chain.of(job.stage)
    )
    return next(starting, None)
