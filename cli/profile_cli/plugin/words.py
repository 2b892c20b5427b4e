"""The command line as people write it for kubectl, put into the order in which argparse takes it. Pure."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence

DRY_RUN = "--dry-run"
NO, CLIENT, SERVER = "none", "client", "server"
DRY_RUNS = (NO, CLIENT, SERVER)


def arranged(argv: Sequence[str], top: argparse.ArgumentParser) -> list[str]:
    """Options of a command before its names, where kubectl takes them anywhere; a bare --dry-run means client."""
    words = _dry_runs(argv)
    place = _command(words, top)
    parsed = commands_of(top).get(words[place]) if place < len(words) else None
    if parsed is None:
        return words
    options, names = _split(words[place + 1 :], parsed)
    return [*words[: place + 1], *options, *names]


def commands_of(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands, by name."""
    (commands,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return dict(commands.choices)


def _dry_runs(argv: Sequence[str]) -> list[str]:
    return [
        f"{DRY_RUN}={CLIENT}" if word == DRY_RUN and after not in DRY_RUNS else word
        for word, after in itertools.pairwise([*argv, ""])
    ]


def _command(words: Sequence[str], top: argparse.ArgumentParser) -> int:
    """Where the command stands; behind the last word if there is none."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if _takes_value(words[place], top) else 1
    return min(place, len(words))


def _split(words: Sequence[str], parsed: argparse.ArgumentParser) -> tuple[list[str], list[str]]:
    """Options with their values, and names; what stands behind `--` are names."""
    options: list[str] = []
    names: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return options, ["--", *names, *rest]
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        options.append(word)
        if rest and _takes_value(word, parsed):
            options.append(rest.pop(0))
    return options, names


def _takes_value(word: str, parsed: argparse.ArgumentParser) -> bool:
    """Whether the next word is this option's value. Long options may be cut short, as argparse allows it."""
    actions = parsed._option_string_actions
    meant = [word] if word in actions else [name for name in actions if word.startswith("--") and name.startswith(word)]
    return bool(meant) and actions[meant[0]].nargs != 0
