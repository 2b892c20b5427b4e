"""The store as the plugin's user reaches it."""

from __future__ import annotations

import os

from profile_cli.errors import CommandError
from profile_contract.store import S3Store, StoreError, open_s3

NO_STORE = (
    "this command reads and writes the store itself: give --store s3://BUCKET?endpoint=HOST:PORT (or PROFILE_STORE), "
    "with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
)


def open_named(url: str) -> S3Store:
    """The store of that URL, with credentials from the environment. Raises CommandError."""
    if not url:
        raise CommandError(NO_STORE)
    try:
        return open_s3(url, os.environ)
    except (StoreError, ValueError) as error:
        raise CommandError(f"the store {url} cannot be opened: {error}") from error
