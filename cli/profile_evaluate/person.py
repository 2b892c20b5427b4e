"""One person through the product's own stages, and what came out of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from profile_cli.results import Results
from profile_cli.run.looks import brought
from profile_cli.run.runner import Run
from profile_cli.run.settings import AREA, NAME, NAMESPACE
from profile_cli.terminal import Terminal
from profile_cli.upload import upload
from profile_contract.artifacts import REPORT, stage_prefix
from profile_contract.photos import PhotoReason
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.chain import Platform
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.style import ProfileStyleSpec, Tone
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import Store
from profile_vision import FaceReader
from profile_vision.eyes import paler_eye, wanted_of
from profile_vision.faces import counted
from profile_vision.files import read_picture
from profile_vision.likeness import Embedding, cosine

from .drawing import WantedPicture, draw_missing
from .figures import PersonFigures, Share, StyleFigures, mean_or_none, nearest, together
from .people import CastMember

if TYPE_CHECKING:
    from profile_predictor.engine import Engine


@dataclass(frozen=True)
class Measured:
    """A person's results, and the embeddings of the faces in each kind of portrait (None where there is no face)."""

    person: CastMember
    store: FolderStore
    results: Results
    photos: tuple[Embedding, ...]
    references: tuple[Embedding, ...]
    portraits: tuple[Embedding | None, ...]
    faces: tuple[int, ...]
    styles: tuple[str, ...]
    """Of each portrait."""
    keys: tuple[str, ...] = ()
    """Of each portrait, in the store."""
    eyes: tuple[bool | None, ...] = ()
    """Of each portrait, whether both are there; None where there is not exactly one face."""
    photo_eyes: tuple[bool | None, ...] = ()
    """The same of the photos, made as small as portraits."""
    base: tuple[Embedding | None, ...] = ()
    described: tuple[Embedding | None, ...] = ()


@dataclass(frozen=True)
class Setting:
    """What every person is measured with."""

    models: Path
    spec: ProfileRequestSpec
    styles: Mapping[str, ProfileStyleSpec]
    platform: Platform
    looks: Mapping[str, Path] = field(default_factory=dict)
    """Name -> file, of the adapters that styles draw with beside the person's."""


def run_person(person: CastMember, folder: Path, setting: Setting, faces: FaceReader, terminal: Terminal) -> Measured:
    """Preprocess, train, generate and finish what is not done yet. Raises InputRefused, CommandError."""
    folder.mkdir(parents=True, exist_ok=True)
    store = FolderStore(folder)
    spec = setting.spec.model_copy(update={"subject": setting.spec.subject.model_copy(update={"noun": person.noun})})
    upload(store, {photo.name: photo for photo in person.photos}, AREA, spec.photos.prefix)
    looks = brought(store, AREA, setting.looks)
    results = Run(store, setting.models, spec, setting.styles, setting.platform, terminal, looks).results()
    drawn = [
        (report.style, candidate.key)
        for report in results.generate
        for candidate in report.candidates
        if not candidate.twin
    ]
    seen = [_embeddings(store, key, faces) for _, key in drawn]
    images = [image.image for image in results.preprocess.images]
    photos = _paler_eyes(store, images, faces)
    wanted = wanted_of(eye for eye in photos if eye is not None)
    return Measured(
        person=person,
        store=store,
        results=results,
        photos=_known(_first(store, key, faces) for key in images),
        references=_known(_first(store, image.image, faces) for image in results.preprocess.reference_images),
        portraits=tuple(_only(embeddings) for embeddings in seen),
        faces=tuple(len(embeddings) for embeddings in seen),
        styles=tuple(style for style, _ in drawn),
        keys=tuple(key for _, key in drawn),
        eyes=_reaching(wanted, _paler_eyes(store, [key for _, key in drawn], faces)),
        photo_eyes=_reaching(wanted, photos),
    )


def _paler_eyes(store: Store, keys: Iterable[str], faces: FaceReader) -> list[float | None]:
    """Of each picture, what is seen of the paler eye; None where it does not show exactly one face."""
    pictures = [read_picture(store, key) for key in keys]
    seen = [(picture, counted(faces.find(picture))) for picture in pictures]
    return [paler_eye(picture, shown[0]) if len(shown) == 1 else None for picture, shown in seen]


def _reaching(wanted: float, eyes: Iterable[float | None]) -> tuple[bool | None, ...]:
    """Whether both eyes are there, by as much as is wanted of the person."""
    return tuple(None if eye is None else eye >= wanted for eye in eyes)


def without_adapter(
    measured: Measured, engine: Engine, setting: Setting, faces: FaceReader
) -> tuple[tuple[Embedding | None, ...], tuple[Embedding | None, ...]]:
    """The same seeds and poses from the base model alone: with the person's token, and with the person described."""
    parameters = setting.platform.train_parameters(setting.spec)
    token = f"{parameters.token} {measured.person.noun}"
    return (
        _drawn(measured, engine, setting, faces, kind="base", subject=token),
        _drawn(measured, engine, setting, faces, kind="described", subject=measured.person.described),
    )


def _drawn(
    measured: Measured, engine: Engine, setting: Setting, faces: FaceReader, *, kind: str, subject: str
) -> tuple[Embedding | None, ...]:
    """Embeddings of the candidates' seeds and poses, drawn of `subject`; None where there is not exactly one face."""
    embeddings: list[Embedding | None] = []
    size = setting.platform.picture_for(setting.spec)
    poses = {pose.name: size.placed(pose.joints) for pose in measured.results.preprocess.poses if pose.joints}
    for report in measured.results.generate:
        style = setting.styles[report.style]
        wanted = [
            WantedPicture(
                key=f"{kind}/{report.style}-{candidate.seed}.png",
                seed=candidate.seed,
                prompt=style.prompt_for(subject),
                joints=poses.get(candidate.pose),
            )
            for candidate in report.candidates
            if not candidate.twin
        ]
        draw_missing(engine, measured.store, style, size, wanted)
        embeddings += [_only(_embeddings(measured.store, portrait.key, faces)) for portrait in wanted]
    return tuple(embeddings)


