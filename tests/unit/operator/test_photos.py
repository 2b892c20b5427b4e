"""Which objects below a prefix are photos."""

from __future__ import annotations

import asyncio

from areas import area
from fake_store import MemoryStore, store_access


def test_what_comes_along_with_photos_is_none_of_them() -> None:
    store = MemoryStore()
    photos = ("a.jpg", "party/b.HEIC", "민지.png")
    litter = (".DS_Store", "._a.jpg", "Thumbs.db", "party/desktop.ini", "a.AAE", "@eaDir/a.jpg/thumb.jpg", "party/")
    for name in (*photos, *litter):
        store.write(f"hr.1a2b3c4d-5e6f/uploads/minji/{name}", b"content")
    store.write("hr.1a2b3c4d-5e6f/uploads/other/c.jpg", b"content")
    seen = asyncio.run(store_access(store).photos(area(), "uploads/minji/", 21))
    assert [photo.name for photo in seen] == sorted(photos)
    assert [photo.key for photo in seen] == [f"hr.1a2b3c4d-5e6f/uploads/minji/{name}" for name in sorted(photos)]
    assert {photo.bytes for photo in seen} == {7}


def test_a_listing_stops_at_one_photo_more_than_are_taken() -> None:
    store = MemoryStore({f"hr.1a2b3c4d-5e6f/uploads/minji/{number:06d}.jpg": b"x" for number in range(5000)})
    seen = asyncio.run(store_access(store).photos(area(), "uploads/minji/", 13))
    assert [photo.name for photo in seen] == [f"{number:06d}.jpg" for number in range(13)]
    assert store.looked_at == 13


def test_a_little_litter_does_not_hide_photos_and_much_of_it_is_not_listed_for_ever() -> None:
    store = MemoryStore({f"hr.1a2b3c4d-5e6f/uploads/minji/.{number:06d}": b"x" for number in range(20)})
    store.objects["hr.1a2b3c4d-5e6f/uploads/minji/a.jpg"] = b"x"
    assert len(asyncio.run(store_access(store).photos(area(), "uploads/minji/", 13))) == 1
    store.objects |= {f"hr.1a2b3c4d-5e6f/uploads/minji/.{number:06d}": b"x" for number in range(5000)}
    before = store.looked_at
    assert asyncio.run(store_access(store).photos(area(), "uploads/minji/", 13)) == ()
    assert store.looked_at - before == 13 + 1013
