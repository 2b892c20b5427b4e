"""The orders of the stages, and what their credentials may reach."""

from __future__ import annotations

from profile_contract.artifacts import REPORT, request_prefix, uploads_prefix
from profile_contract.candidates import last_drawn
from profile_contract.stages.finish import FinishOrder, StyleCandidates
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessOrder
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder
from profile_operator.config import OperatorConfig
from profile_operator.decide.plan import CreateJob, Scope
from profile_operator.observe.chain import Chain, finish_parameters, train_parameters
from profile_operator.observe.snapshot import Snapshot

from .stages import Phase, Step

# Linux takes 128 KiB in one environment variable; the order travels in one.
LONGEST_ORDER = 120_000


def request_ref(snapshot: Snapshot) -> RequestRef:
    """Whose orders these are."""
    key = snapshot.head.key
    return RequestRef(namespace=key.namespace, name=key.name, uid=snapshot.head.uid)


def order_of(
    stage: Stage, snapshot: Snapshot, chain: Chain, config: OperatorConfig
) -> PreprocessOrder | TrainOrder | FinishOrder:
    """The order of a stage that may begin. Raises ValueError for generate, or where inputs are missing."""
    ref, digest, output = request_ref(snapshot), chain.of(stage), chain.prefix(stage)
    dataset = chain.prefix(Stage.PREPROCESS) + REPORT
    if stage is Stage.PREPROCESS:
        if snapshot.photos is None:
            raise ValueError("the photos were not listed")
        return PreprocessOrder(
            request=ref, digest=digest, output=output, photos=list(snapshot.photos), parameters=config.preprocess
        )
    if stage is Stage.TRAIN:
        parameters = train_parameters(snapshot.spec, config)
        return TrainOrder(request=ref, digest=digest, output=output, dataset=dataset, parameters=parameters)
    if stage is Stage.FINISH:
        return FinishOrder(
            request=ref,
            digest=digest,
            output=output,
            dataset=dataset,
            styles=_styles(snapshot),
            parameters=finish_parameters(snapshot.spec, config),
            title=snapshot.head.title,
            drawn_at=last_drawn(snapshot.reports.generate.values()),
        )
    raise ValueError(f"{stage} is not a Job")


def _styles(snapshot: Snapshot) -> list[StyleCandidates]:
    reports = snapshot.reports.generate
    return [
        StyleCandidates(style=name, tone=snapshot.styles[name].tone, candidates=reports[name].candidates)
        for name in snapshot.spec.styles
    ]


def scope_of(stage: Stage, snapshot: Snapshot, chain: Chain) -> Scope:
    """What a stage's credentials may reach: its inputs to read, its own output prefix to write."""
    key = snapshot.head.key
    dataset = chain.prefix(Stage.PREPROCESS)
    # One prefix for all styles' candidates, or the policy of eight long names would grow over the store's limit.
    candidates = f"{request_prefix(key.namespace, key.name)}candidates/"
    reads = {
        Stage.PREPROCESS: (uploads_prefix(key.namespace, snapshot.spec.photos.prefix),),
        Stage.TRAIN: (dataset,),
        Stage.FINISH: (dataset, candidates),
    }
    return Scope(stage=stage, read=reads[stage], write=chain.prefix(stage))


def open_scopes(steps: tuple[Step, ...], snapshot: Snapshot, chain: Chain) -> tuple[Scope, ...]:
    """The scopes of every Job stage that is still to run: their credentials are written together, in one Secret."""
    return tuple(
        scope_of(step.stage, snapshot, chain)
        for step in steps
        if step.phase is not Phase.DONE and step.stage is not Stage.GENERATE
    )


def create_job(
    step: Step, steps: tuple[Step, ...], snapshot: Snapshot, chain: Chain, config: OperatorConfig
) -> CreateJob:
    """The action that begins a stage. Raises ValueError for an order that is too long to be handed over."""
    order = order_of(step.stage, snapshot, chain, config)
    size = len(order.to_json().encode())
    if size > LONGEST_ORDER:
        raise ValueError(f"the order of {step.stage} has {size} bytes, at most {LONGEST_ORDER} can be handed over")
    scopes = open_scopes(steps, snapshot, chain)
    return CreateJob(stage=step.stage, name=chain.job_name(step.stage), order=order, scopes=scopes)
