"""The stage: every photo gets a verdict, the accepted ones become the dataset.

Photos are read twice, one at a time: first to measure, and, when it is known who the subject is and which photos
stay, again to cut. So memory does not grow with their number.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.photo_names import shown_name
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import (
    DatasetImage,
    PhotoRef,
    PhotoVerdict,
    PoseMap,
    PreprocessOrder,
    PreprocessReport,
)
from profile_contract.stages.table import Stage
from profile_runtime.context import StageContext
from profile_runtime.progress import StageProgress
from profile_runtime.store.port import NotFound, Store, StoreError
from profile_vision import ceiling
from profile_vision.decoding import Decoder
from profile_vision.framing import Framing
from profile_vision.people import accelerator

from . import verdicts
from .dataset import Accepted, DatasetWriter
from .decode import Refused
from .holdout import held_out
from .identity import Subject, subject
from .look import Look, Networks, Seen
from .moments import Fingerprint, repeats
from .opener import Opener

log = logging.getLogger(__name__)


def run(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
    """Photos to dataset. Raises BadInput for no or too many photos, TryAgain without weights, StoreError."""
    _check_count(order)
    networks = Networks.load(context.vision)
    steps = 2 * len(order.photos)
    looks: list[Look] = []
    with Decoder() as decoder:
        opener = Opener(context.store, decoder, order.parameters)
        for number, photo in enumerate(order.photos):
            looks.append(_look(photo, opener, networks))
            context.progress.at(number + 1, steps, f"looked at {shown_name(photo.name)}")
        looks, repeated, people = judge_together(looks)
        told = [_verdict(order, index, look, repeated) for index, look in enumerate(looks)]
        base = _report(order, told, looks, people)
        if base.outcome == "BadInput":
            return base
        writer = _writer(order, context.store, networks)
        images, poses = _write(order, opener, writer, looks, context.progress)
    return base.model_copy(update={"images": images, "poses": poses, "ceiling": _ceiling(looks)})


def _check_count(order: PreprocessOrder) -> None:
    most = order.parameters.maximum_photos
    if not order.photos:
        raise BadInput(Reason.NO_PHOTOS, "there are no photos to look at: upload some below photos.prefix")
    if len(order.photos) > most:
        text = f"{len(order.photos)} photos are too many: choose the best {most} at most"
        raise BadInput(Reason.TOO_MANY_PHOTOS, text)


def _look(photo: PhotoRef, opener: Opener, networks: Networks) -> Look:
    """Look at one photo. Whatever is wrong with it becomes its verdict; only a failing store ends the stage."""
    try:
        return opener.look(photo, networks)
    except Refused as refused:
        return Look(reason=refused.reason)
    except NotFound:
        log.warning("photo %r has gone since it was listed", photo.name)
    except StoreError:
        raise
    except Exception:  # one photo that a library stumbles over must not cost the person all the others
        log.exception("photo %r could not be looked at", photo.name)
    return Look(reason=PhotoReason.NOT_AN_IMAGE)


def judge_together(looks: list[Look]) -> tuple[list[Look], dict[int, int], Subject]:
    """What only all photos together tell: which photos repeat a moment (and which photo's), and who the subject is.

    Repeats go first: one moment has one vote.
    """
    looks = list(looks)
    good = _accepted(looks)
    originals = repeats([_fingerprint(looks[index], seen) for index, seen in good])
    repeated = {index: good[first][0] for (index, _), first in zip(good, originals, strict=True) if first is not None}
    for index in repeated:
        looks[index] = replace(looks[index], reason=PhotoReason.DUPLICATE)
    good = _accepted(looks)
    people = subject([seen.embedding for _, seen in good])
    for (index, _), same in zip(good, people.shown, strict=True):
        if not same:
            looks[index] = replace(looks[index], reason=PhotoReason.OTHER_PERSON)
    return looks, repeated, people


def _fingerprint(look: Look, seen: Seen) -> Fingerprint:
    return Fingerprint(face=seen.face_grey, embedding=seen.embedding, detail=look.measures.worth)


def _verdict(order: PreprocessOrder, index: int, look: Look, repeated: dict[int, int]) -> PhotoVerdict:
    original = order.photos[repeated[index]].name if index in repeated else ""
    return verdicts.verdict(order.photos[index].name, look.reason, look.measures, original)


def _report(order: PreprocessOrder, told: list[PhotoVerdict], looks: list[Look], people: Subject) -> PreprocessReport:
    minimum = order.parameters.minimum_photos
    gpu, count = accelerator()
    report = PreprocessReport(
        digest=order.digest,
        stage=Stage.PREPROCESS,
        verdicts=told,
        warnings=verdicts.warnings([look.measures for look in looks], told),
        message=verdicts.summary(told),
        gpu=gpu,
        gpu_count=count,
    )
    if not people.is_clear:
        return _bad_input(report, Reason.TWO_PEOPLE, verdicts.two_people(sum(people.shown), sum(people.rivals)))
    if sum(verdict.accepted for verdict in told) < minimum:
        return _bad_input(report, Reason.TOO_FEW_USABLE_PHOTOS, verdicts.too_few(told, minimum))
    return report


def _bad_input(report: PreprocessReport, reason: Reason, message: str) -> PreprocessReport:
    return report.model_copy(update={"outcome": "BadInput", "reason": reason, "message": message})


def _writer(order: PreprocessOrder, store: Store, networks: Networks) -> DatasetWriter:
    framing = Framing(order.parameters.face_percent / 100)
    return DatasetWriter(store, order.output, networks.mask, order.parameters.resolution, framing)


def _write(
    order: PreprocessOrder, opener: Opener, writer: DatasetWriter, looks: list[Look], progress: StageProgress
) -> tuple[list[DatasetImage], list[PoseMap]]:
    good = _accepted(looks)
    kept_apart = held_out([seen.embedding for _, seen in good])
    images: list[DatasetImage] = []
    poses: list[PoseMap] = []
    for number, (index, seen) in enumerate(good, start=1):
        photo = order.photos[index]
        accepted = Accepted(
            number=number,
            name=photo.name,
            seen=seen,
            yaw=looks[index].measures.yaw,
            held_out=number - 1 in kept_apart,
            part=partial(opener.part, photo, seen.frame),
        )
        images.append(writer.image(accepted))
        poses.append(writer.square_pose(accepted))
        progress.at(
            len(order.photos) * (1 + number / len(good)), 2 * len(order.photos), f"cut {shown_name(photo.name)}"
        )
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
