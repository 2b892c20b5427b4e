"""Shelf: the folder's store as browsers reach it: forms that take photos, and pictures, on the page's own port."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from profile_contract.keys import check_below
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import NotFound, StoredObject, StoreError, content_type_of

SHELF = "shelf"
# What a form takes beside its file.
FIELDS_BYTES = 20_000


class ScannedFolder(FolderStore):
    """The folder's store, with the times at which its objects were written."""

    def scan(self, prefix: str) -> Iterator[StoredObject]:
        """What lies below a prefix."""
        for stored in self.list(prefix):
            written = (self.root / stored.key).stat().st_mtime
            yield replace(stored, modified=datetime.fromtimestamp(written, UTC))


class ShelfSigners:
    """Signs forms with a secret of this process. Pictures are shown to whoever passes the gate, and nobody else."""

    def __init__(self, origin: str) -> None:
        """`origin`: as browsers reach the page."""
        self._origin, self._secret = origin, secrets.token_bytes(32)

    def below(self, prefix: str) -> ShelfSigner:
        """The signer of a prefix."""
        return ShelfSigner(prefix, self._origin, self)

    def forget(self, prefix: str) -> None:
        """A picture that is gone is not shown."""

    def signature(self, key: str, most_bytes: int, until: int) -> str:
        """What proves that a form was given here."""
        return hmac.new(self._secret, json.dumps([key, most_bytes, until]).encode(), hashlib.sha256).hexdigest()


class ShelfSigner:
    """Links and forms below one prefix. Raises ForeignKey for a key elsewhere."""

    def __init__(self, prefix: str, origin: str, signers: ShelfSigners) -> None:
        self._prefix, self._origin, self._signers = prefix, origin, signers

    def get(self, key: str, seconds: int, *, save_as: str = "") -> str:
        """A picture's address; it is good for as long as the picture stands."""
        check_below(self._prefix, key)
        return f"{self._origin}/{SHELF}/{quote(key)}" + (f"?save={quote(save_as, safe='')}" if save_as else "")

    def form(self, key: str, seconds: int, *, content_type: str, fewest_bytes: int, most_bytes: int) -> dict[str, str]:
        """The fields of a form that writes this object."""
        check_below(self._prefix, key)
        until = int(time.time()) + seconds
        signature = self._signers.signature(key, most_bytes, until)
        return {"key": key, "most": str(most_bytes), "until": str(until), "signature": signature}


class Shelf:
    """ASGI application below /shelf: takes forms, shows pictures."""

    def __init__(self, store: FolderStore, signers: ShelfSigners) -> None:
        self._store, self._signers = store, signers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        request = Request(scope, receive)
        try:
            answer = await self._take(request) if request.method == "POST" else self._show(request)
        except NotFound:
            answer = Response(status_code=404)
        except StoreError:
            answer = Response(status_code=503)
        except (MultiPartException, ValueError, KeyError, TypeError):
            answer = Response(status_code=400)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cache-Control"] = "private, no-store"
        await answer(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        """Write the photo of a form that was given here. 403 for any other form, and for one that has ended, as the
        page's script expects it. Raises ValueError, KeyError and StoreError."""
        declared = int(request.headers.get("content-length", "0")[:20])
        # The form itself says how large its photo may be, signed: what is larger than any is not even read.
        if not 0 < declared <= LARGEST_PHOTO + FIELDS_BYTES:
            return Response(status_code=413)
        async with request.form(max_files=1, max_fields=8) as fields:
            key, most, until = str(fields["key"]), int(str(fields["most"])), int(str(fields["until"]))
            signature = self._signers.signature(key, most, until)
            if not hmac.compare_digest(signature, str(fields["signature"])) or until < time.time():
                return Response(status_code=403)
            file: Any = fields["file"]
            if file.size is None or file.size > most:
                return Response(status_code=413)
            self._store.write(key, await file.read())
        return Response(status_code=204)

    def _show(self, request: Request) -> Response:
        """A picture or a file. Raises NotFound and StoreError."""
        key = request.scope["path"].removeprefix(f"/{SHELF}/")
        answer = Response(self._store.read(key), media_type=content_type_of(key))
        if save_as := request.query_params.get("save"):
            answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(save_as, safe='')}"
        # Whatever it holds, it is shown and never run.
        answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return answer


# The most that the page's limits may be set to.
LARGEST_PHOTO = 100_000_000
