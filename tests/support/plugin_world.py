"""Photos in folders and a store that counts, for the plug-in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fake_api import FakeApi
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoreError

JPEG = b"\xff\xd8\xff\xe0"

WITH_STORE = ("create", "add", "replace", "remove", "portraits", "doctor")

Call = Callable[..., str]


class Bucket(FolderStore):
    """A store that counts, and breaks when told to."""

    broken = ""

    def write(self, key: str, data: bytes, content_type: str = "") -> None:
        if self.broken == "write":
            raise StoreError("the store refused a.jpg: AccessDenied")
        super().write(key, data, content_type)

    def names(self, prefix: str = "hr.1a2b3c4d-5e6f/uploads/minji/") -> list[str]:
        return [one.key.removeprefix(prefix) for one in self.list(prefix)]


def folder(tmp_path: Path, count: int = 6, mark: str = "", name: str = "photos") -> str:
    """A folder of so many photos; `mark` makes them others."""
    place = tmp_path / name
    place.mkdir(exist_ok=True)
    for number in range(count):
        (place / f"{number}{mark}.jpg").write_bytes(JPEG + f"{number}{mark}".encode())
    return str(place)


def revision(api: FakeApi, name: str = "minji") -> int:
    found: int = api.requests["hr", name]["spec"]["photos"]["revision"]
    return found
