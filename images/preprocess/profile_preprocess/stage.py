"""The stage: every photo gets a verdict, the accepted ones become the dataset.

Photos are read twice, one at a time: first to measure, and, when it is known who the subject is and which photos
stay, again to cut. So memory does not grow with their number.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.photo_names import shown_name
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import (
    Captions,
    LookPictures,
    PhotoRef,
    PreprocessOrder,
    PreprocessReport,
    captions_apart,
    photos_digest,
)
from profile_contract.stages.table import Stage
from profile_runtime.context import StageContext
from profile_runtime.progress import StageProgress
from profile_runtime.store.port import NotFound, StoreError
from profile_vision import ceiling
from profile_vision.decoding import Decoder

from . import verdicts
from .captions import Captioner, FramingAlone
from .dataset import DatasetWriter
from .decode import Opener, PhotoRefused
from .describing import Describer
from .holdout import held_out
from .identity import MainPerson, subject
from .look import Look, Networks, accepted, look_at
from .moments import repeats
from .people_shown import in_any_light, people_shown
from .written import WrittenCaptions, read_captions

log = logging.getLogger(__name__)


def run(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
    """Photos to dataset. Raises BadInput for no or too many photos, TryAgain without weights, StoreError."""
    most = order.look.maximum if order.look is not None else order.parameters.maximum_photos
    # Backdrop and clothes may be what a look is: nothing of them is named there.
    wanted = order.parameters.captions if order.look is None else Captions.FRAMED
    photos, written = captions_apart(order.photos, wanted)
    if not photos:
        raise BadInput(Reason.NO_PHOTOS, "there are no photos to look at: upload some below photos.prefix")
    if len(photos) > most:
        text = f"{len(photos)} photos are too many: choose the best {most} at most"
        raise BadInput(Reason.TOO_MANY_PHOTOS, text)
    captioner = captioner_of(wanted, read_captions(written, context.store))
    networks = Networks.load(context.vision, order.parameters.joints)
    with Decoder() as decoder:
        opener = Opener(context.store, decoder, order.parameters)
        looks: list[Look] = []
        for photo in photos:
            looks.append(_look(photo, opener, networks))
            context.progress.at(len(looks), 2 * len(photos), f"looked at {shown_name(photo.name)}")
        if order.look is not None:
            looks = without_repeats([in_any_light(look, order.parameters) for look in looks])
            report = _report_of_look(order, order.look, looks)
        else:
            looks, people = judge_together(looks)
            report = _report(order, looks, people)
        gpu, count = networks.people.accelerator
        report = report.model_copy(update={"gpu": gpu, "gpu_count": count})
        if report.outcome == "BadInput":
            return report
        writer = DatasetWriter(order, opener, networks.mask, captioner)
        seed = photos_digest(photos) if order.look is None else None
        write(writer, looks, context.progress, seed=seed)
    top = round(ceiling([sitter.embedding for _, sitter in accepted(looks)]), 4)
    return report.model_copy(update={"images": writer.images, "poses": writer.poses, "ceiling": top})


def captioner_of(captions: Captions, texts: Mapping[str, str]) -> Captioner:
    """Who captions; `texts`: what somebody wrote of photos, as `read_captions` gives it."""
    if captions is Captions.FRAMED:
        return FramingAlone()
    return WrittenCaptions(texts, Describer()) if captions is Captions.WRITTEN else Describer()


def _look(photo: PhotoRef, opener: Opener, networks: Networks) -> Look:
    """Look at one photo. Whatever is wrong with it becomes its verdict; only a failing store ends the stage."""
    try:
        return look_at(photo, opener, networks)
    except PhotoRefused as refused:
        return Look(photo, refused.reason)
    except NotFound:
        log.warning("photo %r has gone since it was listed", photo.name)
    except StoreError:
        raise
    except Exception:  # one photo that a library stumbles over must not cost the person all the others
        log.exception("photo %r could not be looked at", photo.name)
    return Look(photo, PhotoReason.NOT_AN_IMAGE)


def judge_together(looks: Sequence[Look]) -> tuple[list[Look], MainPerson]:
    """What only all photos together tell: which photos repeat another's moment, and who the subject is.

    Repeats go first: one moment has one vote.
    """
    looks = without_repeats(looks)
    sitters = accepted(looks)
    people = subject([sitter.embedding for _, sitter in sitters])
    for (place, sitter), shown in zip(sitters, people.shown, strict=True):
        if not shown:
            looks[place] = replace(sitter, reason=PhotoReason.OTHER_PERSON)
    return looks, people


def without_repeats(looks: Sequence[Look]) -> list[Look]:
    """The looks, of which those that repeat another's moment are refused."""
    looks = list(looks)
    sitters = accepted(looks)
    for (place, sitter), kept in zip(sitters, repeats([sitter.fingerprint for _, sitter in sitters]), strict=True):
        if kept is not None:
            original = sitters[kept][1].photo.name
            looks[place] = replace(sitter, reason=PhotoReason.DUPLICATE, repeats=original)
    return looks


