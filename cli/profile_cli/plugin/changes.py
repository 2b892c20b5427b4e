"""The commands that change requests and their photos. Nothing is uploaded before the API server has said yes."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from profile_cli.cluster import Cluster, NameTaken, NotAllowed
from profile_cli.errors import CommandError
from profile_cli.nouns import with_noun
from profile_cli.output import NAME, as_data, document, for_programs, object_name
from profile_cli.photos import FoundPhotos, find_photos
from profile_cli.request_options import with_source
from profile_cli.terminal import Terminal
from profile_cli.upload import StoredPhotos, plan_additions, remove_photos, sent, standing_photos, tags_of
from profile_contract.manifest import REQUEST_KIND, manifest
from profile_contract.style_ref import StyleRef
from profile_runtime.store.port import Store

from .connection import area_for, cluster_of, namespace_of, standing_document, standing_request, store_of
from .looks import watch_request
from .spec import MOST, check_count, check_styles, spec_of
from .store import store_explained
from .words import CLIENT, NO, SERVER


def create(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Make a request that is not there yet, with its photos. Raises CommandError."""
    if arguments.watch and arguments.output == NAME:
        raise CommandError("--watch tells more than a name: leave -o name out, or follow it by `kubectl profile watch`")
    spec = spec_of(arguments)
    photos = find_photos(arguments.photos)
    spec = with_source(spec, photos)
    tell_photos(photos, arguments, terminal)
    if arguments.noun is None:
        spec = with_noun(spec, terminal, terminal.aside if _read_by_programs(arguments) else terminal.say)
    namespace = namespace_of(arguments)
    request = manifest(spec, namespace, arguments.name)
    if arguments.dry_run == CLIENT:
        check_count(len(photos), any_number=arguments.any_number)
        with contextlib.suppress(_Unseen):
            _check_styles(cluster_of(arguments)[0], namespace, spec.styles)
        return _print(request, arguments, terminal)
    # A missing address is no reason to have asked anybody.
    store = None if arguments.dry_run == SERVER else store_of(arguments)
    cluster, _ = cluster_of(arguments)
    _ask_first(cluster, request, spec.styles)
    # Who wants to add two photos to a request that is there is told about that, not about their number.
    check_count(len(photos), any_number=arguments.any_number)
    if store is None:
        return _print(request, arguments, terminal)
    with store_explained(arguments.store):
        base, new = _send_and_create(cluster, store, request, photos, arguments)
    if arguments.output == NAME:
        terminal.plain(object_name(REQUEST_KIND, arguments.name))
    elif as_data(arguments):
        done = {"namespace": namespace, "name": arguments.name, "photos": len(photos), "sent": new, "applied": True}
        terminal.plain(document(done, arguments, one_of_many=arguments.watch))
    else:
        terminal.say(f"{len(photos)} photos stand under {base} ({new} new)")
        terminal.say(f"profilerequest {namespace}/{arguments.name} created")
    return watch_request(arguments, terminal) if arguments.watch else 0


def _ask_first(cluster: Cluster, document: dict[str, Any], styles: list[StyleRef]) -> None:
    """What the API server would say to the request. Raises CommandError."""
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    with contextlib.suppress(_Unseen):
        _check_styles(cluster, namespace, styles)
    try:
        cluster.create_request(document, dry_run=True)
    except NameTaken as taken:
        raise CommandError(
            f"the request {namespace}/{name} already exists; nothing was uploaded. More photos: `kubectl profile add "
            f"{name} PHOTOS`; others instead: `kubectl profile replace {name} PHOTOS`; somebody else: take another name"
        ) from taken


class _Unseen(CommandError):
    """It cannot be looked at; that is nobody's fault."""


def _check_styles(cluster: Cluster, namespace: str, wanted: list[StyleRef]) -> None:
    try:
        known = cluster.style_refs(namespace)
    except CommandError as error:
        raise _Unseen(str(error)) from error
    check_styles(wanted, known)


