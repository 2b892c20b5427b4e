"""Outdated: what the platform changed since a request was resolved. It is told, and nothing runs again for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profile_contract.conditions import Reason
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages.table import STAGES
from profile_contract.style_ref import StyleRef, is_key

from .facts import Facts

_STYLE = "style/"
# What the parts of a stage's fingerprint stand for, in their order.
_STAGES = {stage.value: row.changed for stage, row in STAGES.items()}


def outdated(facts: Facts, status: ProfileRequestStatus) -> tuple[Reason, str] | None:
    """What would be made otherwise today: reason and message; None where it is not known.

    It is not known before anything is resolved, and while the spec asks for something that is not resolved yet.
    """
    resolved = status.resolved
    if resolved is None or resolved.generation != facts.head.generation:
        return None
    changes = [*_changes(facts, resolved.inputs)]
    recipe = facts.config.recipe
    if changes and recipe is not None and resolved.recipe not in (None, recipe.digest):
        changes.insert(0, f"the recipe of {facts.config.training.base_model} changed")
    if resolved.photos_gone:
        changes.append(f"the photos are no longer under {facts.spec.photos.prefix}")
    if not changes:
        return Reason.UP_TO_DATE, ""
    advice = f"What was made stays as it is; to have it made anew: kubectl profile refresh {facts.head.key.name}"
    return Reason.PLATFORM_CHANGED, f"{'; '.join(changes)}. {advice}"


def _changes(facts: Facts, before: Mapping[str, str]) -> Iterator[str]:
    """Each input that is another now, in words."""
    snapshot, now = facts.snapshot, facts.snapshot.today
    for name, mark in before.items():
        key = name.removeprefix(_STYLE)
        style = StyleRef.of_key(key).shown if is_key(key) else key
        if name.startswith(_STYLE) and name not in now:
            what = "cannot be understood by this version" if key in snapshot.unclear_styles else "is gone"
            lacking = snapshot.unready_looks.get(key)
            yield f"of the style {style} {lacking}" if lacking else f"the style {style} {what}"
            continue
        words = _STAGES.get(name) or (
            f"a new version draws {style} otherwise",
            f"the platform's settings for drawing {style} changed",
            f"the content of the style {style} changed",
        )
        for word, then, today in zip(words, mark.split("-"), now.get(name, mark).split("-"), strict=False):
            if then != today:
                yield word
