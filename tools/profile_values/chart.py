"""The chart's values, section by section, as charts/profile-studio/values.yaml has them.

What operator, stages, page and predictor are told through the chart are those components' own models. What the chart
alone reads is a Section here; values.yaml says each of its fields, so that none has a default.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from profile_contract.kubernetes import (
    Amount,
    EnvironmentName,
    InstallationName,
    LabelName,
    LabelNameOrNone,
    ObjectName,
    ObjectNameOrNone,
    Port,
    Size,
)
from profile_contract.model import Contract
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_operator.config import (
    AdmissionConfig,
    CredentialsSeconds,
    EventsConfig,
    EventSinkConfig,
    FinishConfig,
    GenerationConfig,
    Gpus,
    JobSettings,
    LimitsConfig,
    LoopSettings,
    PodAnnotations,
    PullPolicy,
    SweepConfig,
    Toleration,
    TtlSeconds,
    UploadsConfig,
    WatchNamespaces,
)
from profile_predictor.server.settings import Places, Rank, Slots
from profile_runtime.store.address import StoreAddress
from profile_web.config import Defaults, Drafts, Namespaces, SignIn, VisitorLimits

Sha256 = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]
Objects = list[dict[str, Any]]
Share = Annotated[str, Field(pattern=r"^[0-9]+%$")]
ShareOrNone = Annotated[str, Field(pattern=r"^([0-9]+%)?$")]
Count = Annotated[int, Field(ge=0)]


class Section(Contract):
    """A section that the chart alone reads: whatever is left out is as values.yaml says."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))


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


class Rbac(Section):
    """Rights of people."""

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


class PodResources(Contract):
    """Requests and limits, as Kubernetes has them."""

    requests: dict[str, Amount | Count] = {}
    limits: dict[str, Amount | Count] = {}


class Workload(Section):
    """How a component's pods run. The extras are written as Kubernetes has them, and are not looked into."""

    resources: PodResources
    env: dict[EnvironmentName, str]
    extra_env: Objects
    extra_volumes: Objects
    extra_volume_mounts: Objects
    pod_annotations: dict[str, str]
    pod_labels: dict[str, str]
    node_selector: dict[str, str]
    tolerations: list[Toleration]
    affinity: dict[str, Any]
    topology_spread_constraints: Objects
    priority_class_name: ObjectNameOrNone


class OperatorValues(Workload):
    """The operator."""

    replicas: int = Field(ge=0, le=5)
    config: LoopSettings


class ServiceAccount(Section):
    """The operator's account in the cluster."""

    name: ObjectNameOrNone = Field(description="Empty: the release's name.")
    annotations: dict[str, str]


class ComponentAccount(Section):
    """A component's own account in the cluster."""

    annotations: dict[str, str]


class HistoryStore(Section):
    """The history's account in the store."""

    existing_secret: ObjectNameOrNone = Field(description="Secret with accessKey and secretKey; empty: the operator's.")


class HistoryValues(Workload):
    """What writes the history, where database.existingSecret is set."""

    store: HistoryStore
    resync_seconds: int = Field(ge=60, le=86_400, description="Everything is listed anew this often.")
    service_account: ComponentAccount


class Budget(Section):
    """How many pods may be away at once: a number, or a share such as "50%". minAvailable wins where it is set."""

    enabled: bool
    min_available: Count | ShareOrNone
    max_unavailable: Count | Share


class PredictorValues(Workload):
    """The predictor, a KServe InferenceService."""

    enabled: bool
    name: LabelName = Field(description="Of the InferenceService and of the model: what a style says.")
    existing_secret: ObjectNameOrNone = Field(description="Secret with token, which callers must show; empty: none.")
    replicas: int = Field(ge=0, le=100)
    gpus: Gpus = Field(description="GPUs of one replica, if gpu.enabled.")
    slots: Slots = Field(description="Adapters that stand ready at the same time.")
    maximum_rank: Rank = Field(description="Adapters of a higher rank are refused.")
    queue: Places = Field(description="Batches that may wait.")
    termination_grace_period_seconds: int = Field(ge=1)
    startup_seconds: int = Field(ge=10, description="How long loading the base model may take.")
    scratch_size: Size
    runtime_class_name: ObjectNameOrNone
    pod_disruption_budget: Budget


class ChartSignIn(SignIn):
    """Who a visitor of the page is, and what the page's secrets are called."""

    proxy_secret: str = Field(default="", description="Secret with secret, which the proxy sends.")
    owner_key_secret: str = Field(default="", description="Secret with key; empty: made by the chart and kept.")


class PageStoreValues(Section):
    """The store as browsers reach it."""

    public_url: str = Field(pattern=r"^(https?://[^/]+)?$")
    existing_secret: Text = Field(description="Secret with accessKey and secretKey, the page's account.")


class Ingress(Section):
    """The page's ingress."""

    enabled: bool
    class_name: str
    host: str
    tls_secret: str
    annotations: dict[str, str]


class WebValues(Workload):
    """The page for people."""

    enabled: bool
    replicas: int = Field(ge=0, le=20)
    sign_in: ChartSignIn
    immutable_owner: bool = Field(description="Nobody may change the label that says whose a request is.")
    namespaces: Namespaces
    store: PageStoreValues
    limits: VisitorLimits
    drafts: Drafts
    defaults: Defaults
    ingress: Ingress
    service_account: ComponentAccount
    pod_disruption_budget: Budget


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
    images: Images
    crds: Crds
    styles: Styles
    uninstall: Uninstall
    watch_namespaces: WatchNamespaces
    cluster_wide: bool = Field(description="Requests of every namespace are served, also of those made later.")
    installation: InstallationValues
    limits: LimitsConfig
    logging: Logging
    rbac: Rbac
    store: ChartStore
    database: DatabaseValues
    redis: Redis
    models: ModelsValues
    gpu: Gpu
    training: TrainParameters
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
    # Helm's own: what parent charts say to all.
    parents: dict[str, Any] = Field(default={}, alias="global")
