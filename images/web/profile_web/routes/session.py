"""Who visits, and what is offered: limits, layouts, styles."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError

from profile_contract.request import DeletionPolicy
from profile_contract.style_ref import ref_of
from profile_web import wishes
from profile_web.answers import STATIC
from profile_web.views import layout_views, style_view

from .dependencies import PREFIX, Served, Visits

log = logging.getLogger(__name__)

api = APIRouter(prefix=PREFIX)


@api.get("/session")
async def session(page: Served, visitor: Visits) -> dict[str, Any]:
    """Who visits, and what the page must know to ask."""
    config = page.config
    return {
        "user": visitor.user,
        "local": config.sign_in.mode == "Local",
        "limits": config.limits.document(),
        "layouts": [layout.document() for layout in layout_views()],
        "draft": wishes.new_draft(),
        "draftHours": max(1, config.drafts.seconds // 3600),
        "retain": config.defaults.deletion_policy is DeletionPolicy.RETAIN,
    }


@api.get("/styles")
async def styles(page: Served, visitor: Visits) -> list[dict[str, Any]]:
    """The styles that the visitor's namespace may ask for."""
    offered = []
    for document in await page.cluster.styles(visitor.namespace):
        try:
            offered.append(style_view(document, sample(ref_of(document).key)).document())
        except ValidationError:
            log.warning("style %r cannot be read and is not offered", document["metadata"]["name"])
    return offered


def sample(style: str) -> str:
    """A picture of what a style of the chart looks like, where there is one."""
    file = f"samples/{style}.jpg"
    return f"/{file}" if (STATIC / file).is_file() else ""
