"""Finds a person's photos on this machine: by what files hold, not by how they are called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from profile_contract.photo_names import distinct, is_litter, photo_name
from profile_contract.stages.preprocess import CAPTION_ENDING

from .errors import CommandError
from .results import delivered

# What preprocessing reads.
TAKEN = ("JPEG", "PNG", "WebP", "HEIC", "AVIF")
ADVICE = f"{', '.join(TAKEN[:-1])} and {TAKEN[-1]} photos are taken; save others as JPEG"
# Portraits are nobody's photos: who keeps them beside photos would teach the next run by what this one drew.
RESULT = "result of a run"
# How pictures are called: a file that is called so and holds none is broken.
BROKEN = "broken "
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif"})
# Says to photo programs, on Android first, that a folder's pictures are not meant.
NO_MEDIA = ".nomedia"
# Who names their home folder by mistake is told so before all of it is read.
MOST_FILES = 2000

_BEGINNINGS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"%PDF": "PDF",
}
# Of ISO's container for pictures (ISO/IEC 23008-12): how Apple, Samsung and others call HEVC and AV1 in it.
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
_HEAD_BYTES = 64


class FoundPhotos(Mapping[str, Path]):
    """Photos by the names under which they will stand in a store, and what was left out: kind -> how many."""

    def __init__(self, files: Mapping[str, Path], left_out: Mapping[str, int]) -> None:
        self._files, self.left_out = files, left_out

    def __getitem__(self, name: str) -> Path:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def sentence(self) -> str:
        """`11 files: 5 taken, 6 left out (2 GIF, 4 .txt)`."""
        rest = sum(self.left_out.values())
        count = len(self) + rest
        files = f"{count} file{'s' if count != 1 else ''}"
        return (
            f"{files}: {len(self)} taken, {rest} left out ({_listed(self.left_out)})" if rest else f"{files}: all taken"
        )


def find_photos(places: Sequence[Path]) -> FoundPhotos:
    """The photos among files, and in folders and the folders below them; each file once.

    Litter (Thumbs.db, .DS_Store ...) is not even counted. Raises CommandError where a place does not exist, cannot be
    read, or no photo is found.
    """
    photos: list[Path] = []
    left_out: Counter[str] = Counter()
    for number, (file, kind) in enumerate(_kinds(places)):
        if number >= MOST_FILES:
            raise CommandError(f"more than {MOST_FILES} files: give a folder that holds one person's photos alone")
        if kind in TAKEN:
            photos.append(file)
        else:
            left_out[kind] += 1
    if not photos:
        folders = ", ".join(str(place) for place in places)
        rest = f" {sum(left_out.values())} left out ({_listed(left_out)});" if left_out else ""
        raise CommandError(f"no photos in {folders}:{rest} {ADVICE}")
    names = distinct(_name(file) for file in photos)
    return FoundPhotos(dict(zip(names, photos, strict=True)), left_out)


def captions_beside(photos: Mapping[str, Path]) -> dict[str, Path]:
    """The texts that lie beside photos under their names (`NN.txt` beside `NN.jpg`), by the names under which they will
    stand beside them in a store."""
    beside = {name: file.with_suffix(CAPTION_ENDING) for name, file in photos.items()}
    return {str(Path(name).with_suffix(CAPTION_ENDING)): text for name, text in beside.items() if text.is_file()}


def kind_of(head: bytes) -> str:
    """What kind of picture a file with this beginning is (`JPEG`, `GIF` ...); empty where it is none that is known."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        # The major brand, the version, then the brands that it is compatible with.
        size = min(int.from_bytes(head[:4], "big"), len(head))
        brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
        return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), "")
    return next((kind for beginning, kind in _BEGINNINGS.items() if head.startswith(beginning)), "")


def _kinds(places: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Every file once, and its kind or why it is left out."""
    seen: set[Path] = set()
    try:
        for place in places:
            for file, why in _files(place):
                resolved = file.resolve()
                if resolved in seen:
                    continue
                seen.add(resolved)
                yield file, why or _kind(file)
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(f"{getattr(error, 'filename', None) or 'a photo'} cannot be read: {error}") from error


def _files(place: Path) -> Iterator[tuple[Path, str]]:
    """The files of one place; with their kind, or a word for what cannot be looked into, where that is known."""
    if place.is_file():
        kind = _kind(place)
        # Who names a photo is told by its verdict what is wrong with it.
        yield place, TAKEN[0] if kind.startswith(BROKEN) else kind
        return
    if not place.is_dir():
        raise CommandError(f"{place} does not exist: give photos, or folders that hold photos")
    closed: list[Path] = []
    results: set[Path] = set()
    for root, folders, names in os.walk(place, onerror=lambda error: closed.append(Path(str(error.filename)))):
        if NO_MEDIA in names and Path(root) != place:
            folders.clear()
            yield Path(root), f"folder with {NO_MEDIA}"
            continue
        links = [name for name in folders if Path(root, name).is_symlink() and not is_litter(name)]
        folders[:] = sorted(name for name in folders if not is_litter(name) and name not in links)
        results |= {Path(root, path) for path in delivered(Path(root))}
        for name in sorted(name for name in names if not is_litter(name)):
            yield Path(root, name), RESULT if Path(root, name) in results else ""
        yield from ((Path(root, name), "linked folder") for name in links)
    yield from ((folder, "folder that cannot be opened") for folder in closed)


def _kind(file: Path) -> str:
    """The kind of a picture, else how the file ends, else what is wrong with it."""
    if not file.is_file():
        return "not a file"
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return "cannot be opened"
    if not head:
        return "empty"
    ending = file.suffix.lower()
    return kind_of(head) or (f"{BROKEN}{ending}" if ending in PICTURES else ending or "without ending")


def _name(file: Path) -> str:
    """A name of its own, too, for a hidden file that was named on purpose."""
    return photo_name(file.name) or photo_name(file.name.strip(" .")) or "photo"


def _listed(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items(), key=lambda row: (-row[1], row[0])))
