"""A cluster as the commands need it: the kubernetes client, with its errors turned into plain words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from pydantic import ValidationError

from profile_contract import GROUP, VERSION
from profile_contract.request import ProfileRequestStatus

from .errors import CommandError
from .network import network_trouble

FIELD_MANAGER = "profile-studio"
REQUESTS = "profilerequests"
STYLES = "profilestyles"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, INVALID = 401, 403, 404, 409, 422
JSON_PATCH = "application/json-patch+json"
# How often a revision is raised again that somebody else raised at the same moment.
RAISES = 4
SERVING = ("serving.kserve.io", "v1beta1")
OPERATOR = "app.kubernetes.io/part-of=profile-studio,app.kubernetes.io/component=operator"
TIMEOUT_SECONDS = 10
# Pods made by us run under it; the product's own do everywhere.
NAMESPACE_LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}

# What the client raises for a kubeconfig that it cannot take: some with words for people, some not.
SAID = (ConfigException, OSError, ValueError)
BROKEN_CONFIG = (*SAID, yaml.YAMLError, TypeError, KeyError, AttributeError)

Answer = TypeVar("Answer")


class Unreachable(CommandError):
    """The API server does not answer; it may do so again."""


@dataclass(frozen=True)
class RequestView:
    """A ProfileRequest as it stands."""

    generation: int
    deleting: bool
    status: ProfileRequestStatus

    @property
    def observed(self) -> bool:
        """Whether the status speaks of what is asked for now."""
        return self.status.observed_generation == self.generation

    def condition(self, name: str) -> tuple[bool, str, str]:
        """Whether a condition is True, its reason and message; False and empty where it is not there."""
        found = next((one for one in self.status.conditions if one.type == name), None)
        return (found.status == "True", found.reason, found.message) if found else (False, "", "")


class Cluster:
    """One cluster. Every method raises CommandError with what the API server said."""

    def __init__(self, kubeconfig: Path | None = None, context: str | None = None) -> None:
        """`kubeconfig` None: $KUBECONFIG, or the user's own file; `context` None: the current one."""
        given = _config_file(kubeconfig)
        try:
            api = config.new_client_from_config(config_file=given, context=context)
        except BROKEN_CONFIG as error:
            raise _unusable(kubeconfig, error) from error
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._custom = client.CustomObjectsApi(api)
        self._rights = client.AuthorizationV1Api(api)
        self._groups = client.ApisApi(api)

    def ensure_namespace(self, name: str) -> None:
        """Make the namespace, under the restricted Pod Security Standard, if it is not there."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": NAMESPACE_LABELS}}
        if _maybe(lambda: self._core.read_namespace(name, _request_timeout=TIMEOUT_SECONDS)) is None:
            _call(lambda: self._core.create_namespace(body, _request_timeout=TIMEOUT_SECONDS))

    def apply_request(self, manifest: dict[str, Any]) -> None:
        """Server-side apply of a ProfileRequest."""
        metadata = manifest["metadata"]
        _call(
            lambda: self._custom.patch_namespaced_custom_object(
                GROUP, VERSION, metadata["namespace"], REQUESTS, metadata["name"], manifest,
                field_manager=FIELD_MANAGER, force=True, _content_type="application/apply-patch+yaml",
                _request_timeout=TIMEOUT_SECONDS,
            )
        )  # fmt: skip

    def create_request(self, manifest: dict[str, Any], *, dry_run: bool = False) -> None:
        """Make a ProfileRequest that is not there yet. Raises Taken where one of its name is.

        `dry_run`: the API server says what it would say, and keeps nothing.
        """
        _call(
            lambda: self._custom.create_namespaced_custom_object(
                GROUP, VERSION, manifest["metadata"]["namespace"], REQUESTS, manifest, field_manager=FIELD_MANAGER,
                _request_timeout=TIMEOUT_SECONDS, **_dry(dry_run),
            )
        )  # fmt: skip

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
                self._patch_request(namespace, name, patch, dry_run=dry_run)
            except _Refused as refused:
                if refused.code not in (CONFLICT, INVALID) or attempt == RAISES - 1:
                    raise
            else:
                break
        return after

    def _patch_request(self, namespace: str, name: str, patch: list[dict[str, Any]], *, dry_run: bool) -> None:
        _call(
            lambda: self._custom.patch_namespaced_custom_object(
                GROUP, VERSION, namespace, REQUESTS, name, patch, field_manager=FIELD_MANAGER,
                _content_type=JSON_PATCH, _request_timeout=TIMEOUT_SECONDS, **_dry(dry_run),
            )
        )  # fmt: skip

    def request(self, namespace: str, name: str) -> RequestView | None:
        """The request, or None where there is none."""
        found = _maybe(
            lambda: self._custom.get_namespaced_custom_object(
                GROUP, VERSION, namespace, REQUESTS, name, _request_timeout=TIMEOUT_SECONDS
            )
        )
        return None if found is None else _view(found)

    def request_documents(self, namespace: str | None) -> list[dict[str, Any]]:
        """The requests of a namespace, of all of them for None, by namespace and name."""
        found = _call(
            lambda: (
                self._custom.list_cluster_custom_object(GROUP, VERSION, REQUESTS, _request_timeout=TIMEOUT_SECONDS)
                if namespace is None
                else self._custom.list_namespaced_custom_object(
                    GROUP, VERSION, namespace, REQUESTS, _request_timeout=TIMEOUT_SECONDS
                )
            )
        )
        return sorted(found["items"], key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"]))

    def request_names(self, namespace: str) -> list[str]:
        """Names of a namespace's requests."""
        return [str(one["metadata"]["name"]) for one in self.request_documents(namespace)]

    def namespaces(self) -> list[str]:
        """Names of all namespaces."""
        found = _call(lambda: self._core.list_namespace(_request_timeout=TIMEOUT_SECONDS))
        return sorted(str(one.metadata.name) for one in found.items)

    def has_namespace(self, name: str) -> bool:
        """Whether a namespace is there."""
        return _maybe(lambda: self._core.read_namespace(name, _request_timeout=TIMEOUT_SECONDS)) is not None

    def request_document(self, namespace: str, name: str) -> dict[str, Any]:
        """The request as the API server holds it."""
        found: dict[str, Any] = _call(
            lambda: self._custom.get_namespaced_custom_object(
                GROUP, VERSION, namespace, REQUESTS, name, _request_timeout=TIMEOUT_SECONDS
            )
        )
        return found

    def style_documents(self) -> list[dict[str, Any]]:
        """All ProfileStyles, by name."""
        found = _call(
            lambda: self._custom.list_cluster_custom_object(GROUP, VERSION, STYLES, _request_timeout=TIMEOUT_SECONDS)
        )
        return sorted(found["items"], key=lambda style: str(style["metadata"]["name"]))

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        """Whether the user may do this to our resources in a namespace."""
        attributes = {"group": GROUP, "resource": resource, "verb": verb, "namespace": namespace}
        body = {"spec": {"resourceAttributes": attributes}}
        review = _call(lambda: self._rights.create_self_subject_access_review(body, _request_timeout=TIMEOUT_SECONDS))
        return bool(review.status.allowed)

    def versions(self, group: str) -> list[str]:
        """The versions of an API group that are served; none where the group is not known."""
        found = _call(lambda: self._groups.get_api_versions(_request_timeout=TIMEOUT_SECONDS))
        return [one.version for known in found.groups if known.name == group for one in known.versions]

    def operators(self) -> dict[str, bool]:
        """The operators' Deployments in all namespaces, `namespace/name`, and whether each one answers."""
        found = _call(
            lambda: self._apps.list_deployment_for_all_namespaces(
                label_selector=OPERATOR, _request_timeout=TIMEOUT_SECONDS
            )
        )
        return {
            f"{one.metadata.namespace}/{one.metadata.name}": bool(one.status.available_replicas) for one in found.items
        }

    def predictors(self) -> dict[str, bool]:
        """The InferenceServices of all namespaces by name, and whether one of that name is Ready."""
        found = _call(
            lambda: self._custom.list_cluster_custom_object(
                *SERVING, "inferenceservices", _request_timeout=TIMEOUT_SECONDS
            )
        )
        ready: dict[str, bool] = {}
        for one in found["items"]:
            name = str(one["metadata"]["name"])
            ready[name] = ready.get(name, False) or _is_ready(one)
        return ready

    def delete_request(self, namespace: str, name: str) -> None:
        """Ask for a request's deletion; nothing happens where there is none."""
        _maybe(
            lambda: self._custom.delete_namespaced_custom_object(
                GROUP, VERSION, namespace, REQUESTS, name, _request_timeout=TIMEOUT_SECONDS
            )
        )

    def deployment_ready(self, namespace: str, name: str) -> bool:
        """Whether the newest version of a Deployment runs and answers."""
        found = _maybe(lambda: self._apps.read_namespaced_deployment(name, namespace, _request_timeout=TIMEOUT_SECONDS))
        if found is None or (found.status.observed_generation or 0) < found.metadata.generation:
            return False
        wanted = found.spec.replicas or 0
        updated, available = found.status.updated_replicas or 0, found.status.available_replicas or 0
        return wanted == updated == available == (found.status.replicas or 0)

    def predictor_ready(self, namespace: str, name: str) -> bool:
        """Whether an InferenceService is Ready."""
        found = _maybe(
            lambda: self._custom.get_namespaced_custom_object(
                *SERVING, namespace, "inferenceservices", name, _request_timeout=TIMEOUT_SECONDS
            )
        )
        return _is_ready(found or {})

    def pods_in_trouble(self, namespace: str) -> list[str]:
        """A line for each pod that cannot start or keeps ending, with what the kubelet says about it."""
        pods = _call(lambda: self._core.list_namespaced_pod(namespace, _request_timeout=TIMEOUT_SECONDS))
        return [line for pod in pods.items for line in _troubles(pod)]


