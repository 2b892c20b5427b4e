"""The stage: candidates become portraits, and what was measured and delivered is shown and written down."""

from __future__ import annotations

from profile_contract.artifacts import CONTACT_SHEET, LIKENESS_REPORT, PRINT_SHEET, thumbnail_key
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.finish import ComparedSide, Comparison, FinishOrder, FinishReport
from profile_runtime.context import StageContext
from profile_vision.files import PORTRAIT, PREVIEW, read_picture

from .comparing import Side, compared
from .document import likeness_document
from .portraits import JPEG, Finisher
from .print_sheet import print_sheet
from .ranking import nothing_delivered
from .references import References
from .sheet import StyleSection, contact_sheet
from .titles import drawn_at, title_of


def run(order: FinishOrder, context: StageContext) -> FinishReport:
    """Candidates to portraits. Raises BadInput for an order without a usable dataset or candidates, TryAgain without
    weights, StoreError. If nothing can be delivered, the report says BadInput and still holds every score."""
    if not any(style.candidates for style in order.styles):
        raise BadInput(Reason.INVALID_ORDER, "there are no candidates to finish")
    store = context.store
    finisher = Finisher.of(order, context)
    sections = [finisher.style(style) for style in order.styles]
    scores = [score for section in sections for score in section.scores]
    tones = [section.tone for section in sections if section.tone]
    comparisons = _comparisons(order, finisher, sections)
    document = likeness_document(order, finisher.references, scores, tones, comparisons)
    store.write(order.output + LIKENESS_REPORT, document.to_json().encode(), "application/json")
    for image in finisher.references.images:
        finisher.thumbnails.keep(image.image, read_picture(store, image.image))
    sheet = contact_sheet(order, finisher.references, sections, finisher.thumbnails)
    mark = PREVIEW if order.parameters.preview else PORTRAIT
    store.write(order.output + CONTACT_SHEET, finisher.sealed(sheet, JPEG, mark), JPEG)
    portraits = [portrait for section in sections for portrait in section.portraits]
    if portraits and not order.parameters.preview:
        pages = print_sheet(store, portraits, title_of(order), drawn_at(order))
        store.write(order.output + PRINT_SHEET, pages, "application/pdf")
    report = _report(order, finisher.references, sections)
    return report.model_copy(update={"signed_by": finisher.signed_by})


def _comparisons(order: FinishOrder, finisher: Finisher, sections: list[StyleSection]) -> list[Comparison]:
    """What stands side by side; pictures that could be delivered and were not are written for it."""
    portraits = {
        (portrait.style, portrait.seed): portrait.key for section in sections for portrait in section.portraits
    }
    drawn = {candidate.key: candidate for style in order.styles for candidate in style.candidates}

    def shown(side: Side) -> ComparedSide:
        key = portraits.get((side.style, side.score.seed), "")
        if side.showable and not key:
            key = finisher.show(side.score, drawn[side.score.key])
        return ComparedSide(
            style=side.style,
            tone=side.tone,
            key=key,
            thumbnail=thumbnail_key(key) if key else "",
            likeness=side.score.likeness,
            delivered=side.score.delivered,
        )

    rows = compared(order.styles, [section.scores for section in sections], [section.showable for section in sections])
    return [Comparison(seed=row.seed, sides=[shown(side) for side in row.sides]) for row in rows]


def _report(order: FinishOrder, references: References, sections: list[StyleSection]) -> FinishReport:
    """The report of what was delivered, or of why nothing could be."""
    scores = [score for section in sections for score in section.scores]
    portraits = [portrait for section in sections for portrait in section.portraits]
    best = max((portrait.likeness for portrait in portraits), default=0)
    wanted = {style.style: style.portraits or order.parameters.portraits for style in order.styles}
    short = [section.style for section in sections if len(section.portraits) < wanted[section.style]]
    what = "previews" if order.parameters.preview else "portraits"
    fewer = f"; fewer than asked for in {', '.join(short)}" if short else ""
    report = FinishReport(
        digest=order.digest,
        message=f"{len(portraits)} {what} delivered, best likeness {best} %{fewer}",
        preview=order.parameters.preview,
        ceiling=references.ceiling,
        references=len(references.embeddings),
        portraits=portraits,
        scores=scores,
        tones=[section.tone for section in sections if section.tone],
        contact_sheet=order.output + CONTACT_SHEET,
        print_sheet=order.output + PRINT_SHEET if portraits and not order.parameters.preview else "",
        likeness_report=order.output + LIKENESS_REPORT,
    )
    if portraits:
        return report
    message = nothing_delivered(scores, order.parameters.minimum_likeness)
    update = {"outcome": "BadInput", "reason": Reason.NO_LIKENESS_REACHED, "message": message}
    return report.model_copy(update=update)
