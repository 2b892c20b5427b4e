"""From the command's arguments to a request and the platform's parameters. Pure but for looking at the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_contract.areas import area_of
from profile_contract.artifacts import photos_prefix
from profile_contract.picture_size import PictureSize
from profile_contract.problems import problems_of
from profile_contract.recipe import Recipe
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.chain import Platform
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_contract.style_ref import StyleRef
from profile_draw.native import native_resolution
from profile_models.model_recipe import ModelRecipe, recipe_for

from .values import Values

NOTHING_SAID = Values()
NAMESPACE = "local"
NAME = "person"
# A folder has no cluster whose namespaces would come and go.
AREA = area_of(NAMESPACE, "00000000-0000-0000-0000-000000000000")
PHOTOS_PREFIX = photos_prefix(NAME)

# The first of these that lies in the models folder is taken where none is named.
BASE_MODELS = ("stable-diffusion-xl-base-1.0", "studio-mini", "studio-random")
UNTRAINED = "studio-random"
# SDXL's portrait format for an area of 1024 x 1024; a model that was made for less draws squares.
PORTRAIT_WIDTH, PORTRAIT_HEIGHT, FULL_RESOLUTION = 896, 1152, 1024
SMALLEST_PORTRAIT_FORMAT = 512
# The VAE divides an edge by 8, the UNet halves it twice more.
EDGE_STEP = 32
# As of a style's sampler.
MOST_SAMPLER_STEPS = 150


@dataclass(frozen=True)
class Choice:
    """What the user said; None where nothing was said. `asked`: fields of the request, as the API names them."""

    noun: str
    layouts: Sequence[str]
    asked: Mapping[str, object]
    minimum_photos: int | None
    rank: int | None
    steps: int | None
    sampler_steps: int | None
    resolution: int | None
    base_model: str | None
    control_model: str | None

    @property
    def training(self) -> Mapping[str, object]:
        """What is asked of training beside its figures."""
        said = self.asked.get("training", {})
        return said if isinstance(said, Mapping) else {}


@dataclass(frozen=True)
class InstalledModels:
    """The models that are used, the pixels that the base model was made for, and what it says about itself."""

    base: str
    control: str
    resolution: int
    recipe: Recipe = Recipe()
    remark: str = field(default="", compare=False)


def choose_models(folder: Path, base: str | None, control: str | None, recipe: Recipe | None = None) -> InstalledModels:
    """The models by name, or the best that is there; `recipe` instead of the base model's own. `remark` says whose
    recipe was taken, where it is not its own.

    Raises CommandError that names what is missing, or is wrong with the recipe.
    """
    chosen = base or next((name for name in BASE_MODELS if (folder / name).is_dir()), None)
    if chosen is None:
        raise CommandError(
            f"no base model in {folder}: put SDXL there in diffusers' layout as {BASE_MODELS[0]}/, or name "
            f"another by --models and --base-model (`make model` makes {UNTRAINED}, an untrained stand-in)"
        )
    _must_be_there(folder, chosen)
    try:
        model = recipe_for(folder / chosen) if recipe is None else ModelRecipe(recipe)
        companion = model.recipe.control_model if control is None else control
        _must_be_there(folder, companion)
        return InstalledModels(chosen, companion, native_resolution(folder / chosen), model.recipe, model.remark)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _must_be_there(folder: Path, model: str) -> None:
    """Raises CommandError for a model that is named and does not lie in the models folder."""
    if model and not (folder / model).is_dir():
        raise CommandError(f"{folder} holds no model {model!r}: see --models, --base-model and --control-model")


def request_spec(choice: Choice, styles: Sequence[str]) -> ProfileRequestSpec:
    """The request; `styles` are keys. Raises CommandError for values that the API refuses too."""
    document = {
        "subject": {"noun": choice.noun},
        "photos": {"prefix": PHOTOS_PREFIX},
        "styles": [StyleRef.of_key(key) for key in styles],
        "layouts": list(choice.layouts),
        **choice.asked,
        "training": {
            "rank": choice.rank,
            "steps": choice.steps,
            "resolution": choice.resolution,
            **choice.training,
        },
    }
    try:
        spec = ProfileRequestSpec.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error)
        raise CommandError(f"these arguments cannot be used: {problems}") from error
    if spec.portraits > spec.candidates:
        raise CommandError(f"--portraits must not exceed --candidates ({spec.portraits} > {spec.candidates})")
    return spec


def platform(choice: Choice, models: InstalledModels, *, accelerated: bool, values: Values = NOTHING_SAID) -> Platform:
    """The parameters of the stages: as chosen, else as a cluster's values say, else as the model's recipe does, else
    what fits models and machine. Raises CommandError for what the stages would refuse."""
    values = values.over(models.recipe)
    resolution = choice.resolution or values.training.get("resolution") or models.resolution
    fitting = {"resolution": resolution, "mixedPrecision": "bf16" if accelerated else "no"}
    chosen = {"baseModel": models.base, "controlModel": models.control, "resolution": resolution}
    said = {"resolution": choice.resolution, "minimumPhotos": choice.minimum_photos}
    looked = {name: value for name, value in said.items() if value is not None}
    # Where a resolution was chosen, a cluster's pixels do not go with it.
    pixels = {"width": None, "height": None} if choice.resolution else {}
    picture = values.drawing.model_copy(update=pixels).over(picture_size(resolution, None))
    try:
        preprocess = PreprocessParameters.model_validate({"resolution": resolution, **values.preprocess, **looked})
        training = TrainParameters.model_validate({**fitting, **values.training, **chosen})
    except ValidationError as error:
        raise CommandError(f"these settings cannot be used: {problems_of(error)}") from error
    _check(choice, preprocess)
    return Platform(
        preprocess=preprocess,
        training=training,
        picture=replace(picture, steps=choice.sampler_steps or picture.steps),
        toy=bool(models.recipe.toy),
        recipe=models.recipe.digest,
        trained_strength_percent=values.drawing.trained_strength_percent,
    )


def _check(choice: Choice, preprocess: PreprocessParameters) -> None:
    """Raises CommandError for figures that no model of the contract looks at, or that contradict each other."""
    if choice.sampler_steps is not None and not 1 <= choice.sampler_steps <= MOST_SAMPLER_STEPS:
        raise CommandError(f"--sampler-steps must be from 1 to {MOST_SAMPLER_STEPS}, and is {choice.sampler_steps}")
    least, most = preprocess.minimum_photos, preprocess.maximum_photos
    if least > most:
        raise CommandError(
            f"{least} photos must be usable (--minimum-photos), and {most} are taken at most (maximumPhotos of the "
            "values' preprocess): ask for fewer"
        )


def choose_with(folder: Path, choice: Choice, values: Values) -> InstalledModels:
    """The models that were chosen, else those of a cluster's values. Raises CommandError as choose_models does."""
    control = choice.control_model
    if control is None:
        control = values.control_model(choice.base_model)
    return choose_models(folder, choice.base_model or values.base_model, control, values.recipe)


def picture_size(resolution: int, steps: int | None) -> PictureSize:
    """SDXL's portrait format for that area, in steps of 32 pixels; a square below 512."""
    if resolution < SMALLEST_PORTRAIT_FORMAT:
        return PictureSize(resolution, resolution, steps)
    share = resolution / FULL_RESOLUTION
    return PictureSize(_nearest(PORTRAIT_WIDTH * share), _nearest(PORTRAIT_HEIGHT * share), steps)


def _nearest(pixels: float) -> int:
    return round(pixels / EDGE_STEP) * EDGE_STEP
