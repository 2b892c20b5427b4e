"""The plug-in's commands, their options and their help."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from profile_cli.nouns import ANYBODY, NOUNS
from profile_cli.output import JSON, NAME, TABLE, YAML, as_data, document
from profile_cli.request_options import add_request_options
from profile_cli.terminal import Terminal
from profile_contract.layouts import LayoutName
from profile_runtime.release import UNRELEASED, version

from . import changes, completers, completion_program, deletion, doctor, looks, refresh
from .connection import cluster_of
from .spec import FEWEST, MOST
from .words import DRY_RUN, DRY_RUNS, NO

Command = Callable[[argparse.Namespace, Terminal], int]
DESCRIPTION = "Studio profile portraits from a folder of photos, by a cluster that runs Profile Studio."


def parser() -> argparse.ArgumentParser:
    """All commands."""
    top = argparse.ArgumentParser(prog="kubectl profile", description=DESCRIPTION)
    _add_place(top, None)
    top.add_argument("-A", "--all-namespaces", action="store_true", help="with `list`: the requests of all namespaces")
    top.add_argument("--version", action="version", version=f"kubectl profile {_version()}")
    top.set_defaults(run=_help(top), output=TABLE)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", help="")
    _add_create(commands)
    _add_photo_changes(commands)
    refreshing = _add_named(
        commands, "refresh", refresh.refresh, "take over the present content of a request's styles, or all settings"
    )
    which = refreshing.add_mutually_exclusive_group()
    which.add_argument("--style", action="append", default=[], help="take over this style alone; may be repeated")
    which.add_argument("--all", action="store_true", help="take over settings and versions too: it may train again")
    listing = _add(commands, "list", looks.list_requests, "list the requests", names=True)
    listing.add_argument(
        "-l", "--selector", default="", help="those whose labels are so, as kubectl's -l takes them: team=hr,!draft"
    )
    listing.add_argument(
        "-A",
        "--all-namespaces",
        action="store_true",
        default=argparse.SUPPRESS,
        help="those of all namespaces",
    )
    _add_named(commands, "watch", looks.watch_request, "follow a request until it is ready")
    _add_named(commands, "photos", looks.show_photos, "show the verdict on each photo, and what to do about it")
    portraits = _add_named(
        commands, "portraits", looks.show_portraits, "list the portraits, or download them with --out"
    )
    portraits.add_argument(
        "--out", type=Path, help="download portraits, cuts, adapter, contact sheet and likeness report into this folder"
    )
    _add_store(portraits)
    _add(commands, "styles", looks.show_styles, "list the styles that this cluster offers", names=True)
    _add_delete(commands)
    health = _add(commands, "doctor", _doctor, "check the cluster, your rights and the store, and say what to do")
    _add_store(health)
    completing = commands.add_parser("completion", help="print the program that kubectl's completion calls")
    completing.add_argument("--install", action="store_true", help="put it beside kubectl-profile on the PATH instead")
    completing.set_defaults(run=_completion)
    return top


def _help(top: argparse.ArgumentParser) -> Command:
    def show(arguments: argparse.Namespace, terminal: Terminal) -> int:
        top.print_help()
        return 0

    return show


def _version() -> str:
    release = version()
    return "of unknown version" if release == UNRELEASED else release


def _add_place(command: argparse.ArgumentParser, default: str | None) -> None:
    """Whose cluster and namespace: the same options before and after the command, the later word wins."""
    namespace = command.add_argument(
        "-n", "--namespace", default=default, help="(default: the namespace of the context)"
    )
    completers.completed(namespace, completers.namespaces)
    context = command.add_argument(
        "--context", default=default, help="the kubeconfig's context (default: the current one)"
    )
    completers.completed(context, completers.contexts)
    command.add_argument("--kubeconfig", type=Path, default=default, help="(default: $KUBECONFIG or ~/.kube/config)")
    command.add_argument("--as", dest="as_user", metavar="USER", default=default, help="act as this user or account")
    command.add_argument(
        "--as-group", dest="as_groups", metavar="GROUP", action="append", default=default,
        help="with --as: act as a member of this group; may be repeated",
    )  # fmt: skip


def _add(commands: Any, name: str, run: Command, help_text: str, *, names: bool = False) -> argparse.ArgumentParser:
    """A command with the options that all have; `names`: it answers with objects, of which -o name tells the names."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=_sentence(help_text))
    _add_place(command, argparse.SUPPRESS)
    forms = [TABLE, JSON, YAML, *([NAME] if names else [])]
    command.add_argument("-o", "--output", choices=forms, default=TABLE, help=f"(default: {TABLE})")
    command.set_defaults(run=run)
    return command


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _add_named(
    commands: Any, name: str, run: Command, help_text: str, *, names: bool = False
) -> argparse.ArgumentParser:
    """A command about one request."""
    command = _add(commands, name, run, help_text, names=names)
    request = command.add_argument("name", metavar="NAME", help="the name of the ProfileRequest")
    # `create` makes a new name.
    if name != "create":
        completers.completed(request, completers.request_names)
    return command


