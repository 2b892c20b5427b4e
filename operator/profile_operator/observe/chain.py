"""chain_of: the digests of a request's stages, computed once a cycle."""

from __future__ import annotations

from collections.abc import Mapping

from profile_contract.areas import Area
from profile_contract.model import digest_of
from profile_contract.request import ProfileRequestSpec
from profile_contract.resource import Key
from profile_contract.stages.chain import digests_of
from profile_contract.style import ProfileStyleSpec
from profile_operator.compared import platform_of
from profile_operator.config import OperatorConfig

from .snapshot import Chain


def chain_of(
    key: Key,
    spec: ProfileRequestSpec,
    photos: str,
    styles: Mapping[str, ProfileStyleSpec],
    config: OperatorConfig,
    *,
    area: Area,
) -> Chain:
    """The chain that follows from a photos digest, the styles that exist and the parameters."""
    platform = platform_of(config)
    digests = digests_of(spec, photos, styles, platform)
    return Chain(
        key=key,
        area=area,
        photos=photos,
        preprocess=digests.preprocess,
        train=digests.train,
        styles=digests.styles,
        generate=digest_of(list(digests.styles.values())),
        finish=digests.finish,
        train_parameters=platform.train_parameters(spec),
        finish_parameters=platform.finish_parameters(spec),
    )
