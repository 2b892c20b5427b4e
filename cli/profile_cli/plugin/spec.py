"""From the plugin's arguments to a request. Pure."""

from __future__ import annotations

import argparse

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_contract.request import ProfileRequestSpec


def spec_of(arguments: argparse.Namespace) -> ProfileRequestSpec:
    """The request that `create` makes. Raises CommandError for what the API would refuse too."""
    document: dict[str, object] = {
        "subject": {"noun": arguments.noun},
        "photos": {"prefix": f"uploads/{arguments.name}/"},
        "styles": arguments.styles or ["studio-warm"],
        "layouts": [name.strip() for name in arguments.layouts.split(",") if name.strip()],
    }
    for field, name in (("portraits",) * 2, ("candidates",) * 2, ("minimumLikeness", "minimum_likeness")):
        if getattr(arguments, name) is not None:
            document[field] = getattr(arguments, name)
    try:
        return ProfileRequestSpec.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise CommandError(f"these arguments cannot be used: {problems}") from error
