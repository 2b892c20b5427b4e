"""A portrait's way: a candidate is scored, the best of a style are delivered, and each is cut to its layouts.

Pictures are read one at a time; of each only figures and a thumbnail are kept.
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from PIL import Image

from profile_contract.artifacts import compared_key, layout_key, portrait_key, source_key, thumbnail_key
from profile_contract.conditions import Reason
from profile_contract.exits import TryAgain
from profile_contract.framing import Head
from profile_contract.layouts import LAYOUTS, Layout, LayoutName
from profile_contract.stages.finish import FinishOrder, LayoutFile, Portrait, Score, StyleCandidates
from profile_contract.stages.generate import Candidate
from profile_runtime.context import StageContext
from profile_runtime.store.port import NotFound
from profile_vision import Face, FaceReader, MaskReader, WeightsMissing, head_angles, likeness, sharpness
from profile_vision.eyes import has_both_eyes
from profile_vision.faces import counted
from profile_vision.files import (
    PORTRAIT,
    PREVIEW,
    RETOUCHED,
    Mark,
    Unreadable,
    jpeg_within,
    plain_jpeg,
    png,
    read_picture,
    thumbnail,
    visibly_marked,
)
from profile_vision.heads import head_of
from profile_vision.pixels import BGR, Mask
from profile_vision.tone import colours
from profile_vision.windows import Window, centred, cut, framed, window_for

from .checklist import Cutting, Pose, checks
from .ranking import HELD_BACK, rank, refusal
from .references import References, read_references
from .sheet import StyleSection, Thumbnails
from .signature import Signature
from .tone import Twins, tone_shift

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"


@dataclass(frozen=True)
class CutSubject:
    """What is cut: a portrait's pixels, the head and who is in it, and what its files say of themselves."""

    image: BGR
    head: Head | None
    mask: Mask
    mark: Mark


