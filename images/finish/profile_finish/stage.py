"""The stage: candidates are scored and ranked, the best become portraits, and all of it is shown and told.

Pictures are read one at a time; of each only figures and a thumbnail are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from profile_contract.artifacts import CONTACT_SHEET, LIKENESS_REPORT, PRINT_SHEET
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput, TryAgain
from profile_contract.stages.finish import (
    ComparedSide,
    Comparison,
    FinishOrder,
    FinishReport,
    Portrait,
    Score,
    StyleCandidates,
)
from profile_contract.stages.generate import Candidate
from profile_runtime.context import StageContext
from profile_runtime.progress import StageProgress
from profile_runtime.store.port import NotFound, Store
from profile_vision import FaceReader, MaskReader, WeightsMissing
from profile_vision.files import Unreadable, read_picture
from profile_vision.tone import colours

from .comparing import Side, compared
from .delivery import Deliverer
from .document import likeness_document
from .print_sheet import print_sheet
from .ranking import nothing_delivered, rank, refusal
from .references import References, read_references
from .scoring import score_candidate
from .sheet import StyleSection, contact_sheet
from .thumbnails import Thumbnails
from .titles import drawn_at, title_of
from .tone import Twins, tone_shift


@dataclass
class Bench:
    """What the steps of one order share."""

    order: FinishOrder
    store: Store
    progress: StageProgress
    faces: FaceReader
    mask: MaskReader
    references: References
    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    done: int = 0

    def step(self, message: str) -> None:
        """Another picture is behind us: a candidate measured, or a portrait delivered."""
        self.done += 1
        total = sum(len(style.candidates) + self.order.parameters.portraits for style in self.order.styles)
        self.progress.at(min(self.done, total), total, message)


def run(order: FinishOrder, context: StageContext) -> FinishReport:
    """Candidates to portraits. Raises BadInput for an order without a usable dataset or candidates, TryAgain without
    weights, StoreError. If nothing can be delivered, the report says BadInput and still holds every score."""
    if not any(style.candidates for style in order.styles):
        raise BadInput(Reason.INVALID_ORDER, "there are no candidates to finish")
    store = context.store
    bench = _bench(order, context)
    sections = [_style(bench, style) for style in order.styles]
    scores = [score for section in sections for score in section.scores]
    tones = [section.tone for section in sections if section.tone]
    document = likeness_document(order, bench.references, scores, tones, _compare(bench, sections))
    store.write(order.output + LIKENESS_REPORT, document.to_json().encode(), "application/json")
    for image in bench.references.images:
        bench.thumbnails.keep(image.image, read_picture(store, image.image))
    sheet = contact_sheet(order, bench.references, sections, bench.thumbnails)
    store.write(order.output + CONTACT_SHEET, sheet, "image/jpeg")
    portraits = [portrait for section in sections for portrait in section.portraits]
    if portraits:
        pages = print_sheet(store, portraits, title_of(order), drawn_at(order))
        store.write(order.output + PRINT_SHEET, pages, "application/pdf")
    return _report(order, bench.references, sections)


def _bench(order: FinishOrder, context: StageContext) -> Bench:
    try:
        faces, mask = FaceReader(context.vision), MaskReader(context.vision)
    except WeightsMissing as error:
        raise TryAgain(Reason.MODEL_NOT_FOUND, str(error)) from error
    references = read_references(context.store, order.dataset, faces)
    return Bench(order, context.store, context.progress, faces, mask, references)


def _style(bench: Bench, style: StyleCandidates) -> StyleSection:
    """Score, rank and deliver the candidates of one style."""
    scores, pairs = _measure(bench, style)
    ranked = rank(scores, bench.order.parameters)
    tone = tone_shift(style.style, style.tone, pairs) if pairs else None
    delivered = [score for score in ranked if score.delivered]
    deliverer = _deliverer(bench)
    portraits = []
    for number, score in enumerate(delivered, start=1):
        portraits.append(deliverer.deliver(score, number, read_picture(bench.store, score.key)))
        bench.step(f"delivered {style.style} {number}")
    floor = bench.order.parameters.minimum_likeness
    showable = frozenset(score.seed for score in scores if not refusal(score, floor))
    return StyleSection(style=style.style, tone=tone, scores=ranked, portraits=portraits, showable=showable)


def _deliverer(bench: Bench) -> Deliverer:
    return Deliverer(bench.store, bench.order.output, bench.faces, bench.order.parameters)


def _compare(bench: Bench, sections: list[StyleSection]) -> list[Comparison]:
    """What stands side by side; pictures that were not delivered are written for it."""
    portraits = {(one.style, one.seed): one.key for section in sections for one in section.portraits}
    scores, showable = [section.scores for section in sections], [section.showable for section in sections]
    deliverer = _deliverer(bench)

    def key(side: Side) -> str:
        standing = portraits.get((side.style, side.score.seed), "")
        if standing or not side.showable:
            return standing
        return deliverer.show(side.score, read_picture(bench.store, side.score.key))

    def told(side: Side) -> ComparedSide:
        score = side.score
        return ComparedSide(
            style=side.style, tone=side.tone, key=key(side), likeness=score.likeness, delivered=score.delivered
        )

    rows = compared(bench.order.styles, scores, showable)
    return [Comparison(seed=row.seed, sides=[told(side) for side in row.sides]) for row in rows]


def _measure(bench: Bench, style: StyleCandidates) -> tuple[list[Score], list[Twins]]:
    """Scores of a style's candidates, and colours of those that have a neutral twin."""
    own = [candidate for candidate in style.candidates if not candidate.twin]
    twins = {candidate.seed: candidate for candidate in style.candidates if candidate.twin}
    scores, pairs = [], []
    for candidate in own:
        score = _score(bench, style.style, candidate)
        scores.append(score)
        twin = twins.get(candidate.seed)
        if twin and not score.refusal:
            pairs += _pair(bench, candidate, twin)
        bench.step(f"measured {style.style} {candidate.seed}")
    return scores, pairs


