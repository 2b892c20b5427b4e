"""The contact sheet: the person's photos, and beside them what was made, with the figures that decided."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from profile_contract.photo_names import shown_name
from profile_contract.stages.finish import FinishOrder, Portrait, Score, ToneShift
from profile_contract.stages.preprocess import DatasetImage
from profile_contract.toys import toy_notice
from profile_vision.files import PORTRAIT, PREVIEW, jpeg
from profile_vision.pixels import BGR, RGB, to_bgr, to_rgb

from .bands import FAINT, Card, cards_band, rule_band, stacked, text_band
from .references import References
from .titles import drawn_title
from .tone import tone_in_words

PHOTO_COLUMNS = 10
PORTRAIT_COLUMNS = 4
REFUSED_COLUMNS = 8
MOST_REFUSED = 16
QUALITY = 90
DPI = 150
# Of a thumbnail.
EDGE = 360
PREVIEW_NOTICE = "Previews: drawn over a photo, before anything of the person was learnt. They are no portraits."


class Thumbnails:
    """Squares of 360 pixels by key, the upper middle of each picture, so that pictures need not stay in memory."""

    def __init__(self) -> None:
        self._pictures: dict[str, RGB] = {}

    def keep(self, key: str, image: BGR) -> None:
        """Keep a small copy of a picture."""
        self._pictures[key] = square(image, EDGE)

    def get(self, key: str) -> RGB | None:
        """The copy (360, 360, 3), or None if the picture could not be read."""
        return self._pictures.get(key)


def square(image: BGR, edge: int) -> RGB:
    """The largest square of a picture, its middle across and its upper third down, (edge, edge, 3)."""
    height, width = image.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 3
    part = image[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side > edge else cv2.INTER_CUBIC
    return to_rgb(BGR(cv2.resize(part, (edge, edge), interpolation=way).astype(np.uint8)))


@dataclass(frozen=True)
class StyleSection:
    """What became of one style: ranked scores, delivered portraits, tone shift if there were neutral twins, and the
    seeds of which each could be delivered by itself. `omitted`: why nothing was drawn in it."""

    style: str
    tone: ToneShift | None
    scores: list[Score] = field(default_factory=list)
    portraits: list[Portrait] = field(default_factory=list)
    showable: frozenset[int] = frozenset()
    omitted: str = ""


def contact_sheet(
    order: FinishOrder, references: References, sections: list[StyleSection], thumbnails: Thumbnails
) -> bytes:
    """The sheet as a marked JPEG."""
    bands = _head(order, references)
    bands.append(cards_band([_photo(image, thumbnails) for image in references.images], PHOTO_COLUMNS, 16))
    for section in sections:
        bands += _style(section, order.parameters.minimum_likeness, thumbnails)
    mark = PREVIEW if order.parameters.preview else PORTRAIT
    bands += [rule_band(), text_band(mark.statement, 18, colour=FAINT, above=6)]
    return jpeg(to_bgr(RGB(np.asarray(stacked(bands, 48, 40)))), DPI, QUALITY, mark)


def _head(order: FinishOrder, references: References) -> list[Image.Image]:
    """The title, what likeness is judged by, and whose model it is."""
    held_out = sum(image.held_out for image in references.images)
    judges = f"{held_out} held out of training" if held_out else "all of them"
    floor = order.parameters.minimum_likeness
    facts = (
        f"{len(references.images)} photos; likeness is judged by {judges}. 100 % is how much the photos are like each "
        f"other (mean cosine {references.ceiling:.2f}). "
    )
    facts += f"Portraits below {floor} % are not delivered." if floor else "No likeness floor was set."
    toy = order.parameters.toy_model
    return [
        text_band(drawn_title(order), 44),
        *([text_band(PREVIEW_NOTICE, 22, above=8)] if order.parameters.preview else []),
        *([text_band(toy_notice(toy), 22, above=8)] if toy else []),
        text_band(facts, 20, colour=FAINT, above=8, below=8),
        rule_band(12, 16),
        text_band("The photos", 26, below=10),
    ]


def _photo(image: DatasetImage, thumbnails: Thumbnails) -> Card:
    whole = shown_name(image.photo)
    name = whole if len(whole) <= 20 else f"{whole[:9]}...{whole[-8:]}"
    badge = "held out" if image.held_out else ""
    return Card(picture=thumbnails.get(image.image), title="", lines=(name,), badge=badge)


def _style(section: StyleSection, floor: int, thumbnails: Thumbnails) -> list[Image.Image]:
    """What became of one style: tone, what was delivered, what was not and why."""
    bands = [
        rule_band(16, 16),
        text_band(section.style, 26, below=2),
        text_band(tone_text(section), 19, colour=FAINT, below=12),
    ]
    delivered = [score for score in section.scores if score.delivered]
    refused = [score for score in section.scores if not score.delivered][:MOST_REFUSED]
    cards = [_portrait(score, number, floor, thumbnails) for number, score in enumerate(delivered, start=1)]
    if cards:
        bands.append(cards_band(cards, PORTRAIT_COLUMNS, 26))
    if refused:
        bands.append(text_band("Not delivered", 20, colour=FAINT, above=10, below=8))
        bands.append(cards_band([_refused(score, thumbnails) for score in refused], REFUSED_COLUMNS, 18))
    return bands


def tone_text(section: StyleSection) -> str:
    """How many portraits of a style were delivered, and how its tone came out where that was measured."""
    if section.omitted:
        return f"nothing was drawn: {section.omitted}"
    count = f"{len(section.portraits)} of {len(section.scores)} candidates delivered"
    return count if section.tone is None else f"{count}; {tone_in_words(section.tone)}"


def _portrait(score: Score, number: int, floor: int, thumbnails: Thumbnails) -> Card:
    """The card of a delivered portrait."""
    if score.likeness is None:
        return Card(
            thumbnails.get(score.key), f"{number}.  no face found", (f"seed {score.seed}",), share=0.0, good=False
        )
    return Card(
        picture=thumbnails.get(score.key),
        title=f"{number}.  likeness {score.likeness} %",
        lines=(f"seed {score.seed}, face {100 * score.face_height:.0f} % of height, sharpness {score.sharpness:.0f}",),
        share=score.likeness / 100,
        good=score.likeness >= max(floor, 1),
    )


def _refused(score: Score, thumbnails: Thumbnails) -> Card:
    title = "no face" if score.likeness is None else f"{score.likeness} %"
    return Card(thumbnails.get(score.key), title, (f"seed {score.seed}: {score.refusal}",), faded=True)
