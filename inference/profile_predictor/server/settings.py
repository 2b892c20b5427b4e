"""The predictor's settings, as the environment says them: PROFILE_ and a field's name in capitals."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from profile_contract.problems import problems_of
from profile_contract.recipe import Recipe
from profile_contract.stages.train import AdapterLayers
from profile_draw.config import Dtype, EngineConfig

PREFIX = "PROFILE_"


class BadSettings(Exception):
    """The environment is not usable; the message names the variable."""


def _whole(least: int) -> BeforeValidator:
    """Takes plain digits alone: no sign, no blank, no fraction."""

    def check(value: Any) -> int:
        text = str(value)
        if not text.isdecimal() or len(text) > 18 or int(text) < least:
            raise ValueError(f"must be a whole number, at least {least}")
        return int(text)

    return BeforeValidator(check)


def _word(*words: str) -> BeforeValidator:
    """Takes one of these words."""

    def check(value: Any) -> Any:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return BeforeValidator(check)


def _layers_of_people(value: Any) -> Any:
    """Takes what people's adapters may change. The layers of looks hold no person: nobody could be drawn."""
    kinds = [kind for kind in AdapterLayers if kind is not AdapterLayers.LOOK]
    if value == AdapterLayers.LOOK:
        raise ValueError(
            "is of looks alone, which every predictor draws beside people: name the layers that people's adapters "
            f"change, as training.adapterLayers does, one of {', '.join(kinds)}"
        )
    if value not in kinds:
        raise ValueError(f"must be one of {', '.join(kinds)}")
    return value


def _switched(value: Any) -> Any:
    """1 or 0 alone."""
    if value not in ("0", "1", 0, 1):
        raise ValueError("must be 1 or 0")
    return value


def _recipe(value: Any) -> Any:
    """A recipe as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return Recipe.model_validate(json.loads(value))
    except ValidationError as error:
        raise ValueError(f"is no recipe: {problems_of(error)}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("is no recipe as JSON") from error


def _listed(value: Any) -> Any:
    """What stands between commas."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Count = Annotated[int, _whole(1)]
Slots = Annotated[int, Field(ge=1, le=64), _whole(1)]
Rank = Annotated[int, Field(ge=1, le=128), _whole(1)]
Places = Annotated[int, Field(ge=1, le=1000), _whole(1)]
CountOrNone = Annotated[int, _whole(0)]


class PredictorSettings(BaseSettings):
    """The predictor's settings; a variable that is empty is as one that is not set.

    `store_hosts`: the stores that grants may point to (see `links.allowed`), `store_bucket` where in them; empty:
    anywhere. `queue`: orders let in at the same time. `grpc_port` 0: REST alone. `metrics_port` 0: none are
    shown. `grace_seconds`: how long
    orders that run may take after the pod was asked to stop. `token`: what callers must show; empty: nothing. The
    others are those of EngineConfig. `recipe`: what the base model was taken to say about itself, which is compared
    with what its folder says; None: with nothing.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    models: Path = Path("/models")
    base_model: str = ""
    control_model: str = ""
    upscaler: str = ""
    safety_checker: str = ""
    recipe: Annotated[Recipe | None, NoDecode, BeforeValidator(_recipe)] = None
    slots: Slots = 4
    maximum_rank: Rank = 64
    adapter_layers: Annotated[AdapterLayers, BeforeValidator(_layers_of_people)] = AdapterLayers.ATTENTION
    batch: Count = 4
    host_cache_mb: Count = 1024
    device: str = "auto"
    dtype: Annotated[Dtype, _word(*get_args(Dtype))] = "auto"
    threads: CountOrNone = 0
    grant_seconds: Count = 1800
    compile: Annotated[int, BeforeValidator(_switched)] = 0
    model_name: str = "profile-predictor"
    store_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    store_bucket: str = ""
    queue: Places = 16
    port: Count = 8080
    grpc_port: CountOrNone = 0
    metrics_port: CountOrNone = 0
    grace_seconds: Count = 290
    token: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(default="", repr=False)

    @cached_property
    def engine(self) -> EngineConfig:
        """What the engine is made of. Raises ValueError for names of models that are none."""
        return EngineConfig(
            models=self.models,
            base_model=self.base_model,
            control_model=self.control_model,
            slots=self.slots,
            maximum_rank=self.maximum_rank,
            adapter_layers=self.adapter_layers,
            batch=self.batch,
            host_cache_megabytes=self.host_cache_mb,
            device=self.device,
            dtype=self.dtype,
            threads=self.threads,
            grant_seconds=self.grant_seconds,
            compile=bool(self.compile),
            upscaler=self.upscaler,
            safety_checker=self.safety_checker,
        )

    @model_validator(mode="after")
    def _names_models(self) -> PredictorSettings:
        if not self.base_model:
            raise ValueError(f"{PREFIX}BASE_MODEL must name a folder below {PREFIX}MODELS")
        _ = self.engine
        return self


def from_environment() -> PredictorSettings:
    """Settings from PROFILE_*; raises BadSettings."""
    try:
        return PredictorSettings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = str(first.get("ctx", {}).get("error", first["msg"]))
        if first["loc"]:
            reason = f"{PREFIX}{str(first['loc'][0]).upper()}={first['input']!r} {reason}"
        raise BadSettings(reason) from error
