"""What the page shows of a request and of styles. Pure; pictures are named by keys, which `links` turns into URLs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from profile_contract.areas import told_area
from profile_contract.artifacts import request_prefix, saved_name, uploads_prefix, webui_twin
from profile_contract.conditions import ConditionType, Reason
from profile_contract.keys import ForeignKey, check_below
from profile_contract.layouts import LAYOUTS
from profile_contract.likeness import ShownLikeness
from profile_contract.photos import PhotosWarningKind
from profile_contract.request import DeletionPolicy
from profile_contract.request_status import Condition, PortraitStatus, ProfileRequestStatus, StagesStatus
from profile_contract.resource import TITLE_ANNOTATION, parse_spec, status_of
from profile_contract.stages.finish import ComparedSide, FinishReport, LayoutFile
from profile_contract.stages.table import STAGES, Stage
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleKind, ref_of

from .view_models import (
    ComparisonView,
    CutChecksView,
    CutView,
    LayoutView,
    Link,
    PhotoView,
    PortraitView,
    PreviewPicture,
    PreviewView,
    RequestView,
    SideView,
    StyleView,
    WarningView,
)

# The reason of a request that this version of the page cannot read: its owner can still delete it.
UNREADABLE = "Unreadable"
# What other looks may mend.
LOOKS_MEND = frozenset(
    {
        Reason.STYLE_NOT_FOUND,
        Reason.STYLE_NOT_UNDERSTOOD,
        Reason.NO_LIKENESS_REACHED,
        Reason.SOURCE_NOT_FOUND,
        Reason.SOURCE_REFUSED,
    }
)
# The lines of a cut's checklist that a person is told of where they are not met, and the page's names for them. Others
# are about the file, or said of every portrait.
TOLD_CHECKS = {
    "room around the head": "room",
    "head share": "head",
    "eye line": "eyes",
    "upright": "upright",
    "head straight": "straight",
    "facing the camera": "facing",
    "enlargement": "enlarged",
    "backdrop continued": "backdrop",
    # As it was called when cuts still continued more than backdrop.
    "background added": "background",
}
# What reading one may raise: pydantic's ValidationError is a ValueError.
UNREADABLE_ERRORS = (ValueError, KeyError, TypeError, AttributeError)


def style_view(document: dict[str, Any], sample: str) -> StyleView:
    """Raises pydantic's ValidationError for a style that this version cannot read."""
    # As the operator reads: a field of a newer version is left alone.
    spec = ProfileStyleSpec.model_validate(document.get("spec") or {}, extra="ignore")
    style = ref_of(document)
    return StyleView(
        name=style.key,
        own=style.kind is StyleKind.OWN,
        from_photo=spec.drawn_over,
        title=spec.title,
        tone=spec.tone,
        background=spec.background_colour,
        sample=sample,
    )


def layout_views() -> list[LayoutView]:
    return [
        LayoutView(name=name, width_mm=layout.width_mm, height_mm=layout.height_mm) for name, layout in LAYOUTS.items()
    ]


