"""The layers that an adapter changes, by their names in diffusers' UNet."""

from __future__ import annotations

from profile_contract.stages.train import AdapterLayers

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_REST_OF_A_TRANSFORMER = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


def modules_of(layers: AdapterLayers) -> tuple[str, ...]:
    """The layers' names, as they end in diffusers' UNet."""
    return _ATTENTION if layers is AdapterLayers.ATTENTION else (*_ATTENTION, *_REST_OF_A_TRANSFORMER)
