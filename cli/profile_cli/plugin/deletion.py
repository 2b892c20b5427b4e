"""delete: deletes a request, and says what goes with it and what stays."""

from __future__ import annotations

import argparse
import time
from typing import Any

from profile_cli.cluster import Cluster, Unreachable
from profile_cli.errors import CommandError
from profile_cli.output import as_data, document
from profile_cli.terminal import Terminal
from profile_contract.areas import Area, told_area
from profile_contract.artifacts import request_prefix
from profile_contract.request import DeletionPolicy
from profile_contract.resource import deletion_policy_of, photos_to_delete

from .changes import sharing
from .connection import cluster_of, standing_document

DELETION_SECONDS = 300


def delete(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Delete a request; the operator deletes what was made for it, and the photos that go with it. Raises CommandError.

    What is said is what the request says, and what can be seen of others.
    """
    cluster, namespace = cluster_of(arguments)
    request = standing_document(cluster, namespace, arguments.name)
    area = told_area(str((request.get("status") or {}).get("area", "")), namespace)
    photos = f"{area or ''}{request['spec']['photos']['prefix']}"
    why_kept = _why_photos_stay(cluster, namespace, request, arguments)
    if arguments.keep_photos and photos_to_delete(request["spec"]):
        cluster.keep_photos(namespace, arguments.name)
    cluster.delete_request(namespace, arguments.name)
    if arguments.wait:
        _wait_until_gone(cluster, namespace, arguments.name)
    stays = _what_stays(request, area, photos, why_kept)
    if as_data(arguments):
        gone = {"namespace": namespace, "name": arguments.name, "gone": arguments.wait}
        terminal.plain(document({**gone, "photosGo": not why_kept, "stays": stays}, arguments))
        return 0
    along = "" if _retained(request) else ", with everything that was made for it"
    terminal.say(
        f"profilerequest {namespace}/{arguments.name} is {'gone' if arguments.wait else 'being deleted'}{along}"
    )
    if not why_kept:
        terminal.say(f"the photos under {photos} {'are gone, too' if arguments.wait else 'go with it'}")
    for line in stays:
        terminal.say(line)
    return 0


def _why_photos_stay(cluster: Cluster, namespace: str, request: dict[str, Any], arguments: argparse.Namespace) -> str:
    """Empty where they go with the request, as far as can be seen: the operator sees all that use them."""
    if arguments.keep_photos:
        return "as --keep-photos says"
    if not photos_to_delete(request["spec"]):
        return "spec.photos.deletionPolicy is Retain"
    others = sharing(cluster, namespace, arguments.name, request["spec"]["photos"]["prefix"])
    return f"the request {', '.join(others)} uses them, too" if others else ""


def _what_stays(request: dict[str, Any], area: Area | None, photos: str, why_kept: str) -> list[str]:
    artifacts = f" under {request_prefix(area, request['metadata']['name'])}" if area else ""
    return [
        *([f"the photos under {photos} stay: {why_kept}"] if why_kept else []),
        *([f"what was made stays{artifacts}: deletionPolicy is Retain"] if _retained(request) else []),
    ]


def _retained(request: dict[str, Any]) -> bool:
    return deletion_policy_of(request["spec"]) is DeletionPolicy.RETAIN


def _wait_until_gone(cluster: Cluster, namespace: str, name: str) -> None:
    deadline = time.monotonic() + DELETION_SECONDS
    while not _is_gone(cluster, namespace, name):
        if time.monotonic() > deadline:
            raise CommandError(
                f"the request is still there after {DELETION_SECONDS} s: `kubectl -n {namespace} describe preq {name}` "
                "says what it waits for"
            )
        time.sleep(1)


def _is_gone(cluster: Cluster, namespace: str, name: str) -> bool:
    """Whether the request is gone; an API server that is away says nothing about that."""
    try:
        return cluster.request(namespace, name) is None
    except Unreachable:
        return False
