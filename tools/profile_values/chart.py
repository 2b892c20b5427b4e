"""The chart's values, section by section, as charts/profile-studio/values.yaml has them.

What operator, stages, page and predictor are told through the chart are those components' own models. What the chart
alone reads is a Section here; values.yaml says each of its fields, so that none has a default.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from profile_contract.kubernetes import (
    InstallationName,
    LabelName,
    LabelNameOrNone,
    ObjectName,
    ObjectNameOrNone,
    Port,
)
from profile_contract.model import Contract
from profile_contract.recipe import Recipe
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_operator.config import (
    AdmissionConfig,
    EventsConfig,
    EventSinkConfig,
    FinishConfig,
    GenerationConfig,
    LimitsConfig,
    SweepConfig,
    UploadsConfig,
    WatchNamespaces,
)
from profile_operator.job_settings import (
    CredentialsSeconds,
    JobSettings,
    PodAnnotations,
    PullPolicy,
    TtlSeconds,
)
from profile_runtime.store.address import StoreAddress

from .section import Count, Objects, Section, Sha256, Text
from .workloads import HistoryValues, OperatorValues, PredictorValues, ServiceAccount, WebValues


class DigestsValues(Contract):
    """Pins images by their digest, which wins over the tag."""

    operator: Sha256 = ""
    history: Sha256 = ""
    predictor: Sha256 = ""
    preprocess: Sha256 = ""
    train: Sha256 = ""
    finish: Sha256 = ""
    web: Sha256 = ""


class Images(Section):
    """Where the images are: <registry>/<operator|history|predictor|preprocess|train|finish|web>:<tag>."""

    registry: Annotated[str, Field(min_length=1, pattern=r"^[^ /]+(/[^ /]+)*$")]
    tag: str = Field(pattern=r"^[A-Za-z0-9_.-]*$", description="Empty: the chart's appVersion.")
    pull_policy: PullPolicy
    pull_secrets: list[ObjectName]
    digests: DigestsValues


class Parents(Section):
    """What parent charts say to all their charts; most of it is meant for others."""

    model_config = ConfigDict(extra="allow")

    image_registry: str = Field(
        pattern=r"^[^ /]*$", description="A host that takes the place of the first part of images.registry."
    )


class Crds(Section):
    """The definitions of requests and styles, which belong to the whole cluster."""

    install: bool
    keep: bool = Field(description="They stay when the release is uninstalled, and with them every request.")


class Styles(Section):
    """The styles that the chart brings."""

    install: bool


class Uninstall(Section):
    """What `helm uninstall` looks at first."""

    check: bool = Field(description="Whether requests stand that nobody could finish deleting.")
    seconds: int = Field(ge=10, le=3600, description="How long the pod that looks may take.")


class InstallationValues(Section):
    """Which installation this is, beside its release's namespace and name."""

    formerly: list[InstallationName] = Field(
        max_length=16, description="Releases whose requests this one goes on with."
    )


class Logging(Section):
    """How every program writes its log."""

    format: Literal["text", "json"] = Field(description="Lines for people, or an object a line for collectors.")


class Tracing(Section):
    """Where operator and predictor tell how long each part of a request took."""

    endpoint: Annotated[str, Field(max_length=2048, pattern=r"^(https?://[^\s]+)?$")] = Field(
        description="Takes spans by OTLP over HTTP; empty: none are sent."
    )
    existing_secret: ObjectNameOrNone = Field(description="Secret with headers, as NAME=VALUE,...; empty: none.")


class Rbac(Section):
    """Rights in the cluster."""

    create: bool = Field(description="Roles and bindings are the chart's; off: somebody else's, who makes them before.")
    aggregate: bool = Field(description="Every editor of every namespace may create and delete requests.")


class ChartStore(StoreAddress):
    """The object store."""

    existing_secret: ObjectName = Field(description="Secret with accessKey and secretKey, the operator's own account.")


class DatabaseValues(Section):
    """Where history is kept, and with it whether its pod runs."""

    existing_secret: ObjectNameOrNone = Field(description="Secret with dsn; empty: no history.")


class Redis(Section):
    """Where progress goes."""

    existing_secret: ObjectNameOrNone = Field(description="Secret with url; empty: no progress is shown.")


