"""Finding photos, and bringing a store's prefix to hold exactly them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from areas import area
from profile_cli import photos as module
from profile_cli.errors import CommandError
from profile_cli.photos import captions_beside, find_photos, kind_of
from profile_cli.results import LIST
from profile_cli.upload import plan_additions, remove_photos, sent, standing_photos, upload
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoreError
from properties import examples

JPEG = b"\xff\xd8\xff\xe0"
PNG = b"\x89PNG\r\n\x1a\n"
WEBP = b"RIFF\x10\x00\x00\x00WEBP"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
AVIF = b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00avifmiaf"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42"


def _folder(place: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (JPEG, "JPEG"), (PNG, "PNG"), (WEBP, "WebP"), (HEIC, "HEIC"), (b"GIF89a", "GIF"), (b"BM1234", "BMP"),
        (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "AVIF"),
        (b"%PDF-1.7", "PDF"), (MP4, ""), (b"text", ""), (b"", ""), (b"RIFF\x10\x00\x00\x00WAVE", ""),
        # What stands behind the list of brands is no brand.
        (b"\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00heic", ""),
    ],
)  # fmt: skip
def test_a_picture_is_known_by_its_beginning(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


def test_heic_and_avif_of_any_encoder_are_known() -> None:
    assert kind_of(AVIF) in ("HEIC", "AVIF")
    assert kind_of(b"\x00\x00\x00\x1cftypMiPr\x00\x00\x00\x00miafheix") == "HEIC"


def test_photos_are_told_by_what_they_hold_in_folders_and_below(tmp_path: Path) -> None:
    place = _folder(
        tmp_path / "photos",
        {
            "1.jfif": JPEG, "2.jpe": JPEG, "3.JPG_large": JPEG, "4": PNG, "5.txt": WEBP, "deep/er/6.heic": HEIC,
            "7.avif": AVIF, "notes.txt": b"no picture", "a.gif": b"GIF89a", "b.jpg": b"GIF87a", "c.bmp": b"BM",
            "empty.jpg": b"", "scan": b"paper", "clip.MOV": MP4,
        },
    )  # fmt: skip
    found = find_photos([place])
    assert list(found) == ["1.jfif", "2.jpe", "3.JPG_large", "4", "5.txt", "7.avif", "6.heic"]
    assert found["6.heic"].read_bytes() == HEIC
    assert found.left_out == {"GIF": 2, ".txt": 1, "BMP": 1, "empty": 1, "without ending": 1, ".mov": 1}
    assert found.sentence == "14 files: 7 taken, 7 left out (2 GIF, 1 .mov, 1 .txt, 1 BMP, 1 empty, 1 without ending)"


def test_a_picture_in_name_alone_is_broken(tmp_path: Path) -> None:
    assert find_photos([_folder(tmp_path, {"a.jpg": JPEG, "b.JPG": b"text", "c.heic": b"\x00" * 40})]).left_out == {
        "broken .jpg": 1, "broken .heic": 1,
    }  # fmt: skip


def test_a_photo_that_is_named_is_taken_to_be_judged_and_other_files_are_not(tmp_path: Path) -> None:
    """As a shell's photos/* names all that is there."""
    _folder(tmp_path, {"a.jpg": b"text", "b.png": PNG, "labels.json": b"{}", "c.gif": b"GIF89a", "Thumbs.db": b"x"})
    found = find_photos([tmp_path / name for name in ("a.jpg", "b.png", "labels.json", "c.gif", "Thumbs.db")])
    assert list(found) == ["a.jpg", "b.png"]
    assert found.sentence == "5 files: 2 taken, 3 left out (1 .db, 1 .json, 1 GIF)"


def test_litter_is_not_even_counted(tmp_path: Path) -> None:
    litter = (
        ".hidden.jpg",
        "._a.jpg",
        "Thumbs.db",
        "desktop.ini",
        "a.AAE",
        "@eaDir/a.jpg",
        "__MACOSX/a.jpg",
        ".x/b.jpg",
    )
    place = _folder(tmp_path, {"a.jpg": JPEG, **dict.fromkeys(litter, JPEG)})
    assert list(find_photos([place])) == ["a.jpg"]
    assert find_photos([place]).sentence == "1 file: all taken"


