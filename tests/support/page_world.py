"""The page as its visitors meet it, over an API server, a store and a token service in memory."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from kubernetes.aio.client.exceptions import ApiException

from profile_runtime.store.credentials import Session
from profile_runtime.store.port import NotFound, StoredObject, StoreError
from profile_web.app import Around, make_app
from profile_web.cluster import Cluster
from profile_web.config import Namespaces, PageStore, SignInKeys, WebConfig
from profile_web.grants import Grants
from profile_web.visitor import OWNER_LABEL, owner_of

OWNER_KEY = "0123456789abcdef0123456789abcdef"
KEYS = SignInKeys(OWNER_KEY.encode())
STORE = PageStore(endpoint="minio:9000", bucket="profiles", secure=False, public_url="https://store.example.com")
NAMESPACE = "portraits"
MINJI, JUNHO = "minji-subject", "junho-subject"
PAGE = {"X-Profile-Studio": "page"}
STYLE = {"title": {"en": "Warm"}, "prompt": "a portrait", "tone": "Warm", "backgroundColour": "#ffffff"}

Document = dict[str, Any]


def as_(subject: str, **more: str) -> dict[str, str]:
    """What the proxy says of somebody, and what the page's own script sends."""
    return {**PAGE, "X-Auth-Request-User": subject, "X-Auth-Request-Email": f"{subject}@example.com", **more}


def owner(subject: str, issuer: str = "") -> str:
    return owner_of(issuer, subject, KEYS)


def sent_to(subject: str, draft: str, namespace: str = NAMESPACE) -> str:
    """Where somebody's photos for a request lie."""
    return f"{namespace}/uploads/{owner(subject)}/{draft}/"


