"""What stands in the way before any stage may begin: photos, styles, suspension."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.artifacts import uploads_prefix
from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_operator.config import OperatorConfig
from profile_operator.decide.policy import UNSAFE_CHARACTERS
from profile_operator.observe.snapshot import Snapshot

from .advice import plain

# The user will upload, or the platform team will add a style; nobody tells us of an upload.
LOOK_AGAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Obstacle:
    """Why no stage may begin. `stage` is the one whose condition tells it."""

    reason: Reason
    message: str
    stage: Stage = Stage.PREPROCESS
    again: float | None = None


def retrying(snapshot: Snapshot) -> bool:
    """Whether a person asked to try again and this was not yet answered."""
    looked_at, retry = snapshot.head.status.photos, snapshot.head.retry
    return looked_at is not None and bool(retry) and looked_at.retry != retry


def photo_obstacle(snapshot: Snapshot, config: OperatorConfig) -> Obstacle | None:
    """Too few or too many photos under the prefix, or a prefix that may not be read."""
    prefix = snapshot.spec.photos.prefix
    try:
        uploads_prefix(snapshot.head.key.namespace, prefix)
    except ValueError as error:
        return Obstacle(Reason.INVALID_SPEC, str(error))
    if UNSAFE_CHARACTERS & set(prefix):
        return Obstacle(Reason.INVALID_SPEC, f"photos.prefix {plain(prefix, 100)!r} must not hold any of * ? $ \\")
    if snapshot.photos is None:
        return None
    count, most = len(snapshot.photos), config.preprocess.maximum_photos
    if count == 0:
        text = f"there are no photos under {snapshot.head.key.namespace}/{plain(prefix, 200)}"
        return Obstacle(Reason.NO_PHOTOS, text, again=LOOK_AGAIN_SECONDS)
    if count > most:
        text = f"there are {count} photos under the prefix, at most {most} are taken"
        return Obstacle(Reason.TOO_MANY_PHOTOS, text, again=LOOK_AGAIN_SECONDS)
    return None


def style_obstacle(snapshot: Snapshot) -> Obstacle | None:
    """A style that does not exist or is not understood: nothing is begun before it is."""
    for name, problem in snapshot.unclear_styles.items():
        text = f"this version does not understand the ProfileStyle {name}: {problem}"
        return Obstacle(Reason.STYLE_NOT_UNDERSTOOD, plain(text, 400), stage=Stage.GENERATE)
    missing = [name for name in snapshot.spec.styles if name not in snapshot.styles]
    if not missing:
        return None
    known = ", ".join(snapshot.known_styles[:20]) or "none"
    text = f"there is no ProfileStyle named {', '.join(missing)}; these exist: {known}"
    return Obstacle(Reason.STYLE_NOT_FOUND, plain(text, 400), stage=Stage.GENERATE)


def obstacle_of(snapshot: Snapshot, config: OperatorConfig) -> Obstacle | None:
    """The first obstacle."""
    return photo_obstacle(snapshot, config) or style_obstacle(snapshot)