def _score(bench: Bench, style: str, candidate: Candidate) -> Score:
    try:
        image = read_picture(bench.store, candidate.key)
    except (NotFound, Unreadable) as error:
        why = "it is not in the store" if isinstance(error, NotFound) else "it cannot be read as a picture"
        return Score(style=style, seed=candidate.seed, key=candidate.key, faces=0, refusal=why)
    bench.thumbnails.keep(candidate.key, image)
    return score_candidate(style, candidate, image, bench.faces, bench.references)


def _pair(bench: Bench, candidate: Candidate, twin: Candidate) -> list[Twins]:
    """Colours of a candidate and its twin; empty if the twin cannot be read."""
    try:
        images = [read_picture(bench.store, drawn.key) for drawn in (candidate, twin)]
    except (NotFound, Unreadable):
        return []
    bench.step(f"compared {candidate.seed}")
    faces = [next(iter(bench.faces.find(image)), None) for image in images]
    own, neutral = (colours(image, face, bench.mask.read(image)) for image, face in zip(images, faces, strict=True))
    likeness = [
        bench.references.cosine(bench.faces.embed(image, face))
        for image, face in zip(images, faces, strict=True)
        if face
    ]
    return [Twins(own, neutral, likeness[0] - likeness[1] if len(likeness) == 2 else None)]


def _report(order: FinishOrder, references: References, sections: list[StyleSection]) -> FinishReport:
    scores = [score for section in sections for score in section.scores]
    portraits = [portrait for section in sections for portrait in section.portraits]
    report = FinishReport(
        digest=order.digest,
        message=_message(order, sections, portraits),
        ceiling=references.ceiling,
        references=len(references.embeddings),
        portraits=portraits,
        scores=scores,
        tones=[section.tone for section in sections if section.tone],
        contact_sheet=order.output + CONTACT_SHEET,
        print_sheet=order.output + PRINT_SHEET if portraits else "",
        likeness_report=order.output + LIKENESS_REPORT,
    )
    if portraits:
        return report
    message = nothing_delivered(scores, order.parameters.minimum_likeness)
    update = {"outcome": "BadInput", "reason": Reason.NO_LIKENESS_REACHED, "message": message}
    return report.model_copy(update=update)


def _message(order: FinishOrder, sections: list[StyleSection], portraits: list[Portrait]) -> str:
    best = max((portrait.likeness for portrait in portraits), default=0)
    text = f"{len(portraits)} portraits delivered, best likeness {best} %"
    short = [s.style for s in sections if len(s.portraits) < order.parameters.portraits]
    return text + (f"; fewer than asked for in {', '.join(short)}" if short else "")
