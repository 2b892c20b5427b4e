"""`profile-studio`: the folder runner, the demo and the evaluation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .demo import command as demo_command
from .errors import CommandError
from .evaluate import command as evaluate_command
from .folder import command as folder_command
from .terminal import Terminal

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: all is well; 1: not, and a message says why; 2: wrong arguments."""
    arguments = parser().parse_args(argv)
    terminal = Terminal()
    try:
        code: int = arguments.run(arguments, terminal)
    except CommandError as error:
        terminal.error(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.error("interrupted; the same command goes on where it stopped")
        return INTERRUPTED
    return code


def parser() -> argparse.ArgumentParser:
    """All commands; each module adds its own."""
    top = argparse.ArgumentParser(prog="profile-studio", description="Studio profile portraits from your own photos.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    folder_command.add_to(commands)
    demo_command.add_to(commands)
    evaluate_command.add_to(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