def current_namespace(kubeconfig: Path | None = None, context: str | None = None) -> str:
    """The namespace of a context of the kubeconfig, `default` where it names none. Raises CommandError."""
    contexts, active = _contexts(kubeconfig)
    chosen = active if context is None else next((one for one in contexts if one["name"] == context), None)
    if chosen is None:
        raise CommandError(f"the kubeconfig has no context {context!r}")
    return str(chosen["context"].get("namespace") or "default")


def context_names(kubeconfig: Path | None = None) -> list[str]:
    """The contexts of the kubeconfig. Raises CommandError."""
    return [str(one["name"]) for one in _contexts(kubeconfig)[0]]


def _contexts(kubeconfig: Path | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    try:
        contexts, active = config.list_kube_config_contexts(config_file=_config_file(kubeconfig))
        return [*contexts], {**active}
    except BROKEN_CONFIG as error:
        raise _unusable(kubeconfig, error) from error


def _unusable(kubeconfig: Path | None, error: Exception) -> CommandError:
    why = " ".join(str(error).split()) if isinstance(error, (*SAID, yaml.YAMLError)) else "it is no kubeconfig"
    return CommandError(f"{kubeconfig or 'the kubeconfig'} cannot be used: {why}")


def _config_file(kubeconfig: Path | None) -> str | None:
    return None if kubeconfig is None else str(kubeconfig)


def _is_ready(found: dict[str, Any]) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _troubles(pod: Any) -> list[str]:
    lines = []
    for status in [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]:
        waiting, ended = status.state.waiting, status.last_state and status.last_state.terminated
        if waiting and waiting.reason not in ("ContainerCreating", "PodInitializing"):
            text = f"{pod.metadata.name}: {waiting.reason} {waiting.message or ''}".strip()
            lines.append(text + (f" (ended with exit code {ended.exit_code})" if ended else ""))
    return lines + [
        f"{pod.metadata.name}: not scheduled: {condition.message}"
        for condition in pod.status.conditions or []
        if condition.type == "PodScheduled" and condition.status == "False"
    ]


def _view(found: dict[str, Any]) -> RequestView:
    metadata = found["metadata"]
    try:
        status = ProfileRequestStatus.model_validate(found.get("status") or {})
    except ValidationError as error:
        raise CommandError(f"the status of {metadata['name']} cannot be read: {error}") from error
    return RequestView(metadata["generation"], "deletionTimestamp" in metadata, status)


def _maybe(call: Callable[[], Answer]) -> Answer | None:
    """The answer, or None where the API server knows no such object."""
    try:
        return _call(call)
    except _Refused as refused:
        if refused.code == NOT_FOUND:
            return None
        raise


class _Refused(CommandError):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Forbidden(_Refused):
    """The user may not do this."""


class Taken(_Refused):
    """An object of this name is there."""


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dry_run": "All"} if dry_run else {}


def _call(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except ApiException as error:
        raise _refusal(error) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(f"the API server of your kubeconfig does not answer: {network_trouble(error)}") from error
    except ValueError as error:
        raise CommandError(f"the kubeconfig's address of the API server cannot be used: {error}") from error


def _refusal(error: ApiException) -> _Refused:
    code = error.status or 0
    if code == UNAUTHORIZED:
        return _Refused(
            code, "the API server does not know you: the kubeconfig's credentials are wrong or have expired"
        )
    kind = {FORBIDDEN: Forbidden, CONFLICT: Taken}.get(code, _Refused)
    return kind(code, f"the API server refused: {_message(error)}")


def _message(error: ApiException) -> str:
    """What the API server's Status object says, or the HTTP reason."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
