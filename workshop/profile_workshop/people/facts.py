"""What is true of a picture, written beside it: the person, the shot, and where things are in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from profile_workshop.people.identity import Person
from profile_workshop.people.shot import Shot
from profile_workshop.people.studio import Rendering

OF_PERSON = ("seed", "gender", "age", "ancestry", "hair", "hair_colour", "eye", "beard", "makeup")
OF_SHOT = ("number", "yaw", "pitch", "roll", "body", "mood", "wear", "glasses", "light", "place", "frame", "focal")


def facts(person: Person, shot: Shot, picture: Rendering) -> dict[str, Any]:
    """JSON values; angles in degrees, `landmarks` and `head_box` in pixels, `wear_rgb` linear, 0 to 1."""
    who, what = asdict(person), asdict(shot)
    return {
        **{name: who[name] for name in OF_PERSON},
        **{name: what[name] for name in OF_SHOT},
        "wear_rgb": [round(value, 4) for value in picture.wear_colour],
        "landmarks": [[round(x, 2), round(y, 2)] for x, y in picture.landmarks.tolist()],
        "head_box": [round(value, 2) for value in picture.head_box],
    }
