"""What the platform team sets: one YAML file, named by $PROFILE_CONFIG. Secrets come from the environment alone.

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY   the operator's own account in the store (required)
PROFILE_REDIS                              redis://[:PASSWORD@]HOST:PORT/DB, optional: without it no progress
PROFILE_STAGE_REDIS                        the same with a user that stages share, optional: see `clients.stage_redis`
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from profile_contract.generation import MAXIMUM_ITEMS, PictureEdge
from profile_contract.kubernetes import (
    InstallationName,
    LabelName,
    LabelNameOrNone,
    ObjectName,
    ObjectNameOrNone,
)
from profile_contract.model import Contract
from profile_contract.picture_size import GenerationRecipe, PictureSize
from profile_contract.recipe import Recipe
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_runtime.configuration import ConfigError
from profile_runtime.store.address import StoreAddress

from .job_settings import JobsConfig

WatchNamespaces = Annotated[
    list[LabelName], Field(description="Those whose requests are served.", json_schema_extra={"uniqueItems": True})
]


class StoreConfig(StoreAddress):
    """The bucket. `endpoint` is as the Jobs and the predictor reach it: grants are signed for it."""

    # Where the operator itself reaches the store, if not at `endpoint` (an operator outside the cluster).
    own_endpoint: str = ""

    def url(self, *, own: bool = False) -> str:
        """The store's URL, see `profile_runtime.store.opening`; `own`: as the operator reaches it."""
        return self.url_at((self.own_endpoint if own else "") or self.endpoint, secure=self.secure)


@dataclass(frozen=True)
class Limits:
    """How many trainings may run at once, in all and of each namespace; 0: any number."""

    trainings: int = 0
    per_namespace: int = 0

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return bool(self.trainings or self.per_namespace)


class PriorityClass(Contract):
    """Which WorkloadPriorityClass of Kueue requests from a priority on have."""

    at_least: int = Field(ge=-1000, le=1000, description="The lowest spec.priority that it is for.")
    name: ObjectName


class AdmissionConfig(Contract):
    """Who may begin what needs a GPU: counted by the operator itself, or decided by Kueue."""

    mode: Literal["BuiltIn", "Kueue"] = Field(
        default="BuiltIn", description="Kueue: Jobs that need a GPU are made suspended, and Kueue lets them go."
    )
    trainings: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="BuiltIn: trainings at the same time, in all; 0: any number.",
    )
    trainings_per_namespace: int = Field(
        default=0, ge=0, le=100_000, description="BuiltIn: trainings at the same time of one namespace; 0: any number."
    )
    queue: LabelNameOrNone = Field(
        default="", description="Kueue: the LocalQueue of requests that name none; it must exist in their namespaces."
    )
    priority_classes: list[PriorityClass] = Field(
        default=[],
        max_length=20,
        description="Kueue: the WorkloadPriorityClass by spec.priority, the highest atLeast that it reaches; none "
        "reached: no class.",
    )

    @model_validator(mode="after")
    def _kueue_has_a_queue(self) -> Self:
        if self.mode == "Kueue" and not self.queue:
            raise ValueError("queue must name the LocalQueue of requests that name none, where mode is Kueue")
        return self

    @property
    def limits(self) -> Limits:
        """What the operator itself counts: nothing where Kueue does."""
        if self.mode == "Kueue":
            return Limits()
        return Limits(self.trainings, self.trainings_per_namespace)


