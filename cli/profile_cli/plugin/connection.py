"""The cluster, the namespace and the store that a command's arguments mean."""

from __future__ import annotations

import argparse
from typing import Any

from profile_cli.cluster import Cluster
from profile_cli.errors import CommandError
from profile_cli.kubeconfig import current_namespace
from profile_cli.observed import ObservedRequest
from profile_contract.areas import Area, told_area
from profile_runtime.kubernetes.resources import Acting
from profile_runtime.store.s3 import S3Store

from .store import open_named, prefix_of


def namespace_of(arguments: argparse.Namespace) -> str:
    """The namespace that was named, else that of the kubeconfig's context. Raises CommandError."""
    if arguments.all_namespaces and arguments.command != "list":
        raise CommandError(f"`{arguments.command}` works in one namespace: give -n NAMESPACE instead of -A")
    return str(arguments.namespace or current_namespace(arguments.kubeconfig, arguments.context))


def cluster_of(arguments: argparse.Namespace) -> tuple[Cluster, str]:
    """The cluster and the namespace. Raises CommandError."""
    namespace = namespace_of(arguments)
    return Cluster(arguments.kubeconfig, arguments.context, acting_of(arguments)), namespace


def acting_of(arguments: argparse.Namespace) -> Acting:
    """As whom the cluster is asked: --as and --as-group. Raises CommandError."""
    user, groups = arguments.as_user or "", tuple(arguments.as_groups or ())
    if groups and not user:
        raise CommandError("--as-group says whose groups an --as USER has: give --as, too")
    wrong = [name for name in (user, *groups) if not (name.isascii() and name.isprintable())]
    if wrong:
        raise CommandError(f"--as and --as-group take letters, digits and signs of ASCII: {wrong[0]!r}")
    return Acting(user, groups)


def store_of(arguments: argparse.Namespace) -> S3Store:
    """The store of --store or PROFILE_STORE. Raises CommandError."""
    return open_named(arguments.store)


def area_for(
    cluster: Cluster, namespace: str, arguments: argparse.Namespace, request: dict[str, Any] | None = None
) -> Area:
    """Where the namespace's things lie in the bucket: as the request's status tells it, else as the namespace's UID
    and the folders in the store's URL do. Raises CommandError."""
    area = told_area(str(((request or {}).get("status") or {}).get("area", "")), namespace)
    return area or cluster.area(namespace, prefix_of(arguments.store))


def standing_request(cluster: Cluster, namespace: str, name: str) -> ObservedRequest:
    """The request. Raises CommandError where there is none."""
    view = cluster.request(namespace, name)
    if view is None:
        raise absent(cluster, namespace, name)
    return view


def standing_document(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """The request as the API server holds it. Raises CommandError where there is none."""
    standing_request(cluster, namespace, name)
    return cluster.request_document(namespace, name)


def absent(cluster: Cluster, namespace: str, name: str) -> CommandError:
    """There is no such request; which there are instead, where that may be known."""
    try:
        names = cluster.request_names(namespace)
    except CommandError:
        names = []
    there = (
        f"; there are {', '.join(names[:10])}"
        if names
        else f": `kubectl profile list -n {namespace}` shows those there are"
    )
    return CommandError(f"there is no ProfileRequest {namespace}/{name}{there}")
