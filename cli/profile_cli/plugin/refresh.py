"""refresh: a request takes over what the platform sets now, which it does not do by itself."""

from __future__ import annotations

import argparse
from typing import Any

from profile_cli.errors import CommandError
from profile_cli.output import as_data, document
from profile_cli.terminal import Terminal
from profile_contract.style_ref import StyleRef

from .connection import cluster_of, standing_document


def refresh(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Raise `refresh` of a request's styles, of some of them, or of the whole request. Raises CommandError."""
    cluster, namespace = cluster_of(arguments)
    spec = standing_document(cluster, namespace, arguments.name)["spec"]
    if arguments.all:
        after: Any = spec.get("refresh", 0) + 1
        cluster.change_spec(namespace, arguments.name, "refresh", spec.get("refresh"), after)
        said = "everything that the platform sets is taken over; what differs is made anew, training too"
        figures: dict[str, Any] = {"refresh": after}
    else:
        standing = [StyleRef.model_validate(style, extra="ignore") for style in spec["styles"]]
        chosen = _chosen(standing, arguments.style)
        raised = [s.model_copy(update={"refresh": s.refresh + 1}) if s.key in chosen else s for s in standing]
        cluster.change_spec(namespace, arguments.name, "styles", spec["styles"], [style.document() for style in raised])
        names = [style.shown for style in standing if style.key in chosen]
        said = f"the content of {', '.join(names)} is taken over; what differs is drawn anew"
        figures = {"styles": names}
    if as_data(arguments):
        terminal.plain(document({"namespace": namespace, "name": arguments.name, **figures}, arguments))
    else:
        terminal.say(said)
    return 0


def _chosen(standing: list[StyleRef], asked: list[str]) -> set[str]:
    """The keys of the styles that are asked for, or of all. Raises CommandError for one that the request has not."""
    keys = {style.key for style in standing}
    if not asked:
        return keys
    try:
        chosen = {StyleRef.parse(text).key for text in asked}
    except ValueError as error:
        raise CommandError(f"--style: {error}") from None
    if chosen - keys:
        known = ", ".join(style.shown for style in standing)
        raise CommandError(f"the request is not drawn in {', '.join(sorted(chosen - keys))}; its styles are {known}")
    return chosen
