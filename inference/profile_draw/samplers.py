"""Samplers: how noise is taken away step by step, by their names. LCM alone adds some between steps, each row's from
that row's own generator."""

from __future__ import annotations

from typing import Any

from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler, LCMScheduler

from profile_contract.style import SamplerName

_CLASSES: dict[SamplerName, tuple[type[Any], dict[str, Any]]] = {
    SamplerName.EULER: (EulerDiscreteScheduler, {"use_karras_sigmas": False}),
    SamplerName.DPM: (DPMSolverMultistepScheduler, {"use_karras_sigmas": False}),
    SamplerName.DPM_KARRAS: (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    SamplerName.EULER_TRAILING: (
        EulerDiscreteScheduler,
        {"use_karras_sigmas": False, "timestep_spacing": "trailing"},
    ),
    SamplerName.LCM: (LCMScheduler, {}),
}


class Samplers:
    """Schedulers of diffusers with one model's noise and prediction, each made once."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self._by_name: dict[SamplerName | None, Any] = {None: own}

    def named(self, name: SamplerName | None) -> Any:
        """The scheduler of this name; the model's own for None."""
        if name not in self._by_name:
            kind, settings = _CLASSES[SamplerName(str(name))]
            self._by_name[name] = kind.from_config(self._own.config, **settings)
        return self._by_name[name]
