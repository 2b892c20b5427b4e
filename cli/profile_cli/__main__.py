"""`profile-studio`: the folder runner, the demo, the evaluation, and what this machine lacks for them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import machine
from .demo import command as demo_command
from .evaluate import command as evaluate_command
from .folder import command as folder_command
from .program import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    return run_command(parser(), argv, when_interrupted="the same command goes on where it stopped")


def parser() -> argparse.ArgumentParser:
    """All commands; each module adds its own."""
    top = argparse.ArgumentParser(prog="profile-studio", description="Studio profile portraits from your own photos.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    folder_command.add_to(commands)
    demo_command.add_to(commands)
    machine.add_to(commands)
    evaluate_command.add_to(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
