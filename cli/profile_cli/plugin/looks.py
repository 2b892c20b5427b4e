"""The commands that look and change nothing: list, watch, photos, portraits, styles."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from profile_cli import tables, watch
from profile_cli.cluster import Cluster
from profile_cli.errors import CommandError
from profile_cli.observed import ObservedRequest
from profile_cli.output import NAME, as_data, document, object_name
from profile_cli.results import adapter_expired, deliver, deliver_files, files_of_status, read_results, without_adapter
from profile_cli.terminal import Terminal
from profile_contract.areas import Area, told_area
from profile_contract.conditions import ConditionType
from profile_contract.manifest import REQUEST_KIND
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import TITLE_ANNOTATION
from profile_contract.style_ref import StyleRef, keys_of, ref_of
from profile_contract.toys import toy_notice

from .connection import cluster_of, standing_request, store_of
from .store import store_explained

WATCH_SECONDS = 6 * 3600
STYLE_COLUMNS = ("style", "title", "tone", "pose")
LIST_COLUMNS = ("name", "title", "ready", "stage", "photos", "#likeness", "styles", "#age")
DAY_SECONDS, HOUR_SECONDS = 86400, 3600


def list_requests(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """The requests of a namespace, or of all. Raises CommandError."""
    cluster, namespace = cluster_of(arguments)
    documents = cluster.request_documents(None if arguments.all_namespaces else namespace, arguments.selector)
    if as_data(arguments):
        terminal.plain(document(documents, arguments, indent=2))
        return 0
    if arguments.output == NAME:
        for request in documents:
            terminal.plain(object_name(REQUEST_KIND, str(request["metadata"]["name"])))
        return 0
    where = "all namespaces" if arguments.all_namespaces else f"namespace {namespace}"
    where += f" with {arguments.selector}" if arguments.selector else ""
    if not documents:
        terminal.say(f"there are no requests in {where}")
        return 0
    rows = [list_row(request, datetime.now(UTC)) for request in documents]
    if arguments.all_namespaces:
        rows = [(str(item["metadata"]["namespace"]), *row) for item, row in zip(documents, rows, strict=True)]
    columns = ("namespace", *LIST_COLUMNS) if arguments.all_namespaces else LIST_COLUMNS
    terminal.table(f"Requests in {where}", columns, rows)
    return 0


def list_row(document: dict[str, Any], now: datetime) -> tuple[str, ...]:
    """A ProfileRequest as a row of LIST_COLUMNS. Pure."""
    metadata, status = document["metadata"], document.get("status") or {}
    ready: dict[str, Any] = next(
        (condition for condition in status.get("conditions") or [] if condition.get("type") == ConditionType.READY), {}
    )
    best = status.get("bestLikeness")
    age = (now - datetime.fromisoformat(metadata["creationTimestamp"])).total_seconds()
    return (
        str(metadata["name"]),
        str((metadata.get("annotations") or {}).get(TITLE_ANNOTATION, "")),
        str(ready.get("status", "")),
        " ".join(filter(None, (str(status.get("stageText", "")), str(status.get("progressText", ""))))),
        str(status.get("photosText", "")),
        "" if best is None else f"{best} %",
        ", ".join(StyleRef.of_key(key).shown for key in keys_of(document["spec"].get("styles") or [])),
        short_age(age),
    )


def short_age(seconds: float) -> str:
    """As kubectl writes ages: 12s, 5m, 3h, 2d. Pure."""
    whole = max(0, int(seconds))
    for unit, length in (("d", DAY_SECONDS), ("h", HOUR_SECONDS), ("m", 60)):
        if whole >= length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def watch_request(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Follow a request until it is ready. Raises CommandError when it stalls."""
    cluster, namespace = cluster_of(arguments)
    standing_request(cluster, namespace, arguments.name)
    if as_data(arguments):
        return _watch_objects(cluster, namespace, arguments, terminal)
    view = watch.follow(cluster, namespace, arguments.name, WATCH_SECONDS, terminal)
    best, (_, _, ready) = view.status.best_likeness, view.condition(ConditionType.READY)
    count, previews = len(view.status.portraits), view.status.previews
    portraits = f"{count} portrait{'s' if count != 1 else ''}"
    summary = portraits + (f", likeness up to {best} %" if best else "")
    terminal.say(f"ready: {ready if previews else summary}")
    _tell_omitted(view, terminal)
    _tell_toy(view.status, terminal)
    return 0


def _tell_omitted(view: ObservedRequest, terminal: Terminal) -> None:
    """Which styles nothing was drawn in, and why, while others were."""
    omitted, _, message = view.condition(ConditionType.OMITTED)
    if omitted:
        terminal.say(f"note: {message}")


def _tell_toy(status: ProfileRequestStatus, terminal: Terminal) -> None:
    """What the portraits are, where a toy drew them."""
    if status.toy_model:
        terminal.say(toy_notice(status.toy_model))


