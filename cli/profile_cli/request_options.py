"""Options that ask for a field of a request, one row each: `create` of the plug-in and `run` both take them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from profile_contract.photo_names import shown_name
from profile_contract.request import ProfileRequestSpec, TrainingMode

from .errors import CommandError

# Photos that a message lists.
MOST_NAMED = 8


@dataclass(frozen=True)
class RequestOption:
    """A value that goes into the request's spec as it stands; what is not said is left to the API's default.

    `kind`: of the value, a whole number or a text. `field`: as the API names it. `folder_alone`: a request on a cluster
    says it in its manifest.
    """

    name: str
    field: str
    help: str
    folder_alone: bool = False
    kind: type[int] | type[str] = int

    @property
    def destination(self) -> str:
        """Where argparse leaves it."""
        return self.name.removeprefix("--").replace("-", "_")


REQUEST_OPTIONS = (
    RequestOption(
        "--source",
        "source",
        "the photo, by its file's name, that styles of the mode ImageToImage start from (default: the best one)",
        kind=str,
    ),
    RequestOption("--portraits", "portraits", "how many to deliver per style (default: 4)"),
    RequestOption("--candidates", "candidates", "how many to draw per style, to choose from (default: 8)"),
    RequestOption("--seed", "seed", "the first seed (default: 1)", folder_alone=True),
    RequestOption(
        "--minimum-likeness", "minimumLikeness", "deliver no portrait below this likeness, in per cent (default: 45)"
    ),
)


def add_request_options(command: argparse.ArgumentParser, *, folder: bool) -> None:
    """Add them to a command; `folder`: also those of the folder runner alone."""
    for option in REQUEST_OPTIONS:
        if folder or not option.folder_alone:
            command.add_argument(option.name, type=option.kind, help=option.help)
    command.add_argument(
        "--preview", action="store_true", help="train nothing: styles that start from a photo show a first picture"
    )


def asked_for(arguments: argparse.Namespace) -> dict[str, object]:
    """The fields of the request that the arguments name."""
    values = {option.field: getattr(arguments, option.destination, None) for option in REQUEST_OPTIONS}
    preview = {"training": {"mode": TrainingMode.NONE}} if arguments.preview else {}
    return {**{field: value for field, value in values.items() if value is not None}, **preview}


def with_source(spec: ProfileRequestSpec, photos: Mapping[str, Path]) -> ProfileRequestSpec:
    """The request with the name under which its source stands in the store; a person names the file.

    Raises CommandError for a file that is none of the photos.
    """
    if spec.source is None or spec.source in photos:
        return spec
    name = next((name for name, file in photos.items() if file.name == Path(spec.source).name), None)
    if name is None:
        known = ", ".join([*map(shown_name, photos)][:MOST_NAMED])
        more = ", ..." if len(photos) > MOST_NAMED else ""
        raise CommandError(f"--source {shown_name(spec.source)} is none of the photos: {known}{more}")
    return spec.model_copy(update={"source": name})


def option_of(field: str) -> str:
    """What people type for a field of the request."""
    return next((option.name for option in REQUEST_OPTIONS if option.field == field), f"--{field}")
