"""The stage: every photo gets a verdict, the accepted ones become the dataset.

Photos are read twice, one at a time: first to measure, and, when it is known who the subject is and which photos
stay, again to cut. So memory does not grow with their number.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from profile_contract.exits import BadInput
from profile_contract.names import PhotoReason, Reason, Stage
from profile_contract.orders import DatasetImage, PhotoRef, PhotoVerdict, PoseMap, PreprocessOrder, PreprocessReport
from profile_contract.progress import StageProgress
from profile_contract.shell import models_folder
from profile_contract.store import NotFound, Store, StoreError
from profile_faces import ceiling

from . import verdicts
from .crop import Framing
from .dataset import Accepted, DatasetWriter
from .decode import Photo, Refused, decode
from .duplicates import Fingerprint, duplicates
from .holdout import held_out
from .identity import subject
from .look import Look, Networks, Seen, look_at
from .people import accelerator
from .verdicts import Measures

log = logging.getLogger(__name__)


def run(order: PreprocessOrder, store: Store, progress: StageProgress) -> PreprocessReport:
    """Photos to dataset. Raises BadInput for no or too many photos, TryAgain without weights, StoreError."""
    _check_count(order)
    networks = Networks.load(models_folder())
    steps = 2 * len(order.photos)
    looks: list[Look] = []
    for number, photo in enumerate(order.photos):
        looks.append(_look(photo, order, store, networks))
        progress.at(number + 1, steps, f"looked at {photo.name}")
    looks, repeats = _judge_together(looks)
    told = [_verdict(order, index, look, repeats) for index, look in enumerate(looks)]
    base = _report(order, told)
    if base.outcome == "BadInput":
        return base
    images, poses = _write(order, store, networks, looks, progress)
    return base.model_copy(update={"images": images, "poses": poses, "ceiling": _ceiling(looks)})


def _check_count(order: PreprocessOrder) -> None:
    most = order.parameters.maximum_photos
    if not order.photos:
        raise BadInput(Reason.NO_PHOTOS, "there are no photos to look at: upload some below photos.prefix")
    if len(order.photos) > most:
        text = f"{len(order.photos)} photos are too many: choose the best {most} at most"
        raise BadInput(Reason.TOO_MANY_PHOTOS, text)


def _look(photo: PhotoRef, order: PreprocessOrder, store: Store, networks: Networks) -> Look:
    """Look at one photo. Whatever is wrong with it becomes its verdict; only a failing store ends the stage."""
    try:
        return look_at(_decoded(photo, order, store), networks, order.parameters)
    except Refused as refused:
        return Look(reason=refused.reason)
    except NotFound:
        log.warning("photo %s has gone since it was listed", photo.name)
    except StoreError:
        raise
    except Exception:  # one photo that a library stumbles over must not cost the person all the others
        log.exception("photo %s could not be looked at", photo.name)
    return Look(reason=PhotoReason.NOT_AN_IMAGE)


def _decoded(photo: PhotoRef, order: PreprocessOrder, store: Store) -> Photo:
    if photo.bytes > order.parameters.maximum_bytes:
        raise Refused(PhotoReason.TOO_MANY_BYTES)
    return decode(store.read(photo.key), order.parameters)


def _judge_together(looks: list[Look]) -> tuple[list[Look], dict[int, int]]:
    """What only all photos together tell: who the subject is, and which photos repeat others (and which those)."""
    looks = list(looks)
    good = _accepted(looks)
    for (index, _), same in zip(good, subject([seen.embedding for _, seen in good]), strict=True):
        if not same:
            looks[index] = replace(looks[index], reason=PhotoReason.OTHER_PERSON)
    good = _accepted(looks)
    originals = duplicates([_fingerprint(looks[index], seen) for index, seen in good])
    repeats = {index: good[first][0] for (index, _), first in zip(good, originals, strict=True) if first is not None}
    for index in repeats:
        looks[index] = replace(looks[index], reason=PhotoReason.DUPLICATE)
    return looks, repeats


def _fingerprint(look: Look, seen: Seen) -> Fingerprint:
    goodness = look.measures.face_height * look.measures.sharpness
    return Fingerprint(hash=seen.hash, embedding=seen.embedding, goodness=goodness)


def _verdict(order: PreprocessOrder, index: int, look: Look, repeats: dict[int, int]) -> PhotoVerdict:
    figures = look.measures.figures() if look.measures != Measures() else {}
    original = order.photos[repeats[index]].name if index in repeats else ""
    return verdicts.verdict(order.photos[index].name, look.reason, figures, original)


def _report(order: PreprocessOrder, told: list[PhotoVerdict]) -> PreprocessReport:
    minimum = order.parameters.minimum_photos
    gpu, count = accelerator()
    report = PreprocessReport(
        digest=order.digest,
        stage=Stage.PREPROCESS,
        verdicts=told,
        message=verdicts.summary(told),
        gpu=gpu,
        gpu_count=count,
    )
    if sum(verdict.accepted for verdict in told) >= minimum:
        return report
    update = {
        "outcome": "BadInput",
        "reason": Reason.TOO_FEW_USABLE_PHOTOS,
        "message": verdicts.too_few(told, minimum),
    }
    return report.model_copy(update=update)


def _write(
    order: PreprocessOrder, store: Store, networks: Networks, looks: list[Look], progress: StageProgress
) -> tuple[list[DatasetImage], list[PoseMap]]:
    good = _accepted(looks)
    kept_apart = held_out([seen.embedding for _, seen in good])
    framing = Framing(order.parameters.face_percent / 100)
    writer = DatasetWriter(store, order.output, networks.mask, order.parameters.resolution, framing)
    images: list[DatasetImage] = []
    poses: list[PoseMap] = []
    for number, (index, seen) in enumerate(good, start=1):
        photo = order.photos[index]
        accepted = Accepted(
            number=number,
            name=photo.name,
            photo=_decoded(photo, order, store),
            seen=seen,
            yaw=looks[index].measures.yaw,
            held_out=number - 1 in kept_apart,
        )
        images.append(writer.image(accepted))
        poses.append(writer.square_pose(accepted))
        progress.at(len(order.photos) * (1 + number / len(good)), 2 * len(order.photos), f"cut {photo.name}")
    return images, poses + writer.presets()


def _accepted(looks: list[Look]) -> list[tuple[int, Seen]]:
    """Places and faces of the photos that no rule has rejected so far."""
    return [
        (index, look.seen)
        for index, look in enumerate(looks)
        if look.seen is not None and look.reason is PhotoReason.ACCEPTED
    ]


def _ceiling(looks: list[Look]) -> float:
    return round(ceiling([seen.embedding for _, seen in _accepted(looks)]), 4)