def _add_create(commands: Any) -> None:
    create = _add_named(
        commands, "create", changes.create, "upload a person's photos and ask for portraits", names=True
    )
    _add_photos(create)
    style = create.add_argument(
        "--style", action="append", dest="styles", help="a style; may be repeated (default: studio-warm)"
    )
    completers.completed(style, completers.style_names)
    create.add_argument(
        "--noun", choices=NOUNS,
        help=f"who is in the photos; the right word gives better portraits (default: a terminal asks, else {ANYBODY})",
    )  # fmt: skip
    layouts = create.add_argument(
        "--layouts", default=LayoutName.SQUARE.value, help=f"cuts, separated by commas: {', '.join(LayoutName)}"
    )
    completers.completed(layouts, completers.layouts)
    add_request_options(create, folder=False)
    create.add_argument(
        DRY_RUN, choices=DRY_RUNS, default=NO,
        help="check, and print the ProfileRequest; upload and create nothing. server: the API server checks, too",
    )  # fmt: skip
    create.add_argument(
        "--replace-leftovers", action="store_true", help="delete photos that a former request of this name left behind"
    )
    create.add_argument("--watch", action="store_true", help="follow the request until it is ready")


def _add_photo_changes(commands: Any) -> None:
    adding = _add_named(commands, "add", changes.add, "add photos to a request; its portraits are made anew")
    _add_photos(adding)
    replacing = _add_named(
        commands, "replace", changes.replace, "replace a request's photos by others; its portraits are made anew"
    )
    _add_photos(replacing)
    replacing.add_argument("-y", "--yes", action="store_true", help="do not ask before photos are deleted")
    removing = _add_named(commands, "remove", changes.remove, "delete some of a request's photos")
    removing.add_argument("photos", nargs="*", metavar="PHOTO", help="a photo, as `kubectl profile photos` names it")
    removing.add_argument("--refused", action="store_true", help="all photos that were refused")
    _add_store(removing)


def _add_photos(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "photos", nargs="+", type=Path, metavar="PHOTOS", help="photos of one person, or folders that hold them"
    )
    command.add_argument(
        "--any-number",
        action="store_true",
        help=f"do not insist on {FEWEST} to {MOST} photos: the platform's limits differ",
    )
    _add_store(command)


def _add_delete(commands: Any) -> None:
    delete = _add_named(
        commands,
        "delete",
        deletion.delete,
        "delete a request, what was made for it, and its uploaded photos",
    )
    delete.add_argument("--keep-photos", action="store_true", help="leave the uploaded photos in the store")
    delete.add_argument("--wait", action="store_true", help="return only when the request is gone")


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store", default=os.environ.get("PROFILE_STORE", ""), help="the store's URL (default: $PROFILE_STORE)"
    )


def _doctor(arguments: argparse.Namespace, terminal: Terminal) -> int:
    cluster, namespace = cluster_of(arguments)
    findings = doctor.look(cluster, namespace, arguments.store)
    if as_data(arguments):
        terminal.plain(document([asdict(finding) for finding in findings], arguments, indent=2))
    else:
        terminal.table(f"Namespace {namespace}", doctor.COLUMNS, [finding.row for finding in findings])
    return 1 if any(finding.well is False for finding in findings) else 0


def _completion(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.install:
        terminal.say(f"kubectl's completion now calls {completion_program.install()}")
    else:
        terminal.plain(completion_program.program().rstrip("\n"))
    return 0