class ModelsValues(Section):
    """The weights."""

    existing_claim: ObjectNameOrNone = Field(description="A claim, mounted at /models; empty: the images hold them.")
    image: str = Field(
        pattern=r"^([a-z0-9][\w./:@-]*)?$", max_length=512, description="An OCI image, mounted at /models instead."
    )
    sha256: dict[
        Annotated[str, Field(pattern=r"^[^=,\s]+$")], Annotated[str, Field(pattern=r"^([0-9a-fA-F]{64}|required)$")]
    ] = Field(description="What must be loaded, by name.")


class Gpu(Section):
    """Whether the training Job and the predictor ask for GPUs."""

    enabled: bool
    resource: Text


class Jobs(Section):
    """The Jobs of the stages, made in each request's namespace."""

    credentials_seconds: CredentialsSeconds
    ttl_seconds: TtlSeconds
    annotations: PodAnnotations
    preprocess: JobSettings
    train: JobSettings
    finish: JobSettings


Likeness = Annotated[int, *ProfileRequestSpec.model_fields["minimum_likeness"].metadata]


class Test(Section):
    """What `helm test` asks for."""

    namespace: str = Field(description="Empty: the first of watchNamespaces, else the release's.")
    style: Text
    photos: str = Field(pattern=r"^(uploads/.+/)?$", description="Somebody's photos; empty: none must be found.")
    minimum_likeness: Likeness | Literal[""] = Field(description="Empty: a request's default.")
    seconds: int = Field(ge=10)


class PodMonitor(Section):
    """For the Prometheus operator."""

    enabled: bool
    interval: str = Field(pattern=r"^[0-9]+(ms|s|m)$")
    labels: dict[str, str]


class Rules(Section):
    """Alerts."""

    enabled: bool
    labels: dict[str, str]
    runbooks: str = Field(pattern=r"^(https?://.+)?$", description="Where docs/alerts/ can be read.")


class Dashboards(Section):
    """Grafana's dashboards, as ConfigMaps."""

    enabled: bool
    labels: dict[str, str]
    annotations: dict[str, str]


class Metrics(Section):
    """What is measured, and who collects it."""

    annotations: bool
    pod_monitor: PodMonitor
    rules: Rules
    dashboards: Dashboards


class Egress(Section):
    """What operator, history and page may reach: peers of a NetworkPolicy; empty: any address, by its port."""

    enabled: bool
    store_to: Objects
    redis_to: Objects
    database_to: Objects
    api_server_to: Objects
    predictor_to: Objects
    events_to: Objects
    tracing_to: Objects
    dns_to: Annotated[Objects, Field(min_length=1)]
    redis_port: Port
    database_port: Port
    api_server_ports: Annotated[list[Port], Field(min_length=1)]


class EventSinkValues(EventSinkConfig):
    """Where events go, and what is shown there."""

    existing_secret: ObjectNameOrNone = Field(description="Secret with token, signatureKey or both; empty: neither.")


class EventsValues(EventsConfig):
    """What is told to other programs."""

    sink: EventSinkValues


class NetworkPolicies(Section):
    """Who may talk to whom: peers of a NetworkPolicy."""

    enabled: bool
    metrics_from: Objects
    predictor_from: Objects
    web_from: Objects
    request_namespaces: list[LabelName] = Field(json_schema_extra={"uniqueItems": True})
    egress: Egress


class ChartValues(Section):
    """Every value of the chart."""

    name_override: LabelNameOrNone
    fullname_override: LabelNameOrNone
    common_labels: dict[str, str]
    revision_history_limit: Count = Field(description="Former revisions of the Deployments that the cluster keeps.")
    parents: Parents = Field(alias="global")
    images: Images
    crds: Crds
    styles: Styles
    uninstall: Uninstall
    watch_namespaces: WatchNamespaces
    cluster_wide: bool = Field(description="Requests of every namespace are served, also of those made later.")
    installation: InstallationValues
    limits: LimitsConfig
    logging: Logging
    tracing: Tracing
    rbac: Rbac
    store: ChartStore
    database: DatabaseValues
    redis: Redis
    models: ModelsValues
    gpu: Gpu
    training: TrainParameters
    recipe: Recipe
    preprocess: PreprocessParameters
    admission: AdmissionConfig
    generation: GenerationConfig
    sweep: SweepConfig
    events: EventsValues
    uploads: UploadsConfig
    finish: FinishConfig
    jobs: Jobs
    operator: OperatorValues
    history: HistoryValues
    service_account: ServiceAccount
    predictor: PredictorValues
    web: WebValues
    test: Test
    metrics: Metrics
    network_policies: NetworkPolicies
