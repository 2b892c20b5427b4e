"""The command `run`."""

from __future__ import annotations

import argparse

from profile_cli.terminal import Terminal


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser("run", help="portraits from a folder of photos, without a cluster")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    raise NotImplementedError