class GenerationConfig(GenerationRecipe):
    """How candidates are asked of the predictor."""

    namespace: LabelName = Field(default="profile-studio", description="Where the InferenceServices are.")
    url_template: str = Field(
        default="http://{name}-predictor.{namespace}.svc",
        pattern=r"^https?://",
        description="{name} is the style's predictor, {namespace} the field above.",
    )
    width: PictureEdge = 896
    height: PictureEdge = 1152
    batch: int = Field(default=4, ge=1, le=MAXIMUM_ITEMS, description="Candidates in one call.")
    calls_per_replica: int = Field(
        default=4, ge=1, le=64, description="Calls at the same time to one replica of a predictor, over all requests."
    )
    replicas: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Replicas of a predictor that work at the same time, where it cannot be seen how many answer.",
    )
    connect_seconds: float = Field(default=5.0, gt=0, description="Longest wait for a connection.")
    call_seconds: float = Field(default=600.0, gt=0, description="Longest wait for one answer.")
    grant_seconds: int = Field(
        default=660,
        ge=60,
        le=7 * 24 * 3600,
        description="How long a link for the predictor is valid: longer than one call. Deletion waits for its end.",
    )
    longest_pause_seconds: float = Field(default=60.0, gt=0, description="Longest pause between tries.")
    start_seconds: int = Field(
        default=0,
        ge=0,
        le=7200,
        description="Of predictors that scale to zero: how long one may take to come once it is wanted. Until then a "
        "request is Queued, afterwards PredictorUnavailable. 0: predictors always run.",
    )

    @model_validator(mode="after")
    def _links_outlive_calls(self) -> Self:
        if self.grant_seconds < self.call_seconds:
            raise ValueError(
                f"grantSeconds must be at least callSeconds ({self.call_seconds:.0f}): links are used last"
            )
        return self

    @property
    def picture(self) -> PictureSize:
        """What of this decides how a candidate looks."""
        return self.over(PictureSize(self.width, self.height))

    def url(self, predictor: str) -> str:
        """Where an InferenceService answers."""
        return self.url_template.format(name=predictor, namespace=self.namespace)


class SignatureConfig(Contract):
    """By what the files of portraits are signed."""

    existing_secret: ObjectNameOrNone = Field(
        default="",
        description="Secret with tls.crt and tls.key, in each namespace of requests; empty: nothing is signed.",
    )


class FinishConfig(Contract):
    """What the platform decides about portraits."""

    visible_mark: bool = Field(default=False, description="A small visible mark in every portrait.")
    toy: bool = Field(default=False, description="The base model is a toy: pages, terminals and contact sheets say so.")
    signature: SignatureConfig = Field(
        default=SignatureConfig(), description="By what portraits are signed (content credentials, C2PA)."
    )


class LoopSettings(Contract):
    """How often the operator looks, writes and tries."""

    resync_seconds: float = Field(default=300.0, gt=0, description="Every request is looked at this often.")
    progress_interval_seconds: float = Field(default=30.0, gt=0, description="Shortest pause between progress writes.")
    progress_step_percent: int = Field(default=10, ge=1, le=100, description="Progress below this is not written.")
    revocation_seconds: float = Field(
        default=900.0,
        ge=0.0,
        description="How long servers of the store may still take credentials that were revoked: other servers of a "
        "MinIO cluster than the one that was asked read them anew every 10 minutes; 0 for a single one.",
    )
    workers: int = Field(default=32, ge=1, le=64, description="Requests looked at at the same time.")


class SweepConfig(Contract):
    """What the operator tidies in the store: what belongs to nobody any more."""

    mode: Literal["Delete", "Report", "Off"] = Field(
        default="Delete", description="Report: counted in metrics and named in the log, and left."
    )
    every_seconds: float = Field(default=3600.0, ge=10.0, le=604_800.0, description="A round begins so often.")
    after_days: int = Field(
        default=7,
        ge=1,
        le=3650,
        description="Nothing younger goes: what a request that is gone has left, versions that a bucket keeps of what "
        "was replaced or deleted, uploads that never ended.",
    )
    superseded_days: int = Field(
        default=14,
        ge=1,
        le=3650,
        description="What a request made of inputs that it has no more goes so long after it is ready with the new.",
    )

    @property
    def pause(self) -> timedelta:
        """`after_days`."""
        return timedelta(days=self.after_days)

    @property
    def superseded(self) -> timedelta:
        """`superseded_days`."""
        return timedelta(days=self.superseded_days)


class UploadsConfig(Contract):
    """What becomes of photos that no request names."""

    expire_after: str = Field(
        default="",
        pattern=r"^([1-9][0-9]{0,3}d)?$",
        description="Photos that no request of their namespace names go so long after they were sent, such as 30d, "
        "however they came. Empty: they stay.",
    )

    @property
    def expiry(self) -> timedelta | None:
        """`expire_after`; None: photos stay."""
        return timedelta(days=int(self.expire_after[:-1])) if self.expire_after else None


