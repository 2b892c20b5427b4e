"""The chart's values of what runs all the time: operator, history, predictor and page."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from profile_contract.kubernetes import (
    Amount,
    EnvironmentName,
    LabelName,
    ObjectNameOrNone,
    Size,
)
from profile_contract.model import Contract
from profile_contract.stages.order import ModelName
from profile_operator.config import (
    LoopSettings,
)
from profile_operator.job_settings import (
    Gpus,
    Toleration,
)
from profile_predictor.server.settings import Places, Rank, Slots
from profile_web.config import Defaults, Drafts, Namespaces, SignIn, VisitorLimits

from .section import Count, Objects, Section, Share, ShareOrNone, Text


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


class Autoscaling(Section):
    """How many predictors there are by how many orders wait: a ScaledObject of KEDA, which asks Prometheus."""

    enabled: bool
    prometheus: str = Field(pattern=r"^(https?://[^\s]+)?$", description="Address of the Prometheus that KEDA asks.")
    min_replicas: int = Field(ge=0, le=100, description="0: none while nobody wants to draw; needs both metrics.")
    max_replicas: int = Field(ge=1, le=100)
    orders: Count = Field(description="Orders in the queue for each replica.")
    cooldown_seconds: int = Field(ge=0, le=86_400, description="Before replicas go again.")


class PredictorValues(Workload):
    """The predictor, a KServe InferenceService."""

    enabled: bool
    name: LabelName = Field(description="Of the InferenceService and of the model: what a style says.")
    existing_secret: ObjectNameOrNone = Field(description="Secret with token, which callers must show; empty: none.")
    replicas: int = Field(ge=0, le=100)
    gpus: Gpus = Field(description="GPUs of one replica, if gpu.enabled.")
    slots: Slots = Field(description="Adapters that stand ready at the same time.")
    maximum_rank: Rank = Field(description="Adapters of a higher rank are refused.")
    upscaler: ModelName = Field(description="Folder of a network that enlarges pictures; empty: none.")
    safety_checker: ModelName = Field(description="Folder of a network that holds pictures back; empty: none.")
    grpc: bool = Field(description="Answer over gRPC too, on port 8081.")
    rolling_update: bool = Field(description="A new pod is ready before the old one goes: needs room for one more.")
    autoscaling: Autoscaling
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
