"""The page's HTTP interface: thin; what is shown and asked for is decided in `views`, `wishes` and `holdings`."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import redis.asyncio as redis
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from profile_contract.artifacts import request_prefix, uploads_prefix
from profile_contract.request import DeletionPolicy, ProfileRequestStatus
from profile_contract.resource import TITLE_ANNOTATION
from profile_runtime.store.port import NotFound, StoreError

from . import downloads, holdings, metrics, wishes
from .answers import STATIC, problem_answer
from .cluster import Cluster, Document, connect
from .config import WebConfig, read_keys
from .door import Door
from .grants import MOST_LISTED, MOST_REPORT_BYTES, UPLOAD_SECONDS, Grants, Links, Upload, store_problem
from .live import Progress, Watch
from .problems import NOT_FOUND, Code, Problem
from .purges import AGAIN_SECONDS, Purges, expired_drafts, newest_photos
from .views import (
    UNREADABLE_ERRORS,
    LikenessReport,
    RequestView,
    StyleView,
    comparison_views,
    is_below,
    layout_views,
    may_look_otherwise,
    refused_photos,
    request_state,
    request_view,
    style_view,
    unreadable_view,
)
from .visitor import Visitor, photos_prefix_of
from .wishes import Draft, Look, UploadWish, Wish

log = logging.getLogger(__name__)

PING_SECONDS = 15
FIRST_SWEEP_SECONDS, SWEEP_SECONDS = 60.0, 600.0
# Of one process: reading of progress holds one, the others serve what is to be deleted again.
REDIS_CONNECTIONS, REDIS_SECONDS = 4, 5.0


@dataclass(frozen=True)
class Around:
    """What the page talks to, where it is not what the configuration names: other things in tests."""

    grants: Grants | None = None
    redis: Any = None
    connect: Callable[[], Awaitable[Cluster]] = connect


class Page:
    """What the routes share."""

    def __init__(self, config: WebConfig, environment: Mapping[str, str], around: Around) -> None:
        self.config = config
        self.grants = around.grants or Grants(config.store, environment)
        self.forms = holdings.Forms()
        # Prefixes of requests that were deleted, and until when forms for them may live.
        self.deleted: dict[str, float] = {}
        self.redis = around.redis or connect_redis(environment.get("PROFILE_REDIS", ""))
        self._connect = around.connect
        self.purges = Purges(self._purge, self.redis)
        # What is counted before something is added is counted by one call of a visitor at a time.
        self.counting: dict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self.cluster: Cluster
        self.watch: Watch

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Connections for as long as the program runs."""
        self.cluster = await self._connect()
        self.watch = Watch(self.cluster, Progress(self.redis))
        chores = [asyncio.create_task(self.purges.run()), asyncio.create_task(self._sweep())]
        yield
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await self.watch.close()
        if self.redis is not None:
            await self.redis.aclose()
        await self.cluster.close()

    async def _purge(self, place: str) -> None:
        await self.grants.purge(place)

    async def _sweep(self) -> None:
        # A page that starts has other things to do first.
        await asyncio.sleep(FIRST_SWEEP_SECONDS)
        while True:
            for namespace in self.config.namespaces.served:
                try:
                    await self.delete_expired(namespace)
                except (Problem, StoreError) as error:
                    log.warning("old drafts in %r are deleted later: %s", namespace, type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)

    async def delete_expired(self, namespace: str) -> None:
        """Delete the drafts of a namespace that nobody ended. Raises Problem and StoreError."""
        now = datetime.now(UTC)
        photos = self.grants.scan(f"{namespace}/uploads/")
        newest = await asyncio.to_thread(newest_photos, photos, namespace, now)
        # Asked after the store: a request that was made meanwhile keeps its photos.
        named = [str(photos_prefix_of(request)) for request in await self.cluster.listed(namespace)]
        for prefix in expired_drafts(newest, named, now, self.config.drafts.seconds):
            log.info("photos of a draft that nobody ended are deleted")
            await self.grants.delete(f"{namespace}/{prefix}")

    def prefix(self, visitor: Visitor, draft: str) -> str:
        """The key prefix of a request's photos."""
        return uploads_prefix(visitor.namespace, wishes.photos_prefix(visitor, draft))

    def links(self, visitor: Visitor, name: str) -> Links:
        """Links to a request's photos and to what was made of them."""
        return self.grants.links(self.prefix(visitor, name), request_prefix(visitor.namespace, name))

    def check_not_deleted(self, prefix: str) -> None:
        """Raises Problem for what was deleted a moment ago: it will be emptied again."""
        now = _now()
        self.deleted = {place: until for place, until in self.deleted.items() if until > now}
        if prefix in self.deleted:
            raise Problem(Code.REQUEST_NOT_FOUND)

    def lock(self, visitor: Visitor) -> asyncio.Lock:
        """Held while a visitor's things are counted and one is added."""
        return self.counting[visitor.namespace, visitor.owner]

    async def holding(self, visitor: Visitor) -> holdings.Holding:
        """What the visitor has in the store, and may still send there."""
        base = uploads_prefix(visitor.namespace, f"uploads/{visitor.owner}/")
        objects = await self.grants.list(base)
        if len(objects) >= MOST_LISTED:
            raise Problem(Code.TOO_MANY_BYTES)
        there = holdings.arrived(objects, base)
        return holdings.Holding(there, self.forms.living(visitor, _now()))

    async def shown(self, visitor: Visitor, document: Document) -> RequestView:
        """A request as its owner sees it; one that cannot be read spoils no other."""
        links = self.links(visitor, str(document["metadata"]["name"]))
        # The first links of a request ask the store for credentials.
        return await asyncio.to_thread(_view, document, links)


