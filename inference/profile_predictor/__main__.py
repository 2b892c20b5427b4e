"""`python -m profile_predictor`: serve over HTTP; settings come from the environment (see `server.settings`)."""

from __future__ import annotations

import logging
import sys

from profile_runtime.logging import configure

from .server.serve import serve
from .server.settings import BadSettings, from_environment

log = logging.getLogger("profile_predictor")


def main() -> int:
    """The program; returns the exit code."""
    configure()
    try:
        settings = from_environment()
    except BadSettings as error:
        log.error("%s", error)
        return 2
    try:
        serve(settings)
    except (FileNotFoundError, ValueError) as error:
        log.error("the predictor cannot start: %s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
