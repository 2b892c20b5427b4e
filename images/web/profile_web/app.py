"""The page's HTTP interface: thin; what is shown and asked for is decided in `views` and `wishes`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent

from profile_contract.artifacts import uploads_prefix
from profile_contract.request import ProfileRequestStatus
from profile_contract.store import NotFound, StoreError

from . import downloads, live, metrics, wishes
from .cluster import Cluster, ClusterAway, Refused, connect
from .config import WebConfig
from .grants import Grants, Upload
from .views import LikenessReport, StyleView, comparison_views, layout_views, request_view, style_view
from .visitor import NoPlace, NotSignedIn, Visitor, visitor_of
from .wishes import Draft, UploadWish, Wish

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
# Sent by the page's own script with everything that changes something: a form of another site cannot set it, and a
# script of another site would have to ask first (and is refused).
PAGE_HEADER = "x-profile-studio"
SAFE_METHODS = ("GET", "HEAD")
PING_SECONDS = 15
NO_LEAVE = 403


class Page:
    """What the routes share."""

    def __init__(self, config: WebConfig, environment: Mapping[str, str]) -> None:
        self.config = config
        self.grants = Grants(config.store, environment)
        self.progress = live.Progress(environment.get("PROFILE_REDIS", ""))
        self.cluster: Cluster

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Connections for as long as the program runs."""
        self.cluster = await connect()
        yield
        await self.progress.close()
        await self.cluster.close()

    def prefix(self, visitor: Visitor, draft: str) -> str:
        """The key prefix of a request's photos."""
        return uploads_prefix(visitor.namespace, wishes.photos_prefix(visitor, draft))


def _page(request: Request) -> Page:
    page: Page = request.app.state.page
    return page


def _visitor(request: Request) -> Visitor:
    config = _page(request).config
    return visitor_of(request.headers, config.sign_in, config.namespaces)


Served = Annotated[Page, Depends(_page)]
Visits = Annotated[Visitor, Depends(_visitor)]
api = APIRouter(prefix="/api")


