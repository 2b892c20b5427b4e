"""Orders of the stages, and the scopes of their credentials: what begins a stage."""

from __future__ import annotations

from profile_contract.artifacts import REPORT, class_pictures_prefix, stage_folder, uploads_prefix
from profile_contract.candidates import (
    Wanted,
    delivered_of,
    judge_order,
    last_drawn,
    planned_candidates,
    subject_of,
)
from profile_contract.generation import GenerationOrder
from profile_contract.resolved import ResolvedStyle
from profile_contract.sources import Undrawable, check_drawable
from profile_contract.stages.finish import FinishOrder, StyleCandidates
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessOrder
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, class_pictures_digest
from profile_operator.config import OperatorConfig

from .advice import plain
from .facts import Facts
from .plan import CreateJob, GenerationWork, KueueQueue, Scope, StartGeneration, StyleWork
from .spans import stage_place
from .standing import StageState, Standings

# Linux takes 128 KiB in one environment variable; the order travels in one.
LONGEST_ORDER = 120_000


def create_job(stage: Stage, facts: Facts, standings: Standings) -> CreateJob:
    """The action that begins a stage. Raises ValueError for an order that is too long to be handed over."""
    order = order_of(stage, facts)
    size = len(order.for_environment().encode())
    if size > LONGEST_ORDER:
        raise ValueError(f"the order of {stage} has {size} bytes, at most {LONGEST_ORDER} can be handed over")
    queue = queue_of(facts) if needs_gpu(stage, facts.config) else None
    return CreateJob(stage, facts.chain.job_name(stage), order, open_scopes(facts, standings), queue)


def needs_gpu(stage: Stage, config: OperatorConfig) -> bool:
    """Whether a stage waits for its turn: training, on whatever machine, and every other Job that asks for a GPU."""
    return stage is Stage.TRAIN or (stage is not Stage.GENERATE and config.jobs.of(stage).gpus > 0)


def queue_of(facts: Facts) -> KueueQueue | None:
    """Kueue's queue for the request's Jobs, and their priority there; None where Kueue does not decide."""
    admission = facts.config.admission
    if admission.mode != "Kueue":
        return None
    reached = [row for row in admission.priority_classes if row.at_least <= facts.spec.priority]
    priority_class = max(reached, key=lambda row: row.at_least).name if reached else ""
    return KueueQueue(facts.spec.queue_name or admission.queue, priority_class)


def order_of(stage: Stage, facts: Facts) -> PreprocessOrder | TrainOrder | FinishOrder:
    """The order of a stage that may begin. Raises ValueError for generate, or where inputs are missing."""
    snapshot, chain, resolved = facts.snapshot, facts.chain, facts.snapshot.resolved
    request, digest, output = _request(facts), chain.of(stage), chain.prefix(stage)
    dataset = chain.prefix(Stage.PREPROCESS) + REPORT
    if stage is Stage.PREPROCESS:
        photos, limits = list(resolved.photos.photos), resolved.preprocess.parameters
        return PreprocessOrder(request=request, digest=digest, output=output, photos=photos, parameters=limits)
    if stage is Stage.TRAIN:
        return TrainOrder(
            request=request,
            digest=digest,
            output=output,
            dataset=dataset,
            parameters=resolved.train.parameters,
            judge=_judge(facts),
            recipe=resolved.train.recipe or "",
            class_pictures=_class_pictures(facts) or None,
        )
    if stage is Stage.FINISH and resolved.finish is not None:
        reports = snapshot.reports.generate
        return FinishOrder(
            request=request,
            digest=digest,
            output=output,
            dataset=dataset,
            styles=[
                StyleCandidates(
                    style=key,
                    tone=resolved.styles[key].content.tone,
                    candidates=reports[key].candidates,
                    portraits=delivered_of(resolved.styles[key].content, resolved.generate.source, reports[key]),
                    omitted=plain(reports[key].message) if not reports[key].candidates else "",
                )
                for key in snapshot.spec.style_keys
            ],
            parameters=resolved.finish.parameters,
            title=snapshot.head.title,
            drawn_at=last_drawn(reports.values()),
        )
    raise ValueError(f"{stage} is not a Job")


