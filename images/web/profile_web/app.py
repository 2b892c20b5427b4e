"""The page's application: routes, static files, the door before them, and problems as answers."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from profile_runtime.store.port import StoreError

from .answers import STATIC, problem_answer
from .bucket import store_problem
from .config import WebConfig, read_keys
from .door import Door
from .page import Backends, Page
from .problems import NOT_FOUND, Code, Problem
from .routes import downloads, looks, photos, requests, session

METHOD_NOT_ALLOWED = 405


def make_app(config: WebConfig, environment: Mapping[str, str], backends: Backends | None = None) -> FastAPI:
    """The application; nothing is connected before it starts. Raises ConfigError."""
    keys = read_keys(environment, config.sign_in)
    page = Page(config, environment, backends or Backends())
    app = FastAPI(title="Profile Studio", lifespan=page.running, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.page = page
    for concept in (session, photos, requests, looks, downloads):
        app.include_router(concept.api)
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


async def _problem(_: Request, error: Exception) -> Response:
    return problem_answer(error if isinstance(error, Problem) else Problem(Code.INTERNAL))


async def _store_away(_: Request, error: Exception) -> Response:
    return problem_answer(store_problem(error) if isinstance(error, StoreError) else Problem(Code.INTERNAL))


async def _invalid(_: Request, error: Exception) -> Response:
    """Which field it was; what was sent is not sent back."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    fields = [".".join(map(str, field["loc"][1:])) for field in errors]
    return problem_answer(Problem(Code.INVALID, field=", ".join(fields[:5])))


async def _http(_: Request, error: Exception) -> Response:
    """What the framework says itself: unknown paths and methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    unknown = status in (NOT_FOUND, METHOD_NOT_ALLOWED)
    return problem_answer(Problem(Code.NO_SUCH_PAGE if unknown else Code.INVALID, field=""))
