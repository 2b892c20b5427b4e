"""Resolved: what a request was resolved to when work began for it. Pure; the operator keeps it in the store.

It holds all that the platform adds to what a person asks: parameters, contents of styles, versions, and the digests
that follow. As long as a person asks for nothing else, stages run with this, whatever the platform sets meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, ValidationError

from .areas import Area
from .artifacts import uploads_prefix
from .framing import HeadRoom
from .generation import FacePixels, PoseLine
from .keys import check_below
from .look_ref import MOST_LOOKS, LookFile, look_place, looks_of
from .model import Contract, digest_of
from .picture_size import PictureSize
from .problems import problems_of
from .request import PhotoName, ProfileRequestSpec, Subject, Training, Updates
from .stages import finish, generate, preprocess, train
from .stages.chain import NO_LOOKS, Platform, drawing_parameters
from .stages.finish import FinishParameters, finish_digest
from .stages.generate import generate_digest, looks_drawn
from .stages.preprocess import PhotoRef, PreprocessParameters, photos_digest, preprocess_digest
from .stages.stage import Stage
from .stages.train import TrainParameters
from .style import (
    ControlEndPercent,
    ControlWeightPercent,
    GuidanceTenths,
    ProfileStyleSpec,
    SamplerName,
    SamplerSteps,
    StrengthPercent,
)
from .style_ref import StyleKey

# In bytes: forty photos with long names and eight styles with long prompts are a fifth of it.
LONGEST_RESOLVED = 1_048_576
MOST_PHOTOS = 1000
MOST_STYLES = 8

# It becomes a part of keys and of names of Jobs.
Digest = Annotated[str, Field(max_length=64, pattern=r"^[0-9a-f]+$")]
Version = Annotated[int, Field(ge=0, le=1_000_000)]
Edge = Annotated[int, Field(ge=8, le=8192)]


class ResolvedPhotos(Contract):
    """The photos as they were looked at for this prefix, revision and wish to retry."""

    prefix: str = Field(max_length=256)
    revision: int = Field(ge=0, le=1_000_000)
    retry: str = Field(default="", max_length=64)
    digest: Digest
    photos: list[PhotoRef] = Field(max_length=MOST_PHOTOS)
    gone: bool = Field(default=False, description="None was left when they were looked at again; the dataset stands.")


class ResolvedPreprocess(Contract):
    """How the photos are looked at."""

    version: Version
    digest: Digest
    parameters: PreprocessParameters


class ResolvedTrain(Contract):
    """How the adapter is trained: `subject` and `training` are what was asked for.

    `recipe`: the digest of the base model's recipe by which the platform was set up; what it said is in `parameters`.
    """

    version: Version
    digest: Digest
    subject: Subject
    training: Training
    parameters: TrainParameters
    recipe: Digest | None = None


class ResolvedPicture(Contract):
    """How every candidate is drawn, whatever its style."""

    width: Edge
    height: Edge
    steps: SamplerSteps | None = None
    guidance_tenths: GuidanceTenths | None = None
    control_weight_percent: ControlWeightPercent | None = None
    control_end_percent: ControlEndPercent | None = None
    sampler: SamplerName | None = None
    pose_line_thousandths: PoseLine | None = None
    room: HeadRoom | None = Field(default=None, description="What is seen around the head, as the layouts need.")
    face_pixels: FacePixels | None = None
    strength_percent: StrengthPercent | None = None

    @property
    def size(self) -> PictureSize:
        """The same for orders and digests."""
        return PictureSize(**{name: getattr(self, name) for name in ResolvedPicture.model_fields})

    def shows(self, room: HeadRoom | None) -> bool:
        """Whether pictures drawn so show that room; those of an earlier version, which knew none, are taken to."""
        return self.room is None or room is None or self.room.covers(room)


class ResolvedStyle(Contract):
    """How the candidates of one style are drawn. `refresh`: as the request said when the content was taken over."""

    key: StyleKey
    version: Version
    digest: Digest
    refresh: int = Field(default=0, ge=0, le=1_000_000)
    picture: ResolvedPicture
    content: ProfileStyleSpec
    looks: list[LookFile] | None = Field(
        default=None, max_length=MOST_LOOKS, description="The files of the content's adapters, in its order."
    )


class ResolvedGenerate(Contract):
    """The candidates of all styles, which are sorted by their keys."""

    seed: int = Field(ge=0, le=900_000)
    candidates: int = Field(ge=1, le=32)
    source: PhotoName | None = None
    styles: list[ResolvedStyle] = Field(max_length=MOST_STYLES)


class ResolvedFinish(Contract):
    """What is delivered."""

    version: Version
    digest: Digest
    parameters: FinishParameters


class Resolved(Contract):
    """All inputs of a request's stages. `uid`: of the object for which the photos were looked at.

    `finish` is missing as long as a style is that is asked for: then nothing is begun, and nothing kept.
    """

    uid: str = Field(default="", max_length=64)
    refresh: int = Field(default=0, ge=0, le=1_000_000)
    photos: ResolvedPhotos
    preprocess: ResolvedPreprocess
    train: ResolvedTrain
    generate: ResolvedGenerate
    finish: ResolvedFinish | None = None

    @property
    def digest(self) -> str:
        """Of the whole."""
        return digest_of(self.document())

    @property
    def styles(self) -> Mapping[str, ResolvedStyle]:
        """The styles by their keys."""
        return {style.key: style for style in self.generate.styles}

    def digest_of_stage(self, stage: Stage) -> str:
        """The digest of a stage; for generate the one of all styles together. Empty: not known yet."""
        if stage is Stage.GENERATE:
            return digest_of([style.digest for style in self.generate.styles])
        if stage is Stage.FINISH:
            return self.finish.digest if self.finish is not None else ""
        return self.preprocess.digest if stage is Stage.PREPROCESS else self.train.digest

    def fingerprints(self) -> dict[str, str]:
        """What the platform had its hand in: version and short digests of each input, by which a change is seen.

        Keys are `preprocess`, `train`, `finish`, and `style/KEY` of each style.
        """
        marks = {
            Stage.PREPROCESS.value: _mark(self.preprocess.version, self.preprocess.parameters.distinction()),
            Stage.TRAIN.value: _mark(self.train.version, self.train.parameters.distinction()),
        }
        for style in self.generate.styles:
            picture = style.picture.model_copy(update={"room": None}).document()
            drawn = looks_drawn(style.looks or ())
            content = [style.content.distinction(), *drawn] if drawn else style.content.distinction()
            marks[f"style/{style.key}"] = _mark(style.version, picture, content)
        if self.finish is not None:
            delivered = self.finish.parameters
            marks[Stage.FINISH.value] = _mark(self.finish.version, [delivered.visible_mark, delivered.toy_model])
        return marks


def _mark(version: int, *inputs: object) -> str:
    return "-".join([str(version), *(digest_of(value)[:8] for value in inputs)])


@dataclass(frozen=True)
class AskedFor:
    """What is asked for, and by which object. `retry`: the annotation. `failed`: the first stage that failed, where a
    person asks to try it again: it takes what the platform sets now."""

    spec: ProfileRequestSpec
    uid: str = ""
    retry: str = ""
    failed: Stage | None = None


@dataclass(frozen=True)
class StyleContent:
    """What a style says, and the files of its adapters."""

    style: ProfileStyleSpec
    looks: tuple[LookFile, ...] = ()


def resolve(
    before: Resolved | None,
    wish: AskedFor,
    photos: Sequence[PhotoRef] | None,
    styles: Mapping[str, ProfileStyleSpec],
    platform: Platform,
    *,
    looks: Mapping[str, LookFile] = NO_LOOKS,
) -> Resolved:
    """What the stages are run with now.

    A stage keeps what it was resolved to unless what the request says of it, or of a stage before it, has changed, or a
    person asked for anew: by `refresh`, or by trying again what failed. `photos` are those that were looked at anew, or
    None; there must be some where nothing was resolved before. `styles` are those that exist and are understood, by
    their keys; one that does not keeps the content that it had, and is left out where it had none. So does one that
    draws with a look that is not among `looks`, the files of those that are ready.
    """
    spec, looked = wish.spec, _photos(before, wish, photos)
    first = _first_changed(before, looked, wish)

    def kept(stage: Stage) -> Resolved | None:
        """What stage still stands in, if it does."""
        return before if first is None or _ORDER.index(stage) < _ORDER.index(first) else None

    dataset = stands.preprocess if (stands := kept(Stage.PREPROCESS)) else _preprocess(looked, platform)
    adapter = stands.train if (stands := kept(Stage.TRAIN)) else _train(dataset, spec, platform)
    ready = {
        key: StyleContent(style, files)
        for key, style in styles.items()
        if (files := looks_of(style.adapters, looks)) is not None
    }
    drawn = _styles(before, spec, adapter, ready, platform, fresh=kept(Stage.GENERATE) is None)
    generate = ResolvedGenerate(seed=spec.seed, candidates=spec.candidates, source=spec.source, styles=drawn)
    complete = len(drawn) == len(asked_styles(spec))
    return Resolved(
        uid=wish.uid,
        refresh=spec.refresh,
        photos=looked,
        preprocess=dataset,
        train=adapter,
        generate=generate,
        finish=_finish(kept(Stage.FINISH), generate, adapter, spec, platform) if complete else None,
    )


_ORDER = list(Stage)


def _first_changed(before: Resolved | None, photos: ResolvedPhotos, wish: AskedFor) -> Stage | None:
    """The first stage of which a request says something else than before, or that a person wants anew."""
    spec = wish.spec
    if before is None or spec.refresh > before.refresh or photos.digest != before.photos.digest:
        return Stage.PREPROCESS
    changed = [wish.failed] if wish.failed is not None else []
    if (before.train.subject, before.train.training) != (spec.subject, spec.training):
        changed.append(Stage.TRAIN)
    if (before.generate.seed, before.generate.candidates) != (spec.seed, spec.candidates):
        changed.append(Stage.GENERATE)
    return min(changed, key=_ORDER.index, default=None)


def _photos(before: Resolved | None, wish: AskedFor, photos: Sequence[PhotoRef] | None) -> ResolvedPhotos:
    """The photos that count: those that were looked at, or those that were there before."""
    asked = wish.spec.photos
    place = {"prefix": asked.prefix, "revision": asked.revision}
    if before is not None and not photos and photos_stand(before, wish):
        retry = wish.retry or before.photos.retry
        gone = photos is not None or before.photos.gone
        return before.photos.model_copy(update={**place, "retry": retry, "gone": gone})
    listed = list(photos or ())
    return ResolvedPhotos(**place, retry=wish.retry, digest=photos_digest(listed), photos=listed)


def photos_stand(before: Resolved, wish: AskedFor) -> bool:
    """Whether the photos of before are still those that are asked for, as far as the request says."""
    asked = wish.spec.photos
    return (before.photos.prefix, before.photos.revision) == (asked.prefix, asked.revision)


def looks_anew(before: Resolved | None, wish: AskedFor) -> bool:
    """Whether photos are to be looked at: another place, a raised revision, another object, a person who asks for it.

    Taking the annotation away asks for nothing.
    """
    if before is None or not photos_stand(before, wish) or before.uid != wish.uid:
        return True
    return bool(wish.retry) and wish.retry != before.photos.retry


def _preprocess(photos: ResolvedPhotos, platform: Platform) -> ResolvedPreprocess:
    digest = preprocess_digest(photos.digest, platform.preprocess)
    return ResolvedPreprocess(version=preprocess.VERSION, digest=digest, parameters=platform.preprocess)


def _train(dataset: ResolvedPreprocess, spec: ProfileRequestSpec, platform: Platform) -> ResolvedTrain:
    parameters = platform.train_parameters(spec)
    return ResolvedTrain(
        version=train.VERSION,
        digest=platform.trained(dataset.digest, spec),
        subject=spec.subject,
        training=spec.training,
        parameters=parameters,
        recipe=platform.recipe or None,
    )


def _styles(
    before: Resolved | None,
    spec: ProfileRequestSpec,
    adapter: ResolvedTrain,
    styles: Mapping[str, StyleContent],
    platform: Platform,
    *,
    fresh: bool,
) -> list[ResolvedStyle]:
    """Each style with the content that it has or keeps. `fresh`: all are drawn anew in any case."""
    standing = before.styles if before is not None else {}
    size = platform.picture_for(spec)
    moved = before is not None and before.generate.source != spec.source
    drawn = []
    for key, refresh in sorted(asked_styles(spec).items()):
        kept, content = standing.get(key), styles.get(key)
        raised = before is not None and spec.refresh > before.refresh
        raised = raised or (kept is not None and refresh > kept.refresh)
        # What is drawn anew for another reason goes on with the content that it had where the style is gone.
        before_it = StyleContent(kept.content, tuple(kept.looks or ())) if kept is not None else None
        content = before_it if content is None and not raised else content
        followed = spec.updates is Updates.FOLLOWED and kept is not None and content != before_it
        picture = None
        if kept is not None and not (fresh or raised or followed):
            shown = kept.picture.shows(size.room)
            if shown and not (moved and kept.content.drawn_over):
                drawn.append(kept.model_copy(update={"refresh": refresh}))
                continue
            # Layouts that show more than was drawn, or another photo, want just that: all else stays as it was.
            content = before_it
            picture = kept.picture if shown else kept.picture.model_copy(update={"room": size.room})
        if content is not None:
            picture = picture or ResolvedPicture(**vars(size.for_style(content.style)))
            parameters = drawing_parameters(spec, content.style, picture.size)
            drawn.append(
                ResolvedStyle(
                    key=key,
                    version=generate.VERSION,
                    digest=generate_digest(adapter.digest, key, content.style, parameters, content.looks),
                    refresh=refresh,
                    picture=picture,
                    content=content.style,
                    looks=list(content.looks) or None,
                )
            )
    return drawn


def asked_styles(spec: ProfileRequestSpec) -> dict[str, int]:
    """The keys of the styles that a request asks for, each with its own `refresh`."""
    return {style.key: style.refresh for style in spec.styles}


def _finish(
    before: Resolved | None,
    drawn: ResolvedGenerate,
    adapter: ResolvedTrain,
    spec: ProfileRequestSpec,
    platform: Platform,
) -> ResolvedFinish:
    """What is delivered of these candidates; as before, where the same is asked of the same."""
    # Whether the model is a toy is asked of the one that was trained with.
    toy = adapter.parameters.base_model if platform.toy else ""
    parameters = platform.finish_parameters(spec).model_copy(update={"toy_model": toy})
    digests = [style.digest for style in drawn.styles]
    stands = before.finish if before is not None else None
    alike = before is not None and digests == [style.digest for style in before.generate.styles]
    if stands is not None and alike and _same_delivery(stands.parameters, parameters):
        return stands
    return ResolvedFinish(version=finish.VERSION, digest=finish_digest(digests, parameters), parameters=parameters)


def _same_delivery(kept: FinishParameters, asked: FinishParameters) -> bool:
    """Whether a request asks for the same. Layouts are a set."""
    return (kept.portraits, kept.minimum_likeness, set(kept.layouts)) == (
        asked.portraits,
        asked.minimum_likeness,
        set(asked.layouts),
    )


class UnreadResolved(ValueError):
    """What lies in the store as a request's record cannot be understood; the message names the field."""


def read_resolved(data: bytes, area: Area) -> Resolved:
    """The record of a request whose photos lie in an area. Raises UnreadResolved.

    Fields of a newer version are left out: the digests that it came to stand in it. A photo that does not lie below the
    prefix is refused.
    """
    if len(data) > LONGEST_RESOLVED:
        raise UnreadResolved(f"it has more than {LONGEST_RESOLVED} bytes")
    try:
        resolved = Resolved.model_validate_json(data, extra="ignore")
        uploads = uploads_prefix(area, resolved.photos.prefix)
        for photo in resolved.photos.photos:
            check_below(uploads, photo.key)
        for look in (look for style in resolved.generate.styles for look in style.looks or ()):
            look_place(area, look.key)
    except ValidationError as error:
        raise UnreadResolved(problems_of(error, most=3)) from None
    except ValueError as error:
        raise UnreadResolved(str(error)) from None
    return resolved
