"""The plugin's commands and what they print."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from profile_cli import tables, watch
from profile_cli.cluster import Cluster, RequestView, current_namespace
from profile_cli.errors import CommandError
from profile_cli.manifest import manifest
from profile_cli.photos import find_photos
from profile_cli.results import deliver, read_results
from profile_cli.terminal import Terminal
from profile_cli.upload import upload
from profile_contract.names import LayoutName
from profile_contract.store import S3Store

from . import completion_program, doctor
from .spec import spec_of
from .store import open_named

WATCH_SECONDS = 6 * 3600
DELETION_SECONDS = 300
STYLE_COLUMNS = ("style", "title", "tone", "pose")
Command = Callable[[argparse.Namespace, Terminal], int]


def parser() -> argparse.ArgumentParser:
    """All commands."""
    top = argparse.ArgumentParser(prog="kubectl profile", description=__doc__)
    top.add_argument("-n", "--namespace", help="default: that of the kubeconfig's context")
    top.add_argument("--context", help="of the kubeconfig")
    top.add_argument("--kubeconfig", type=Path, help="default: $KUBECONFIG, or your own")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_create(commands)
    _add_output(_add(commands, "watch", _watch, "follow a request until it is ready"))
    photos = _add(commands, "photos", _photos, "what was found about each photo, with advice")
    _add_output(photos)
    portraits = _add(commands, "portraits", _portraits, "download portraits, layouts, adapter and contact sheet")
    portraits.add_argument("--out", type=Path, required=True, help="folder")
    _add_output(portraits)
    _add_store(portraits)
    styles = commands.add_parser("styles", help="the looks that this cluster offers")
    _add_output(styles)
    styles.set_defaults(run=_styles)
    delete = _add(commands, "delete", _delete, "delete a request and everything that was made for it")
    delete.add_argument("--wait", action="store_true", help="until all of it is gone")
    _add_output(delete)
    health = commands.add_parser("doctor", help="what is missing here, in the cluster and of your rights")
    _add_output(health)
    _add_store(health)
    health.set_defaults(run=_doctor)
    completing = commands.add_parser("completion", help="the program by which kubectl completes these commands")
    completing.add_argument("--install", action="store_true", help="put it beside kubectl-profile on the PATH")
    completing.set_defaults(run=_completion)
    return top


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--output", choices=["table", "json"], default="table")


def _add(commands: Any, name: str, run: Command, help_text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
    command.add_argument("name", help="of the ProfileRequest")
    command.set_defaults(run=run)
    return command


def _add_create(commands: Any) -> None:
    create = _add(commands, "create", _create, "upload a person's photos and ask for portraits")
    create.add_argument("photos", nargs="+", type=Path, help="5 to 20 photos of one person, or folders")
    create.add_argument("--style", action="append", dest="styles", help="may be repeated (studio-warm)")
    create.add_argument("--noun", choices=("person", "woman", "man"), default="person", help="who is in the photos")
    create.add_argument("--layouts", default=LayoutName.SQUARE.value, help=f"of {', '.join(LayoutName)}")
    create.add_argument("--portraits", type=int, help="delivered per style")
    create.add_argument("--candidates", type=int, help="drawn per style")
    create.add_argument("--minimum-likeness", type=int, help="per cent; below it nothing is delivered")
    create.add_argument("--dry-run", action="store_true", help="print the ProfileRequest, upload and apply nothing")
    create.add_argument("--watch", action="store_true", help="follow it until it is ready")
    _add_output(create)
    _add_store(create)


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("--store", default=os.environ.get("PROFILE_STORE", ""), help="the store's URL from here")


def _cluster(arguments: argparse.Namespace) -> tuple[Cluster, str]:
    namespace = arguments.namespace or current_namespace(arguments.kubeconfig, arguments.context)
    return Cluster(arguments.kubeconfig, arguments.context), namespace


def _store(arguments: argparse.Namespace) -> S3Store:
    return open_named(arguments.store)


def _found(cluster: Cluster, namespace: str, name: str) -> RequestView:
    view = cluster.request(namespace, name)
    if view is None:
        raise CommandError(f"there is no ProfileRequest {namespace}/{name}")
    return view


def _create(arguments: argparse.Namespace, terminal: Terminal) -> int:
    spec = spec_of(arguments)
    if arguments.dry_run:
        namespace = arguments.namespace or current_namespace(arguments.kubeconfig, arguments.context)
        terminal.plain(json.dumps(manifest(spec, namespace, arguments.name), indent=2))
        return 0
    photos = find_photos(arguments.photos)
    cluster, namespace = _cluster(arguments)
    sent = upload(_store(arguments), photos, namespace, spec.photos.prefix)
    told = _say_nothing if arguments.output == "json" else terminal.say
    told(f"{len(photos)} photos stand under {namespace}/{spec.photos.prefix} ({sent} new)")
    cluster.apply_request(manifest(spec, namespace, arguments.name))
    told(f"profilerequest {namespace}/{arguments.name} applied")
    if arguments.output == "json":
        done = {"namespace": namespace, "name": arguments.name, "photos": len(photos), "sent": sent, "applied": True}
        terminal.plain(json.dumps(done))
    return _watch(arguments, terminal) if arguments.watch else 0


def _say_nothing(_: str) -> None:
    """Where programs read along, only objects are printed."""


def _watch(arguments: argparse.Namespace, terminal: Terminal) -> int:
    cluster, namespace = _cluster(arguments)
    _found(cluster, namespace, arguments.name)
    if arguments.output == "json":
        return _watch_lines(cluster, namespace, arguments.name, terminal)
    view = watch.follow(cluster, namespace, arguments.name, WATCH_SECONDS, terminal)
    best = view.status.best_likeness
    terminal.say(f"ready: {len(view.status.portraits)} portraits" + (f", likeness up to {best} %" if best else ""))
    return 0


def _watch_lines(cluster: Cluster, namespace: str, name: str, terminal: Terminal) -> int:
    """An object a line, whenever something changed; the last one says how it ended."""
    last: dict[str, Any] = {}
    for view, reading in watch.readings(cluster, namespace, name, WATCH_SECONDS):
        document = {"namespace": namespace, "name": name} | watch.document(view, reading)
        if document != last:
            terminal.plain(json.dumps(document))
        last = document
    return 0 if last.get("ready") else 1


def _photos(arguments: argparse.Namespace, terminal: Terminal) -> int:
    cluster, namespace = _cluster(arguments)
    photos = _found(cluster, namespace, arguments.name).status.photos
    verdicts = photos.verdicts if photos else []
    if arguments.output == "json":
        terminal.plain(json.dumps([verdict.model_dump(mode="json", by_alias=True) for verdict in verdicts], indent=2))
        return 0
    if not verdicts:
        terminal.say("no verdicts yet: the photos have not been looked at")
        return 0
    terminal.table("Photos", tables.PHOTO_COLUMNS, tables.photo_rows(verdicts))
    return 0


def _portraits(arguments: argparse.Namespace, terminal: Terminal) -> int:
    cluster, namespace = _cluster(arguments)
    digests = watch.digests(_found(cluster, namespace, arguments.name))
    store = _store(arguments)
    results = read_results(store, namespace, arguments.name, digests)
    files = deliver(store, results, arguments.out)
    if arguments.output == "json":
        made = [portrait.model_dump(mode="json", by_alias=True) for portrait in results.finish.portraits]
        terminal.plain(json.dumps({"files": [str(file) for file in files], "portraits": made}, indent=2))
        return 0
    terminal.table("Portraits", tables.PORTRAIT_COLUMNS, tables.portrait_rows(results.finish))
    terminal.say(f"{len(files)} files in {arguments.out}")
    return 0


def _styles(arguments: argparse.Namespace, terminal: Terminal) -> int:
    documents = Cluster(arguments.kubeconfig, arguments.context).style_documents()
    if arguments.output == "json":
        terminal.plain(json.dumps(documents, indent=2))
        return 0
    rows = [style_row(document) for document in documents]
    terminal.table("Styles", STYLE_COLUMNS, rows)
    return 0


def style_row(document: dict[str, Any]) -> tuple[str, str, str, str]:
    """A ProfileStyle as a row: name, titles, tone, pose. Pure."""
    spec = document["spec"]
    titles = " / ".join(filter(None, (spec["title"].get("en"), spec["title"].get("ko"))))
    return (document["metadata"]["name"], titles, spec.get("tone", ""), spec.get("pose", ""))


def _delete(arguments: argparse.Namespace, terminal: Terminal) -> int:
    cluster, namespace = _cluster(arguments)
    _found(cluster, namespace, arguments.name)
    cluster.delete_request(namespace, arguments.name)
    if arguments.wait:
        _wait_until_gone(cluster, namespace, arguments.name)
    if arguments.output == "json":
        terminal.plain(json.dumps({"namespace": namespace, "name": arguments.name, "gone": arguments.wait}))
        return 0
    gone = "and everything that was made for it are gone" if arguments.wait else "is being deleted"
    terminal.say(f"profilerequest {namespace}/{arguments.name} {gone}")
    return 0


def _wait_until_gone(cluster: Cluster, namespace: str, name: str) -> None:
    deadline = time.monotonic() + DELETION_SECONDS
    while cluster.request(namespace, name) is not None:
        if time.monotonic() > deadline:
            raise CommandError(f"the request is still there after {DELETION_SECONDS} s: kubectl describe it")
        time.sleep(1)


def _doctor(arguments: argparse.Namespace, terminal: Terminal) -> int:
    cluster, namespace = _cluster(arguments)
    findings = doctor.look(cluster, namespace, arguments.store)
    if arguments.output == "json":
        terminal.plain(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        terminal.table(f"Namespace {namespace}", doctor.COLUMNS, [finding.row for finding in findings])
    return 1 if any(finding.well is False for finding in findings) else 0


def _completion(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.install:
        terminal.say(f"kubectl completes by {completion_program.install()}")
    else:
        terminal.plain(completion_program.program().rstrip("\n"))
    return 0
