"""All of a request's portraits as sheet ZIP file, written while it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

from zipstream import ZIP_STORED, ZipStream

from profile_contract.request_status import ProfileRequestStatus

from .views import is_below

Read = Callable[[str], bytes]


def files_of(status: ProfileRequestStatus, area: str) -> dict[str, str]:
    """Name in the ZIP -> key in the store, of what lies below the prefix `area`. Pure."""
    files: dict[str, str] = {}
    for portrait in status.portraits:
        for key in (portrait.key, *portrait.layouts.values()):
            path = PurePosixPath(key)
            files[f"{path.parent.name}/{path.name}"] = key
    for sheet in (status.contact_sheet, status.print_sheet):
        if sheet:
            files[PurePosixPath(sheet).name] = sheet
    return {name: key for name, key in files.items() if is_below(area, key)}


def disposition(name: str, title: str = "") -> str:
    """The header that makes a browser save the ZIP under its title (RFC 6266), or under its name where the browser
    does not know that form. Nothing in a title can leave the header."""
    plain = f'attachment; filename="{name}.zip"'
    shown = "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in title).strip(". ")
    return f"{plain}; filename*=UTF-8''{quote(f'{shown}.zip', safe='')}" if shown else plain


def zipped(files: dict[str, str], read: Read) -> Iterator[bytes]:
    """The ZIP in pieces; a file is read when its turn comes. Raises StoreError on the way."""
    # Pictures and PDFs are compressed already.
    stream = ZipStream(compress_type=ZIP_STORED)
    for name, key in files.items():
        stream.add(_read_late(read, key), arcname=name)
    yield from stream


def _read_late(read: Read, key: str) -> Iterator[bytes]:
    yield read(key)
