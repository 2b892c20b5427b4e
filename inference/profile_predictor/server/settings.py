"""What the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from profile_contract.words import AdapterLayers
from profile_draw.config import Dtype, EngineConfig


class BadSettings(Exception):
    """The environment is not usable; the message names the variable."""


@dataclass(frozen=True)
class Settings:
    """The predictor's settings.

    `hosts`: the stores that grants may point to (see `grants.allowed`), `bucket` where in them; empty: anywhere.
    `places`: orders let in at the same time. `metrics_port` 0: none are shown. `grace_seconds`: how long orders that
    run may take after the pod was asked to stop. `token`: what callers must show; empty: nothing.
    """

    engine: EngineConfig
    model_name: str
    hosts: tuple[str, ...]
    bucket: str = ""
    places: int = 16
    port: int = 8080
    metrics_port: int = 0
    grace_seconds: int = 290
    store_seconds: float = 30.0
    token: str = field(default="", repr=False)


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from PROFILE_*; raises BadSettings."""

    def number(name: str, default: int, least: int = 1) -> int:
        text = environment.get(name, "") or str(default)
        if not text.isdecimal() or int(text) < least:
            raise BadSettings(f"{name}={text!r} must be a whole number, at least {least}")
        return int(text)

    dtype = environment.get("PROFILE_DTYPE", "auto")
    if dtype not in get_args(Dtype):
        raise BadSettings(f"PROFILE_DTYPE={dtype!r} must be one of {', '.join(get_args(Dtype))}")
    layers = environment.get("PROFILE_ADAPTER_LAYERS", AdapterLayers.ATTENTION)
    if layers not in set(AdapterLayers):
        raise BadSettings(f"PROFILE_ADAPTER_LAYERS={layers!r} must be one of {', '.join(AdapterLayers)}")
    base = environment.get("PROFILE_BASE_MODEL", "")
    if not base:
        raise BadSettings("PROFILE_BASE_MODEL must name a folder below PROFILE_MODELS")
    try:
        engine = EngineConfig(
            models=Path(environment.get("PROFILE_MODELS", "/models")),
            base_model=base,
            control_model=environment.get("PROFILE_CONTROL_MODEL", ""),
            slots=number("PROFILE_SLOTS", 4),
            maximum_rank=number("PROFILE_MAXIMUM_RANK", 64),
            adapter_layers=AdapterLayers(layers),
            batch=number("PROFILE_BATCH", 4),
            host_cache_megabytes=number("PROFILE_HOST_CACHE_MB", 1024),
            device=environment.get("PROFILE_DEVICE", "auto"),
            dtype=cast(Dtype, dtype),
            threads=number("PROFILE_THREADS", 0, least=0),
            grant_seconds=number("PROFILE_GRANT_SECONDS", 1800),
        )
    except ValueError as error:
        raise BadSettings(str(error)) from error
    return Settings(
        engine=engine,
        model_name=environment.get("PROFILE_MODEL_NAME", "profile-predictor"),
        hosts=tuple(host.strip() for host in environment.get("PROFILE_STORE_HOSTS", "").split(",") if host.strip()),
        bucket=environment.get("PROFILE_STORE_BUCKET", ""),
        places=number("PROFILE_QUEUE", 16),
        port=number("PROFILE_PORT", 8080),
        metrics_port=number("PROFILE_METRICS_PORT", 0, least=0),
        grace_seconds=number("PROFILE_GRACE_SECONDS", 290),
        token=environment.get("PROFILE_TOKEN", "").strip(),
    )
