"""Who knows the names that may stand in place of an argument: requests, styles, namespaces, contexts, cuts."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence

from profile_cli.cluster import Cluster
from profile_cli.errors import CommandError
from profile_cli.kubeconfig import context_names, current_namespace
from profile_contract.layouts import LayoutName
from profile_runtime.kubernetes.resources import Acting

Completer = Callable[..., list[str]]


def completed(argument: argparse.Action, completer: Completer) -> None:
    """Have an argument completed: argcomplete looks for this attribute."""
    argument.completer = completer  # type: ignore[attr-defined]


def request_names(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of the requests of the namespace; none where the cluster does not answer."""
    return _beginning(prefix, lambda: _cluster(parsed_args).request_names(_namespace(parsed_args)))


def style_names(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """The cluster's and the namespace's styles; none where they may not be listed."""
    return _beginning(
        prefix, lambda: [style.shown for style in _cluster(parsed_args).style_refs(_namespace(parsed_args))]
    )


def namespaces(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of the cluster's namespaces; none where they may not be listed."""
    return _beginning(prefix, lambda: _cluster(parsed_args).namespaces())


def contexts(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """The contexts of the kubeconfig."""
    return _beginning(prefix, lambda: context_names(getattr(parsed_args, "kubeconfig", None)))


def layouts(prefix: str, **_: object) -> list[str]:
    """The cuts that may follow those before the last comma."""
    before, comma, unfinished = prefix.rpartition(",")
    return [f"{before}{comma}{name}" for name in LayoutName if name.startswith(unfinished)]


def _beginning(prefix: str, ask: Callable[[], Sequence[str]]) -> list[str]:
    """The names that begin so; none where they cannot be known."""
    with contextlib.suppress(CommandError):
        return [name for name in ask() if name.startswith(prefix)]
    return []


def _cluster(parsed_args: argparse.Namespace) -> Cluster:
    groups = tuple(getattr(parsed_args, "as_groups", None) or ())
    acting = Acting(getattr(parsed_args, "as_user", None) or "", groups)
    return Cluster(getattr(parsed_args, "kubeconfig", None), getattr(parsed_args, "context", None), acting)


def _namespace(parsed_args: argparse.Namespace) -> str:
    given: str | None = getattr(parsed_args, "namespace", None)
    return given or current_namespace(getattr(parsed_args, "kubeconfig", None), getattr(parsed_args, "context", None))
