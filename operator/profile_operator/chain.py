"""The digests of a request's stages: what a change runs again follows from these alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profile_contract.artifacts import stage_prefix
from profile_contract.model import digest_of
from profile_contract.names import Stage
from profile_contract.orders import (
    FinishParameters,
    TrainParameters,
    finish_digest,
    generate_digest,
    preprocess_digest,
    train_digest,
)
from profile_contract.request import ProfileRequestSpec
from profile_contract.style import ProfileStyleSpec

from .config import OperatorConfig
from .snapshot import Key


@dataclass(frozen=True)
class Chain:
    """One digest a stage; for generate one a style. `finish` is empty while a style is missing."""

    key: Key
    preprocess: str
    train: str
    styles: Mapping[str, str]
    finish: str

    @property
    def generate(self) -> str:
        """The digest of all styles' candidates together."""
        return digest_of(list(self.styles.values()))

    def of(self, stage: Stage) -> str:
        """The digest of a stage."""
        digests = {
            Stage.PREPROCESS: self.preprocess,
            Stage.TRAIN: self.train,
            Stage.GENERATE: self.generate,
            Stage.FINISH: self.finish,
        }
        return digests[stage]

    def prefix(self, stage: Stage, digest: str = "") -> str:
        """Where a stage's artifacts lie; for generate give a style's digest."""
        return stage_prefix(self.key.namespace, self.key.name, stage, digest or self.of(stage))

    def job_name(self, stage: Stage) -> str:
        """The deterministic name of a stage's Job: at most 40 + 20 characters."""
        return f"{self.key.name}-{stage.value}-{self.of(stage)[:8]}"


def train_parameters(spec: ProfileRequestSpec, config: OperatorConfig) -> TrainParameters:
    """The platform's defaults with what the request says about training."""
    said = {name: value for name, value in spec.training.model_dump().items() if value is not None}
    return config.training.model_copy(update={**said, "noun": spec.subject.noun})


def finish_parameters(spec: ProfileRequestSpec, config: OperatorConfig) -> FinishParameters:
    """What is delivered."""
    return FinishParameters(
        portraits=spec.portraits,
        minimum_likeness=spec.minimum_likeness,
        layouts=list(spec.layouts),
        visible_mark=config.finish.visible_mark,
    )


def chain_of(
    key: Key, spec: ProfileRequestSpec, photos: str, styles: Mapping[str, ProfileStyleSpec], config: OperatorConfig
) -> Chain:
    """The digests that follow from a photos digest, the styles that exist and the parameters.

    Preprocessing does not know the subject's noun nor the training resolution of a request: changing them must not
    look at the photos again.
    """
    dataset = preprocess_digest(photos, config.preprocess)
    adapter = train_digest(dataset, train_parameters(spec, config))
    generation = config.generation
    parameters: list[object] = [spec.seed, spec.candidates, generation.width, generation.height, generation.steps]
    candidates = {
        name: generate_digest(adapter, name, styles[name], parameters) for name in spec.styles if name in styles
    }
    complete = len(candidates) == len(spec.styles)
    finish = finish_digest(list(candidates.values()), finish_parameters(spec, config)) if complete else ""
    return Chain(key=key, preprocess=dataset, train=adapter, styles=candidates, finish=finish)