def _report(order: PreprocessOrder, looks: Sequence[Look], people: MainPerson) -> PreprocessReport:
    """The report without a dataset: verdicts, warnings, and whether the photos are enough and of one person."""
    report = _judged(order, looks)
    if not people.is_clear:
        text = verdicts.two_people(sum(people.shown), sum(people.rivals))
        return report.model_copy(update={"outcome": "BadInput", "reason": Reason.TWO_PEOPLE, "message": text})
    return _enough(report, order.parameters.minimum_photos)


def _report_of_look(order: PreprocessOrder, wanted: LookPictures, looks: Sequence[Look]) -> PreprocessReport:
    """The report without a dataset: verdicts, and whether the pictures are enough, and of many people."""
    people = people_shown([sitter.embedding for _, sitter in accepted(looks)])
    report = _enough(_judged(order, looks), wanted.minimum).model_copy(update={"people": people.people})
    text = people.hindrance(wanted)
    if report.outcome == "BadInput" or not text:
        return report
    return report.model_copy(update={"outcome": "BadInput", "reason": Reason.TOO_FEW_PEOPLE, "message": text})


def _judged(order: PreprocessOrder, looks: Sequence[Look]) -> PreprocessReport:
    """What is told of photos whatever is asked of them: verdicts and warnings."""
    judged = [look.verdict for look in looks]
    return PreprocessReport(
        digest=order.digest,
        stage=Stage.PREPROCESS,
        verdicts=judged,
        warnings=verdicts.warnings([look.measures for look in looks], judged),
        message=verdicts.summary(judged),
    )


def _enough(report: PreprocessReport, minimum: int) -> PreprocessReport:
    """The report, or the refusal where fewer photos than that are accepted."""
    if sum(verdict.accepted for verdict in report.verdicts) >= minimum:
        return report
    update = {"outcome": "BadInput", "reason": Reason.TOO_FEW_USABLE_PHOTOS}
    return report.model_copy(update={**update, "message": verdicts.too_few(report.verdicts, minimum)})


def write(writer: DatasetWriter, looks: Sequence[Look], progress: StageProgress, *, seed: str | None) -> None:
    """Write the dataset of the accepted photos; some of them, drawn by the seed, judge likeness and teach nothing.

    Without a seed all of them teach.
    """
    sitters = [sitter for _, sitter in accepted(looks)]
    kept_apart = held_out([sitter.embedding for sitter in sitters], seed) if seed is not None else set()
    for number, sitter in enumerate(sitters, start=1):
        writer.add(sitter, held_out=number - 1 in kept_apart)
        share = number / len(sitters)
        progress.at(len(looks) * (1 + share), 2 * len(looks), f"cut {shown_name(sitter.photo.name)}")
    writer.add_presets()
