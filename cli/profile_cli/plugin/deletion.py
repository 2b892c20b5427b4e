"""Deleting a request, with what was made for it and the photos that were uploaded for it."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from profile_cli.cluster import Cluster, NotAllowed, Unreachable
from profile_cli.errors import CommandError
from profile_cli.terminal import Terminal
from profile_cli.upload import remove_photos, standing_photos
from profile_contract.artifacts import request_prefix
from profile_contract.request import DeletionPolicy
from profile_contract.resource import deletion_policy_of

from .changes import PLUGIN, UPLOADER, sharing
from .connection import cluster_of, standing_document, store_of
from .spec import own_prefix
from .store import NO_STORE, store_explained

DELETION_SECONDS = 300


def delete(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Delete a request, what was made for it, and the photos that this program uploaded. Raises CommandError."""
    cluster, namespace = cluster_of(arguments)
    request = standing_document(cluster, namespace, arguments.name)
    prefix = request["spec"]["photos"]["prefix"]
    why_kept = _why_photos_stay(cluster, namespace, request, arguments)
    if not why_kept and not arguments.store:
        raise CommandError(f"its photos are to be deleted, too: {NO_STORE}; or give --keep-photos. Nothing was deleted")
    with store_explained(arguments.store):
        # Asked before anything is deleted: afterwards nobody would know whose photos these are.
        store = None if why_kept else store_of(arguments)
        there = None if store is None else standing_photos(store, namespace, prefix)
        cluster.delete_request(namespace, arguments.name)
        if store is not None and there is not None:
            remove_photos(store, there, sorted(there.tags))
    if arguments.wait:
        _wait_until_gone(cluster, namespace, arguments.name)
    stays = _what_stays(request, f"{namespace}/{prefix}", why_kept)
    if arguments.output == "json":
        deleted = len(there.tags) if there else 0
        gone = {"namespace": namespace, "name": arguments.name, "gone": arguments.wait, "photosDeleted": deleted}
        terminal.plain(json.dumps({**gone, "stays": stays}))
        return 0
    along = "" if _retained(request) else ", with everything that was made for it"
    terminal.say(
        f"profilerequest {namespace}/{arguments.name} is {'gone' if arguments.wait else 'being deleted'}{along}"
    )
    if there is not None:
        terminal.say(f"{len(there.tags)} photos under {there.base} are deleted")
    for line in stays:
        terminal.say(line)
    return 0


def _why_photos_stay(cluster: Cluster, namespace: str, request: dict[str, Any], arguments: argparse.Namespace) -> str:
    """Empty where the photos are to be deleted with the request."""
    if arguments.keep_photos:
        return "as --keep-photos says"
    # Whoever may edit a request may write the annotation: it alone must not lead to somebody else's photos.
    own = request["spec"]["photos"]["prefix"] == own_prefix(arguments.name)
    if not own or (request["metadata"].get("annotations") or {}).get(UPLOADER) != PLUGIN:
        return "kubectl profile create did not upload them"
    try:
        others = sharing(cluster, namespace, arguments.name, request["spec"]["photos"]["prefix"], strict=True)
    except NotAllowed:
        return "whether another request uses them cannot be seen: you may not list ProfileRequests"
    return f"the request {', '.join(others)} uses them, too" if others else ""


def _what_stays(request: dict[str, Any], photos: str, why_kept: str) -> list[str]:
    metadata = request["metadata"]
    area = request_prefix(metadata["namespace"], metadata["name"])
    return [
        *([f"the photos under {photos} stay: {why_kept}"] if why_kept else []),
        *([f"what was made stays under {area}: deletionPolicy is Retain"] if _retained(request) else []),
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
