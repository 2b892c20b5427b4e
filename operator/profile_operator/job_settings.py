"""JobsConfig: what the platform team sets about the Jobs of the stages."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from profile_contract.kubernetes import (
    Amount,
    EnvironmentName,
    LabelNameOrNone,
    ObjectNameOrNone,
    Size,
)
from profile_contract.model import Contract
from profile_contract.stages.table import JOB_STAGES, Stage

# A Job's credentials outlast its deadline by this: images are pulled and pods start before the clock runs.
CREDENTIALS_MARGIN_SECONDS = 600
LONGEST_CREDENTIALS_SECONDS = 7 * 24 * 3600

# Istio's and Linkerd's.
WITHOUT_SIDECARS = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
Gpus = Annotated[int, Field(ge=0, le=16)]
CredentialsSeconds = Annotated[
    int,
    Field(
        ge=900,
        le=LONGEST_CREDENTIALS_SECONDS,
        description="The longest that a Job's store credentials may be valid; each outlast their Job by 10 minutes.",
    ),
]
TtlSeconds = Annotated[
    int,
    Field(
        ge=60,
        le=30 * 24 * 3600,
        description="How long a Job that ended is kept, and its pod with the log. What it made, or why it failed, does "
        "not hang on it.",
    ),
]
PodAnnotations = Annotated[
    dict[str, str],
    Field(
        description="On every stage's Job and pod, below the stage's own. They keep the sidecars of Istio and Linkerd "
        "out, which would not end with the stage."
    ),
]


class Toleration(Contract):
    """A toleration of Kubernetes, as it stands in a pod."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    toleration_seconds: int | None = Field(default=None, ge=0)


class Resources(Contract):
    """Requests and limits, amounts as text: "1" for one CPU. GPUs are given by `gpus` instead."""

    requests: dict[str, Amount] = {}
    limits: dict[str, Amount] = {}


class JobSettings(Contract):
    """What the platform team says of one stage's Job.

    `labels` and `annotations` are put on the Job and its pod, below the operator's own. `affinity`, `extra_env`,
    `extra_volumes` and `extra_volume_mounts` are written as Kubernetes has them, and are not looked into.
    """

    resources: Resources = Resources()
    node_selector: dict[str, str] = {}
    tolerations: list[Toleration] = []
    runtime_class_name: LabelNameOrNone = ""
    priority_class_name: ObjectNameOrNone = ""
    gpus: Gpus = Field(default=0, description="GPUs the Job asks for; 0: none.")
    active_deadline_seconds: int = Field(
        default=3600,
        ge=60,
        le=LONGEST_CREDENTIALS_SECONDS - CREDENTIALS_MARGIN_SECONDS,
        description="Longest run of a pod of the Job, from when it has its node; what it waits before does not count.",
    )
    backoff_limit: int = Field(default=2, ge=0, le=10, description="How often a failed pod is started again.")
    scratch_size: Size = Field(default="4Gi", description="Size limit of the emptyDir at /scratch.")
    env: dict[EnvironmentName, str] = {}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    affinity: dict[str, Any] = {}
    extra_env: list[dict[str, Any]] = []
    extra_volumes: list[dict[str, Any]] = []
    extra_volume_mounts: list[dict[str, Any]] = []


class StageJob(JobSettings):
    """How one stage's Job runs."""

    image: str = Field(min_length=1)
    image_pull_policy: PullPolicy = "IfNotPresent"
    gpu_resource: str = "nvidia.com/gpu"


class JobsConfig(Contract):
    """The Jobs of the stages that run as Jobs: a field each."""

    preprocess: StageJob
    train: StageJob
    finish: StageJob
    image_pull_secrets: list[str] = []
    labels: dict[str, str] = Field(default={}, description="On every stage's Job and pod, below the stage's own.")
    annotations: PodAnnotations = WITHOUT_SIDECARS
    ttl_seconds: TtlSeconds = 3600
    models_claim: str = Field(default="", description="PersistentVolumeClaim mounted at /models; empty: no claim.")
    models_image: str = Field(default="", description="OCI image mounted at /models as it is; empty: none.")
    credentials_seconds: CredentialsSeconds = 6 * 3600

    @model_validator(mode="after")
    def _one_source_of_models(self) -> Self:
        if self.models_claim and self.models_image:
            raise ValueError("modelsClaim and modelsImage are both set, and one place holds the models: keep one")
        return self

    @property
    def models_volume(self) -> dict[str, Any] | None:
        """The volume that holds the models; None where the stages' images do."""
        if self.models_image:
            return {"name": "models", "image": {"reference": self.models_image, "pullPolicy": "IfNotPresent"}}
        if self.models_claim:
            return {"name": "models", "persistentVolumeClaim": {"claimName": self.models_claim, "readOnly": True}}
        return None

    @model_validator(mode="after")
    def _credentials_outlast_jobs(self) -> Self:
        longest = max(self.of(stage).active_deadline_seconds for stage in JOB_STAGES)
        if self.credentials_seconds < longest + CREDENTIALS_MARGIN_SECONDS:
            raise ValueError(
                f"credentialsSeconds must be at least {longest + CREDENTIALS_MARGIN_SECONDS}: "
                f"the longest activeDeadlineSeconds plus {CREDENTIALS_MARGIN_SECONDS}"
            )
        return self

    def seconds_of(self, stage: Stage) -> int:
        """How long a stage's credentials are valid: its deadline, and time to pull images and start."""
        return min(self.of(stage).active_deadline_seconds + CREDENTIALS_MARGIN_SECONDS, self.credentials_seconds)

    def least_seconds_of(self, stage: Stage) -> int:
        """What must be left of them while a pod is still to start: half of the margin, or each look renewed them."""
        return self.of(stage).active_deadline_seconds + CREDENTIALS_MARGIN_SECONDS // 2

    def of(self, stage: Stage) -> StageJob:
        """The Job of a stage. Raises AttributeError for generate, which has none."""
        job: StageJob = getattr(self, stage.value)
        return job
