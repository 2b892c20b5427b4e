"""Requests: listed, made, followed while they change, deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from profile_contract.artifacts import request_prefix
from profile_runtime.kubernetes.resources import Document
from profile_web import holdings, metrics, wishes
from profile_web.page import Page, clock, readable_view
from profile_web.problems import Code, Problem
from profile_web.purges import AGAIN_SECONDS
from profile_web.view_models import PreviewView
from profile_web.views import UNREADABLE_ERRORS, preview_view, refused_photos, request_state
from profile_web.visitor import Visitor
from profile_web.wishes import Draft, Wish

from .dependencies import PREFIX, Placed, Served

log = logging.getLogger(__name__)

api = APIRouter(prefix=PREFIX)


@api.get("/requests")
async def requests(page: Served, visitor: Placed) -> list[dict[str, Any]]:
    """The visitor's requests, the newest first."""
    documents = await page.cluster.requests(visitor)
    shown = await asyncio.gather(*(page.shown(visitor, document) for document in documents))
    return [view.document() for view in shown]


@api.post("/requests", status_code=201)
async def create(wish: Wish, page: Served, visitor: Placed) -> dict[str, Any]:
    """Make a ProfileRequest of photos that were sent."""
    limits = page.config.limits
    page.check_not_deleted(page.prefix(visitor, wish.draft))
    if wish.portraits > limits.most_portraits:
        raise Problem(Code.INVALID, field="portraits")
    async with page.lock(visitor):
        if not await page.bucket.list(page.prefix(visitor, wish.draft)):
            raise Problem(Code.NO_PHOTOS)
        others = await page.cluster.requests(visitor)
        holdings.check_requests([request_state(other) for other in others], limits)
        request = await page.cluster.create(visitor, wishes.manifest(wish, visitor, page.config.defaults))
    await _ask_for_preview(page, visitor, wish, request)
    return (await page.shown(visitor, request)).document()


async def _ask_for_preview(page: Page, visitor: Visitor, wish: Wish, request: Document) -> None:
    """Ask for a first picture, which needs no training, where a style is offered that draws one. Without it nothing is
    lost: who cannot have it is told nothing."""
    try:
        style = wishes.preview_style(await page.cluster.styles(visitor.namespace), wish.styles)
        manifest = wishes.preview_manifest(wish, visitor, style, request) if style is not None else None
        if manifest is not None:
            await page.cluster.create(visitor, manifest)
    except Problem as problem:
        log.warning("no first picture is asked for: %s", problem.code)


@api.get("/requests/{name}/preview")
async def preview(name: Draft, page: Served, visitor: Placed) -> dict[str, Any]:
    """What can be seen of a request before its person is learnt."""
    await page.cluster.request(visitor, name)
    document = await page.cluster.preview(visitor, name)
    if document is None:
        return PreviewView().document()
    shown = str(document["metadata"]["name"])
    links = page.bucket.links(page.prefix(visitor, name), request_prefix(visitor.area, shown))
    try:
        return (await asyncio.to_thread(preview_view, document, links)).document()
    except UNREADABLE_ERRORS:
        return PreviewView(state="Stalled").document()


@api.get("/requests/{name}")
async def request(name: Draft, page: Served, visitor: Placed) -> dict[str, Any]:
    """One request."""
    return (await page.shown(visitor, await page.cluster.request(visitor, name))).document()


@api.post("/requests/{name}/look-again", status_code=204)
async def look_again(name: Draft, page: Served, visitor: Placed) -> None:
    """Photos came or went. Where there are too many now, those that could not be used make room."""
    document = await page.cluster.request(visitor, name)
    prefix = page.prefix(visitor, name)
    there = {photo.key.removeprefix(prefix) for photo in await page.bucket.list(prefix)}
    if len(there) > page.config.limits.most_photos:
        for photo in there & refused_photos(document):
            await page.bucket.remove(prefix + photo)
    await page.cluster.look_again(visitor, name)


@api.delete("/requests/{name}", status_code=204)
async def delete(name: Draft, page: Served, visitor: Placed) -> None:
    """Delete a request, everything that it made, and the photos that were sent for it."""
    prefix = page.prefix(visitor, name)
    # The request first: photos that go while it still looks at them would look like a mistake of the visitor.
    await page.cluster.delete(visitor, name)
    page.forms.retire(visitor, name)
    page.deleted[prefix] = clock() + AGAIN_SECONDS[-1]
    # Forms that were given before live on for a while.
    await page.purges.schedule(prefix)
    page.bucket.signers.forget(request_prefix(visitor.area, name))
    shown = wishes.preview_name(name)
    if shown is not None:
        page.bucket.signers.forget(request_prefix(visitor.area, shown))
    await page.bucket.delete(prefix)


async def _events(name: Draft, page: Served, visitor: Placed) -> AsyncIterator[ServerSentEvent]:
    """The events of a request that the visitor may follow. Raises Problem, before the answer begins."""
    most = page.config.limits.streams
    if page.watch.streams(visitor) >= most:
        raise Problem(Code.TOO_MANY_STREAMS, most=most)
    await page.cluster.request(visitor, name)
    links = page.links(visitor, name)
    return page.watch.follow(visitor, name, lambda document: readable_view(document, links).to_json(), most)


@api.get("/requests/{name}/events", response_class=EventSourceResponse)
async def events(
    followed: Annotated[AsyncIterator[ServerSentEvent], Depends(_events)],
) -> AsyncIterator[ServerSentEvent]:
    """The request as it changes, see `live.Watch`. While nothing happens the framework pings."""
    metrics.STREAMS.inc()
    try:
        async for event in followed:
            yield event
    finally:
        metrics.STREAMS.dec()