class LeaseConfig(Contract):
    """The Lease that says which of the operator's processes works."""

    namespace: str = ""
    name: str = Field(default="", description="Empty: there is one process alone, and it works.")


class LimitsConfig(Contract):
    """The most that one request may ask for; what is left out has the API's own bounds alone. Finished requests, and
    the platform's own defaults, are not judged by them."""

    steps: int | None = Field(default=None, ge=1, le=5000, description="Of spec.training.steps.")
    resolution: int | None = Field(default=None, ge=64, le=2048, description="Of spec.training.resolution.")
    styles: int | None = Field(default=None, ge=1, le=8, description="Styles of one request.")
    pictures: int | None = Field(default=None, ge=1, le=256, description="Candidates times styles.")


class EventSinkConfig(Contract):
    """Where events go."""

    url: str = Field(
        default="",
        max_length=2048,
        pattern=r"^(https?://[^\s]+)?$",
        description="Takes CloudEvents 1.0 by POST, in the structured mode; empty: none are sent.",
    )


class EventsConfig(Contract):
    """What is told to other programs when a request begins or ends a stage, is ready, stalls, or is deleted."""

    sink: EventSinkConfig = EventSinkConfig()
    queue: int = Field(
        default=1000, ge=1, le=100_000, description="How many may wait for a sink that is away; then the oldest go."
    )
    again_seconds: int = Field(
        default=3600,
        ge=0,
        le=604_800,
        description="After a start what happened within so long is sent once more, with the ids that it had.",
    )


class OperatorConfig(LoopSettings):
    """The whole configuration."""

    store: StoreConfig
    jobs: JobsConfig
    recipe: Recipe | None = Field(
        default=None,
        description="What the base model was taken to say about itself; the sections below say what is set.",
    )
    training: TrainParameters = Field(description="Platform defaults; a request may override some of them.")
    preprocess: PreprocessParameters = PreprocessParameters()
    generation: GenerationConfig = GenerationConfig()
    finish: FinishConfig = FinishConfig()
    admission: AdmissionConfig = AdmissionConfig()
    sweep: SweepConfig = SweepConfig()
    uploads: UploadsConfig = UploadsConfig()
    lease: LeaseConfig = LeaseConfig()
    limits: LimitsConfig = LimitsConfig()
    installation: InstallationName | Literal[""] = Field(
        default="",
        description="What requests carry that this installation serves; empty: any, and they carry nothing.",
    )
    formerly: list[InstallationName] = Field(
        default=[],
        max_length=16,
        description="Names that this installation had before, or installations that are gone: it serves theirs, too.",
    )
    events: EventsConfig = EventsConfig()
    watch_namespaces: WatchNamespaces = []
    metrics_port: int = Field(default=9090, ge=0, le=65535, description="/metrics; 0: none.")
    health_port: int = Field(default=8080, ge=0, le=65535, description="/healthz; 0: none.")

    @property
    def own_namespace(self) -> str:
        """The namespace of the release; empty where the operator is of none."""
        return self.installation.partition("/")[0]


class Secrets(Contract):
    """What comes from the environment."""

    access_key: SecretStr
    secret_key: SecretStr
    redis: SecretStr = SecretStr("")
    stage_redis: SecretStr = SecretStr("")
    predictor_token: SecretStr = SecretStr("")
    events_token: SecretStr = SecretStr("")
    events_signature_key: SecretStr = SecretStr("")

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Secrets:
        """Raises ConfigError if the store's account is missing."""
        missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not env.get(name)]
        if missing:
            raise ConfigError(f"the environment lacks {' and '.join(missing)}: the operator's account in the store")
        return cls(
            access_key=SecretStr(env["AWS_ACCESS_KEY_ID"]),
            secret_key=SecretStr(env["AWS_SECRET_ACCESS_KEY"]),
            redis=SecretStr(env.get("PROFILE_REDIS", "").strip()),
            stage_redis=SecretStr(env.get("PROFILE_STAGE_REDIS", "").strip()),
            predictor_token=SecretStr(env.get("PROFILE_PREDICTOR_TOKEN", "").strip()),
            events_token=SecretStr(env.get("PROFILE_EVENTS_TOKEN", "").strip()),
            events_signature_key=SecretStr(env.get("PROFILE_EVENTS_SIGNATURE_KEY", "").strip()),
        )
