"""`kubectl profile`: requests and their photos from a terminal, as kubectl's own commands behave."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from profile_cli.program import run_command

from .commands import parser
from .words import arranged

# How cobra's programs, kubectl among them, ask for what may come next.
COMPLETE = "__complete"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == [COMPLETE]:
        from . import completion

        return completion.answer(words[1:])
    top = parser()
    return run_command(top, arranged(words, top), when_interrupted="the request goes on in the cluster")


if __name__ == "__main__":
    sys.exit(main())
