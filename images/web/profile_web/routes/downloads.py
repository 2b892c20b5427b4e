"""Everything that was delivered, as one ZIP file."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from profile_contract.artifacts import request_prefix
from profile_contract.resource import TITLE_ANNOTATION, status_of
from profile_web import archive
from profile_web.problems import Code, Problem
from profile_web.wishes import Draft

from .dependencies import PREFIX, Placed, Served

api = APIRouter(prefix=PREFIX)


@api.get("/requests/{name}/portraits.zip")
async def portraits(name: Draft, page: Served, visitor: Placed) -> StreamingResponse:
    """The portraits, their cuts and the sheets."""
    document = await page.cluster.request(visitor, name)
    files = archive.files_of(status_of(document), request_prefix(visitor.area, name))
    if not files:
        raise Problem(Code.NO_PORTRAITS)
    title = str((document["metadata"].get("annotations") or {}).get(TITLE_ANNOTATION, ""))
    headers = {"Content-Disposition": archive.disposition(name, title)}
    return StreamingResponse(archive.zipped(files, page.bucket.read), headers=headers, media_type="application/zip")
