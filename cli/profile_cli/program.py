"""What every program of this package does around a command: plain words for errors, exit codes."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from .errors import CommandError
from .output import as_data, document
from .terminal import Terminal

INTERRUPTED = 130


def run_command(parser: argparse.ArgumentParser, argv: Sequence[str] | None, *, when_interrupted: str) -> int:
    """Run one command. 0: all is well; 1: not, and a message says why; 2: wrong arguments; 130: interrupted."""
    arguments = parser.parse_args(argv)
    _bear_any_letter()
    terminal = Terminal()
    try:
        code: int = arguments.run(arguments, terminal)
    except CommandError as error:
        if as_data(arguments):
            terminal.plain(document({"error": str(error)}, arguments))
        else:
            terminal.error(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.error(f"interrupted; {when_interrupted}")
        return INTERRUPTED
    return code


def _bear_any_letter() -> None:
    """A terminal that cannot show a letter of a photo's name gets its code instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
