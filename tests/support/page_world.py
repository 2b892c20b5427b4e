"""The page as its visitors meet it, over an API server, a store and a token service in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from fastapi.testclient import TestClient

from api_documents import Call
from areas import area
from fake_kubernetes import CLUSTER_STYLES, REQUESTS, FakeKubernetes
from profile_contract.ownership import owner_of
from profile_runtime.kubernetes.aio import AsyncApi
from profile_runtime.store.credentials import Session
from profile_runtime.store.port import NotFound, StoredObject, StoreError
from profile_web.app import make_app
from profile_web.bucket import Bucket
from profile_web.cluster import PageCluster
from profile_web.config import Namespaces, PageStore, SignInKeys, WebConfig
from profile_web.page import Backends

OWNER_KEY = "0123456789abcdef0123456789abcdef"
KEYS = SignInKeys(OWNER_KEY.encode())
STORE = PageStore(endpoint="minio:9000", bucket="profiles", secure=False, public_url="https://store.example.com")
NAMESPACE, AREA = "portraits", area("portraits")
MINJI, JUNHO = "minji-subject", "junho-subject"
PAGE = {"X-Profile-Studio": "page"}
STYLE = {"title": {"en": "Warm"}, "prompt": "a portrait", "tone": "Warm", "backgroundColour": "#ffffff"}

Document = dict[str, Any]


def as_(subject: str, **more: str) -> dict[str, str]:
    """What the proxy says of somebody, and what the page's own script sends."""
    return {**PAGE, "X-Auth-Request-User": subject, "X-Auth-Request-Email": f"{subject}@example.com", **more}


def owner(subject: str, issuer: str = "") -> str:
    return owner_of(issuer, subject, KEYS.owner)


def sent_to(subject: str, draft: str, namespace: str = NAMESPACE) -> str:
    """Where somebody's photos for a request lie."""
    return f"{area(namespace)}uploads/{owner(subject)}/{draft}/"


class ApiServer(FakeKubernetes):
    """The page's API server in memory; `failure` is answered, or raised as by a socket or a mistake, to every call."""

    def __init__(self) -> None:
        super().__init__(_version=0)
        self.failure: Exception | tuple[int, Document] | None = None
        self.styles = [{"metadata": {"name": "studio-warm"}, "spec": STYLE}]

    @property
    def styles(self) -> Sequence[Document]:
        """The styles as they stand."""
        return tuple(self.named(CLUSTER_STYLES).values())

    @styles.setter
    def styles(self, styles: Sequence[Document]) -> None:
        for path in [path for path in self.objects if path.startswith(f"{CLUSTER_STYLES}/")]:
            del self.objects[path]
        for style in styles:
            self.put(CLUSTER_STYLES, style)
        self._version = 0

    @property
    def requests(self) -> Mapping[tuple[str, str], Document]:
        """The requests as they stand, by namespace and name."""
        documents = [document for path, document in self.objects.items() if "/profilerequests/" in path]
        return MappingProxyType({(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in documents})

    def put_request(self, namespace: str, name: str, body: Document) -> Document:
        """A request as the API server stores it."""
        return self.put(REQUESTS.format(namespace), {**body, "metadata": {**body["metadata"], "name": name}})

    def put(self, collection: str, document: Document, manager: str = "someone") -> Document:
        """An object that is there, whoever made it; who came first and when is the same in every run."""
        number = self._version + 1
        known = {"uid": str(number), "creationTimestamp": f"2026-01-01T00:00:{number:02d}Z"}
        return super().put(collection, {**document, "metadata": {**known, **document["metadata"]}}, manager)

    async def answer(self, call: Call) -> tuple[int, Document]:
        """Others go on meanwhile, as they do while a real one is asked."""
        await asyncio.sleep(0.002)
        if self.failure is not None:
            self.calls.append(call)
            if isinstance(self.failure, tuple):
                return self.failure
            raise self.failure
        return await super().answer(call)

    def cluster(self) -> PageCluster:
        """The page's own client of it."""
        return PageCluster(AsyncApi(self.in_process(), seconds=10))


def failure(status: int, message: str) -> tuple[int, Document]:
    """An answer of the API server that is none."""
    return status, {"kind": "Status", "code": status, "message": message}


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
            document["status"] = {"observedGeneration": 1, "area": AREA, **status}
        return document


@contextmanager
def world(config: WebConfig | None = None, redis: Any = None, **environment: str) -> Iterator[World]:
    """The page behind a proxy, everybody's requests in one namespace."""
    chosen = config or WebConfig(namespaces=Namespaces(default=NAMESPACE), store=STORE)
    api, store, tokens = ApiServer(), MemoryStore(), TokenService()
    memory: Any = store

    async def connected() -> PageCluster:
        return api.cluster()

    bucket = Bucket(chosen.store, {}, own=memory, sessions=tokens)
    backends = Backends(bucket=bucket, redis=redis, connect=connected)
    app = make_app(chosen, {"PROFILE_WEB_OWNER_KEY": OWNER_KEY, **environment}, backends)
    with TestClient(app, base_url="http://localhost") as client:
        yield World(client, api, store, tokens, app.state.page)
