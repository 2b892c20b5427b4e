"""Prompts from what is true of a picture, in the words of the styles' prompts and of the trainer's captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from profile_contract.style import TONE_WORDS, Tone
from profile_preprocess.captions import facing

HAIR = {
    "long01": "long {colour} hair",
    "ponytail01": "{colour} hair in a ponytail",
    "Braid01": "{colour} hair in a braid",
    "short01": "short {colour} hair",
    "short02": "short {colour} hair",
    "short04": "short {colour} hair",
    "afro01": "curly {colour} hair",
    "crop": "very short {colour} hair",
    "bald": "a bald head",
}
COLOURS = {"darkbrown": "dark brown", "lightbrown": "light brown"}
MOODS = {
    "neutral": "calm expression",
    "smile": "bright smile",
    "grin": "broad smile",
    "soft": "relaxed faint smile",
    "talk": "talking",
    "serious": "serious expression",
}
ANCESTRIES = {"asian": "East Asian", "caucasian": "European", "african": "African", "mixed": ""}
LIGHTS = {
    "studio": "soft beauty dish key light, gentle fill",
    "window": "soft window light",
    "sun": "late afternoon sun",
    "overcast": "soft daylight",
    "indoor": "lamp light",
}
CLOTHES = {
    "male_elegantsuit01": "a {colour} tailored suit",
    "female_elegantsuit01": "a {colour} tailored suit",
    "male_worksuit01": "{colour} work clothes",
    "female_sportsuit01": "a {colour} sports jacket",
    "male_casualsuit04": "a {colour} sweater",
    "female_casualsuit01": "a {colour} sweater",
    "female_casualsuit02": "a {colour} sweater",
}
OTHER_CLOTHES = "a {colour} shirt"
OPENINGS = (
    "studio profile portrait photograph of {who}",
    "studio portrait photo of {who}",
    "portrait photograph of {who}",
    "corporate headshot photograph of {who}",
    "a photo of {who}",
    "outdoor portrait photograph of {who}",
)


def who(facts: Mapping[str, Any], draw: Generator) -> str:
    """The person in words: more or fewer of them."""
    noun = "woman" if facts["gender"] == "female" else "man"
    if draw.random() < 0.12:
        noun = "person"
    age = _age(float(facts["age"]))
    parts = [age] if draw.random() < 0.6 else []
    ancestry = ANCESTRIES[facts["ancestry"]]
    if ancestry and draw.random() < 0.6:
        parts.append(ancestry)
    words = " ".join([*parts, noun])
    words = f"{'an' if words[0] in 'aeiouAEIOU' else 'a'} {words}"
    looks = [text for text in _looks(facts) if draw.random() < 0.65]
    return words + (f" with {' and '.join(looks)}" if looks else "")


def _age(years: float) -> str:
    if years < 32:
        return "young"
    return "middle-aged" if years < 54 else "old"


def _looks(facts: Mapping[str, Any]) -> list[str]:
    hair = HAIR[facts["hair"]].format(colour=COLOURS.get(facts["hair_colour"], facts["hair_colour"]))
    looks = [hair]
    if facts["beard"] > 0.3:
        looks.append("a beard")
    if facts["glasses"]:
        looks.append("glasses")
    return looks


def clothes(facts: Mapping[str, Any]) -> str:
    return CLOTHES.get(facts["wear"], OTHER_CLOTHES).format(colour=colour_word(facts["wear_rgb"]))


def colour_word(linear: tuple[float, float, float]) -> str:
    """The name of a colour (linear RGB, 0 to 1) as people say it."""
    rgb = np.clip(np.array(linear), 0, 1) ** (1 / 2.2)
    value, spread = float(rgb.max()), float(rgb.max() - rgb.min())
    if value < 0.25:
        return "dark"
    if spread < 0.08:
        return "white" if value > 0.75 else "grey"
    hue = _hue(rgb)
    names = ((20, "red"), (48, "brown" if value < 0.55 else "orange"), (70, "yellow"), (165, "green"), (200, "teal"))
    name = next((name for end, name in names if hue < end), None)
    return name or ("blue" if hue < 265 else "purple" if hue < 330 else "red")


def _hue(rgb: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Degrees, as in HSV."""
    red, green, blue = rgb
    spread = rgb.max() - rgb.min()
    if rgb.argmax() == 0:
        return float(60 * ((green - blue) / spread % 6))
    if rgb.argmax() == 1:
        return float(60 * ((blue - red) / spread + 2))
    return float(60 * ((red - green) / spread + 4))


def prompt(facts: Mapping[str, Any], *, tone: Tone, backdrop: str, draw: Generator, known_as: str) -> str:
    """One prompt: an opening, then most of what is true, in the styles' order or shuffled.

    `yaw` of the facts counts head and body together. The tone's words stand in it always: they must be obeyed.
    `known_as` stands for the person: their name, or words for their looks.
    """
    opening = str(draw.choice(OPENINGS)).format(who=known_as)
    if draw.random() < 0.7:
        opening += f" in {clothes(facts)}"
    tone_words = TONE_WORDS[tone]
    details = [
        (0.8, "head and shoulders"),
        (0.6, facing(float(facts["yaw"]))),
        (0.7, LIGHTS[facts["light"]]),
        (0.85, backdrop),
        (0.4, "natural skin texture"),
        (0.7, MOODS[facts["mood"]]),
        (0.4, "85mm lens"),
        (0.4, "sharp eyes"),
    ]
    kept = [text for share, text in details if draw.random() < share]
    if draw.random() < 0.4:
        draw.shuffle(kept)
    # Untold light is neutral light, mostly; warm and cool are always said.
    if tone is not Tone.NEUTRAL or draw.random() < 0.7:
        kept.insert(int(draw.integers(0, 2)), tone_words)
    return ", ".join([opening, *kept])
