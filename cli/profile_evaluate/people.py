"""People of a folder: their photos, and, where somebody wrote it down, what is true of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from profile_cli.errors import CommandError

NOUNS = {"female": "woman", "male": "man"}
PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"})
TRUTH = "person.json"
ANCESTRIES = {"asian": "East Asian ", "caucasian": "European ", "african": "African "}


@dataclass(frozen=True)
class CastMember:
    name: str
    photos: tuple[Path, ...]
    noun: str
    described: str
    """The person in words, to ask a base model for somebody like them."""
    bad: dict[Path, str] = field(default_factory=dict)
    """Photo -> why it must be refused: a photo verdict's reason, and perhaps a remark after a comma."""


def find_people(folder: Path, limit: int | None = None) -> list[CastMember]:
    """Everyone in a folder: each is a folder of photos. Raises CommandError if there is nobody, or a person's truth
    cannot be read."""
    people = [_person(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    some = [person for person in people if person is not None][:limit]
    if not some:
        raise CommandError(f"{folder} holds no people: each is a folder of photos, perhaps with a person.json")
    return some


def _person(folder: Path) -> CastMember | None:
    """A person of a folder, as person.json tells of them if it is there; None without photos. Raises CommandError."""
    photos = tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOS))
    if not (folder / TRUTH).is_file():
        return CastMember(folder.name, photos, "person", "a person") if photos else None
    try:
        truth = json.loads((folder / TRUTH).read_text())
        reasons = json.loads((folder / "bad" / "truth.json").read_text()) if (folder / "bad").is_dir() else {}
        noun = NOUNS[truth["gender"]]
        described = describe(noun, float(truth["age"]), ANCESTRIES.get(truth.get("ancestry", ""), ""))
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"the truth about {folder.name} cannot be read: {error!r}") from error
    if not photos:
        raise CommandError(f"{folder} holds no photos")
    return CastMember(
        folder.name, photos, noun, described, {folder / "bad" / name: why for name, why in reasons.items()}
    )


def describe(noun: str, age: float, ancestry: str) -> str:
    """Such as 'a young East Asian woman'."""
    years = "young" if age < 32 else "middle-aged" if age < 54 else "old"
    return f"{'an' if years[0] in 'aeiou' else 'a'} {years} {ancestry}{noun}"
