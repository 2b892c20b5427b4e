"""`kubectl profile <Tab>`: kubectl asks the program `kubectl_complete-profile` on the PATH, as it does for any plug-in.

It is given the words so far, the last one perhaps unfinished, and answers a line a proposal, then a directive.
https://kubernetes.io/docs/reference/kubectl/generated/kubectl_completion (cobra's protocol)
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from argcomplete.finders import CompletionFinder

from .commands import parser

# cobra's directives: files may be proposed beside; they may not.
FILES, NO_FILES = ":0", ":4"
# Options behind which a name stands, and no file.
NAME_OPTIONS = ("-n", "--namespace", "--context", "--style", "--noun", "--layouts", "-o", "--output", "--store")
PROGRAM = "kubectl-profile"
# What a shell would tell argcomplete: the line, where the cursor stands, where words break, what stands between
# proposals.
SEPARATOR = "\v"


class Finder(CompletionFinder):
    """Finds what may come next, and leaves descriptor 9 alone: the library would write its own log there."""

    def _init_debug_stream(self) -> None:
        """Meant by the library to be overridden where that descriptor may be somebody else's."""


def main() -> int:
    """Answer kubectl, where the Python package installed the program that it asks."""
    return answer(sys.argv[1:])


def answer(words: Sequence[str]) -> int:
    """Print what may stand in place of the last word; the exit code."""
    proposals = complete(words)
    for proposal in proposals:
        print(proposal)
    print(NO_FILES if proposals or not _takes_a_file(words) else FILES)
    return 0


def _takes_a_file(words: Sequence[str]) -> bool:
    """Whether a file may come next: not behind an option that wants a name."""
    before = words[-2] if len(words) > 1 else ""
    return before not in NAME_OPTIONS


def complete(words: Sequence[str]) -> list[str]:
    """What may stand in place of the last word."""
    *before, unfinished = words or [""]
    line = shlex.join([PROGRAM, *before]) + " " + (shlex.quote(unfinished) if unfinished else "")
    proposals = io.StringIO()
    with _shell(line):
        Finder()(
            parser(),
            always_complete_options=unfinished.startswith("-"),
            exit_method=lambda code=0: None,
            output_stream=proposals,
            # The shell proposes files by itself.
            default_completer=None,
            append_space=False,
        )
    return sorted({proposal.strip() for proposal in proposals.getvalue().split(SEPARATOR) if proposal})


@contextmanager
def _shell(line: str) -> Iterator[None]:
    """The environment in which a shell asks argcomplete."""
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": SEPARATOR, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    kept = dict(os.environ)
    os.environ.update(asked)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
