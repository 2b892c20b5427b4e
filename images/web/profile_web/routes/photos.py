"""Photos of a draft or a request: listed, sent by forms, taken away again."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from profile_web import holdings, metrics, wishes
from profile_web.bucket import UPLOAD_SECONDS, Upload
from profile_web.page import Page, clock
from profile_web.problems import Code, Problem
from profile_web.views import refused_photos
from profile_web.visitor import Visitor
from profile_web.wishes import Draft, UploadWish

from .dependencies import PREFIX, Placed, Served

api = APIRouter(prefix=PREFIX)


@api.get("/uploads/{draft}")
async def photos(draft: Draft, page: Served, visitor: Placed) -> list[dict[str, Any]]:
    """The photos of a draft that are there already."""
    prefix = page.prefix(visitor, draft)
    there = await page.bucket.list(prefix)
    links = page.links(visitor, draft)
    urls = await asyncio.to_thread(lambda: [links(photo.key) for photo in there])
    return [{"name": photo.key.removeprefix(prefix), "url": url} for photo, url in zip(there, urls, strict=True)]


@api.post("/uploads")
async def uploads(wish: UploadWish, page: Served, visitor: Placed) -> list[dict[str, Any]]:
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
            forms.append(await page.bucket.upload(prefix, name, photo.type, photo.bytes))
            # What is sent under this name from now on is meant to stay.
            await page.purges.cancel(prefix + name)
            given = holdings.Form(bytes=photo.bytes, ends=clock() + UPLOAD_SECONDS)
            page.forms.give(visitor, wish.draft, name, given)
    metrics.UPLOADS.inc(len(forms))
    return [form.document() for form in forms]


async def _unusable(page: Page, visitor: Visitor, draft: str, holding: holdings.Holding) -> set[str]:
    """Whether there may be such a draft, if it is none of the visitor's requests; of a request, the photos that could
    not be used. Raises Problem."""
    requests = {str(request["metadata"]["name"]): request for request in await page.cluster.requests(visitor)}
    holdings.check_drafts(holding, draft, requests, page.config.limits)
    return refused_photos(requests[draft]) if draft in requests else set()


@api.delete("/uploads/{draft}/{name}", status_code=204)
async def forget_photo(draft: Draft, name: str, page: Served, visitor: Placed) -> None:
    """Take a photo away again."""
    prefix = page.prefix(visitor, draft)
    if prefix + name not in {photo.key for photo in await page.bucket.list(prefix)}:
        raise Problem(Code.PHOTO_NOT_FOUND)
    page.forms.retire(visitor, draft, name)
    await page.purges.schedule(prefix + name)
    await page.bucket.remove(prefix + name)
