"""The digests of a request's stages: what a change runs again follows from these alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from profile_contract.framing import room_for
from profile_contract.look_ref import LookFile, looks_of
from profile_contract.picture_size import PictureSize
from profile_contract.request import ProfileRequestSpec
from profile_contract.style import ProfileStyleSpec

from .finish import FinishParameters, finish_digest
from .generate import generate_digest
from .preprocess import PreprocessParameters, preprocess_digest
from .train import TrainParameters, train_digest, untrained_digest

NO_LOOKS: Mapping[str, LookFile] = MappingProxyType({})


@dataclass(frozen=True)
class Platform:
    """What is set for all requests: by the platform team, or by the folder runner's arguments. `toy`: the base model
    is for demonstrations alone. `recipe`: the digest of the base model's recipe, empty where none is named.
    `trained_strength_percent`: how much of a photo is drawn anew with the person's adapter; None: as without one."""

    preprocess: PreprocessParameters
    training: TrainParameters
    picture: PictureSize
    visible_mark: bool = False
    toy: bool = False
    recipe: str = ""
    trained_strength_percent: int | None = None

    @property
    def toy_model(self) -> str:
        """The base model's name where it is a toy, else nothing."""
        return self.training.base_model if self.toy else ""

    def train_parameters(self, spec: ProfileRequestSpec) -> TrainParameters:
        """The defaults with what the request says about training."""
        said = {name: value for name, value in spec.training.model_dump(exclude={"mode"}).items() if value is not None}
        return self.training.model_copy(update={**said, "noun": spec.subject.noun})

    def picture_for(self, spec: ProfileRequestSpec) -> PictureSize:
        """How candidates are drawn, with the room that the request's layouts need, and as much of a photo drawn anew
        as the request's person is known."""
        trained = self.trained_strength_percent if spec.training.trains else None
        return replace(
            self.picture,
            room=room_for(spec.layouts, self.preprocess.face_percent),
            strength_percent=trained or self.picture.strength_percent,
        )

    def trained(self, dataset: str, spec: ProfileRequestSpec) -> str:
        """The digest of a request's adapter; of none, where none is trained."""
        return train_digest(dataset, self.train_parameters(spec)) if spec.training.trains else untrained_digest(dataset)

    def finish_parameters(self, spec: ProfileRequestSpec) -> FinishParameters:
        """What is delivered."""
        return FinishParameters(
            portraits=spec.portraits,
            minimum_likeness=spec.minimum_likeness,
            layouts=list(spec.layouts),
            visible_mark=self.visible_mark,
            toy_model=self.toy_model,
            preview=not spec.training.trains,
        )


def drawing_parameters(spec: ProfileRequestSpec, style: ProfileStyleSpec, picture: PictureSize) -> list[object]:
    """What goes into the digest of a style's candidates beside adapter and style; the source where photos are drawn
    over."""
    source = [{"source": spec.source}] if style.drawn_over and spec.source is not None else []
    return [spec.seed, spec.candidates, *picture.for_style(style).parameters, *source]


@dataclass(frozen=True)
class Digests:
    """One digest a stage; for generate one a style, by its key. `finish` is empty while a style is missing."""

    preprocess: str
    train: str
    styles: Mapping[str, str]
    finish: str


def digests_of(
    spec: ProfileRequestSpec,
    photos: str,
    styles: Mapping[str, ProfileStyleSpec],
    platform: Platform,
    looks: Mapping[str, LookFile] = NO_LOOKS,
) -> Digests:
    """The digests that follow from a photos digest, the styles that exist and the looks that are ready (by their keys),
    and the parameters.

    Preprocessing does not know the subject's noun nor the training resolution of a request: changing them must not
    look at the photos again.
    """
    dataset = preprocess_digest(photos, platform.preprocess)
    adapter, picture = platform.trained(dataset, spec), platform.picture_for(spec)
    # `styles` and `layouts` are sets: asked for in another order they are the same, and run nothing again.
    candidates = {
        key: generate_digest(adapter, key, styles[key], drawing_parameters(spec, styles[key], picture), files)
        for key in sorted(spec.style_keys)
        if key in styles and (files := looks_of(styles[key].adapters, looks)) is not None
    }
    complete = len(candidates) == len(spec.styles)
    finish = finish_digest(list(candidates.values()), platform.finish_parameters(spec)) if complete else ""
    return Digests(preprocess=dataset, train=adapter, styles=candidates, finish=finish)