def connect_redis(url: str) -> Any:
    """A client that connects when it is needed; None for no URL."""
    if not url:
        return None
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        max_connections=REDIS_CONNECTIONS,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()


def _view(document: Document, links: Links) -> RequestView:
    try:
        return request_view(document, links)
    except UNREADABLE_ERRORS as error:
        log.warning("request %r cannot be read: %s", document["metadata"]["name"], type(error).__name__)
        return unreadable_view(document)


def _page(request: Request) -> Page:
    page: Page = request.app.state.page
    return page


def _visitor(request: Request) -> Visitor:
    """Whom the door let in."""
    visitor: Visitor = request.state.visitor
    return visitor


Served = Annotated[Page, Depends(_page)]
Visits = Annotated[Visitor, Depends(_visitor)]
api = APIRouter(prefix="/api")


def make_app(config: WebConfig, environment: Mapping[str, str], around: Around = Around()) -> FastAPI:
    """The application; nothing is connected before it starts. Raises ConfigError."""
    keys = read_keys(environment, config.sign_in)
    page = Page(config, environment, around)
    app = FastAPI(title="Profile Studio", lifespan=page.running, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.page = page
    app.include_router(api)
    app.get("/healthz")(_health)
    app.get("/readyz")(_health)
    app.mount("/", StaticFiles(directory=STATIC, html=True))
    app.add_middleware(Door, config=config, keys=keys)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(StoreError, _store_away)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


async def _health() -> dict[str, str]:
    return {"status": "up"}


# --- who visits, and what is offered --------------------------------------------------------------------------------


@api.get("/session")
async def session(page: Served, visitor: Visits) -> dict[str, Any]:
    """Who visits, and what the page must know to ask."""
    config = page.config
    local = config.sign_in.mode == "Local"
    return {
        "user": visitor.user,
        "local": local,
        "limits": config.limits.document(),
        "layouts": [layout.document() for layout in layout_views()],
        "draft": wishes.new_draft(),
        "draftHours": max(1, config.drafts.seconds // 3600),
        "retain": config.defaults.deletion_policy is DeletionPolicy.RETAIN,
    }


@api.get("/styles")
async def styles(page: Served) -> list[dict[str, Any]]:
    """The styles of this cluster."""
    found: list[StyleView] = []
    for document in await page.cluster.styles():
        try:
            found.append(style_view(document, _sample(document["metadata"]["name"])))
        except ValidationError:
            log.warning("style %r cannot be read and is not offered", document["metadata"]["name"])
    return [style.document() for style in found]


def _sample(style: str) -> str:
    """A picture of what a style of the chart looks like, where there is one."""
    file = f"samples/{style}.jpg"
    return f"/{file}" if (STATIC / file).is_file() else ""


# --- photos ---------------------------------------------------------------------------------------------------------


@api.get("/uploads/{draft}")
async def photos(draft: Draft, page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """The photos of a draft that are there already."""
    prefix = page.prefix(visitor, draft)
    there = await page.grants.list(prefix)
    links = page.links(visitor, draft)
    names = [one.key.removeprefix(prefix) for one in there]
    urls = await asyncio.to_thread(lambda: [links(one.key) for one in there])
    return [{"name": name, "url": url} for name, url in zip(names, urls, strict=True)]


@api.post("/uploads")
async def uploads(wish: UploadWish, page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """A form for each photo, with which the browser sends it to the store itself."""
    prefix, limits = page.prefix(visitor, wish.draft), page.config.limits
    page.check_not_deleted(prefix)
    async with page.lock(visitor):
        holding = await page.holding(visitor)
        refused = await _unusable(page, visitor, wish.draft, holding)
        holdings.check_photos(holding, wish.draft, wish.photos, limits, refused)
        taken = holding.names(wish.draft)
        forms: list[Upload] = []
        for photo in wish.photos:
            name = wishes.photo_name(photo, taken)
            taken.add(name)
            forms.append(await page.grants.upload(prefix, name, photo.type, photo.bytes))
            # What is sent under this name from now on is meant to stay.
            await page.purges.cancel(prefix + name)
            given = holdings.Form(bytes=photo.bytes, ends=_now() + UPLOAD_SECONDS)
            page.forms.give(visitor, wish.draft, name, given)
    metrics.UPLOADS.inc(len(forms))
    return [form.document() for form in forms]


async def _unusable(page: Page, visitor: Visitor, draft: str, holding: holdings.Holding) -> set[str]:
    """Whether there may be such a draft, if it is none of the visitor's requests; of a request, the photos that could
    not be used. Raises Problem."""
    requests = {str(one["metadata"]["name"]): one for one in await page.cluster.requests(visitor)}
    holdings.check_drafts(holding, draft, requests, page.config.limits)
    return refused_photos(requests[draft]) if draft in requests else set()


@api.delete("/uploads/{draft}/{name}", status_code=204)
async def forget_photo(draft: Draft, name: str, page: Served, visitor: Visits) -> None:
    """Take a photo away again."""
    prefix = page.prefix(visitor, draft)
    if prefix + name not in {one.key for one in await page.grants.list(prefix)}:
        raise Problem(Code.PHOTO_NOT_FOUND)
    page.forms.retire(visitor, draft, name)
    await page.purges.schedule(prefix + name)
    await page.grants.remove(prefix + name)


# --- requests -------------------------------------------------------------------------------------------------------


@api.get("/requests")
async def requests(page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """The visitor's requests, the newest first."""
    found = await page.cluster.requests(visitor)
    shown = await asyncio.gather(*(page.shown(visitor, document) for document in found))
    return [view.document() for view in shown]


@api.post("/requests", status_code=201)
async def create(wish: Wish, page: Served, visitor: Visits) -> dict[str, Any]:
    """Make a ProfileRequest of photos that were sent."""
    limits = page.config.limits
    page.check_not_deleted(page.prefix(visitor, wish.draft))
    if wish.portraits > limits.most_portraits:
        raise Problem(Code.INVALID, field="portraits")
    async with page.lock(visitor):
        if not await page.grants.list(page.prefix(visitor, wish.draft)):
            raise Problem(Code.NO_PHOTOS)
        holdings.check_requests([request_state(one) for one in await page.cluster.requests(visitor)], limits)
        made = await page.cluster.create(visitor, wishes.manifest(wish, visitor, page.config.defaults))
    return (await page.shown(visitor, made)).document()


@api.get("/requests/{name}")
async def one(name: Draft, page: Served, visitor: Visits) -> dict[str, Any]:
    """One request."""
    return (await page.shown(visitor, await page.cluster.request(visitor, name))).document()


@api.post("/requests/{name}/look-again", status_code=204)
async def look_again(name: Draft, page: Served, visitor: Visits) -> None:
    """Photos came or went. Where there are too many now, those that could not be used make room."""
    document = await page.cluster.request(visitor, name)
    prefix = page.prefix(visitor, name)
    there = {one.key.removeprefix(prefix) for one in await page.grants.list(prefix)}
    if len(there) > page.config.limits.most_photos:
        for photo in there & refused_photos(document):
            await page.grants.remove(prefix + photo)
    await page.cluster.look_again(visitor, name)


@api.post("/requests/{name}/look")
async def look(name: Draft, wish: Look, page: Served, visitor: Visits) -> dict[str, Any]:
    """Another look for the same person: what was learnt of them is used again."""
    limits = page.config.limits
    if wish.portraits > limits.most_portraits:
        raise Problem(Code.INVALID, field="portraits")
    async with page.lock(visitor):
        document = await page.cluster.request(visitor, name)
        if not may_look_otherwise(document):
            raise Problem(Code.NOT_AT_REST)
        others = [one for one in await page.cluster.requests(visitor) if one["metadata"]["name"] != name]
        holdings.check_active([request_state(one) for one in others], limits)
        changed = await page.cluster.look_otherwise(visitor, document, wish)
    return (await page.shown(visitor, changed)).document()


@api.delete("/requests/{name}", status_code=204)
async def delete(name: Draft, page: Served, visitor: Visits) -> None:
    """Delete a request, everything that it made, and the photos that were sent for it."""
    prefix = page.prefix(visitor, name)
    # The request first: photos that go while it still looks at them would look like a mistake of the visitor.
    await page.cluster.delete(visitor, name)
    page.forms.retire(visitor, name)
    page.deleted[prefix] = _now() + AGAIN_SECONDS[-1]
    # Forms that were given before live on for a while.
    await page.purges.schedule(prefix)
    page.grants.signers.forget(request_prefix(visitor.namespace, name))
    await page.grants.delete(prefix)


@api.get("/requests/{name}/events")
async def events(name: Draft, page: Served, visitor: Visits) -> EventSourceResponse:
    """The request as it changes, see `live.Watch`."""
    most = page.config.limits.streams
    if page.watch.streams(visitor) >= most:
        raise Problem(Code.TOO_MANY_STREAMS, most=most)
    await page.cluster.request(visitor, name)
    links = page.links(visitor, name)
    told = page.watch.follow(visitor, name, lambda document: _view(document, links).to_json(), most)
    return EventSourceResponse(_counted(told), ping=PING_SECONDS)


@api.get("/requests/{name}/comparisons")
async def comparisons(name: Draft, page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """Delivered portraits beside the same in other tones; none before there are portraits."""
    document = await page.cluster.request(visitor, name)
    made = request_prefix(visitor.namespace, name)
    key = _status(document).likeness_report
    if not key or not is_below(made, key):
        return []
    try:
        report = LikenessReport.model_validate_json(await asyncio.to_thread(page.grants.read, key, MOST_REPORT_BYTES))
    except NotFound:
        return []
    except ValidationError:
        log.warning("the likeness report of %r cannot be read", name)
        return []
    rows = await asyncio.to_thread(comparison_views, report, made, page.links(visitor, name))
    return [row.document() for row in rows]


@api.get("/requests/{name}/portraits.zip")
async def portraits(name: Draft, page: Served, visitor: Visits) -> StreamingResponse:
    """Everything that was delivered."""
    document = await page.cluster.request(visitor, name)
    files = downloads.files_of(_status(document), request_prefix(visitor.namespace, name))
    if not files:
        raise Problem(Code.NO_PORTRAITS)
    title = str((document["metadata"].get("annotations") or {}).get(TITLE_ANNOTATION, ""))
    headers = {"Content-Disposition": downloads.disposition(name, title)}
    return StreamingResponse(downloads.zipped(files, page.grants.read), headers=headers, media_type="application/zip")


def _status(document: Document) -> ProfileRequestStatus:
    """Raises Problem for one that this version cannot read."""
    try:
        return ProfileRequestStatus.model_validate(document.get("status") or {})
    except ValidationError:
        raise Problem(Code.NO_PORTRAITS) from None


async def _counted(told: AsyncIterator[ServerSentEvent]) -> AsyncIterator[ServerSentEvent]:
    metrics.STREAMS.inc()
    try:
        async for event in told:
            yield event
    finally:
        metrics.STREAMS.dec()


# --- problems -------------------------------------------------------------------------------------------------------

Handler = Callable[[Request, Exception], Awaitable[Response]]


async def _problem(_: Request, error: Exception) -> Response:
    return problem_answer(error if isinstance(error, Problem) else Problem(Code.INTERNAL))


async def _store_away(_: Request, error: Exception) -> Response:
    return problem_answer(store_problem(error) if isinstance(error, StoreError) else Problem(Code.INTERNAL))


async def _invalid(_: Request, error: Exception) -> Response:
    """Which field it was; what was sent is not sent back."""
    fields = (
        [".".join(map(str, one["loc"][1:])) for one in error.errors()]
        if isinstance(error, RequestValidationError)
        else []
    )
    return problem_answer(Problem(Code.INVALID, field=", ".join(fields[:5])))


async def _http(_: Request, error: Exception) -> Response:
    """What the framework says itself: unknown paths and methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return problem_answer(Problem(Code.NO_SUCH_PAGE if status in (NOT_FOUND, 405) else Code.INVALID, field=""))
