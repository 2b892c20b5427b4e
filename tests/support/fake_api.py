"""An API server in this process that holds ProfileRequests: what the plug-in sends really goes over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from areas import NAMESPACE_UID, area

Object = dict[str, Any]
OPERATOR = {"app.kubernetes.io/part-of": "profile-studio", "app.kubernetes.io/component": "operator"}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
GROUP = "/apis/profilestudio.io/v1alpha1"


def _style(name: str, namespace: str = "") -> Object:
    """A style of the cluster, or of a namespace."""
    place = {"namespace": namespace} if namespace else {}
    return {"metadata": {"name": name, **place}, "spec": {"title": {"en": "A"}, "predictor": "profile-predictor"}}


class FakeApi:
    """Requests by (namespace, name). Words in `denied` (`POST`, `profilestyles` ...) in a call make it forbidden."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], Object] = {}
        self.styles = ["studio-cool", "studio-warm"]
        # Namespace and name of each namespace's own.
        self.own_styles: list[tuple[str, str]] = []
        self.namespaces = ["default", "hr"]
        self.denied: set[str] = set()
        self.calls: list[str] = []
        # As whom each call was made: the user and the groups of its headers.
        self.acting: list[tuple[str, ...]] = []
        # Refused when it is meant, not when it is only asked: what changed in between.
        self.fails_for_real: set[str] = set()
        # Somebody else raises the revision this often, each time just before a patch comes.
        self.raised_by_others = 0

    def request(self, name: str, namespace: str = "hr", **spec: Any) -> Object:
        """Put a request there."""
        document: Object = {
            "apiVersion": "profilestudio.io/v1alpha1",
            "kind": "ProfileRequest",
            "metadata": {
                "name": name, "namespace": namespace, "generation": 1, "creationTimestamp": "2026-03-02T09:00:00Z",
            },
            "spec": {"photos": {"prefix": f"uploads/{name}/", "revision": 1}, "styles": ["studio-warm"], **spec},
            "status": {"area": area(namespace)},
        }  # fmt: skip
        self.requests[namespace, name] = document
        return document

    def answer(self, method: str, url: str, body: Any, content_type: str) -> tuple[int, Object]:
        """Status and document of an answer."""
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        dry = "dryRun" in query
        self.calls.append(f"{method}{' dry' if dry else ''} {parts.path}")
        words = {method, *parts.path.split("/")}
        if words & self.denied or (not dry and words & self.fails_for_real):
            return 403, _status(403, f"{method} {parts.path} is forbidden")
        if parts.path.startswith(f"{GROUP}/namespaces/"):
            _, _, *rest = parts.path.removeprefix(GROUP).split("/")
            if rest[1] == "profilestyles":
                return 200, {"items": [_style(name, place) for place, name in self.own_styles if place == rest[0]]}
            name = rest[2] if len(rest) > 2 else ""
            code, document = self._requests(method, rest[0], name, body, dry=dry, kind=content_type)
        else:
            code, document = self._others(method, parts.path, body)
        if selectors := query.get("labelSelector"):
            document = {"items": [item for item in document["items"] if _labelled(item, selectors[0])]}
        return code, document

    def _others(self, method: str, path: str, body: Any) -> tuple[int, Object]:
        """What is not about one namespace's requests."""
        last = path.rpartition("/")[2]
        if path == f"/api/v1/namespaces/{last}" and last not in self.namespaces:
            return 404, _status(404, f'namespaces "{last}" not found')
        if last == "selfsubjectaccessreviews":
            verb = body["spec"]["resourceAttributes"]["verb"]
            return 201, {"spec": body["spec"], "status": {"allowed": verb not in self.denied}}
        operator = {"metadata": {"name": "o", "namespace": "s", "labels": OPERATOR}, "status": {"availableReplicas": 1}}
        lists: dict[str, list[Object]] = {
            "clusterprofilestyles": [_style(name) for name in self.styles],
            "profilerequests": list(self.requests.values()),
            "namespaces": [{"metadata": {"name": name, "uid": NAMESPACE_UID}} for name in self.namespaces],
            "deployments": [operator | {"spec": {"selector": {"matchLabels": {}}, "template": {}}}],
            "inferenceservices": [{"metadata": {"name": "profile-predictor"}, "status": READY}],
        }
        version = {"groupVersion": GROUP.removeprefix("/apis/"), "version": "v1alpha1"}
        kinds = {"name": "profilestudio.io", "versions": [version]}
        if last in lists:
            return 200, {"items": lists[last]}
        return 200, {"metadata": {"name": last, "uid": NAMESPACE_UID}, "groups": [kinds]}

    def _requests(
        self, method: str, namespace: str, name: str, body: Any, *, dry: bool, kind: str
    ) -> tuple[int, Object]:
        if namespace not in self.namespaces:
            return 404, _status(404, f'namespaces "{namespace}" not found')
        if method == "POST":
            return self._create(namespace, body, dry=dry)
        if not name:
            return 200, {"items": [one for (place, _), one in self.requests.items() if place == namespace]}
        document = self.requests.get((namespace, name))
        if document is None:
            return 404, _status(404, f'profilerequests.profilestudio.io "{name}" not found')
        if method == "PATCH":
            return self._patch(document, body, dry=dry, kind=kind)
        if method == "DELETE":
            del self.requests[namespace, name]
        return 200, document

    def _create(self, namespace: str, body: Object, *, dry: bool) -> tuple[int, Object]:
        name = body["metadata"]["name"]
        if (namespace, name) in self.requests:
            return 409, _status(409, f'profilerequests.profilestudio.io "{name}" already exists')
        if not dry:
            body["metadata"] |= {"generation": 1, "creationTimestamp": "2026-03-02T09:00:00Z"}
            self.requests[namespace, name] = body
        return 201, body

    def _patch(self, document: Object, body: Any, *, dry: bool, kind: str) -> tuple[int, Object]:
        assert kind == "application/json-patch+json", kind
        photos = document["spec"]["photos"]
        if self.raised_by_others and not dry:
            self.raised_by_others -= 1
            photos["revision"] = photos.get("revision", 1) + 1
        for step in body:
            if step == {"op": "add", "path": "/spec/photos/deletionPolicy", "value": "Retain"}:
                photos["deletionPolicy"] = "Retain"
                continue
            field = step["path"].removeprefix("/spec/")
            assert field in ("photos/revision", "styles", "refresh"), step
            holder, name = (photos, "revision") if field == "photos/revision" else (document["spec"], field)
            if step["op"] == "test" and holder.get(name) != step["value"]:
                return 422, _status(422, "the server rejected our request due to an error in our request")
            if step["op"] == "add" and not dry:
                holder[name] = step["value"]
        return 200, document


def _labelled(item: Object, selector: str) -> bool:
    """Whether an object has all labels of a selector, which here are equalities alone."""
    labels = item["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in (pair.split("=") for pair in selector.split(",")))


def _status(code: int, message: str) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}


@contextmanager
def serving(api: FakeApi, kubeconfig: Path, namespace: str = "hr") -> Iterator[None]:
    """Serve it, with a kubeconfig that leads there."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            names = ("Impersonate-User", "Impersonate-Group")
            api.acting.append(tuple(value for name in names for value in self.headers.get_all(name) or ()))
            code, document = api.answer(self.command, self.path, body, self.headers.get("Content-Type", ""))
            content = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "work",
        "contexts": [
            {"name": "work", "context": {"cluster": "c", "user": "u", "namespace": namespace}},
            {"name": "other", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    kubeconfig.write_text(json.dumps(document))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
