"""A request's stages by their digests: where each leaves its artifacts, and what its Job is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profile_contract.artifacts import stage_prefix
from profile_contract.model import digest_of
from profile_contract.request import ProfileRequestSpec
from profile_contract.resource import Key
from profile_contract.stages.chain import Platform, digests_of
from profile_contract.stages.finish import FinishParameters
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainParameters
from profile_contract.style import ProfileStyleSpec
from profile_operator.config import OperatorConfig


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


def platform_of(config: OperatorConfig) -> Platform:
    """What the configuration sets for all requests."""
    return Platform(
        preprocess=config.preprocess,
        training=config.training,
        picture=config.generation.picture,
        visible_mark=config.finish.visible_mark,
        toy=config.finish.toy,
    )


def train_parameters(spec: ProfileRequestSpec, config: OperatorConfig) -> TrainParameters:
    """The platform's defaults with what the request says about training."""
    return platform_of(config).train_parameters(spec)


def finish_parameters(spec: ProfileRequestSpec, config: OperatorConfig) -> FinishParameters:
    """What is delivered."""
    return platform_of(config).finish_parameters(spec)


def chain_of(
    key: Key, spec: ProfileRequestSpec, photos: str, styles: Mapping[str, ProfileStyleSpec], config: OperatorConfig
) -> Chain:
    """The chain that follows from a photos digest, the styles that exist and the parameters."""
    digests = digests_of(spec, photos, styles, platform_of(config))
    return Chain(
        key=key, preprocess=digests.preprocess, train=digests.train, styles=digests.styles, finish=digests.finish
    )
