"""`kubectl profile <Tab>`: kubectl asks the program `kubectl_complete-profile` on the PATH, as it does for any plug-in.

It is given the words so far, the last one perhaps unfinished, and answers a line a proposal, then a directive.
https://kubernetes.io/docs/reference/kubectl/generated/kubectl_completion (cobra's protocol)
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from argcomplete.finders import CompletionFinder

from profile_cli.cluster import Cluster, context_names, current_namespace
from profile_cli.errors import CommandError
from profile_contract.layouts import LayoutName

from .commands import parser
from .words import commands_of

Completer = Callable[..., list[str]]

# cobra's directives: files may be proposed beside; they may not.
FILES, NO_FILES = ":0", ":4"
# Options behind which a name stands, and no file.
NAME_OPTIONS = ("-n", "--namespace", "--context", "--style", "--noun", "--layouts", "-o", "--output", "--store")


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
    top = parser()
    for action, completer in _named_actions(top):
        action.completer = completer  # type: ignore[attr-defined]
    # The shell proposes files by itself.
    finder = CompletionFinder(top, always_complete_options=unfinished.startswith("-"), default_completer=None)
    found = finder._get_completions(["kubectl-profile", *before], unfinished, "", None)
    return sorted({proposal.strip() for proposal in found})


def request_names(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of the requests of the namespace; none where the cluster does not answer."""
    return _names(prefix, lambda: _cluster(parsed_args).request_names(_namespace(parsed_args)))


def style_names(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of the cluster's styles; none where they may not be listed."""
    return _names(prefix, lambda: [str(style["metadata"]["name"]) for style in _cluster(parsed_args).style_documents()])


def namespaces(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of the cluster's namespaces; none where they may not be listed."""
    return _names(prefix, lambda: _cluster(parsed_args).namespaces())


def contexts(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """The contexts of the kubeconfig."""
    return _names(prefix, lambda: context_names(getattr(parsed_args, "kubeconfig", None)))


def layouts(prefix: str, **_: object) -> list[str]:
    """The cuts that may follow those before the last comma."""
    before, comma, unfinished = prefix.rpartition(",")
    return [f"{before}{comma}{name}" for name in LayoutName if name.startswith(unfinished)]


def _names(prefix: str, ask: Callable[[], Sequence[str]]) -> list[str]:
    with contextlib.suppress(CommandError):
        return [name for name in ask() if name.startswith(prefix)]
    return []


def _cluster(parsed_args: argparse.Namespace) -> Cluster:
    return Cluster(getattr(parsed_args, "kubeconfig", None), getattr(parsed_args, "context", None))


def _namespace(parsed_args: argparse.Namespace) -> str:
    given: str | None = getattr(parsed_args, "namespace", None)
    return given or current_namespace(getattr(parsed_args, "kubeconfig", None), getattr(parsed_args, "context", None))


def _named_actions(top: argparse.ArgumentParser) -> Iterator[tuple[argparse.Action, Completer]]:
    """Every argument that names something, with who knows the names; `create` makes a new name."""
    completers: dict[str, Completer] = {
        "name": request_names, "styles": style_names, "namespace": namespaces, "context": contexts, "layouts": layouts,
    }  # fmt: skip
    for command, parsed in [("", top), *commands_of(top).items()]:
        for action in parsed._actions:
            if action.dest in completers and (command, action.dest) != ("create", "name"):
                yield action, completers[action.dest]
