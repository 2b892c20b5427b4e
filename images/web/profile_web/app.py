"""The page's HTTP interface: thin; what is shown and asked for is decided in `views` and `wishes`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent

from profile_contract.artifacts import uploads_prefix
from profile_contract.request import ProfileRequestStatus
from profile_contract.store import StoreError

from . import downloads, live, metrics, wishes
from .cluster import Cluster, ClusterAway, Refused, connect
from .config import WebConfig
from .grants import Grants, Upload
from .views import StyleView, layout_views, request_view, style_view
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


def make_app(config: WebConfig, environment: Mapping[str, str]) -> FastAPI:
    """The application; nothing is connected before it starts."""
    page = Page(config, environment)
    app = FastAPI(title="Profile Studio", lifespan=page.running, docs_url=None, redoc_url=None, openapi_url=None)

    def visitor(request: Request) -> Visitor:
        return visitor_of(request.headers, config.sign_in, config.namespaces)

    _add_lists(app, page, visitor)
    _add_uploads(app, page, visitor)
    _add_requests(app, page, visitor)
    _add_results(app, page, visitor)
    app.get("/healthz")(_health)
    app.mount("/", StaticFiles(directory=STATIC, html=True))
    app.middleware("http")(_guard(page.grants.origin))
    for kind, status in ERRORS.items():
        app.add_exception_handler(kind, _answer(status))
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


Visits = Callable[[Request], Visitor]


async def _health() -> dict[str, str]:
    return {"status": "up"}


def _add_lists(app: FastAPI, page: Page, visits: Visits) -> None:
    @app.get("/api/session")
    async def session(visitor: Annotated[Visitor, Depends(visits)]) -> dict[str, Any]:
        limits = page.config.limits.document()
        layouts = [layout.document() for layout in layout_views()]
        return {"user": visitor.user, "limits": limits, "layouts": layouts, "draft": wishes.new_draft()}

    @app.get("/api/styles", dependencies=[Depends(visits)])
    async def styles() -> list[dict[str, Any]]:
        found: list[StyleView] = []
        for document in await page.cluster.styles():
            try:
                found.append(style_view(document, _sample(document["metadata"]["name"])))
            except ValidationError:
                log.warning("style %s cannot be read and is not offered", document["metadata"]["name"])
        return [style.document() for style in found]

    @app.get("/api/requests")
    async def requests(visitor: Annotated[Visitor, Depends(visits)]) -> list[dict[str, Any]]:
        found = await page.cluster.requests(visitor)
        return [request_view(document, page.grants.picture).document() for document in found]


def _sample(style: str) -> str:
    """A picture of what a style of the chart looks like, where there is one."""
    file = f"samples/{style}.jpg"
    return f"/{file}" if (STATIC / file).is_file() else ""


def _add_uploads(app: FastAPI, page: Page, visits: Visits) -> None:
    @app.post("/api/uploads")
    async def uploads(wish: UploadWish, visitor: Annotated[Visitor, Depends(visits)]) -> list[dict[str, Any]]:
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

    @app.delete("/api/uploads/{draft}/{name}", status_code=204)
    async def forget_photo(draft: Draft, name: str, visitor: Annotated[Visitor, Depends(visits)]) -> None:
        if name not in await page.grants.names(page.prefix(visitor, draft)):
            raise Refused(404, "this photo is not there any more")
        await page.grants.delete(page.prefix(visitor, draft) + name)


def _add_requests(app: FastAPI, page: Page, visits: Visits) -> None:
    @app.post("/api/requests", status_code=201)
    async def create(wish: Wish, visitor: Annotated[Visitor, Depends(visits)]) -> dict[str, Any]:
        if not await page.grants.names(page.prefix(visitor, wish.draft)):
            raise Refused(422, "no photos were sent yet")
        made = await page.cluster.create(visitor, wishes.manifest(wish, visitor))
        return request_view(made, page.grants.picture).document()

    @app.get("/api/requests/{name}")
    async def one(name: str, visitor: Annotated[Visitor, Depends(visits)]) -> dict[str, Any]:
        return request_view(await page.cluster.request(visitor, name), page.grants.picture).document()

    @app.post("/api/requests/{name}/look-again", status_code=204)
    async def look_again(name: str, visitor: Annotated[Visitor, Depends(visits)]) -> None:
        await page.cluster.look_again(visitor, name)

    @app.delete("/api/requests/{name}", status_code=204)
    async def delete(name: Draft, visitor: Annotated[Visitor, Depends(visits)]) -> None:
        # The request first: photos that go while it still looks at them would look like a mistake of the visitor.
        await page.cluster.delete(visitor, name)
        await page.grants.delete(page.prefix(visitor, name))


def _add_results(app: FastAPI, page: Page, visits: Visits) -> None:
    @app.get("/api/requests/{name}/events")
    async def events(name: str, visitor: Annotated[Visitor, Depends(visits)]) -> EventSourceResponse:
        await page.cluster.request(visitor, name)
        told = live.follow(page.cluster, page.progress, visitor, name, page.grants.picture)
        return EventSourceResponse(_counted(told), ping=PING_SECONDS)

    @app.get("/api/requests/{name}/portraits.zip")
    async def portraits(name: str, visitor: Annotated[Visitor, Depends(visits)]) -> StreamingResponse:
        document = await page.cluster.request(visitor, name)
        status = ProfileRequestStatus.model_validate(document.get("status") or {})
        files = downloads.files_of(status)
        if not files:
            raise Refused(404, "there are no portraits yet")
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        return StreamingResponse(
            downloads.zipped(files, page.grants.read), headers=headers, media_type="application/zip"
        )


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
