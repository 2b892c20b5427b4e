"""People of a folder: their photos, what is true of them, and photos that must be refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from profile_cli.errors import CommandError

NOUNS = {"female": "woman", "male": "man"}
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
    """Everyone in a folder. Raises CommandError if there is nobody, or a person's truth cannot be read."""
    people = [_person(path) for path in sorted(folder.glob("*/person.json"))][:limit]
    if not people:
        raise CommandError(f"{folder} holds no people: each is a folder with NN.jpg and person.json")
    return people


def _person(path: Path) -> CastMember:
    """A person of a folder, as person.json tells of them. Raises CommandError."""
    folder = path.parent
    try:
        truth = json.loads(path.read_text())
        reasons = json.loads((folder / "bad" / "truth.json").read_text()) if (folder / "bad").is_dir() else {}
        noun = NOUNS[truth["gender"]]
        described = describe(noun, float(truth["age"]), ANCESTRIES.get(truth.get("ancestry", ""), ""))
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"the truth about {folder.name} cannot be read: {error!r}") from error
    photos = tuple(sorted(folder.glob("*.jpg")))
    if not photos:
        raise CommandError(f"{folder} holds no photos")
    return CastMember(
        folder.name, photos, noun, described, {folder / "bad" / name: why for name, why in reasons.items()}
    )


def describe(noun: str, age: float, ancestry: str) -> str:
    """Such as 'a young East Asian woman'."""
    years = "young" if age < 32 else "middle-aged" if age < 54 else "old"
    return f"{'an' if years[0] in 'aeiou' else 'a'} {years} {ancestry}{noun}"