def test_a_hidden_file_that_is_named_is_meant(tmp_path: Path) -> None:
    _folder(tmp_path, {".me.jpg": JPEG})
    assert list(find_photos([tmp_path / ".me.jpg"])) == ["me.jpg"]


def test_a_folder_whose_pictures_are_not_meant_is_left_out_and_told(tmp_path: Path) -> None:
    place = _folder(tmp_path, {"a.jpg": JPEG, "bad/b.jpg": JPEG, "bad/.nomedia": b"", "bad/deeper/c.jpg": JPEG})
    found = find_photos([place])
    assert list(found) == ["a.jpg"]
    assert found.sentence == "2 files: 1 taken, 1 left out (1 folder with .nomedia)"
    # Who names it means it.
    assert sorted(find_photos([place / "bad"])) == ["b.jpg", "c.jpg"]


def test_linked_folders_are_not_followed_and_are_told(tmp_path: Path) -> None:
    place = _folder(tmp_path / "photos", {"a.jpg": JPEG})
    (place / "again").symlink_to(place)
    (place / "b.jpg").symlink_to(place / "a.jpg")
    (place / "gone.jpg").symlink_to(place / "nothing")
    found = find_photos([place])
    assert list(found) == ["a.jpg"]
    assert found.left_out == {"linked folder": 1, "not a file": 1}


