"""Which objects below a prefix are photos."""

from __future__ import annotations

import asyncio

from fake_store import MemoryStore, store_access
from profile_operator.snapshot import Key


def test_what_comes_along_with_photos_is_none_of_them() -> None:
    store = MemoryStore()
    photos = ("a.jpg", "party/b.HEIC", "민지.png")
    litter = (".DS_Store", "._a.jpg", "Thumbs.db", "party/desktop.ini", "a.AAE", "@eaDir/a.jpg/thumb.jpg", "party/")
    for name in (*photos, *litter):
        store.write(f"hr/uploads/minji/{name}", b"content")
    store.write("hr/uploads/other/c.jpg", b"content")
    seen = asyncio.run(store_access(store).photos(Key("hr", "minji"), "uploads/minji/"))
    assert [photo.name for photo in seen] == sorted(photos)
    assert [photo.key for photo in seen] == [f"hr/uploads/minji/{name}" for name in sorted(photos)]
    assert {photo.bytes for photo in seen} == {7}
