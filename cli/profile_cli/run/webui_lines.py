"""What a user of the WebUI types to draw as a style does, in the form that its prompt reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from profile_cli.errors import CommandError
from profile_contract.artifacts import ADAPTER_WEBUI
from profile_contract.picture_size import PictureSize
from profile_contract.style import ProfileStyleSpec, SamplerName
from profile_contract.style_ref import StyleRef

WEBUI_LINES = "webui.txt"
# As its menu calls them.
_SAMPLERS = {
    None: "Euler",
    SamplerName.EULER: "Euler",
    SamplerName.DPM: "DPM++ 2M",
    SamplerName.DPM_KARRAS: "DPM++ 2M, Schedule type: Karras",
    SamplerName.EULER_TRAILING: "Euler, Schedule type: SGM Uniform",
    SamplerName.LCM: "LCM",
}


def write_lines(file: Path, text: str) -> None:
    """Write the lines into a file. Raises CommandError."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error


def webui_text(styles: Mapping[str, ProfileStyleSpec], subject: str, size: PictureSize, seed: int) -> str:
    """The lines of every style: prompt with its adapters, negative prompt, settings. `subject` as prompts name it.

    Adapters go by the names of their files: the person's twin, and each look's as the style calls it.
    """
    return "\n".join(
        f"# {StyleRef.of_key(key).shown}\n{_lines(size.of(style), subject, size, seed)}"
        for key, style in styles.items()
    )


def _lines(style: ProfileStyleSpec, subject: str, size: PictureSize, seed: int) -> str:
    person = ADAPTER_WEBUI.removesuffix(".safetensors")
    weights = {person: style.adapter_weight_percent, **{ref.name: ref.weight_percent for ref in style.adapters or ()}}
    tags = " ".join(f"<lora:{name}:{percent / 100:g}>" for name, percent in weights.items())
    negative = f"Negative prompt: {style.negative_prompt}\n" if style.negative_prompt else ""
    return (
        f"{style.prompt_for(subject)} {tags}\n{negative}"
        f"Steps: {style.sampler.steps}, Sampler: {_SAMPLERS[size.sampler_of(style)]}, CFG scale: "
        f"{style.sampler.guidance_tenths / 10:g}, Seed: {seed}, Size: {size.width}x{size.height}\n"
    )
