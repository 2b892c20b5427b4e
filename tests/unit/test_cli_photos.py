"""Finding photos, and bringing a store's prefix to hold exactly them."""

from __future__ import annotations

from pathlib import Path

import pytest

from profile_cli.errors import CommandError
from profile_cli.photos import find_photos
from profile_cli.upload import upload
from profile_contract.store import FolderStore


def test_folders_give_their_pictures_and_files_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg"):
        (folder / name).write_bytes(name.encode())
    text = tmp_path / "letter.txt"
    text.write_text("no picture")
    assert list(find_photos([folder, text])) == ["a.png", "b.JPG", "letter.txt"]


def test_photos_of_the_same_name_stay_apart_and_one_given_twice_is_one(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_text(folder)
    found = find_photos([tmp_path / "one", tmp_path / "two", tmp_path / "one" / "a.jpg"])
    assert {name: file.read_text() for name, file in found.items()} == {"a.jpg": "one", "2-a.jpg": "two"}


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere does not exist"):
        find_photos([tmp_path / "nowhere"])
    with pytest.raises(CommandError, match="no photos in"):
        find_photos([tmp_path])


def test_upload_sends_what_changed_and_takes_away_what_is_gone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    first, second = tmp_path / "1.jpg", tmp_path / "2.jpg"
    first.write_text("one")
    second.write_text("two")
    photos = {"1.jpg": first, "2.jpg": second}
    assert upload(store, photos, "hr", "uploads/minji/") == 2
    assert upload(store, photos, "hr", "uploads/minji/") == 0
    first.write_text("one, better")
    assert upload(store, {"1.jpg": first}, "hr", "uploads/minji/") == 1
    assert [found.key for found in store.list("hr/")] == ["hr/uploads/minji/1.jpg"]
    assert store.read("hr/uploads/minji/1.jpg") == b"one, better"
