"""What stands in the way of a request: looked at in the order in which a request would meet it.

Everything is looked at with the user's own rights. What those do not reach (the operator's namespace, mostly) is
said to be unseen, and is not counted against the cluster.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from profile_cli.cluster import Cluster, NotAllowed
from profile_cli.errors import CommandError
from profile_contract import GROUP, VERSION
from profile_contract.artifacts import photos_prefix, uploads_area, uploads_prefix
from profile_contract.resource import CLUSTER_STYLES, REQUESTS
from profile_contract.style_ref import ref_of
from profile_runtime.store.port import StoreError

from .store import FORM, open_named, prefix_of, store_trouble

COLUMNS = ("what", "state", "what to do")
STATES = {True: "ok", False: "problem", None: "not visible"}
INSTALL = "ask the platform team to install the chart profile-studio (docs/install.md)"
VERBS = {
    "create": "ask for the right to create ProfileRequests in this namespace",
    "get": "ask for the right to get ProfileRequests: watch, photos and portraits read them",
    "list": "ask for the right to list ProfileRequests: list shows them, delete asks who else uses the photos",
    "patch": "ask for the right to patch ProfileRequests: add, replace and remove have photos looked at anew",
    "delete": "ask for the right to delete your ProfileRequests",
}


@dataclass(frozen=True)
class Finding:
    """`well` None: it could not be seen with these rights."""

    what: str
    well: bool | None
    advice: str = ""

    @property
    def row(self) -> tuple[str, str, str]:
        return (self.what, STATES[self.well], "" if self.well else self.advice)


def look(cluster: Cluster, namespace: str, store: str) -> list[Finding]:
    """Everything that can be seen with the user's own rights. `store`: the URL that the user named, or empty."""
    known = _kinds(cluster)
    if not known.well:
        return [known]
    rights = [_right(cluster, verb, namespace, advice) for verb, advice in VERBS.items()]
    return [
        known,
        _namespace(cluster, namespace),
        *rights,
        _operator(cluster),
        *_styles(cluster, namespace),
        *_store(cluster, store, namespace),
    ]


def _checked(what: str, check: Callable[[], Finding], unseen: str) -> Finding:
    try:
        return check()
    except NotAllowed:
        return Finding(what, None, unseen)
    except CommandError as error:
        return Finding(what, False, str(error))


def _kinds(cluster: Cluster) -> Finding:
    what = f"the cluster knows {GROUP}/{VERSION}"

    def check() -> Finding:
        versions = cluster.versions(GROUP)
        if VERSION in versions:
            return Finding(what, True)
        if not versions:
            return Finding(what, False, INSTALL)
        return Finding(what, False, f"it knows {', '.join(versions)}: take the plug-in of the installed version")

    return _checked(what, check, "ask for the right of every user to discover the cluster's APIs")


def _namespace(cluster: Cluster, namespace: str) -> Finding:
    what = f"the namespace {namespace} exists"
    advice = f"kubectl create namespace {namespace}, or name another with -n"
    return _checked(what, lambda: Finding(what, cluster.has_namespace(namespace), advice), "you may not get namespaces")


def _right(cluster: Cluster, verb: str, namespace: str, advice: str) -> Finding:
    what = f"you may {verb} {REQUESTS}"
    return _checked(what, lambda: Finding(what, cluster.may(verb, REQUESTS, namespace), advice), advice)


def _operator(cluster: Cluster) -> Finding:
    what = "the operator runs"

    def check() -> Finding:
        operators = cluster.operators()
        if not operators:
            return Finding(what, False, INSTALL)
        advice = f"ask the platform team why {', '.join(operators)} is not ready: requests wait until it is"
        return Finding(what, any(operators.values()), advice)

    return _checked(what, check, "you may not list Deployments: a request that is not looked at tells the same")


def _styles(cluster: Cluster, namespace: str) -> list[Finding]:
    """Styles, and the predictors that they name."""
    try:
        documents = cluster.style_documents(namespace)
    except NotAllowed:
        # They belong to no namespace: the roles of a namespace's editors do not reach them.
        return [
            Finding(
                "there are styles", None, f"you may not list {CLUSTER_STYLES}: ask for their names, or for the right"
            )
        ]
    except CommandError as error:
        return [Finding(f"you may list {CLUSTER_STYLES}", False, f"ask for it: {error}")]
    if not documents:
        return [Finding("there are styles", False, "install the chart's styles, or apply one of your own")]
    return [Finding(f"there are {len(documents)} styles", True), *_predictors(cluster, documents)]


def _predictors(cluster: Cluster, styles: Iterable[dict[str, Any]]) -> list[Finding]:
    wanted: dict[str, list[str]] = {}
    for style in styles:
        wanted.setdefault(style["spec"].get("predictor", ""), []).append(ref_of(style).shown)
    try:
        there = cluster.predictors()
    except NotAllowed:
        return [Finding("the styles' predictors are ready", None, "you may not list InferenceServices")]
    except CommandError as error:
        return [Finding("the styles' predictors are ready", False, f"is KServe installed? {error}")]
    return [predictor_finding(name, users, there) for name, users in wanted.items()]


def predictor_finding(name: str, styles: list[str], there: dict[str, bool]) -> Finding:
    """Of one InferenceService that styles name; `there`: each one's name and whether it is Ready. Pure."""
    what = f"the predictor {name} is ready"
    whose = f"the style{'s' if len(styles) > 1 else ''} {', '.join(styles)}"
    if name not in there:
        return Finding(what, False, f"no InferenceService has this name: correct {whose}, or install it")
    return Finding(
        what, there[name], f"kubectl get inferenceservices --all-namespaces; until then {whose} cannot be drawn"
    )


def _store(cluster: Cluster, url: str, namespace: str) -> list[Finding]:
    named, answers = "PROFILE_STORE names the store", "the store answers you"
    if not url:
        return [Finding(named, False, f"export PROFILE_STORE='{FORM}' and AWS_*")]
    try:
        store = open_named(url)
    except CommandError as error:
        return [Finding(named, False, str(error))]
    place = f"where the photos of {namespace} lie is told"
    try:
        area = cluster.area(namespace, prefix_of(url))
    except CommandError as error:
        # What else is wrong with the namespace was told before.
        unseen = [Finding(place, False, str(error))] if isinstance(error, NotAllowed) else []
        return [Finding(named, True), *unseen]
    key = uploads_prefix(area, photos_prefix(f"doctor-{uuid.uuid4().hex[:8]}")) + "writable"
    try:
        store.list(key)
    except StoreError as error:
        return [Finding(named, True), Finding(answers, False, store_trouble(url, error))]
    writable = f"you may write below {uploads_area(area)}"
    try:
        store.write(key, b"")
        store.remove([key])
    except StoreError as error:
        return [Finding(named, True), Finding(answers, True), Finding(writable, False, store_trouble(url, error))]
    return [Finding(named, True), Finding(answers, True), Finding(writable, True)]
