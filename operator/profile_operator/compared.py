"""compared_with: what a request was last compared with, as one digest. While it stands, nothing is looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from profile_contract.look_ref import LookFile
from profile_contract.model import digest_of
from profile_contract.request import ProfileRequestSpec
from profile_contract.resolved import AskedFor, resolve
from profile_contract.stages.chain import NO_LOOKS, Platform
from profile_contract.stages.table import STAGES
from profile_contract.style import ProfileStyleSpec

from .config import OperatorConfig

DIGITS = 16


def platform_of(config: OperatorConfig) -> Platform:
    """What the configuration sets for all requests."""
    return Platform(
        preprocess=config.preprocess,
        training=config.training,
        picture=config.generation.picture,
        visible_mark=config.finish.visible_mark,
        toy=config.finish.toy,
        recipe=config.recipe.digest if config.recipe is not None else "",
        trained_strength_percent=config.generation.trained_strength_percent,
    )


def platform_digest(config: OperatorConfig) -> str:
    """The digest of all that the platform says about what is made, and of how each stage makes it."""
    platform = platform_of(config)
    said = {
        "preprocess": platform.preprocess.document(),
        "training": platform.training.document(),
        "picture": asdict(platform.picture),
        "visibleMark": platform.visible_mark,
        "toy": platform.toy,
        "versions": {stage.value: row.version for stage, row in STAGES.items()},
    }
    if platform.trained_strength_percent is not None:
        said["trainedStrength"] = platform.trained_strength_percent
    return digest_of(said)


def fingerprints_today(
    spec: ProfileRequestSpec,
    styles: Mapping[str, ProfileStyleSpec],
    platform: Platform,
    looks: Mapping[str, LookFile] = NO_LOOKS,
) -> Mapping[str, str]:
    """The fingerprints of the inputs that a request would be resolved to if it were looked at for the first time."""
    return resolve(None, AskedFor(spec), (), styles, platform, looks=looks).fingerprints()


def compared_with(platform: str, styles: Mapping[str, str]) -> str:
    """The digest of a platform's digest and of the digests of the styles that a request asks for."""
    return digest_of([platform, dict(sorted(styles.items()))])[:DIGITS]
