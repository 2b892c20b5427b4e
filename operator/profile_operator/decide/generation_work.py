"""What is to be generated for a request: candidates by seed, their prompts and poses. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.candidates import PlannedCandidate, UnknownPose, Wanted, planned_candidates
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.order import FileRef, RequestRef
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_contract.style import ProfileStyleSpec
from profile_operator.config import OperatorConfig
from profile_operator.observe.chain import Chain, train_parameters

__all__ = ["GenerationWork", "PlannedCandidate", "StyleWork", "UnknownPose", "generation_work"]


@dataclass(frozen=True)
class StyleWork:
    """The candidates of one style, all under one prefix."""

    name: str
    spec: ProfileStyleSpec
    digest: str
    prefix: str
    candidates: tuple[PlannedCandidate, ...]


@dataclass(frozen=True)
class GenerationWork:
    """All that generation has to do for a request. Two works with the same digest are the same work."""

    request: RequestRef
    digest: str
    adapter: FileRef
    styles: tuple[StyleWork, ...]

    @property
    def total(self) -> int:
        """Pictures in all."""
        return sum(len(style.candidates) for style in self.styles)


def generation_work(
    request: RequestRef,
    spec: ProfileRequestSpec,
    chain: Chain,
    *,
    styles: dict[str, ProfileStyleSpec],
    dataset: PreprocessReport,
    adapter: TrainReport,
    config: OperatorConfig,
) -> GenerationWork:
    """The work for all styles of a request. Raises UnknownPose, or ValueError for a report without adapter."""
    if adapter.adapter is None:
        raise ValueError("the training report names no adapter")
    parameters = train_parameters(spec, config)
    wanted = Wanted(subject=f"{parameters.token} {parameters.noun}", seed=spec.seed, count=spec.candidates)
    work = []
    for name in spec.styles:
        prefix = chain.prefix(Stage.GENERATE, chain.styles[name])
        candidates = planned_candidates(name, styles[name], prefix, wanted, dataset)
        work.append(StyleWork(name, styles[name], chain.styles[name], prefix, candidates))
    return GenerationWork(request=request, digest=chain.generate, adapter=adapter.adapter, styles=tuple(work))
