"""What stands in the way of a request: looked at in the order in which a request would meet it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from profile_cli.cluster import REQUESTS, STYLES, Cluster
from profile_cli.errors import CommandError

COLUMNS = ("what", "state", "what to do")


@dataclass(frozen=True)
class Finding:
    what: str
    well: bool
    advice: str = ""

    @property
    def row(self) -> tuple[str, str, str]:
        return (self.what, "well" if self.well else "missing", "" if self.well else self.advice)


def look(cluster: Cluster, namespace: str) -> list[Finding]:
    """Everything that can be seen with the user's own rights."""
    findings = [_answers(cluster, namespace)]
    if not findings[0].well:
        return findings
    findings += [
        _right(cluster, "create", REQUESTS, namespace, "ask for the right to create ProfileRequests in this namespace"),
        _right(cluster, "delete", REQUESTS, namespace, "ask for the right to delete your ProfileRequests"),
    ]
    return [*findings, *_styles(cluster)]


def _answers(cluster: Cluster, namespace: str) -> Finding:
    try:
        cluster.request(namespace, "doctor")
    except CommandError as error:
        return Finding("the cluster knows ProfileRequests", False, str(error))
    return Finding("the cluster answers", True)


def _right(cluster: Cluster, verb: str, resource: str, namespace: str, advice: str) -> Finding:
    return _checked(f"you may {verb} {resource}", lambda: cluster.may(verb, resource, namespace), advice)


def _checked(what: str, check: Callable[[], bool], advice: str) -> Finding:
    try:
        return Finding(what, check(), advice)
    except CommandError as error:
        return Finding(what, False, str(error))


def _styles(cluster: Cluster) -> list[Finding]:
    """Styles, and the predictors that they name."""
    try:
        documents = cluster.style_documents()
    except CommandError as error:
        return [Finding(f"you may read {STYLES}", False, str(error))]
    if not documents:
        return [Finding("there are styles", False, "install the chart's styles, or apply one of your own")]
    return [Finding(f"there are {len(documents)} styles", True)]