class Finisher:
    """Makes the portraits of one order. `references` and `thumbnails` are for the documents that show them."""

    def __init__(
        self,
        order: FinishOrder,
        context: StageContext,
        faces: FaceReader,
        mask: MaskReader,
        references: References,
        *,
        signature: Signature | None = None,
    ) -> None:
        self.references, self.thumbnails = references, Thumbnails()
        self._parameters, self._output, self._signature = order.parameters, order.output, signature
        self._store, self._progress, self._faces, self._mask = context.store, context.progress, faces, mask
        self._pictures = sum(len(style.candidates) + order.parameters.portraits for style in order.styles)
        self._done = 0

    @classmethod
    def of(cls, order: FinishOrder, context: StageContext) -> Self:
        """Load the networks and read the dataset. Raises TryAgain without weights, or with a signature that cannot be
        used, BadInput without references."""
        signature = Signature.read(context.signature) if context.signature is not None else None
        try:
            faces, mask = FaceReader(context.vision), MaskReader(context.vision)
        except WeightsMissing as error:
            raise TryAgain(Reason.MODEL_NOT_FOUND, str(error)) from error
        return cls(
            order, context, faces, mask, read_references(context.store, order.dataset, faces), signature=signature
        )

    def style(self, style: StyleCandidates) -> StyleSection:
        """Score and rank the candidates of a style, deliver the best, and hold its tone against neutral twins."""
        neutral = {candidate.seed: candidate for candidate in style.candidates if candidate.twin}
        scores, pairs = [], []
        for candidate in style.candidates:
            if candidate.twin:
                continue
            score = self._score(style.style, candidate)
            twins = self._twins(candidate, neutral.get(candidate.seed)) if not score.refusal else None
            scores.append(score)
            pairs += [twins] if twins else []
            self._step(f"measured {style.style} {candidate.seed}")
        parameters = self._parameters
        most = style.portraits if style.portraits is not None else parameters.portraits
        ranked = rank(scores, parameters.model_copy(update={"portraits": most}))
        drawn = {candidate.key: candidate for candidate in style.candidates}
        portraits = []
        for number, score in enumerate((score for score in ranked if score.delivered), start=1):
            portraits.append(self.deliver(score, number, read_picture(self._store, score.key), drawn[score.key]))
            self._step(f"delivered {style.style} {number}")
        return StyleSection(
            style=style.style,
            tone=tone_shift(style.style, style.tone, pairs) if pairs else None,
            scores=ranked,
            portraits=portraits,
            showable=frozenset(score.seed for score in scores if not refusal(score, parameters.minimum_likeness)),
            omitted=style.omitted,
        )

    def deliver(self, score: Score, number: int, image: BGR, candidate: Candidate) -> Portrait:
        """Write a candidate as a portrait with all its layouts; `number` is its rank in the style, from 1."""
        key = portrait_key(self._output, score.style, number, score.seed)
        mark = self._mark(candidate)
        self._write(key, self._shown(image), mark)
        head, mask = self._head(image), self._mask.read(image)
        subject = CutSubject(image, head, mask, mark)
        layouts = [self._layout(layout_key(key, name), name, subject) for name in self._parameters.layouts]
        return Portrait(
            style=score.style,
            seed=score.seed,
            rank=number,
            key=key,
            likeness=score.likeness if score.likeness is not None else 0,
            layouts=layouts,
            source=self._source(key, candidate, image),
            thumbnail=thumbnail_key(key),
        )

    def show(self, score: Score, candidate: Candidate) -> str:
        """Write a candidate to stand beside a portrait, marked as that one is, without cuts; gives its key."""
        key = compared_key(self._output, score.style, score.seed)
        self._write(key, self._shown(read_picture(self._store, score.key)), self._mark(candidate))
        return key

    def _write(self, key: str, picture: BGR, mark: Mark) -> None:
        """Write a picture in full, and in small for pages."""
        self._store.write(key, self.sealed(png(picture, mark=mark), PNG, mark), PNG)
        self._store.write(thumbnail_key(key), self.sealed(thumbnail(picture, mark), WEBP, mark), WEBP)

    @property
    def signed_by(self) -> str:
        """Who signs the files; empty: nobody."""
        return self._signature.name if self._signature is not None else ""

    def sealed(self, data: bytes, media_type: str, mark: Mark) -> bytes:
        """A file with the platform's content credentials, or as it is where the platform signs nothing."""
        return self._signature.sign(data, media_type, mark) if self._signature is not None else data

    def _mark(self, candidate: Candidate) -> Mark:
        """What a candidate's files say of themselves."""
        if self._parameters.preview:
            return PREVIEW
        return RETOUCHED if candidate.source else PORTRAIT

    def _source(self, portrait: str, candidate: Candidate, image: BGR) -> str:
        """Write the photo that a portrait was drawn over, framed as it is, and give its key; empty where it was drawn
        over none, or over one whose framing is not known or that is no more there."""
        if candidate.framing is None:
            return ""
        try:
            photo = read_picture(self._store, candidate.source)
        except (NotFound, Unreadable):
            return ""
        height, width = image.shape[:2]
        key = source_key(portrait)
        self._store.write(key, plain_jpeg(framed(photo, candidate.framing, width, height)[0]), JPEG)
        return key

    def _score(self, style: str, candidate: Candidate) -> Score:
        """A candidate's faces, the likeness of the largest one, its share of the height, its sharpness and eyes."""
        score = Score(style=style, seed=candidate.seed, key=candidate.key, faces=0)
        if candidate.held_back:
            return score.model_copy(update={"refusal": HELD_BACK})
        try:
            image = read_picture(self._store, candidate.key)
        except NotFound:
            return score.model_copy(update={"refusal": "it is not in the store"})
        except Unreadable:
            return score.model_copy(update={"refusal": "it cannot be read as a picture"})
        self.thumbnails.keep(candidate.key, image)
        faces = counted(self._faces.find(image))
        if not faces:
            return score
        embedding = self._faces.embed(image, faces[0])
        like = likeness(embedding, self.references.beside(candidate.source), self.references.ceiling)
        return Score(
            style=style,
            seed=candidate.seed,
            key=candidate.key,
            faces=len(faces),
            cosine=round(like.cosine, 4),
            likeness=like.percent,
            face_height=round(faces[0].box[3] / image.shape[0], 4),
            sharpness=round(sharpness(image, faces[0]), 1),
            both_eyes=has_both_eyes(image, faces[0], self.references.eyes),
        )

    def _twins(self, candidate: Candidate, neutral: Candidate | None) -> Twins | None:
        """A candidate beside its neutral twin; None where there is none that can be read."""
        if neutral is None or neutral.held_back:
            return None
        try:
            images = [read_picture(self._store, drawn.key) for drawn in (candidate, neutral)]
        except (NotFound, Unreadable):
            return None
        self._step(f"compared {candidate.seed}")
        seen = [(image, next(iter(self._faces.find(image)), None)) for image in images]
        own, twin = (colours(image, face, self._mask.read(image)) for image, face in seen)
        cosines = [self.references.cosine(self._faces.embed(image, face)) for image, face in seen if face]
        return Twins(own, twin, cosines[0] - cosines[1] if len(cosines) == len(seen) else None)

    def _layout(self, key: str, name: LayoutName, subject: CutSubject) -> LayoutFile:
        """Cut a portrait to a layout, write it, and hold the file against the layout's checklist."""
        layout, image, head, mask = LAYOUTS[name], subject.image, subject.head, subject.mask
        height, width = image.shape[:2]
        window = window_for(layout, head, image, mask) if head else centred(layout, width, height)
        pixels = cut(image, window, layout)
        mark, seal = subject.mark, functools.partial(self.sealed, media_type=JPEG, mark=subject.mark)
        data = jpeg_within(self._shown(pixels), layout.dpi, layout.max_kilobytes, mark, seal)[0]
        self._store.write(key, data, JPEG)
        # Measured on the finished cut, not computed from what it was meant to be.
        face = next(iter(self._faces.find(pixels)), None)
        cutting = _measured(data, layout, head_of(face) if head and face else None, window, image)
        cutting = replace(cutting, pose=self._pose(pixels, face) if face and layout.held_beside_face else None)
        return LayoutFile(
            layout=name,
            key=key,
            width=cutting.width,
            height=cutting.height,
            bytes=len(data),
            checks=checks(layout, cutting),
        )

    def _head(self, image: BGR) -> Head | None:
        faces = self._faces.find(image)
        return head_of(faces[0]) if faces else None

    def _pose(self, image: BGR, face: Face) -> Pose:
        """How a cut's face is held. A face's points look upright however it lies: its score tells."""
        height, width = image.shape[:2]
        turn, _, tilt = head_angles(face, width, height)
        glances = [self._faces.glance(BGR(np.ascontiguousarray(np.rot90(image, turns)))) for turns in range(4)]
        return Pose(tilt=tilt, turn=turn, upright=glances[0] >= max(glances))

    def _shown(self, image: BGR) -> BGR:
        return visibly_marked(image) if self._parameters.visible_mark else image

    def _step(self, message: str) -> None:
        """Another picture is behind us: a candidate measured or compared, or a portrait delivered."""
        self._done += 1
        self._progress.at(min(self._done, self._pictures), self._pictures, message)


def _measured(data: bytes, layout: Layout, head: Head | None, window: Window, image: BGR) -> Cutting:
    """What the file of a window of the picture holds, and where the head is in it."""
    with Image.open(io.BytesIO(data)) as written:
        width, height = written.size
        dpi = round(written.info.get("dpi", (0, 0))[0])
    return Cutting(
        width=width,
        height=height,
        dpi=dpi,
        bytes=len(data),
        head_share=100 * head.height / layout.height if head else None,
        eye_line=100 * (1 - head.eyes / layout.height) if head else None,
        scale=layout.width / window.width,
        outside=window.outside(image.shape[1], image.shape[0]),
        short=window.short,
    )