def test_photos_of_the_same_name_stay_apart_and_one_given_twice_is_one(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        _folder(tmp_path, {f"{folder}/a.jpg": JPEG + folder.encode()})
    found = find_photos([tmp_path / "one", tmp_path / "two", tmp_path / "one" / "a.jpg"])
    assert {name: file.parent.name for name, file in found.items()} == {"a.jpg": "one", "a-2.jpg": "two"}


@pytest.mark.parametrize(
    "raw", [b"Jos\xe9.jpg", b"a\nb.jpg", b"\x1b[31m.jpg", "\u1106\u1175\u11ab.jpg".encode(), "民지".encode()]
)
def test_odd_names_become_names_that_a_store_can_hold(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / os.fsdecode(raw)).write_bytes(JPEG)
    (name,) = find_photos([tmp_path])
    assert name.encode().decode() == name
    assert name.isprintable()
    store = FolderStore(tmp_path.parent / f"{tmp_path.name}-store")
    assert upload(store, find_photos([tmp_path]), area(), "uploads/minji/") == 1
    assert [one.key for one in store.list("hr.")] == [f"hr.1a2b3c4d-5e6f/uploads/minji/{name}"]


def test_twins_in_both_forms_of_unicode_stay_two(tmp_path: Path) -> None:
    _folder(tmp_path, {"\ubbfc.jpg": JPEG, "\u1106\u1175\u11ab.jpg": JPEG, "A.jpg": JPEG, "a.jpg": JPEG})
    assert sorted(find_photos([tmp_path])) == ["A.jpg", "a-2.jpg", "\ubbfc-2.jpg", "\ubbfc.jpg"]


@examples(60)
@given(st.binary(max_size=80))
def test_no_beginning_is_too_odd(head: bytes) -> None:
    assert kind_of(head) in {"", *module.TAKEN, "GIF", "BMP", "TIFF", "PDF"}


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere does not exist"):
        find_photos([tmp_path / "nowhere"])
    with pytest.raises(CommandError, match=r"no photos in .*HEIC and AVIF"):
        find_photos([tmp_path])
    _folder(tmp_path, {"a.tif": b"II*\x00", "b.tif": b"MM\x00*"})
    with pytest.raises(CommandError, match=r"2 left out \(2 TIFF\); .*save others as JPEG"):
        find_photos([tmp_path])


def test_a_home_folder_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    _folder(tmp_path, {f"{number}.txt": b"x" for number in range(4)})
    with pytest.raises(CommandError, match="more than 3 files"):
        find_photos([tmp_path])
    (tmp_path / "3.txt").unlink()
    (tmp_path / "2.txt").write_bytes(JPEG)
    assert len(find_photos([tmp_path])) == 1


# --- the store ---------------------------------------------------------------------------------------------------


def test_upload_sends_what_changed_and_takes_away_what_is_gone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    first, second = tmp_path / "1.jpg", tmp_path / "2.jpg"
    first.write_text("one")
    second.write_text("two")
    photos = {"1.jpg": first, "2.jpg": second}
    assert upload(store, photos, area(), "uploads/minji/") == 2
    assert upload(store, photos, area(), "uploads/minji/") == 0
    first.write_text("one, better")
    assert upload(store, {"1.jpg": first}, area(), "uploads/minji/") == 1
    assert [found.key for found in store.list("hr.")] == ["hr.1a2b3c4d-5e6f/uploads/minji/1.jpg"]
    assert store.read("hr.1a2b3c4d-5e6f/uploads/minji/1.jpg") == b"one, better"


def test_a_photo_is_taken_away_without_those_that_begin_like_it(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for name in ("1", "10", "1.jpg"):
        store.write(f"hr.1a2b3c4d-5e6f/uploads/minji/{name}", b"x")
    remove_photos(store, standing_photos(store, area(), "uploads/minji/"), ["1", "never there"])
    assert sorted(standing_photos(store, area(), "uploads/minji/").tags) == ["1.jpg", "10"]


def test_added_photos_take_no_name_that_is_there_and_are_not_sent_twice(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.write("hr.1a2b3c4d-5e6f/uploads/minji/a.jpg", b"mine")
    _folder(tmp_path, {"a.jpg": b"another", "b.jpg": b"mine", "c.jpg": b"third"})
    there = standing_photos(store, area(), "uploads/minji/")
    fresh = plan_additions({name: tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")}, there)
    assert fresh == {"a-2.jpg": tmp_path / "a.jpg", "c.jpg": tmp_path / "c.jpg"}
    with sent(store, fresh, there):
        pass
    assert store.read("hr.1a2b3c4d-5e6f/uploads/minji/a.jpg") == b"mine"
    assert store.read("hr.1a2b3c4d-5e6f/uploads/minji/a-2.jpg") == b"another"


class _Full(FolderStore):
    """Takes one photo, and no second."""

    def write(self, key: str, data: bytes, content_type: str = "") -> None:
        if key.endswith("2.jpg"):
            raise StoreError("the store is full")
        super().write(key, data, content_type)


@pytest.mark.parametrize("broken", [True, False])
def test_what_was_sent_is_taken_back_when_it_came_to_nothing(tmp_path: Path, broken: bool) -> None:
    store = (_Full if broken else FolderStore)(tmp_path / "store")
    store.write("hr.1a2b3c4d-5e6f/uploads/minji/before.jpg", b"before")
    photos = {name: tmp_path / name for name in ("1.jpg", "2.jpg")}
    _folder(tmp_path, dict.fromkeys(photos, JPEG))
    there = standing_photos(store, area(), "uploads/minji/")
    with pytest.raises(CommandError, match="store is full" if broken else "refused"):  # noqa: SIM117
        with sent(store, photos, there):
            raise CommandError("the API server refused")
    assert list(standing_photos(store, area(), "uploads/minji/").tags) == ["before.jpg"]


def test_a_prefix_outside_of_the_uploads_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="must begin with 'uploads/'"):
        standing_photos(FolderStore(tmp_path), area(), "uploads/./x/")


def test_captions_lie_beside_photos_under_their_names(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff" + b"0" * 20)
    (tmp_path / "a.txt").write_text("smiling")
    (tmp_path / "c.txt").write_text("nobody")
    photos = find_photos([tmp_path])
    assert captions_beside(photos) == {"a.txt": tmp_path / "a.txt"}


def test_what_a_run_delivered_beside_photos_is_no_photo(tmp_path: Path) -> None:
    _folder(tmp_path, {"a.jpg": JPEG, "out/contact-sheet.jpg": JPEG, "out/portraits/1.png": PNG, "out/b.jpg": JPEG})
    (tmp_path / "out" / LIST).write_text('["contact-sheet.jpg", "portraits/1.png", "../a.jpg"]')
    found = find_photos([tmp_path])
    assert list(found) == ["a.jpg", "b.jpg"]
    assert found.left_out == {"result of a run": 2}