def make_app(config: WebConfig, environment: Mapping[str, str]) -> FastAPI:
    """The application; nothing is connected before it starts."""
    page = Page(config, environment)
    app = FastAPI(title="Profile Studio", lifespan=page.running, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.page = page
    app.include_router(api)
    app.get("/healthz")(_health)
    app.mount("/", StaticFiles(directory=STATIC, html=True))
    app.middleware("http")(_guard(page.grants.origin))
    for kind, status in ERRORS.items():
        app.add_exception_handler(kind, _answer(status))
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


async def _health() -> dict[str, str]:
    return {"status": "up"}


# --- who visits, and what is offered --------------------------------------------------------------------------------


@api.get("/session")
async def session(page: Served, visitor: Visits) -> dict[str, Any]:
    """Who visits, and what the page must know to ask."""
    limits = page.config.limits.document()
    layouts = [layout.document() for layout in layout_views()]
    return {"user": visitor.user, "limits": limits, "layouts": layouts, "draft": wishes.new_draft()}


@api.get("/styles", dependencies=[Depends(_visitor)])
async def styles(page: Served) -> list[dict[str, Any]]:
    """The styles of this cluster."""
    found: list[StyleView] = []
    for document in await page.cluster.styles():
        try:
            found.append(style_view(document, _sample(document["metadata"]["name"])))
        except ValidationError:
            log.warning("style %s cannot be read and is not offered", document["metadata"]["name"])
    return [style.document() for style in found]


def _sample(style: str) -> str:
    """A picture of what a style of the chart looks like, where there is one."""
    file = f"samples/{style}.jpg"
    return f"/{file}" if (STATIC / file).is_file() else ""


# --- photos ---------------------------------------------------------------------------------------------------------


@api.post("/uploads")
async def uploads(wish: UploadWish, page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """A form for each photo, with which the browser sends it to the store itself."""
    prefix, limits = page.prefix(visitor, wish.draft), page.config.limits
    taken = set(await page.grants.names(prefix))
    if len(taken) + len(wish.photos) > limits.most_photos:
        raise Refused(422, f"at most {limits.most_photos} photos can be sent, {len(taken)} are there already")
    forms: list[Upload] = []
    for photo in wish.photos:
        name = wishes.photo_name(photo, taken)
        taken.add(name)
        forms.append(page.grants.upload(prefix, name, photo.type, limits.photo_bytes))
    metrics.UPLOADS.inc(len(forms))
    return [form.document() for form in forms]


@api.delete("/uploads/{draft}/{name}", status_code=204)
async def forget_photo(draft: Draft, name: str, page: Served, visitor: Visits) -> None:
    """Take a photo away again."""
    if name not in await page.grants.names(page.prefix(visitor, draft)):
        raise Refused(404, "this photo is not there any more")
    await page.grants.delete(page.prefix(visitor, draft) + name)


# --- requests -------------------------------------------------------------------------------------------------------


@api.get("/requests")
async def requests(page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """The visitor's requests, the newest first."""
    found = await page.cluster.requests(visitor)
    return [request_view(document, page.grants.picture).document() for document in found]


@api.post("/requests", status_code=201)
async def create(wish: Wish, page: Served, visitor: Visits) -> dict[str, Any]:
    """Make a ProfileRequest of photos that were sent."""
    if not await page.grants.names(page.prefix(visitor, wish.draft)):
        raise Refused(422, "no photos were sent yet")
    made = await page.cluster.create(visitor, wishes.manifest(wish, visitor, page.config.defaults))
    return request_view(made, page.grants.picture).document()


@api.get("/requests/{name}")
async def one(name: Draft, page: Served, visitor: Visits) -> dict[str, Any]:
    """One request."""
    return request_view(await page.cluster.request(visitor, name), page.grants.picture).document()


@api.post("/requests/{name}/look-again", status_code=204)
async def look_again(name: Draft, page: Served, visitor: Visits) -> None:
    """Photos came or went."""
    await page.cluster.look_again(visitor, name)


@api.delete("/requests/{name}", status_code=204)
async def delete(name: Draft, page: Served, visitor: Visits) -> None:
    """Delete a request, everything that it made, and the photos that were sent for it."""
    # The request first: photos that go while it still looks at them would look like a mistake of the visitor.
    await page.cluster.delete(visitor, name)
    await page.grants.delete(page.prefix(visitor, name))


@api.get("/requests/{name}/events")
async def events(name: Draft, page: Served, visitor: Visits) -> EventSourceResponse:
    """The request as it changes, see `live.follow`."""
    await page.cluster.request(visitor, name)
    told = live.follow(page.cluster, page.progress, visitor, name, page.grants.picture)
    return EventSourceResponse(_counted(told), ping=PING_SECONDS)


@api.get("/requests/{name}/comparisons")
async def comparisons(name: Draft, page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """Delivered portraits beside the same in other tones; none before there are portraits."""
    document = await page.cluster.request(visitor, name)
    key = ProfileRequestStatus.model_validate(document.get("status") or {}).likeness_report
    if not key:
        return []
    try:
        report = LikenessReport.model_validate_json(await asyncio.to_thread(page.grants.read, key))
    except NotFound:
        return []
    return [row.document() for row in comparison_views(report, page.grants.picture)]


@api.get("/requests/{name}/portraits.zip")
async def portraits(name: Draft, page: Served, visitor: Visits) -> StreamingResponse:
    """Everything that was delivered."""
    document = await page.cluster.request(visitor, name)
    files = downloads.files_of(ProfileRequestStatus.model_validate(document.get("status") or {}))
    if not files:
        raise Refused(404, "there are no portraits yet")
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return StreamingResponse(downloads.zipped(files, page.grants.read), headers=headers, media_type="application/zip")


async def _counted(told: AsyncIterator[ServerSentEvent]) -> AsyncIterator[ServerSentEvent]:
    metrics.STREAMS.inc()
    try:
        async for event in told:
            yield event
    finally:
        metrics.STREAMS.dec()


# --- guards and errors ----------------------------------------------------------------------------------------------

ERRORS: dict[type[Exception], int] = {NotSignedIn: 401, NoPlace: NO_LEAVE, ClusterAway: 503, StoreError: 503}

Next = Callable[[Request], Awaitable[Response]]


def _guard(store_origin: str) -> Callable[[Request, Next], Awaitable[Response]]:
    """Refuses changes that the page's own script did not ask for, and says what a browser may load."""
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: {store_origin}; "
        f"connect-src 'self' {store_origin}; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )

    async def guard(request: Request, go_on: Next) -> Response:
        if request.method not in SAFE_METHODS and PAGE_HEADER not in request.headers:
            response: Response = JSONResponse({"message": "only the page itself may ask for this"}, NO_LEAVE)
        else:
            response = await go_on(request)
        route = getattr(request.scope.get("route"), "path", "other")
        metrics.ANSWERS.labels(route=route, status=f"{response.status_code // 100}xx").inc()
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store" if request.url.path.startswith("/api/") else "no-cache"
        return response

    return guard


def _answer(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(_: Request, error: Exception) -> Response:
        return JSONResponse({"message": str(error)}, status)

    return answer


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refused) and 400 <= error.status < 500 else 502
    return JSONResponse({"message": str(error)}, status)


async def _invalid(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()[:5])
    return JSONResponse({"message": f"this cannot be asked for: {problems}"}, 422)
