"""Finds a person's photos on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import CommandError

# What a folder is searched for; a file that is named itself is taken as it is, and judged by preprocessing.
ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".bmp", ".tif", ".tiff"})


def find_photos(places: Sequence[Path]) -> dict[str, Path]:
    """Name -> file, for files and for the pictures in folders. Raises CommandError if there are none."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += [file for file in sorted(place.iterdir()) if _is_picture(file)]
        elif place.is_file():
            found.append(place)
        else:
            raise CommandError(f"{place} does not exist: give photos, or folders that hold photos")
    if not found:
        folders = ", ".join(str(place) for place in places)
        raise CommandError(f"no photos in {folders}: files ending in {', '.join(sorted(ENDINGS))} are looked for")
    return _named(list(dict.fromkeys(file.resolve() for file in found)))


def _is_picture(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in ENDINGS and not file.name.startswith(".")


def _named(files: list[Path]) -> dict[str, Path]:
    """Every file under its name; a number before it where another folder holds one of the same name."""
    names: dict[str, Path] = {}
    for file in files:
        name, number = file.name, 2
        while name in names:
            name, number = f"{number}-{file.name}", number + 1
        names[name] = file
    return names
