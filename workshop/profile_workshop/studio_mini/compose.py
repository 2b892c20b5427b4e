"""A render without background -> a training picture: framed as the product frames, before a backdrop, in a tone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from profile_contract.style import Tone
from profile_vision.framing import Framing
from profile_workshop.people import places

# OpenCV does not tell its results' types.
Pixels = NDArray[Any]

SIZE = 128
"""Edge of a training picture in pixels."""

# Nearer than SDXL's portraits (.4): at 128 px every pixel of a face counts.
FRAMING = Framing(0.50)
# YuNet's box in parts of the picture's height: from what the widest layouts leave of it (profile_contract.framing) to
# a little nearer than adapters' crops. Its middle is half way between those and where wide layouts have it.
FACES = (0.35, 0.56)
WIDE_MIDDLE = 0.44
# YuNet's box (hairline to chin) in parts of the height of `head_box`, and how far its middle is below; measured.
FACE_OF_HEAD = 1.0
FACE_BELOW_MIDDLE = 0.15
# Shift of CIELAB's b* in a picture called warm (or, negative, cool). The finisher wants 2 to 6 in what is generated,
# where less of it comes out, of warm light above all.
TONE_SHIFT = {Tone.NEUTRAL: 0.0, Tone.WARM: 5.5, Tone.COOL: -4.5}
TONE_SHARES = {Tone.NEUTRAL: 0.5, Tone.WARM: 0.25, Tone.COOL: 0.25}

# Seamless paper, as the styles' prompts name it; sRGB.
PAPERS = {
    "seamless cream paper backdrop": (0.93, 0.87, 0.78),
    "seamless pale blue-grey paper backdrop": (0.80, 0.84, 0.89),
    "plain light grey backdrop": (0.84, 0.84, 0.84),
    "plain dark grey backdrop": (0.24, 0.24, 0.25),
    "plain white backdrop": (0.95, 0.95, 0.95),
}
PLACES = {
    "wall": "wall in the background",
    "room": "blurred room in the background",
    "outdoor": "blurred green park in the background",
}
PAPER_SHARE = 0.7


@dataclass(frozen=True)
class Framed:
    """`picture` (SIZE, SIZE, 3) RGB; `move` (2, 3) brings places of the render into it."""

    picture: NDArray[np.uint8]
    move: NDArray[np.float64]
    tone: Tone
    backdrop: str
    mirrored: bool


def compose(rgba: NDArray[np.uint8], facts: Mapping[str, Any], draw: Generator) -> Framed:
    """One training picture of a render (S, S, 4); everything that is not given is drawn."""
    mirrored = bool(draw.random() < 0.5)
    move = framing(facts["head_box"], rgba.shape[1], mirrored=mirrored, draw=draw)
    person = _moved(rgba, move)
    words, behind = _backdrop(facts, draw)
    alpha = person[..., 3:]
    picture = person[..., :3] + behind * (1 - alpha)
    tone = Tone(str(draw.choice([tone.value for tone in TONE_SHARES], p=list(TONE_SHARES.values()))))
    picture = toned(np.clip(picture * draw.uniform(0.92, 1.08), 0, 1), TONE_SHIFT[tone] * draw.uniform(0.7, 1.3))
    return Framed((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), move, tone, words, mirrored)


def framing(
    head_box: tuple[float, float, float, float], size: int, *, mirrored: bool, draw: Generator
) -> NDArray[np.float64]:
    """The affine map (2, 3) from the render to the picture: the product's crops and its portraits' framings, a
    little off, a little turned."""
    x, y, width, height = head_box
    face = draw.uniform(*FACES)
    scale = SIZE * face / (height * FACE_OF_HEAD)
    middle = (x + width / 2, y + height * (0.5 + FACE_BELOW_MIDDLE))
    move = np.asarray(cv2.getRotationMatrix2D(middle, float(draw.normal(0, 2)), float(scale)), np.float64)
    down = (Framing(face).middle + WIDE_MIDDLE) / 2
    target = SIZE * np.array([0.5 + draw.normal(0, 0.035), down + draw.normal(0, 0.03)])
    move[:, 2] += target - np.array(middle)
    if mirrored:
        move = np.array([[-1.0, 0, SIZE - 1.0], [0, 1.0, 0]]) @ np.vstack([move, [0, 0, 1]])
    return move


def _moved(rgba: NDArray[np.uint8], move: NDArray[np.float64]) -> Pixels:
    """The render in the picture's frame: float32 with premultiplied alpha; what it ends with goes on as in a mirror,
    since a row that is repeated would teach stripes."""
    person: Pixels = rgba.astype(np.float32) / 255
    person[..., :3] *= person[..., 3:]
    # Shoulders go on below the render's edge, backgrounds have none.
    below = person[: -person.shape[0] // 3 : -1]
    whole = np.concatenate([person, below])
    return cv2.warpAffine(whole, move, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT)


def _backdrop(facts: Mapping[str, Any], draw: Generator) -> tuple[str, Pixels]:
    if draw.random() < PAPER_SHARE:
        words = str(draw.choice(list(PAPERS)))
        colour = np.clip(np.array(PAPERS[words]) + draw.normal(0, 0.015, 3), 0, 1)
        return words, places.studio((float(colour[0]), float(colour[1]), float(colour[2])), SIZE, draw)
    place = str(draw.choice(list(PLACES)))
    return PLACES[place], places.backdrop(place, str(facts["light"]), SIZE, draw)


def toned(picture: Pixels, shift: float) -> Pixels:
    """Shift CIELAB's b* of a picture (sRGB, 0 to 1), and a* by a fifth of it, as a lamp's colour does."""
    if not shift:
        return picture
    lab: Pixels = cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2LAB)
    lab = lab + np.array([0.0, 0.2 * shift, shift], np.float32)
    return cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