def _only(embeddings: list[Embedding]) -> Embedding | None:
    return embeddings[0] if len(embeddings) == 1 else None


def _embeddings(store: Store, key: str, faces: FaceReader) -> list[Embedding]:
    picture = read_picture(store, key)
    return [faces.embed(picture, face) for face in counted(faces.find(picture))]


def _first(store: Store, key: str, faces: FaceReader) -> Embedding | None:
    embeddings = _embeddings(store, key, faces)
    return embeddings[0] if embeddings else None


def _known(embeddings: Iterable[Embedding | None]) -> tuple[Embedding, ...]:
    return tuple(embedding for embedding in embeddings if embedding is not None)


def figures_of(measured: Measured, centroids: Mapping[str, Embedding]) -> PersonFigures:
    """Pure: from what was measured."""

    def like(embeddings: Sequence[Embedding | None]) -> float | None:
        return mean_or_none(_likenesses(embeddings, measured.references))

    name = measured.person.name
    chosen = [score.key for score in measured.results.finish.scores if score.delivered]
    delivered = [key in chosen for key in measured.keys]
    shown = [embedding for embedding in measured.portraits if embedding is not None]
    return PersonFigures(
        name=name,
        ceiling=measured.results.preprocess.ceiling or 1.0,
        adapter=like(measured.portraits),
        delivered=like(list(itertools.compress(measured.portraits, delivered))),
        base=like(measured.base),
        described=like(measured.described),
        one_face=Share(sum(count == 1 for count in measured.faces), len(measured.faces)),
        eyes=_share(measured.eyes),
        delivered_eyes=_share(itertools.compress(measured.eyes, delivered)),
        photo_eyes=_share(measured.photo_eyes),
        named=Share(sum(nearest(embedding, centroids) == name for embedding in shown), len(shown)),
        checkpoints=tuple(measured.results.train.checkpoints),
        chosen_step=measured.results.train.chosen_step,
    )


def _share(seen: Iterable[bool | None]) -> Share:
    """Of what could be seen."""
    known = [value for value in seen if value is not None]
    return Share(sum(known), len(known))


def _likenesses(embeddings: Sequence[Embedding | None], references: Sequence[Embedding]) -> list[float | None]:
    """The mean cosine to the references of each face that there is."""
    return [
        None if embedding is None else float(np.mean([cosine(embedding, other) for other in references]))
        for embedding in embeddings
    ]


def figures_of_style(name: str, tone: Tone, measured: Sequence[Measured]) -> StyleFigures:
    """Pure: from what was measured on everybody."""
    shares: list[float | None] = []
    by_person: dict[str, float | None] = {}
    faces: list[int] = []
    for person in measured:
        mine = [style == name for style in person.styles]
        ceiling = person.results.preprocess.ceiling or 1.0
        like = _likenesses(list(itertools.compress(person.portraits, mine)), person.references)
        own = [None if value is None else value / ceiling for value in like]
        by_person[person.person.name] = mean_or_none(own)
        shares += own
        faces += itertools.compress(person.faces, mine)
    shifts = [shift for person in measured for shift in person.results.finish.tones if shift.style == name]
    return StyleFigures(
        name=name,
        tone=tone,
        share=mean_or_none(shares),
        one_face=Share(sum(count == 1 for count in faces), len(faces)),
        shift=together(shifts),
        by_person={name: share for name, share in by_person.items() if share is not None},
    )


def verdicts_on_bad(person: CastMember, folder: Path, setting: Setting) -> list[tuple[str, str, str]]:
    """What preprocessing says of the photos to be refused, among the good ones: (file, truth, verdict)."""
    if not person.bad:
        return []
    from profile_preprocess.stage import run

    store = FolderStore(folder)
    photos = [*person.photos, *person.bad]
    listed = []
    for photo in photos:
        name = photo.relative_to(photo.parents[1] if photo in person.bad else photo.parent).as_posix()
        content = photo.read_bytes()
        store.write(f"photos/{name}", content, "image/jpeg")
        listed.append(PhotoRef(name=name, key=f"photos/{name}", bytes=len(content), etag=str(len(content))))
    parameters = setting.platform.preprocess.model_copy(update={"maximum_photos": len(photos), "minimum_photos": 1})
    request = RequestRef(namespace=NAMESPACE, name=NAME)
    prefix = stage_prefix(AREA, NAME, Stage.PREPROCESS, "verdicts")
    order = PreprocessOrder(request=request, digest="verdicts", output=prefix, photos=listed, parameters=parameters)
    report = _standing(store, prefix)
    if report is None:
        bare = run_stage(run, order, Stage.PREPROCESS, store, models=setting.models)
        report = PreprocessReport.model_validate(bare.model_dump())
    said = {verdict.name: verdict.reason for verdict in report.verdicts}
    return [
        (photo.name, why, said.get(f"bad/{photo.name}", PhotoReason.NOT_AN_IMAGE).value)
        for photo, why in person.bad.items()
    ]


def _standing(store: Store, prefix: str) -> PreprocessReport | None:
    if store.stat(prefix + REPORT) is None:
        return None
    return PreprocessReport.model_validate_json(store.read(prefix + REPORT))
