"""Styles by name, as the chart ships them, or from a YAML file of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from profile_contract.candidates import PHOTO_POSE
from profile_contract.problems import problems_of
from profile_contract.style import POSE_FROM_PHOTOS, POSE_PRESETS, ProfileStyleSpec
from profile_contract.style_ref import StyleKind, StyleRef
from profile_runtime.yaml_file import BadYaml, read_yaml

from .errors import CommandError

# In an installed package the chart's styles lie beside this file, in a clone in the chart.
PLACES = (
    Path(__file__).parent / "chart_styles",
    Path(__file__).resolve().parents[2] / "charts" / "profile-studio" / "files" / "styles",
)
ENDINGS = (".yaml", ".yml")


def known_styles() -> dict[str, Path]:
    """Name -> file of every style that the chart ships."""
    folder = next((place for place in PLACES if place.is_dir()), None)
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))} if folder else {}


def load_styles(wanted: Sequence[str]) -> dict[str, ProfileStyleSpec]:
    """Key -> style, in the order given. Raises CommandError for one that is unknown, wrong, or named twice."""
    styles: dict[str, ProfileStyleSpec] = {}
    for text in wanted:
        style, spec = _load(text)
        if style.key in styles:
            raise CommandError(f"the style {style.shown} is given twice")
        styles[style.key] = spec
    return styles


def _load(text: str) -> tuple[StyleRef, ProfileStyleSpec]:
    if text.endswith(ENDINGS):
        return _read(Path(text))
    known = known_styles()
    if text not in known:
        names = ", ".join(known) or "none"
        raise CommandError(f"there is no style {text!r}; known: {names}, or a path to a style's YAML file")
    return _read(known[text])


def _read(file: Path) -> tuple[StyleRef, ProfileStyleSpec]:
    try:
        document = read_yaml(file)
    except BadYaml as error:
        raise CommandError(f"the style file {file} cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("kind") not in tuple(StyleKind):
        raise CommandError(f"{file} is no {' and no '.join(StyleKind)}: see examples/style.yaml")
    try:
        style = StyleRef(name=document["metadata"]["name"], kind=document["kind"])
        spec = ProfileStyleSpec.model_validate(document["spec"])
    except (KeyError, TypeError) as error:
        raise CommandError(f"{file} lacks metadata.name or spec") from error
    except ValidationError as error:
        problems = problems_of(error, whole="metadata or spec")
        raise CommandError(f"{file}: {problems}") from error
    hindrance = _hindrance(spec)
    if hindrance:
        raise CommandError(f"{file}: {hindrance}")
    return style, spec


def _hindrance(spec: ProfileStyleSpec) -> str:
    """What a cluster refuses of a style by the rules of its kind, or no dataset could give it; empty where nothing."""
    if "{subject}" not in spec.prompt:
        return "prompt: must contain {subject}, which stands for the person"
    detail = spec.detail
    if detail.steps is not None and detail.steps * detail.strength_percent < 100:
        return "detail: steps times strengthPercent must be at least 100, or no step is left to draw"
    if spec.pose not in (POSE_FROM_PHOTOS, *POSE_PRESETS) and not spec.pose.startswith(PHOTO_POSE):
        return f"pose: must be {POSE_FROM_PHOTOS}, or one of {', '.join(POSE_PRESETS)}"
    return ""