def request_view(document: dict[str, Any], link: Link) -> RequestView:
    """The request as its owner sees it. Raises ValidationError for one that this version cannot read."""
    metadata, spec = document["metadata"], parse_spec(document["spec"])
    status = status_of(document)
    fresh = status.observed_generation == metadata["generation"]
    conditions = {condition.type: condition for condition in status.conditions} if fresh else {}
    stage, state = _stage(status, conditions), _state(metadata, conditions)
    kinds = {"Stalled": ConditionType.STALLED, "Running": ConditionType.RECONCILING}
    why = conditions.get(kinds[state]) if state in kinds else None
    area = told_area(status.area, metadata["namespace"])
    # Before the operator's first look there is nothing to show.
    sent = uploads_prefix(area, spec.photos.prefix) if area else ""
    artifacts = request_prefix(area, metadata["name"]) if area else ""
    saved = _within(artifacts, link)
    running = status.progress if status.progress and status.progress.stage == stage else None
    return RequestView(
        name=metadata["name"],
        title=metadata.get("annotations", {}).get(TITLE_ANNOTATION, ""),
        created=metadata["creationTimestamp"],
        state=state,
        stage=stage if state == "Running" else None,
        percent=running.percent if running else None,
        remaining_seconds=running.remaining_seconds if running else None,
        reason=why.reason if why else "",
        message=why.message if why else "",
        revision=spec.photos.revision,
        styles=spec.style_keys,
        layouts=list(spec.layouts),
        portraits_each=spec.portraits,
        source=spec.source,
        omitted=conditions[ConditionType.OMITTED].reason if _true(conditions, ConditionType.OMITTED) else "",
        photos=_photos(status, sent, _within(sent, link)),
        warnings=_warnings(status),
        toy_model=(status.toy_model or "") if status.portraits else "",
        portraits=[_portrait(portrait, saved) for portrait in status.portraits if is_below(artifacts, portrait.key)],
        best_likeness=status.best_likeness,
        contact_sheet=_maybe(status.contact_sheet, saved),
        print_sheet=_maybe(status.print_sheet, saved),
        adapter=_maybe(webui_twin(status.adapter) if status.adapter and not _adapter_expired(status) else None, saved),
        retain=spec.deletion_policy is DeletionPolicy.RETAIN,
    )


def preview_view(document: dict[str, Any], link: Link) -> PreviewView:
    """What a request that trains nothing has drawn so far. Raises ValidationError as request_view does."""
    shown, status = request_view(document, link), status_of(document)
    area = told_area(status.area, document["metadata"]["namespace"])
    artifacts = request_prefix(area, document["metadata"]["name"]) if area else ""
    saved = _within(artifacts, link)
    return PreviewView(
        state="Running" if shown.state == "Waiting" else shown.state,
        pictures=[
            PreviewPicture(
                style=picture.style_ref.key,
                url=saved(picture.key),
                source=saved(picture.source) if picture.source else "",
            )
            for picture in status.previews
            if is_below(artifacts, picture.key)
        ],
    )


def _adapter_expired(status: ProfileRequestStatus) -> bool:
    """Whether the adapter has had its time, as spec.retention says."""
    train = status.stages.train if status.stages is not None else None
    return train is not None and train.expired(datetime.now(UTC))


def unreadable_view(document: dict[str, Any]) -> RequestView:
    """A request that this version cannot read: named, and in need of somebody."""
    metadata = document["metadata"]
    name, created = str(metadata["name"]), str(metadata.get("creationTimestamp", ""))
    return RequestView(name=name, title="", created=created, state="Stalled", reason=UNREADABLE)


def request_state(document: dict[str, Any]) -> str:
    """A request's state alone, see RequestView; of one that cannot be read, Stalled."""
    try:
        return request_view(document, _no_link).state
    except UNREADABLE_ERRORS:
        return "Stalled"


def may_look_otherwise(document: dict[str, Any]) -> bool:
    """Whether other looks may be asked of a request: it is at rest, and more than its photos are at fault."""
    try:
        shown = request_view(document, _no_link)
    except UNREADABLE_ERRORS:
        return False
    return shown.state == "Ready" or (shown.state == "Stalled" and shown.reason in LOOKS_MEND)


def refused_photos(document: dict[str, Any]) -> set[str]:
    """The names of the photos that preprocessing could not use."""
    status = status_of(document)
    return {verdict.name for verdict in status.photos.verdicts if not verdict.accepted} if status.photos else set()


def is_below(prefix: str, key: str) -> bool:
    """Whether a key lies below a prefix, see `profile_contract.keys`."""
    try:
        check_below(prefix, key)
    except ForeignKey:
        return False
    return True


