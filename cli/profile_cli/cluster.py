"""A cluster as the commands need it; what the API server refuses is told in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from profile_contract import GROUP
from profile_contract.areas import Area, area_of
from profile_contract.keys import ForeignKey
from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_contract.style_ref import StyleRef, ref_of
from profile_runtime.kubernetes.errors import (
    UNAUTHORIZED,
    ApiError,
    ApiUnavailable,
    Forbidden,
    ResourceConflict,
    ResourceInvalid,
    ResourceNotFound,
)
from profile_runtime.kubernetes.resources import (
    CLUSTER_STYLES_PATH,
    JSON,
    JSON_PATCH,
    THEMSELVES,
    Acting,
    Document,
    Query,
    namespace_path,
    request_path,
    requests_path,
    styles_path,
)
from profile_runtime.network import network_trouble

from . import kubeconfig as kubeconfigs
from .errors import CommandError
from .observed import ObservedRequest, observed

if TYPE_CHECKING:
    from profile_runtime.kubernetes.sync import Api

FIELD_MANAGER = "profile-studio"
TIMEOUT_SECONDS = 10.0
# How often a revision is raised again that somebody else raised at the same moment.
RAISES = 4
NAMESPACES_PATH = "/api/v1/namespaces"
DEPLOYMENTS_PATH = "/apis/apps/v1/deployments"
PREDICTORS_PATH = "/apis/serving.kserve.io/v1beta1/inferenceservices"
REVIEWS_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
OPERATOR = "app.kubernetes.io/part-of=profile-studio,app.kubernetes.io/component=operator"


class Unreachable(CommandError):
    """The API server does not answer; it may do so again."""


class NotAllowed(CommandError):
    """The user may not do this."""


class NameTaken(CommandError):
    """An object of this name is there."""


class Cluster:
    """One cluster. Every method raises CommandError with what the API server said."""

    def __init__(self, kubeconfig: Path | None = None, context: str | None = None, acting: Acting = THEMSELVES) -> None:
        """`kubeconfig` None: $KUBECONFIG, or the user's own file; `context` None: the current one."""
        # It imports a library that takes half a second: what asks no cluster does without.
        from profile_runtime.kubernetes.sync import Api

        client = kubeconfigs.client_of(kubeconfig, context)
        self._api: Api = Api(client, seconds=TIMEOUT_SECONDS, manager=FIELD_MANAGER, acting=acting)

    def call(
        self, method: str, path: str, body: object = None, query: Query = (), *, content_type: str = JSON
    ) -> Document:
        """The object that the API server answers. Raises Unreachable, NotAllowed, NameTaken or CommandError."""
        try:
            return self._api.call(method, path, body, query, content_type=content_type)
        except ApiError as error:
            raise _command_error(error) from error
        except ValueError as error:
            raise CommandError(f"the kubeconfig's address of the API server cannot be used: {error}") from error

    def find(self, path: str, method: str = "GET") -> Document | None:
        """The object at a path, or None where there is none."""
        try:
            return self.call(method, path)
        except CommandError as error:
            if isinstance(error.__cause__, ResourceNotFound):
                return None
            raise

    # --- requests and styles ---

    def create_request(self, manifest: dict[str, Any], *, dry_run: bool = False) -> None:
        """Make a ProfileRequest that is not there yet. Raises NameTaken where one of its name is.

        `dry_run`: the API server says what it would say, and keeps nothing.
        """
        self.call("POST", requests_path(manifest["metadata"]["namespace"]), manifest, _dry(dry_run))

    def raise_revision(self, namespace: str, name: str, *, dry_run: bool = False) -> int:
        """Have the photos looked at again; the new revision. What others raise at the same time is not lost."""
        after = 0
        for attempt in range(RAISES):
            before = self.request_document(namespace, name)["spec"]["photos"].get("revision")
            after = (before or 1) + 1
            path = "/spec/photos/revision"
            unchanged = [] if before is None else [{"op": "test", "path": path, "value": before}]
            patch = [*unchanged, {"op": "add", "path": path, "value": after}]
            try:
                self.call("PATCH", request_path(Key(namespace, name)), patch, _dry(dry_run), content_type=JSON_PATCH)
            except CommandError as error:
                raised_by_others = isinstance(error.__cause__, ResourceConflict | ResourceInvalid)
                if not raised_by_others or attempt == RAISES - 1:
                    raise
            else:
                break
        return after

    def change_spec(self, namespace: str, name: str, field: str, before: Any, after: Any) -> None:
        """Change one field of a request's spec. Raises CommandError where somebody else changed it meanwhile."""
        path = f"/spec/{field}"
        as_it_was = [{"op": "test", "path": path, "value": before}] if before is not None else []
        patch = [*as_it_was, {"op": "add", "path": path, "value": after}]
        self.call("PATCH", request_path(Key(namespace, name)), patch, content_type=JSON_PATCH)

    def keep_photos(self, namespace: str, name: str) -> None:
        """Let the request's photos stay when it is deleted."""
        patch = [{"op": "add", "path": "/spec/photos/deletionPolicy", "value": DeletionPolicy.RETAIN.value}]
        self.call("PATCH", request_path(Key(namespace, name)), patch, content_type=JSON_PATCH)

    def request(self, namespace: str, name: str) -> ObservedRequest | None:
        """The request, or None where there is none."""
        document = self.find(request_path(Key(namespace, name)))
        return None if document is None else observed(document)

    def request_document(self, namespace: str, name: str) -> Document:
        """The request as the API server holds it."""
        return self.call("GET", request_path(Key(namespace, name)))

    def request_documents(self, namespace: str | None, selector: str = "") -> list[Document]:
        """The requests of a namespace, of all of them for None, by namespace and name; `selector`: of their labels."""
        query = [("labelSelector", selector)] if selector else []
        requests = self.call("GET", requests_path(namespace), query=query)["items"]
        return sorted(requests, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))

    def request_names(self, namespace: str) -> list[str]:
        """Names of a namespace's requests."""
        return _names(self.request_documents(namespace))

    def delete_request(self, namespace: str, name: str) -> None:
        """Ask for a request's deletion; nothing happens where there is none."""
        self.find(request_path(Key(namespace, name)), "DELETE")

    def style_documents(self, namespace: str) -> list[Document]:
        """The styles that a namespace's requests may ask for: the cluster's, then its own, each by name."""
        return [
            style
            for path in (CLUSTER_STYLES_PATH, styles_path(namespace))
            for style in sorted(self.call("GET", path)["items"], key=lambda style: str(style["metadata"]["name"]))
        ]

    def style_refs(self, namespace: str) -> list[StyleRef]:
        """Which styles these are."""
        return [ref_of(document) for document in self.style_documents(namespace)]

    # --- what else stands in the cluster ---

    def namespaces(self) -> list[str]:
        """Names of all namespaces."""
        return sorted(_names(self.call("GET", NAMESPACES_PATH)["items"]))

    def has_namespace(self, name: str) -> bool:
        """Whether a namespace is there."""
        return self.find(f"{NAMESPACES_PATH}/{name}") is not None

    def area(self, namespace: str, store_prefix: str = "") -> Area:
        """Where a namespace's things lie in the bucket, of an installation with that prefix."""
        try:
            document = self.call("GET", namespace_path(namespace))
        except NotAllowed as error:
            raise NotAllowed(
                f"the photos of {namespace} lie where the namespace's UID says, and you may not get the namespace: "
                "ask for a role there that may (view and edit may)"
            ) from error
        try:
            return area_of(namespace, str(document["metadata"]["uid"]), store_prefix)
        except ForeignKey as error:
            raise CommandError(f"where the photos of {namespace} lie cannot be told: {error}") from error

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        """Whether the user may do this to our resources in a namespace."""
        attributes = {"group": GROUP, "resource": resource, "verb": verb, "namespace": namespace}
        review = self.call("POST", REVIEWS_PATH, {"spec": {"resourceAttributes": attributes}})
        return bool(review["status"].get("allowed"))

    def versions(self, group: str) -> list[str]:
        """The versions of an API group that are served; none where the group is not known."""
        groups = self.call("GET", "/apis/")["groups"]
        return [version["version"] for known in groups if known["name"] == group for version in known["versions"]]

    def operators(self) -> dict[str, bool]:
        """The operators' Deployments in all namespaces, `namespace/name`, and whether each one answers."""
        deployments = self.call("GET", DEPLOYMENTS_PATH, query=[("labelSelector", OPERATOR)])["items"]
        return {
            f"{item['metadata']['namespace']}/{item['metadata']['name']}": bool(
                (item.get("status") or {}).get("availableReplicas")
            )
            for item in deployments
        }

    def predictors(self) -> dict[str, bool]:
        """The InferenceServices of all namespaces by name, and whether one of that name is Ready."""
        ready: dict[str, bool] = {}
        for service in self.call("GET", PREDICTORS_PATH)["items"]:
            name = str(service["metadata"]["name"])
            ready[name] = ready.get(name, False) or is_ready(service)
        return ready


def is_ready(document: Document) -> bool:
    """Whether an object's condition Ready is True."""
    conditions = (document.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _names(documents: list[Document]) -> list[str]:
    return [str(document["metadata"]["name"]) for document in documents]


def _dry(dry_run: bool) -> Query:
    return [("dryRun", "All")] if dry_run else []


def _command_error(error: ApiError) -> CommandError:
    """What a person is told of a call that failed, in the API server's own words where it said something."""
    if isinstance(error, ApiUnavailable) and error.status == 0:
        return Unreachable(
            f"the API server of your kubeconfig does not answer: {network_trouble(error.__cause__ or error)}"
        )
    if error.status == UNAUTHORIZED:
        return CommandError("the API server does not know you: the kubeconfig's credentials are wrong or have expired")
    text = f"the API server refused: {error.message or error}"
    if isinstance(error, Forbidden):
        return NotAllowed(text)
    if isinstance(error, ResourceConflict):
        return NameTaken(text)
    return CommandError(text)
