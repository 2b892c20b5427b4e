"""The kubeconfig of whoever runs a command: its contexts and namespaces, and a client of its cluster.

The library that reads it takes half a second to import: only a command that asks a cluster pays for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .errors import CommandError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


def client_of(kubeconfig: Path | None, context: str | None) -> ApiClient:
    """A client of the cluster of a context. Raises CommandError.

    `kubeconfig` None: $KUBECONFIG, or the user's own file; `context` None: the current one.
    """
    from kubernetes import config

    try:
        return config.new_client_from_config(config_file=_file(kubeconfig), context=context)
    except _broken() as error:
        raise _unusable(kubeconfig, error) from error


def current_namespace(kubeconfig: Path | None = None, context: str | None = None) -> str:
    """The namespace of a context of the kubeconfig, `default` where it names none. Raises CommandError."""
    contexts, active = _contexts(kubeconfig)
    chosen = active if context is None else next((known for known in contexts if known["name"] == context), None)
    if chosen is None:
        raise CommandError(f"the kubeconfig has no context {context!r}")
    return str(chosen["context"].get("namespace") or "default")


def context_names(kubeconfig: Path | None = None) -> list[str]:
    """The contexts of the kubeconfig. Raises CommandError."""
    return [str(context["name"]) for context in _contexts(kubeconfig)[0]]


def _contexts(kubeconfig: Path | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All contexts, and the current one."""
    from kubernetes import config

    try:
        contexts, active = config.list_kube_config_contexts(config_file=_file(kubeconfig))
        return [*contexts], {**active}
    except _broken() as error:
        raise _unusable(kubeconfig, error) from error


def _file(kubeconfig: Path | None) -> str | None:
    return None if kubeconfig is None else str(kubeconfig)


def _broken() -> tuple[type[Exception], ...]:
    """What the library raises for a kubeconfig that it cannot take: some with words for people, some not."""
    return (*_worded(), TypeError, KeyError, AttributeError)


def _worded() -> tuple[type[Exception], ...]:
    from kubernetes.config.config_exception import ConfigException

    return (ConfigException, OSError, ValueError, yaml.YAMLError)


def _unusable(kubeconfig: Path | None, error: Exception) -> CommandError:
    why = " ".join(str(error).split()) if isinstance(error, _worded()) else "it is no kubeconfig"
    return CommandError(f"{kubeconfig or 'the kubeconfig'} cannot be used: {why}")
