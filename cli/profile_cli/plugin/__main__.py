"""`kubectl profile`: create, watch, photos, portraits, styles, delete, doctor, completion."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from profile_cli.program import run_command

from . import completion
from .commands import parser

# How cobra's programs, kubectl among them, ask for what may come next.
COMPLETE = "__complete"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == [COMPLETE]:
        return completion.answer(words[1:])
    return run_command(parser(), words, when_interrupted="the request goes on in the cluster")


if __name__ == "__main__":
    sys.exit(main())
