"""Which digests a request refers to or may still use, so that nobody takes them away."""

from __future__ import annotations

from collections.abc import Mapping

from profile_contract.areas import Area
from profile_contract.artifacts import stage_file
from profile_contract.request import ProfileRequestStatus, StagesStatus
from profile_contract.resource import RequestHead, SpecError, parse_spec
from profile_contract.style import ProfileStyleSpec
from profile_operator.config import OperatorConfig
from profile_runtime.kubernetes.resources import Document

from .chain import chain_of


def referenced_digests(
    head: RequestHead,
    spec_document: Document,
    styles: Mapping[str, ProfileStyleSpec],
    config: OperatorConfig,
    *,
    area: Area,
) -> frozenset[str] | None:
    """All digests of the stages' runs that count for it now, or that its status tells of. None: not all are known."""
    photos = head.status.photos
    # What was resolved once may name runs that follow from nothing that stands now.
    if getattr(head.status, "resolved", None) is not None:
        return None
    if photos is None or not photos.digest or head.unread_status is not None:
        return None
    try:
        spec = parse_spec(spec_document)
    except SpecError:
        return None
    if any(name not in styles for name in spec.style_keys):
        return None
    chain = chain_of(head.key, spec, photos.digest, styles, config, area=area)
    current = {chain.preprocess, chain.train, chain.finish, *chain.styles.values()}
    return frozenset(current | _told(head.status))


def _told(status: ProfileRequestStatus) -> set[str]:
    """The digests that stand in a status, by themselves or in keys."""
    stages = status.stages or StagesStatus()
    entries = (stages.preprocess, stages.train, stages.generate, stages.finish)
    keys = [status.adapter, status.contact_sheet, status.print_sheet, status.likeness_report]
    keys += [portrait.key for portrait in status.portraits]
    files = (stage_file(key) for key in keys if key)
    named = {entry.digest for entry in entries if entry is not None}
    return named | {file.digest for file in files if file is not None}