def _send_and_create(
    cluster: Cluster, store: Store, document: dict[str, Any], photos: FoundPhotos, arguments: argparse.Namespace
) -> tuple[str, int]:
    """Send the photos and make the request; photos of a request that could not be made are taken back.

    Returns where the photos stand, and how many are new.
    """
    namespace, prefix = document["metadata"]["namespace"], document["spec"]["photos"]["prefix"]
    others = sharing(cluster, namespace, arguments.name, prefix)
    if others:
        raise CommandError(f"{prefix} in {namespace} belongs to the request {', '.join(others)}: take another name")
    there = standing_photos(store, area_for(cluster, namespace, arguments), prefix)
    known = tags_of(photos)
    leftovers = [name for name, tag in there.tags.items() if tag not in known]
    if leftovers and not arguments.replace_leftovers:
        raise CommandError(
            f"{len(leftovers)} photos of a former request stand under {there.base}, and would be taken for photos of "
            "the same person: --replace-leftovers deletes them, or take another name"
        )
    new = plan_additions(photos, there)
    remove_photos(store, there, leftovers)
    with sent(store, new, there):
        cluster.create_request(document)
    return there.base, len(new)


def add(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """More photos for a request, which looks at them anew. Raises CommandError."""
    photos = find_photos(arguments.photos)
    tell_photos(photos, arguments, terminal)
    store = store_of(arguments)
    cluster, namespace = cluster_of(arguments)
    request = standing_document(cluster, namespace, arguments.name)
    cluster.raise_revision(namespace, arguments.name, dry_run=True)
    with store_explained(arguments.store):
        prefix = request["spec"]["photos"]["prefix"]
        there = standing_photos(store, area_for(cluster, namespace, arguments, request), prefix)
        new = plan_additions(photos, there)
        if not new:
            return _changed(arguments, terminal, namespace, "all of these photos are there already: nothing changed")
        _check_total(len(there.tags), len(new), arguments)
        with sent(store, new, there):
            revision = cluster.raise_revision(namespace, arguments.name)
    total = len(there.tags) + len(new)
    said = f"{len(new)} photos added, {total} in all; they are looked at anew (revision {revision})"
    return _changed(arguments, terminal, namespace, said, added=sorted(new), photos=total, revision=revision)


def _check_total(there: int, new: int, arguments: argparse.Namespace) -> None:
    if there + new <= MOST or arguments.any_number:
        return
    raise CommandError(
        f"there are {there} photos, and {new} more are too many: a request takes {MOST}. Nothing was uploaded. "
        f"`kubectl profile remove {arguments.name} --refused` takes away those that cannot be used"
    )


def replace(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Other photos instead of a request's, once somebody has said yes to that. Raises CommandError."""
    photos = find_photos(arguments.photos)
    tell_photos(photos, arguments, terminal)
    check_count(len(photos), any_number=arguments.any_number)
    store = store_of(arguments)
    cluster, namespace = cluster_of(arguments)
    with store_explained(arguments.store):
        there = _own_photos(cluster, namespace, store, arguments)
        known = tags_of(photos)
        old = [name for name, tag in there.tags.items() if tag not in known]
        _confirm(
            f"Delete {len(old)} of the {len(there.tags)} photos of {namespace}/{arguments.name}?", arguments, terminal
        )
        new = plan_additions(photos, there)
        with sent(store, new, there):
            pass
        remove_photos(store, there, old)
        revision = _looked_at_anew(cluster, namespace, arguments.name)
    said = f"{len(old)} photos deleted, {len(new)} new; they are looked at anew (revision {revision})"
    return _changed(
        arguments, terminal, namespace, said, added=sorted(new), removed=old, photos=len(photos), revision=revision
    )


def remove(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Take photos away from a request, which looks at the others anew. Raises CommandError."""
    if not arguments.photos and not arguments.refused:
        raise CommandError("name the photos as `kubectl profile photos` shows them, or give --refused")
    store = store_of(arguments)
    cluster, namespace = cluster_of(arguments)
    with store_explained(arguments.store):
        there = _own_photos(cluster, namespace, store, arguments)
        names = _named(there, arguments.photos) + (
            _refused(cluster, namespace, arguments.name, there) if arguments.refused else []
        )
        names = list(dict.fromkeys(names))
        if not names:
            return _changed(arguments, terminal, namespace, "no photo was refused: nothing changed")
        if len(names) == len(there.tags):
            raise CommandError("no photo would be left: `kubectl profile replace`, or delete the request")
        remove_photos(store, there, names)
        revision = _looked_at_anew(cluster, namespace, arguments.name)
    left = len(there.tags) - len(names)
    said = f"{len(names)} photos deleted, {left} left; they are looked at anew (revision {revision})"
    return _changed(arguments, terminal, namespace, said, removed=names, photos=left, revision=revision)


def _named(there: StoredPhotos, names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in there.tags]
    if unknown:
        raise CommandError(
            f"no photo is called {', '.join(unknown)}; nothing was deleted. There are {', '.join(sorted(there.tags))}"
        )
    return names


def _refused(cluster: Cluster, namespace: str, name: str, there: StoredPhotos) -> list[str]:
    photos = standing_request(cluster, namespace, name).status.photos
    verdicts = photos.verdicts if photos else []
    return [verdict.name for verdict in verdicts if not verdict.accepted and verdict.name in there.tags]


def _looked_at_anew(cluster: Cluster, namespace: str, name: str) -> int:
    try:
        return cluster.raise_revision(namespace, name)
    except CommandError as error:
        raise CommandError(
            f"the photos are changed, but the request was not told: {error}. `kubectl -n {namespace} edit preq {name}` "
            "and raise spec.photos.revision"
        ) from error


def _own_photos(cluster: Cluster, namespace: str, store: Store, arguments: argparse.Namespace) -> StoredPhotos:
    """A request's photos as they lie in the store, which may be changed. Raises CommandError where they are another
    request's, too, or the request may not be changed."""
    request = standing_document(cluster, namespace, arguments.name)
    prefix = request["spec"]["photos"]["prefix"]
    cluster.raise_revision(namespace, arguments.name, dry_run=True)
    others = sharing(cluster, namespace, arguments.name, prefix)
    if others:
        raise CommandError(
            f"the photos under {namespace}/{prefix} are those of {', '.join(others)}, too: nothing changed"
        )
    return standing_photos(store, area_for(cluster, namespace, arguments, request), prefix)


def sharing(cluster: Cluster, namespace: str, name: str, prefix: str) -> list[str]:
    """The namespace's other requests whose photos lie in this prefix, or around it; none where they cannot be seen."""
    try:
        documents = cluster.request_documents(namespace)
    except NotAllowed:
        return []
    prefixes = {str(request["metadata"]["name"]): str(request["spec"]["photos"]["prefix"]) for request in documents}
    return [
        other
        for other, theirs in prefixes.items()
        if other != name and (theirs.startswith(prefix) or prefix.startswith(theirs))
    ]


def tell_photos(photos: FoundPhotos, arguments: argparse.Namespace, terminal: Terminal) -> None:
    """What was taken and what was left out; where programs read along, beside their objects."""
    (terminal.aside if _read_by_programs(arguments) else terminal.say)(photos.sentence)


def _read_by_programs(arguments: argparse.Namespace) -> bool:
    """Whether nothing but objects may stand on standard output."""
    return for_programs(arguments) or getattr(arguments, "dry_run", NO) != NO


def _confirm(question: str, arguments: argparse.Namespace, terminal: Terminal) -> None:
    if arguments.yes:
        return
    answer = terminal.ask(f"{question} [y/N]")
    if answer is None:
        raise CommandError(f"{question} Nobody is here to be asked: --yes says so")
    if answer.lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")


def _changed(arguments: argparse.Namespace, terminal: Terminal, namespace: str, said: str, **figures: Any) -> int:
    if as_data(arguments):
        terminal.plain(document({"namespace": namespace, "name": arguments.name, **figures}, arguments))
    else:
        terminal.say(said)
    return 0


def _print(request: dict[str, Any], arguments: argparse.Namespace, terminal: Terminal) -> int:
    """The request that would be made: in a table, too, as JSON, to be piped into kubectl."""
    is_name = arguments.output == NAME
    terminal.plain(object_name(REQUEST_KIND, arguments.name) if is_name else document(request, arguments, indent=2))
    return 0
