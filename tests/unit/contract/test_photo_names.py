"""Names of photos: one part of a key, whatever a file was called, and no two alike."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.keys import check_below
from profile_contract.photo_names import LONGEST_NAME, distinct, is_litter, photo_name, shown_name
from properties import examples

QUICK = examples(150)
# Surrogates too: that is how Python reads a name that is no UTF-8.
ANY_NAME = st.text(
    st.one_of(st.characters(exclude_categories=()), st.sampled_from("./\\ \n\t\"'\udce9\u202e민\u0301")), max_size=300
)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("IMG_0001.JPG", "IMG_0001.JPG"),
        ("summer party (2).jpg", "summer party (2).jpg"),
        ("O'Brien.png", "O-Brien.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\minji\\a.jpg", "a.jpg"),
        ("a\nb\x7f.jpg", "a-b-.jpg"),
        ('a".jpg', "a-.jpg"),
        ("Jos\udce9.jpg", "Jos-.jpg"),
        ("\u202egpj.exe", "-gpj.exe"),
        (unicodedata.normalize("NFD", "민지.jpg"), "민지.jpg"),
        ("👩‍💻.heic", "👩‍💻.heic"),
        ("  a.jpg ", "a.jpg"),
        ("photo", "photo"),
        ("./party/a.jpg", "a.jpg"),
    ],
)
def test_a_name_keeps_what_a_key_may_hold(raw: str, name: str) -> None:
    assert photo_name(raw) == name


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", ".", "..", "/", "uploads/..", ".DS_Store", "._IMG_1.jpg", ".hidden.jpg", "Thumbs.db", "THUMBS.DB",
        "ehthumbs.db", "desktop.ini", "Desktop.ini", "IMG_0001.AAE", "IMG_0001.aae", "__MACOSX/IMG_1.jpg",
        "@eaDir/IMG_1.jpg", ".thumbnails/IMG_1.jpg", "a\\.jpg", "Icon\r",
    ],
)  # fmt: skip
def test_litter_is_no_photo(raw: str) -> None:
    assert is_litter(raw)
    assert photo_name(raw) is None


@pytest.mark.parametrize("raw", ["thumbs.jpg", "desktop.ini.jpg", "aae.jpg", "a.b.jpg", "party/a.jpg", "Icon.png"])
def test_a_photo_is_no_litter(raw: str) -> None:
    assert not is_litter(raw)


def test_a_long_name_loses_its_middle_and_keeps_its_ending() -> None:
    name = photo_name("민" * 100 + ".jpeg")
    assert name == "민" * 65 + ".jpeg"
    assert len(name.encode()) == 3 * 65 + 5


def test_names_of_one_kind_are_numbered() -> None:
    assert distinct(["a.jpg", "a.jpg", "A.JPG", "b.jpg", "a-2.jpg"]) == [
        "a.jpg",
        "a-2.jpg",
        "A-3.JPG",
        "b.jpg",
        "a-2-2.jpg",
    ]
    assert distinct(["a.jpg"], taken=["A.jpg", "a-2.jpg"]) == ["a-3.jpg"]
    assert distinct(["photo", "photo"]) == ["photo", "photo-2"]


@QUICK
@given(ANY_NAME)
def test_whatever_a_file_is_called_its_name_is_one_part_of_a_path(raw: str) -> None:
    name = photo_name(raw)
    if name is None:
        return
    assert 1 <= len(name.encode("utf-8")) <= LONGEST_NAME
    assert name not in (".", "..")
    assert not any(c in "/\\\"'`" or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)
    assert unicodedata.is_normalized("NFC", name)
    assert name == name.strip()
    assert photo_name(name) == name
    assert check_below("hr.1a2b3c4d-5e6f/uploads/minji/", f"hr.1a2b3c4d-5e6f/uploads/minji/{name}")


@QUICK
@given(st.lists(st.one_of(ANY_NAME, st.sampled_from(["a.jpg", "A.jpg", "a-2.jpg", "민" * 66 + ".j"])), max_size=12))
def test_names_told_apart_are_still_names(raw: list[str]) -> None:
    names = [name for name in map(photo_name, raw) if name is not None]
    apart = distinct(names)
    assert len({name.casefold() for name in apart}) == len(names)
    assert all(photo_name(name) == name for name in apart)
    assert apart[:1] == names[:1], "the first of a name keeps it"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("a.jpg", "a.jpg"),
        ("party/2024/a.jpg", "party/2024/a.jpg"),
        ("a\nb.jpg", "a-b.jpg"),
        ("in/\u202egpj.exe", "in/-gpj.exe"),
        ("/", "photo"),
        ("", "photo"),
    ],
)
def test_a_key_is_shown_with_its_folders(key: str, shown: str) -> None:
    assert shown_name(key) == shown


@QUICK
@given(ANY_NAME)
def test_whatever_a_key_is_what_is_shown_of_it_stays_on_its_line(key: str) -> None:
    shown = shown_name(key)
    assert shown
    assert shown_name(shown) == shown
    assert not any(c in "\\\"'`\u202e\u2066" or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert all(1 <= len(part.encode()) <= LONGEST_NAME for part in shown.split("/"))
    name = photo_name(key)
    assert name is None or (shown_name(name) == name and shown.split("/")[-1] == name)
