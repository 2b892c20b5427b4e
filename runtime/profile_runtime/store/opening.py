"""A store opened by its URL.

`s3://BUCKET?endpoint=HOST:PORT&secure=false&region=REGION` with credentials in the environment (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), or `file:///FOLDER`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    pass

from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import Store, StoreError
from profile_runtime.store.s3 import open_s3


def open_store(url: str, env: Mapping[str, str] = os.environ) -> Store:
    """Open the store that a URL names. Raises StoreError for a URL it does not know."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderStore(Path(parts.path))
    if parts.scheme == "s3":
        return open_s3(url, env)
    raise StoreError(f"store URL {url!r} must begin with s3:// or file://")
