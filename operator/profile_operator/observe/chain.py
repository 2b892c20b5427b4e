"""chain_of: the digests of a request's stages, as it was resolved."""

from __future__ import annotations

from profile_contract.areas import Area
from profile_contract.resolved import Resolved
from profile_contract.resource import Key
from profile_contract.stages.table import Stage

from .snapshot import Chain


def chain_of(key: Key, area: Area, resolved: Resolved) -> Chain:
    """The chain of a request that was resolved."""
    return Chain(
        key=key,
        area=area,
        photos=resolved.photos.digest,
        styles={style.key: style.digest for style in resolved.generate.styles},
        **{stage.value: resolved.digest_of_stage(stage) for stage in Stage},
    )