def _watch_objects(cluster: Cluster, namespace: str, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """An object whenever something changed, of JSON a line each; the last one says how it ended."""
    name = arguments.name
    last: dict[str, Any] = {}
    for view, reading in watch.readings(cluster, namespace, name, WATCH_SECONDS):
        now = {"namespace": namespace, "name": name} | watch.document(view, reading)
        if now != last:
            terminal.plain(document(now, arguments, one_of_many=True))
        last = now
    return 0 if last.get("ready") else 1


def show_photos(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """A verdict for each photo. Raises CommandError."""
    cluster, namespace = cluster_of(arguments)
    photos = standing_request(cluster, namespace, arguments.name).status.photos
    verdicts = photos.verdicts if photos else []
    if as_data(arguments):
        documents = [verdict.model_dump(mode="json", by_alias=True) for verdict in verdicts]
        terminal.plain(document(documents, arguments, indent=2))
        return 0
    if not verdicts:
        terminal.say("no verdicts yet: the photos have not been looked at")
        return 0
    terminal.table("Photos", tables.PHOTO_COLUMNS, tables.photo_rows(verdicts))
    for line in tables.warning_lines(photos.warnings if photos else []):
        terminal.say(line)
    if any(not verdict.accepted for verdict in verdicts):
        terminal.say(f"`kubectl profile remove {arguments.name} --refused` takes those away that cannot be used")
    return 0


def show_portraits(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List the portraits; with --out, download everything that was made. Raises CommandError."""
    cluster, namespace = cluster_of(arguments)
    view = standing_request(cluster, namespace, arguments.name)
    if arguments.out is None:
        return _list_portraits(view, arguments, terminal)
    with store_explained(arguments.store):
        if view.status.portraits and watch.missing_stages(view):
            return _download_former(view, arguments, terminal)
        store = store_of(arguments)
        results = read_results(store, _area_of(view, namespace), arguments.name, watch.digests(view))
        results = without_adapter(results) if adapter_expired(view.status) else results
        files = deliver(store, results, arguments.out)
    if as_data(arguments):
        documents = [portrait.model_dump(mode="json", by_alias=True) for portrait in results.finish.portraits]
        terminal.plain(document({"files": [str(file) for file in files], "portraits": documents}, arguments, indent=2))
        return 0
    what = "Previews" if results.finish.preview else "Portraits"
    terminal.table(what, tables.PORTRAIT_COLUMNS, tables.portrait_rows(results.finish))
    terminal.say(f"{len(files)} files in {arguments.out}")
    _tell_toy(view.status, terminal)
    return 0


def _area_of(view: ObservedRequest, namespace: str) -> Area:
    """Where what was made lies. Raises CommandError for a status that does not tell it."""
    area = told_area(view.status.area, namespace)
    if area is None:
        raise CommandError("where the portraits lie is not told yet: the operator has not looked at the request")
    return area


def _list_portraits(view: ObservedRequest, arguments: argparse.Namespace, terminal: Terminal) -> int:
    portraits, previews = view.status.portraits, view.status.previews
    if as_data(arguments):
        shown = {"portraits": portraits, **({"previews": previews} if previews else {})}
        documents = {
            name: [picture.model_dump(mode="json", by_alias=True, exclude_none=True) for picture in pictures]
            for name, pictures in shown.items()
        }
        terminal.plain(document({"files": [], **documents}, arguments, indent=2))
        return 0
    if previews:
        terminal.table("Previews", tables.STATUS_COLUMNS, tables.status_rows(previews))
        terminal.say("previews are drawn over a photo, before anything was learnt: they are no portraits")
    if not portraits and not previews:
        terminal.say(f"there are no portraits yet: `kubectl profile watch {arguments.name}` shows how far they are")
        return 0
    if portraits:
        terminal.table("Portraits", tables.STATUS_COLUMNS, tables.status_rows(portraits))
    terminal.say(f"`kubectl profile portraits {arguments.name} --out FOLDER` downloads them")
    _tell_toy(view.status, terminal)
    return 0


def _download_former(view: ObservedRequest, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """The portraits that stand in the status while stages run anew, or cannot."""
    files = deliver_files(store_of(arguments), files_of_status(view.status), arguments.out)
    portraits = [portrait.model_dump(mode="json", by_alias=True) for portrait in view.status.portraits]
    if as_data(arguments):
        terminal.plain(document({"files": [str(file) for file in files], "portraits": portraits}, arguments, indent=2))
        return 0
    terminal.table("Portraits", tables.STATUS_COLUMNS, tables.status_rows(view.status.portraits))
    terminal.say("these were made before the request changed: not all of its stages have ended again")
    terminal.say(f"{len(files)} files in {arguments.out}")
    _tell_toy(view.status, terminal)
    return 0


def show_styles(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """The looks that the namespace's requests may ask for. Raises CommandError."""
    cluster, namespace = cluster_of(arguments)
    documents = cluster.style_documents(namespace)
    if as_data(arguments):
        terminal.plain(document(documents, arguments, indent=2))
        return 0
    if arguments.output == NAME:
        for ref in map(ref_of, documents):
            terminal.plain(object_name(ref.kind, ref.name))
        return 0
    terminal.table("Styles", STYLE_COLUMNS, [style_row(style) for style in documents])
    return 0


def style_row(document: dict[str, Any]) -> tuple[str, str, str, str]:
    """A style as a row: name, titles, tone, pose. Pure."""
    spec = document["spec"]
    titles = " / ".join(filter(None, (spec["title"].get("en"), spec["title"].get("ko"))))
    return (ref_of(document).shown, titles, spec.get("tone", ""), spec.get("pose", ""))