def comparison_views(report: ShownLikeness, area: str, link: Link) -> list[ComparisonView]:
    """What was delivered beside the same in other tones. `area`: the prefix of what the request made."""
    shifts = {tone.style: tone.b_shift for tone in report.tones}
    shown = _within(area, link)

    def view(side: ComparedSide) -> SideView:
        url = shown(side.key) if side.key else ""
        shift = shifts.get(side.style)
        return SideView(
            style=side.style,
            url=url,
            thumbnail=shown(side.thumbnail) if side.thumbnail else "",
            likeness=side.likeness,
            delivered=side.delivered,
            b_shift=shift,
        )

    return [ComparisonView(seed=row.seed, sides=[view(side) for side in row.sides]) for row in report.comparisons]


def cut_views(report: FinishReport) -> list[CutChecksView]:
    """What the cuts of delivered portraits did not meet, one for each cut that lacks something."""
    return [
        CutChecksView(style=portrait.style, seed=portrait.seed, layout=file.layout, unmet=unmet)
        for portrait in report.portraits
        for file in portrait.layouts
        if (unmet := _unmet(file))
    ]


def _unmet(file: LayoutFile) -> list[str]:
    """The page's names of what a cut did not meet, each once."""
    lines = dict.fromkeys(
        TOLD_CHECKS[check.name] for check in file.checks if not check.met and check.name in TOLD_CHECKS
    )
    # A head is too large because there was no room for it to be smaller: that is said once.
    return [name for name in lines if name != "head" or "room" not in lines]


def _state(metadata: dict[str, Any], conditions: dict[str, Condition]) -> str:
    if "deletionTimestamp" in metadata:
        return "Deleting"
    if _true(conditions, ConditionType.READY):
        return "Ready"
    if _true(conditions, ConditionType.STALLED):
        return "Stalled"
    return "Running" if conditions else "Waiting"


def _true(conditions: dict[str, Condition], kind: ConditionType) -> bool:
    return kind in conditions and conditions[kind].status == "True"


def _stage(status: ProfileRequestStatus, conditions: dict[str, Condition]) -> Stage | None:
    """The first stage that is not done."""
    stages = status.stages or StagesStatus()
    for stage, row in STAGES.items():
        condition = conditions.get(row.condition)
        skipped = condition is not None and condition.reason == Reason.NOT_ASKED
        if not skipped and (stages.of(stage) is None or not _true(conditions, row.condition)):
            return stage
    return None


def _photos(status: ProfileRequestStatus, prefix: str, link: Link) -> list[PhotoView]:
    verdicts = status.photos.verdicts if status.photos else []
    return [
        PhotoView(
            name=verdict.name,
            url=link(prefix + verdict.name),
            accepted=verdict.accepted,
            reason=verdict.reason,
        )
        for verdict in verdicts
    ]


def _warnings(status: ProfileRequestStatus) -> list[WarningView]:
    """Those that the verdicts do not tell already."""
    warnings = status.photos.warnings if status.photos else []
    return [
        WarningView(kind=warning.kind, photos=warning.photos)
        for warning in warnings
        if warning.kind is not PhotosWarningKind.LEFT_OUT
    ]


def _portrait(portrait: PortraitStatus, link: Link) -> PortraitView:
    return PortraitView(
        style=portrait.style_ref.key,
        seed=portrait.seed,
        rank=portrait.rank,
        likeness=portrait.likeness,
        url=link(portrait.key),
        save=link(portrait.key, saved_name(portrait.key)),
        file=saved_name(portrait.key),
        source=link(portrait.source) if portrait.source else "",
        thumbnail=link(portrait.thumbnail) if portrait.thumbnail else "",
        cuts=[
            CutView(layout=name, url=url, file=saved_name(key))
            for name, key in portrait.layouts.items()
            if (url := link(key, saved_name(key)))
        ],
    )


def _within(prefix: str, link: Link) -> Link:
    """Links to what lies below the prefix; others are empty."""

    def within(key: str, save_as: str = "") -> str:
        return link(key, save_as) if is_below(prefix, key) else ""

    return within


def _no_link(key: str, save_as: str = "") -> str:
    return ""


def _maybe(key: str | None, link: Link) -> str:
    return link(key, PurePosixPath(key).name) if key else ""
