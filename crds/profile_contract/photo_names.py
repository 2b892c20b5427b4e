"""Photo names: what a file is called as one part of a store's key, and which files are no photos at all. Pure.

Page, plug-in, folder runner and preprocessing agree through it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

# A file system takes 255 bytes a name, and some room is left for a number and the ending of a part file.
LONGEST_NAME = 200
# Longer than this, what follows the last dot is no ending.
LONGEST_ENDING = 16

# What operating systems and photo programs leave beside photos; dot files come on top.
_LITTER_NAMES = frozenset(
    {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r", "__macosx", "@eadir"}
)
_LITTER_ENDINGS = (".aae",)

# Lone surrogates cannot be written as UTF-8; the others break lines, end quotes, turn the direction of a terminal's
# text, or are no characters in XML, in which stores list their keys.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\"'`\ud800-\udfff\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
_SEPARATORS = re.compile(r"[/\\]+")


def is_litter(path: str) -> bool:
    """Whether a file is something that comes along with photos and is none itself.

    `path` is its name, or its path below the folder or prefix that was asked for. Litter are dot files and whatever
    lies in a dot folder, previews and settings of Windows, macOS and NAS boxes, Apple's edits (.AAE), and no name.
    """
    parts = _SEPARATORS.split(path)
    if parts[-1].strip() in ("", ".", ".."):
        return True
    return any(_is_litter(part) for part in parts if part.strip() not in ("", ".", ".."))


def _is_litter(part: str) -> bool:
    plain = part.casefold()
    return plain in _LITTER_NAMES or plain.strip().startswith(".") or plain.strip().endswith(_LITTER_ENDINGS)


def photo_name(raw: str) -> str | None:
    """The name under which a photo stands in the store; None if it is litter.

    `raw` may be a path below a folder, or what a stranger's file system made of a name: the last part counts. The
    result is one part of a path, in NFC, 1 to LONGEST_NAME bytes of valid UTF-8 without control characters and
    quotes, which `keys.check_below` takes, and gives itself again.
    """
    if is_litter(raw):
        return None
    name = _safe(_SEPARATORS.split(raw)[-1])
    return None if is_litter(name) else name


def shown_name(key: str) -> str:
    """How a photo is called before people; `key` is its path below the photos' prefix, written by anybody.

    Whoever writes to a store directly gives names that never went through `photo_name`. Folders stay, each part is as
    safe as a photo's name, and a name that `photo_name` gave is shown as it is. Not for finding the photo: two keys
    may be shown alike.
    """
    parts = [_safe(part) for part in _SEPARATORS.split(key)]
    return "/".join(part for part in parts if part) or "photo"


def _safe(part: str) -> str:
    """One part of a path, in NFC, of at most LONGEST_NAME bytes, without what _UNSAFE names; may be empty."""
    return _within(unicodedata.normalize("NFC", _UNSAFE.sub("-", part.strip())).strip(), LONGEST_NAME)


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names in their order, each told apart from those before it and from `taken` by a number: a.jpg, a-2.jpg.

    Names that differ in capitals alone count as one: a folder on macOS or Windows could not hold both.
    """
    known = {name.casefold() for name in taken}
    result: list[str] = []
    for name in names:
        choice, number = name, 2
        while choice.casefold() in known:
            choice, number = _numbered(name, number), number + 1
        known.add(choice.casefold())
        result.append(choice)
    return result


def _numbered(name: str, number: int) -> str:
    stem, ending = _split(name)
    mark = f"-{number}"
    return f"{_cut(stem, LONGEST_NAME - len((mark + ending).encode()))}{mark}{ending}"


def _within(name: str, most: int) -> str:
    """The name in at most so many bytes: the stem is cut, the ending stays."""
    if len(name.encode()) <= most:
        return name
    stem, ending = _split(name)
    return _cut(stem, most - len(ending.encode())).rstrip() + ending


def _split(name: str) -> tuple[str, str]:
    ending = PurePosixPath(name).suffix
    if not ending or len(ending.encode()) > LONGEST_ENDING:
        return name, ""
    return name.removesuffix(ending), ending


def _cut(text: str, most: int) -> str:
    """The beginning of a text in at most so many bytes, whole characters only."""
    return text.encode()[: max(most, 1)].decode(errors="ignore")
