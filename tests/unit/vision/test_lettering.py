"""What is written into sheets can be read: Latin, Hangul and Hanja, on the contact sheet, the mark and the PDF."""

from __future__ import annotations

import io
import unicodedata
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from profile_contract.layouts import LayoutName
from profile_contract.stages.finish import LayoutFile, Portrait
from profile_contract.stages.preprocess import DatasetImage
from profile_finish import sheet
from profile_finish.bands import Card, cards_band, text_band
from profile_finish.print_sheet import print_sheet
from profile_finish.sheet import Thumbnails
from profile_runtime.store.folder import FolderStore
from profile_vision.files import visibly_marked
from profile_vision.lettering import NO_CHARACTER, TYPEFACE, can_be_lettered, lettering
from profile_vision.pixels import BGR

HANGUL = range(0xAC00, 0xD7A4)
MISSING = NO_CHARACTER


def glyph(character: str) -> bytes:
    return bytes(lettering(16).getmask(character))


@pytest.mark.parametrize("other", ["민지의 사진", "漢字", "Zoë", "あ"])
def test_no_two_characters_look_alike_and_none_is_missing(other: str) -> None:
    drawn = [glyph(character) for character in {*other, "민", "지", "漢", "A"} - {" "}]
    assert all(one != two for one, two in combinations(drawn, 2))
    assert glyph(MISSING) not in drawn


def test_every_hangul_syllable_and_all_of_latin_can_be_drawn() -> None:
    missing = glyph(MISSING)
    hanja = [chr(code) for code in range(0x4E00, 0xA000, 8)]
    assert [
        f"{code:x}" for code in (*range(0x21, 0x7F), *range(0xA1, 0x100), *HANGUL) if glyph(chr(code)) == missing
    ] == []
    assert sum(glyph(character) != missing for character in hanja) >= 500


@pytest.mark.parametrize(
    ("text", "whole"),
    [("사원증 (Minji), 漢字", True), ("", True), ("Zoë", True), ("Minji \U0001f389", False), ("שלום", False)],
)
def test_a_text_that_the_typeface_lacks_a_character_of_is_known(text: str, whole: bool) -> None:
    assert can_be_lettered(text) is whole


def test_the_typeface_bears_its_licence_and_no_reserved_name() -> None:
    licence = (TYPEFACE.parent / "OFL.txt").read_text()
    assert "SIL OPEN FONT LICENSE" in licence
    assert "with Reserved Font Name Nanum" in licence
    assert "with Reserved Font Name Pretendard" in licence
    assert lettering(16).getname() == ("Profile Sheet", "Regular")
    assert TYPEFACE.stat().st_size < 3_000_000


def test_titles_and_lines_of_the_contact_sheet_tell_korean_names_apart() -> None:
    first, second, third = (np.asarray(text_band(name, 44)) for name in ("민지의 사진", "지민의 사진", "漢지의 사진"))
    assert first.shape == second.shape == third.shape
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, third)
    for one, two in (
        (Card(None, "민"), Card(None, "지")),
        (Card(None, "", ("민",)), Card(None, "", ("지",))),
        (Card(None, "", badge="민"), Card(None, "", badge="지")),
    ):
        assert not np.array_equal(np.asarray(cards_band([one], 4, 20)), np.asarray(cards_band([two], 4, 20)))


def test_a_name_from_a_mac_is_written_in_whole_syllables() -> None:
    name = "민지의 사진.jpg"
    image = DatasetImage(
        photo=unicodedata.normalize("NFD", name),
        image="crop",
        mask="mask",
        pose="pose",
        caption="",
        width=8,
        height=8,
        face_box=(0, 0, 8, 8),
    )
    assert sheet._photo(image, Thumbnails()).lines == (name,)


def test_the_mark_reads_the_same_in_every_size() -> None:
    ground = BGR(np.full((256, 256, 3), 128, np.uint8))
    marked = visibly_marked(ground)
    changed = np.argwhere((marked != ground).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert 5 <= bottom - top <= 14
    assert 40 <= right - left <= 70
    assert bottom >= 245
    assert right >= 245


def test_the_print_sheet_embeds_the_typeface_and_its_title(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    stream = io.BytesIO()
    Image.new("RGB", (354, 472), "grey").save(stream, "JPEG")
    store.write("cut.jpg", stream.getvalue())
    cut = LayoutFile(layout=LayoutName.RESUME, key="cut.jpg", width=354, height=472, bytes=1, checks=[])
    portrait = Portrait(style="studio-warm", seed=1, rank=1, key="1.png", likeness=90, layouts=[cut])
    pages = print_sheet(store, [portrait], "민지의 사진")
    assert b"/FontFile2" in pages
    assert b"ProfileSheet-Regular" in pages
    # Only what is written is embedded, not the whole typeface.
    assert len(pages) < 100_000
