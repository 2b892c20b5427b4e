"""Looks: another one asked of a request, and delivered ones beside each other."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError

from profile_contract.artifacts import REPORT, folder_of, request_prefix
from profile_contract.likeness import ShownLikeness
from profile_contract.resource import status_of
from profile_contract.stages.finish import FinishReport
from profile_runtime.store.port import NotFound
from profile_web import holdings
from profile_web.bucket import MOST_REPORT_BYTES
from profile_web.problems import Code, Problem
from profile_web.views import (
    comparison_views,
    cut_views,
    is_below,
    may_look_otherwise,
    request_state,
)
from profile_web.wishes import Draft, LookWish

from .dependencies import PREFIX, Placed, Served

log = logging.getLogger(__name__)

api = APIRouter(prefix=PREFIX)


@api.post("/requests/{name}/look")
async def look(name: Draft, wish: LookWish, page: Served, visitor: Placed) -> dict[str, Any]:
    """Another look for the same person: what was learnt of them is used again."""
    limits = page.config.limits
    if wish.portraits > limits.most_portraits:
        raise Problem(Code.INVALID, field="portraits")
    async with page.lock(visitor):
        document = await page.cluster.request(visitor, name)
        if not may_look_otherwise(document):
            raise Problem(Code.NOT_AT_REST)
        others = [other for other in await page.cluster.requests(visitor) if other["metadata"]["name"] != name]
        holdings.check_active([request_state(other) for other in others], limits)
        changed = await page.cluster.look_otherwise(visitor, document, wish)
    return (await page.shown(visitor, changed)).document()


@api.get("/requests/{name}/comparisons")
async def comparisons(name: Draft, page: Served, visitor: Placed) -> list[dict[str, Any]]:
    """Delivered portraits beside the same in other tones; none before there are portraits."""
    document = await page.cluster.request(visitor, name)
    area = request_prefix(visitor.area, name)
    key = status_of(document).likeness_report
    if not key or not is_below(area, key):
        return []
    try:
        report = ShownLikeness.model_validate_json(await asyncio.to_thread(page.bucket.read, key, MOST_REPORT_BYTES))
    except NotFound:
        return []
    except ValidationError:
        log.warning("the likeness report of %r cannot be read", name)
        return []
    rows = await asyncio.to_thread(comparison_views, report, area, page.links(visitor, name))
    return [row.document() for row in rows]


@api.get("/requests/{name}/checks")
async def checks(name: Draft, page: Served, visitor: Placed) -> list[dict[str, Any]]:
    """What the cuts of delivered portraits did not meet, as the finisher measured; none before there are portraits."""
    status = status_of(await page.cluster.request(visitor, name))
    # It stands beside the likeness report, which the status names.
    key = folder_of(status.likeness_report) + REPORT if status.likeness_report else ""
    if not is_below(request_prefix(visitor.area, name), key):
        return []
    try:
        report = FinishReport.model_validate_json(await asyncio.to_thread(page.bucket.read, key, MOST_REPORT_BYTES))
    except NotFound:
        return []
    except ValidationError:
        log.warning("the finisher's report of %r cannot be read", name)
        return []
    return [cut.document() for cut in cut_views(report)]
