"""From the plugin's arguments to a request. Pure."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_cli.nouns import ANYBODY
from profile_cli.request_options import asked_for, option_of
from profile_contract.artifacts import photos_prefix
from profile_contract.problems import problems_of
from profile_contract.request import NAME_LENGTH, DeletionPolicy, ProfileRequestSpec
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.style_ref import StyleRef

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LIMITS = PreprocessParameters()
FEWEST, MOST = LIMITS.minimum_photos, LIMITS.maximum_photos


def spec_of(arguments: argparse.Namespace) -> ProfileRequestSpec:
    """The request that `create` makes. Raises CommandError for what the API would refuse too."""
    check_name(arguments.name)
    document = {
        "subject": {"noun": arguments.noun or ANYBODY},
        "photos": {"prefix": own_prefix(arguments.name), "deletionPolicy": DeletionPolicy.DELETE.value},
        "styles": [style.document() for style in styles_of(arguments.styles or ["studio-warm"])],
        "layouts": [name.strip() for name in arguments.layouts.split(",") if name.strip()],
        **asked_for(arguments),
    }
    try:
        spec = ProfileRequestSpec.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(_problem(e["loc"], e["msg"], e.get("input")) for e in error.errors()[:5])
        raise CommandError(f"these arguments cannot be used: {problems}") from error
    if spec.portraits > spec.candidates:
        raise CommandError(f"--portraits must not exceed --candidates ({spec.portraits} > {spec.candidates})")
    return spec


def styles_of(words: Sequence[str]) -> list[StyleRef]:
    """The styles that a person named: NAME, or KIND/NAME. Raises CommandError."""
    styles = []
    for word in words:
        try:
            styles.append(StyleRef.parse(word))
        except ValidationError as error:
            raise CommandError(f"--style {word}: {problems_of(error)}") from error
        except ValueError as error:
            raise CommandError(f"--style {error}") from error
    return styles


def own_prefix(name: str) -> str:
    """Where the photos of a request lie that `create` made."""
    return photos_prefix(name)


def _problem(place: Sequence[int | str], message: str, given: object) -> str:
    """`--portraits 99: Input should be less than or equal to 16`."""
    return f"{option_of(str(place[0]) if place else '')} {given}: {message}"


def check_name(name: str) -> None:
    """Raises CommandError for what cannot be a request's name."""
    if not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise CommandError(
            f"{name!r} cannot be a request's name: at most {NAME_LENGTH} small letters, digits and '-', with a letter "
            "or digit first and last"
        )


def check_count(photos: int, *, any_number: bool) -> None:
    """Raises CommandError for fewer or more photos than a request may have."""
    if any_number or FEWEST <= photos <= MOST:
        return
    raise CommandError(
        f"a request takes {FEWEST} to {MOST} photos of one person, and these are {photos}: nothing was uploaded "
        "(--any-number, where your platform has other limits)"
    )


def check_styles(wanted: Sequence[StyleRef], known: Sequence[StyleRef]) -> None:
    """Raises CommandError for a style that neither the cluster nor the namespace offers."""
    keys = {style.key for style in known}
    unknown = [style.shown for style in wanted if style.key not in keys]
    if unknown:
        offers = ", ".join(style.shown for style in known)
        offered = f"this cluster offers {offers}" if known else "this cluster offers none"
        raise CommandError(f"there is no style {', '.join(unknown)}: {offered}")
