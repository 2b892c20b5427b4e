"""The store as the plugin's user reaches it, and what to do where it is not reached."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from profile_cli.errors import CommandError
from profile_runtime.network import network_trouble
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import S3Store, open_s3

FORM = "s3://BUCKET?endpoint=HOST:PORT"
# Where the installation's keys have a prefix (store.prefix), it follows the bucket: s3://BUCKET/PREFIX/?endpoint=...
NO_STORE = (
    f"this command reads and writes the store itself: give --store '{FORM}' (or PROFILE_STORE; add &secure=false where "
    "it speaks plain HTTP), with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
)
# What S3 says -> what to look at.
REFUSALS = {
    "InvalidAccessKeyId": "it does not know AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is not the one of this account",
    "ExpiredToken": "the credentials have expired",
    "AccessDenied": "the account may not do this: it needs to list, read, write and delete below NAMESPACE.ID/uploads/",
    "NoSuchBucket": "there is no such bucket",
    "RequestTimeTooSkewed": "the clocks of this machine and the store differ",
}


def open_named(url: str) -> S3Store:
    """The store of that URL, with credentials from the environment. Raises CommandError."""
    if not url:
        raise CommandError(NO_STORE)
    if not _is_s3(url):
        raise CommandError(f"the store {url!r} must be named as {FORM}")
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(name)]
    if missing:
        raise CommandError(f"the store {url} wants an account: set {' and '.join(missing)} in the environment")
    try:
        return open_s3(url, os.environ)
    except (StoreError, ValueError) as error:
        raise CommandError(f"the store {url} cannot be opened: {error}") from error


def prefix_of(url: str) -> str:
    """What the installation's keys begin with, by the store's URL. Pure."""
    folders = urlsplit(url).path.strip("/")
    return f"{folders}/" if folders else ""


def _is_s3(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "s3" and bool(parts.netloc)


@contextlib.contextmanager
def store_explained(url: str) -> Iterator[None]:
    """What is done with the store in the block fails with words about this store."""
    try:
        yield
    except CommandError as error:
        if isinstance(error.__cause__, StoreError):
            raise CommandError(f"{error}\n{store_trouble(url, error.__cause__)}") from error.__cause__
        raise


def store_trouble(url: str, error: StoreError) -> str:
    """What was tried, why it failed, and what to check. Pure."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    endpoint, plain = query.get("endpoint", ["s3.amazonaws.com"])[-1], query.get("secure", ["true"])[-1] == "false"
    tried = f"{'http' if plain else 'https'}://{endpoint}, bucket {parts.netloc}"
    code = next((code for code in REFUSALS if code in str(error)), "")
    if code:
        return f"The store {tried} answered {code}: {REFUSALS[code]}."
    if not str(error).startswith("the store cannot be reached"):
        return f"The store: {tried}."
    other = "without &secure=false, if it speaks TLS" if plain else "with &secure=false, if it speaks plain HTTP"
    return (
        f"Tried {tried}: {network_trouble(error.__cause__ or error)}. Check host and port as this machine reaches the "
        f"store (a cluster's own name for it, as minio.data.svc, means nothing outside), and try it {other}."
    )