def _class_pictures(facts: Facts) -> str:
    """Where the class pictures of the request's training are kept, in its own namespace's area; empty: it has none."""
    parameters = facts.snapshot.resolved.train.parameters
    digest = class_pictures_digest(parameters)
    return class_pictures_prefix(facts.area, digest) if parameters.preserves_prior else ""


def _judge(facts: Facts) -> GenerationOrder | None:
    """What training judges its checkpoints by: portraits in the first style that is asked for."""
    dataset, resolved = facts.snapshot.reports.preprocess, facts.snapshot.resolved
    style = next((resolved.styles[key] for key in facts.spec.style_keys if key in resolved.styles), None)
    if dataset is None or style is None:
        return None
    parameters = resolved.train.parameters
    wanted = Wanted(
        subject=f"{parameters.token} {parameters.noun}",
        seed=resolved.generate.seed,
        count=parameters.validation_images,
    )
    return judge_order(_request(facts), style.key, style.content, wanted, dataset, size=style.picture.size)


def start_generation(facts: Facts) -> StartGeneration:
    """The action that draws all candidates. Raises UnknownPose, or ValueError where inputs are missing."""
    dataset, training = facts.snapshot.reports.preprocess, facts.snapshot.reports.train
    chain, resolved = facts.chain, facts.snapshot.resolved
    trains, adapter = resolved.train.training.trains, training.adapter if training is not None else None
    if dataset is None or (trains and adapter is None):
        raise ValueError("generation needs the reports of preprocessing and training, and an adapter")
    parameters, drawing = resolved.train.parameters, resolved.generate
    subject = subject_of(parameters.token, parameters.noun, trains=trains)
    wanted = Wanted(subject, seed=drawing.seed, count=drawing.candidates, photo=drawing.source)
    work = []
    # What waits for a look is not resolved, and not drawn yet.
    for style in (resolved.styles[key] for key in facts.spec.style_keys if key in resolved.styles):
        prefix, omitted = chain.prefix(Stage.GENERATE, style.digest), why_omitted(facts, style)
        candidates = planned_candidates(style.key, style.content, prefix, wanted, dataset) if omitted is None else ()
        size, looks = style.picture.size, tuple(style.looks or ())
        work.append(StyleWork(style.key, style.content, size, style.digest, prefix, candidates, looks, omitted))
    head = facts.snapshot.head
    place = stage_place(head.uid, head.generation, Stage.GENERATE, chain.generate)
    return StartGeneration(GenerationWork(_request(facts), chain.generate, adapter, tuple(work), place))


def why_omitted(facts: Facts, style: ResolvedStyle) -> Undrawable | None:
    """Why nothing can be drawn in one style of the request, as far as is known; None where it can."""
    resolved = facts.snapshot.resolved
    source, trains = resolved.generate.source, resolved.train.training.trains
    try:
        check_drawable(style.key, style.content, source, facts.snapshot.reports.preprocess, trains=trains)
    except Undrawable as undrawable:
        return undrawable
    return None


def open_scopes(facts: Facts, standings: Standings) -> tuple[Scope, ...]:
    """What the credentials of every Job that is still to run may reach: its inputs to read, its own output to write;
    and class pictures to read and add to, where a training learns from them.

    All of them: the policy of each is written together with the others', in one Secret.
    """
    key, chain = facts.head.key, facts.chain
    dataset = chain.prefix(Stage.PREPROCESS)
    # One prefix for all styles' candidates, or the policy of eight long names would grow over the store's limit.
    candidates = stage_folder(facts.area, key.name, Stage.GENERATE)
    reads = {
        Stage.PREPROCESS: (uploads_prefix(facts.area, facts.spec.photos.prefix),),
        Stage.TRAIN: (dataset,),
        Stage.FINISH: (dataset, candidates),
    }
    return tuple(
        Scope(
            standing.stage,
            reads[standing.stage],
            chain.prefix(standing.stage),
            _class_pictures(facts) if standing.stage is Stage.TRAIN else "",
        )
        for standing in standings
        # Without a digest where a style waits for a look: then it is not known yet what is finished.
        if standing.state is not StageState.DONE and standing.stage in reads and chain.of(standing.stage)
    )


def _request(facts: Facts) -> RequestRef:
    return RequestRef(namespace=facts.head.key.namespace, name=facts.head.key.name, uid=facts.head.uid)