class ApiServer:
    """Custom objects in memory, as `CustomObjectsApi` of the client gives them."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], Document] = {}
        self.styles: list[Document] = [{"metadata": {"name": "studio-warm"}, "spec": STYLE}]
        self.calls: list[str] = []
        self.failure: Exception | None = None
        self._version = 0

    async def close(self) -> None:
        """Nothing is open."""

    async def _asked(self, call: str) -> None:
        self.calls.append(call)
        # Others go on meanwhile, as they do while a real one is asked.
        await asyncio.sleep(0.002)
        if self.failure is not None:
            raise self.failure

    async def list_cluster_custom_object(self, *_: Any, **__: Any) -> Document:
        await self._asked("styles")
        return {"items": copy.deepcopy(self.styles)}

    async def list_namespaced_custom_object(
        self, _: str, __: str, namespace: str, ___: str, *, label_selector: str = "", **____: Any
    ) -> Document:
        await self._asked("list")
        owners = set(label_selector.partition("(")[2].rstrip(")").split(",")) if "(" in label_selector else None
        found = [
            copy.deepcopy(one)
            for (place, _), one in self.requests.items()
            if place == namespace and (owners is None or one["metadata"].get("labels", {}).get(OWNER_LABEL) in owners)
        ]
        return {"items": found}

    async def get_namespaced_custom_object(
        self, _: str, __: str, namespace: str, ___: str, name: str, **____: Any
    ) -> Any:
        await self._asked("get")
        return copy.deepcopy(self._one(namespace, name))

    async def create_namespaced_custom_object(
        self, _: str, __: str, namespace: str, ___: str, body: Document, **____: Any
    ) -> Document:
        await self._asked("create")
        name = body["metadata"]["name"]
        if (namespace, name) in self.requests:
            raise failure(409, f'profilerequests "{name}" already exists')
        return copy.deepcopy(self.put(namespace, name, body))

    async def patch_namespaced_custom_object(
        self, _: str, __: str, namespace: str, ___: str, name: str, body: Document, **____: Any
    ) -> Document:
        """A merge patch; one that names another version than the one that stands is a conflict."""
        await self._asked("patch")
        document = self._one(namespace, name)
        if body.get("metadata", {}).get("resourceVersion", "") not in ("", document["metadata"]["resourceVersion"]):
            raise failure(409, "the object has been modified; please apply your changes to the latest version")
        self._version += 1
        document["metadata"] |= {
            "generation": document["metadata"]["generation"] + 1, "resourceVersion": str(self._version),
        }  # fmt: skip
        for name_of, value in body["spec"].items():
            standing = document["spec"].get(name_of)
            document["spec"][name_of] = {**standing, **value} if isinstance(value, dict) and standing else value
        return copy.deepcopy(document)

    async def delete_namespaced_custom_object(
        self, _: str, __: str, namespace: str, ___: str, name: str, **____: Any
    ) -> None:
        await self._asked("delete")
        self._one(namespace, name)
        del self.requests[namespace, name]

    def put(self, namespace: str, name: str, body: Document) -> Document:
        """A request as the API server stores it."""
        self._version += 1
        document = copy.deepcopy(body)
        document["metadata"] = {
            "generation": 1, "creationTimestamp": f"2026-01-01T00:00:{self._version:02d}Z", "uid": str(self._version),
            **document["metadata"], "name": name, "namespace": namespace, "resourceVersion": str(self._version),
        }  # fmt: skip
        self.requests[namespace, name] = document
        return document

    def _one(self, namespace: str, name: str) -> Document:
        if (namespace, name) not in self.requests:
            raise failure(404, f'profilerequests.profilestudio.io "{name}" not found')
        return self.requests[namespace, name]


def failure(status: int, message: str) -> ApiException:
    """What the client raises for an answer of the API server."""
    error = ApiException(status=status, reason="reason")
    error.body = json.dumps({"message": message})
    return error


@dataclass
class MemoryStore:
    """A bucket in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)
    modified: dict[str, datetime] = field(default_factory=dict)
    away: bool = False

    def _asked(self) -> None:
        if self.away:
            raise StoreError("the store cannot be reached: at 10.0.0.7")

    def _object(self, key: str) -> StoredObject:
        return StoredObject(key, len(self.objects[key]), "tag", self.modified.get(key, datetime.now(UTC)))

    def list(self, prefix: str) -> list[StoredObject]:
        self._asked()
        return [self._object(key) for key in sorted(self.objects) if key.startswith(prefix)]

    def scan(self, prefix: str) -> Iterator[StoredObject]:
        yield from self.list(prefix)

    def stat(self, key: str) -> StoredObject | None:
        self._asked()
        return self._object(key) if key in self.objects else None

    def read(self, key: str) -> bytes:
        self._asked()
        if key not in self.objects:
            raise NotFound(key)
        return self.objects[key]

    def write(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def delete(self, prefix: str) -> int:
        self._asked()
        gone = [key for key in self.objects if key.startswith(prefix)]
        for key in gone:
            del self.objects[key]
        return len(gone)

    def remove(self, keys: Iterable[str]) -> None:
        self._asked()
        for key in keys:
            self.objects.pop(key, None)


@dataclass
class TokenService:
    """Gives temporary credentials, and remembers under which policies."""

    policies: list[Document] = field(default_factory=list)
    seconds: list[int] = field(default_factory=list)
    away: bool = False

    def issue(self, policy: str, seconds: int, tag: str = "") -> Session:
        if self.away:
            raise StoreError("the store gave no temporary credentials")
        self.policies.append(json.loads(policy))
        self.seconds.append(seconds)
        ends = datetime.now(UTC) + timedelta(seconds=seconds)
        return Session(access_key=f"temporary-{len(self.policies)}", secret_key="s" * 20, token="token", ends=ends)

    def revoke(self, tag: str) -> bool:
        return False


@dataclass
class World:
    """The page and what is around it."""

    client: TestClient
    api: ApiServer
    store: MemoryStore
    tokens: TokenService
    page: Any

    def get(self, path: str, subject: str = MINJI, **headers: str) -> Any:
        return self.client.get(path, headers=as_(subject, **headers))

    def post(self, path: str, body: Any = None, subject: str = MINJI, **headers: str) -> Any:
        return self.client.post(path, json=body, headers=as_(subject, **headers))

    def delete(self, path: str, subject: str = MINJI) -> Any:
        return self.client.delete(path, headers=as_(subject))

    def ask_for_forms(self, count: int = 1, draft: str = "p-1", subject: str = MINJI, size: int = 5000) -> Any:
        photos = [{"name": f"{n}.jpg", "type": "image/jpeg", "bytes": size} for n in range(count)]
        return self.post("/api/uploads", {"draft": draft, "photos": photos}, subject)

    def send(self, count: int = 5, draft: str = "p-1", subject: str = MINJI) -> list[str]:
        """Photos on their way into the store; the names under which they stand there."""
        answer = self.ask_for_forms(count, draft, subject)
        assert answer.status_code == 200, answer.text
        for form in answer.json():
            self.store.write(form["fields"]["key"], b"photo")
        return [form["name"] for form in answer.json()]

    def make(self, draft: str = "p-1", subject: str = MINJI, **wish: Any) -> Any:
        return self.post("/api/requests", {"draft": draft, "styles": ["studio-warm"], **wish}, subject)

    def made(self, draft: str = "p-1", subject: str = MINJI, **status: Any) -> Document:
        """A request of somebody, with a status."""
        self.send(draft=draft, subject=subject)
        answer = self.make(draft, subject)
        assert answer.status_code == 201, answer.text
        document = self.api.requests[NAMESPACE, draft]
        if status:
            document["status"] = {"observedGeneration": 1, **status}
        return document


@contextmanager
def world(config: WebConfig | None = None, redis: Any = None, **environment: str) -> Iterator[World]:
    """The page behind a proxy, everybody's requests in one namespace."""
    chosen = config or WebConfig(namespaces=Namespaces(default=NAMESPACE), store=STORE)
    api, store, tokens = ApiServer(), MemoryStore(), TokenService()
    memory: Any = store

    async def connected() -> Cluster:
        nobody: Any = api
        return Cluster(nobody, api)

    around = Around(grants=Grants(chosen.store, {}, own=memory, sessions=tokens), redis=redis, connect=connected)
    app = make_app(chosen, {"PROFILE_WEB_OWNER_KEY": OWNER_KEY, **environment}, around)
    with TestClient(app, base_url="http://localhost") as client:
        yield World(client, api, store, tokens, app.state.page)
