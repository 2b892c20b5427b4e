"""`kubectl profile <Tab>`: kubectl asks the program `kubectl_complete-profile` on the PATH, as it does for any plug-in.

It is given the words so far, the last one perhaps unfinished, and answers a line a proposal, then a directive.
https://kubernetes.io/docs/reference/kubectl/generated/kubectl_completion (cobra's protocol)
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence

from argcomplete.finders import CompletionFinder

from profile_cli.cluster import Cluster, current_namespace
from profile_cli.errors import CommandError

from .commands import parser

# cobra's directives: files may be proposed beside; they may not.
FILES, NO_FILES = ":0", ":4"


def main() -> int:
    """Answer kubectl, where the Python package installed the program that it asks."""
    return answer(sys.argv[1:])


def answer(words: Sequence[str]) -> int:
    """Print what may stand in place of the last word; the exit code."""
    proposals = complete(words)
    for proposal in proposals:
        print(proposal)
    print(NO_FILES if proposals else FILES)
    return 0


def complete(words: Sequence[str]) -> list[str]:
    """What may stand in place of the last word."""
    *before, unfinished = words or [""]
    top = parser()
    for action in _name_actions(top):
        action.completer = request_names  # type: ignore[attr-defined]
    finder = CompletionFinder(top, always_complete_options=unfinished.startswith("-"))
    found = finder._get_completions(["kubectl-profile", *before], unfinished, "", None)
    return sorted({proposal.strip() for proposal in found})


def request_names(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of the requests of the namespace; none where the cluster does not answer."""
    with contextlib.suppress(CommandError):
        namespace = parsed_args.namespace or current_namespace(parsed_args.kubeconfig, parsed_args.context)
        cluster = Cluster(parsed_args.kubeconfig, parsed_args.context)
        return [name for name in cluster.request_names(namespace) if name.startswith(prefix)]
    return []


def _name_actions(top: argparse.ArgumentParser) -> list[argparse.Action]:
    """The argument `name` of every command but `create`, which makes a new one."""
    (commands,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return [
        action
        for name, command in commands.choices.items()
        for action in command._actions
        if action.dest == "name" and name != "create"
    ]
