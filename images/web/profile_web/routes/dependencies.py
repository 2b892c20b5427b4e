"""What routes are given: the page, and the visitor whom the door let in."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from profile_web.page import Page
from profile_web.visitor import Visitor

PREFIX = "/api"


def page_of(request: Request) -> Page:
    """What the routes share."""
    page: Page = request.app.state.page
    return page


def visitor_of(request: Request) -> Visitor:
    """Whom the door let in."""
    visitor: Visitor = request.state.visitor
    return visitor


async def placed_visitor_of(request: Request) -> Visitor:
    """Whom the door let in, and where the things of their namespace lie in the bucket."""
    visitor = visitor_of(request)
    return replace(visitor, area=await page_of(request).area(visitor.namespace))


Served = Annotated[Page, Depends(page_of)]
Visits = Annotated[Visitor, Depends(visitor_of)]
Placed = Annotated[Visitor, Depends(placed_visitor_of)]
