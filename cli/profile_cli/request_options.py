"""Options that ask for a field of a request, one row each: `create` of the plug-in and `run` both take them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestOption:
    """A whole number that goes into the request's spec as it stands; what is not said is left to the API's default.

    `field`: as the API names it. `folder_alone`: a request on a cluster says it in its manifest.
    """

    name: str
    field: str
    help: str
    folder_alone: bool = False

    @property
    def destination(self) -> str:
        """Where argparse leaves it."""
        return self.name.removeprefix("--").replace("-", "_")


REQUEST_OPTIONS = (
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
            command.add_argument(option.name, type=int, help=option.help)


def asked_for(arguments: argparse.Namespace) -> dict[str, object]:
    """The fields of the request that the arguments name."""
    values = {option.field: getattr(arguments, option.destination, None) for option in REQUEST_OPTIONS}
    return {field: value for field, value in values.items() if value is not None}


def option_of(field: str) -> str:
    """What people type for a field of the request."""
    return next((option.name for option in REQUEST_OPTIONS if option.field == field), f"--{field}")
