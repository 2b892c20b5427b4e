"""`kubectl profile`: create, watch, photos, portraits, styles, delete, doctor."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from profile_cli.program import run_command

from .commands import parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    return run_command(parser(), argv, when_interrupted="the request goes on in the cluster")


if __name__ == "__main__":
    sys.exit(main())
