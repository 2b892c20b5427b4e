"""`profile-studio`: the folder runner, the demo, evaluation and sheets, and what this machine lacks for them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from . import import_adapter, machine, merge_looks
from .demo import command as demo_command
from .program import run_command
from .run import command as folder_command
from .serve import command as serve_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    return run_command(parser(), argv, when_interrupted="the same command goes on where it stopped")


def parser() -> argparse.ArgumentParser:
    """All commands; each module adds its own."""
    top = argparse.ArgumentParser(prog="profile-studio", description="Studio profile portraits from your own photos.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    folder_command.add_to(commands)
    serve_command.add_to(commands)
    demo_command.add_to(commands)
    import_adapter.add_to(commands)
    merge_looks.add_to(commands)
    machine.add_to(commands)
    # What measures stands on the command line and not below it.
    for module in ("profile_evaluate.command", "profile_evaluate.sheet.command"):
        import_module(module).add_to(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
