"""Train: a dataset in, an adapter out."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from profile_contract.generation import GenerationOrder
from profile_contract.model import Contract, Tolerant, digest_of
from profile_contract.stages.order import (
    FileRef,
    Key,
    ModelName,
    StageOrder,
    StageReport,
)
from profile_contract.style import SamplerSteps

from .stage import Stage

# Raised by hand when training makes another adapter of the same inputs: it is part of every train digest.
VERSION = 3
# Raised by hand when class pictures are drawn in another way.
CLASS_PICTURES_VERSION = 1


class AdapterLayers(StrEnum):
    """Which layers of the UNet an adapter changes: trainer and predictor must be told the same."""

    ATTENTION = "attention"
    TRANSFORMER = "transformer"
    EVERYTHING = "everything"
    # Where style lives and content does not (B-LoRA, arXiv 2403.14572): of looks, never of people.
    LOOK = "look"


class Timesteps(StrEnum):
    """How often each timestep of the noise is trained on."""

    WEIGHTED = "Weighted"
    MIXED = "Mixed"
    EVEN = "Even"


class OptimiserKind(StrEnum):
    """How an adapter's weights follow their gradients."""

    ADAMW = "AdamW"
    PRODIGY = "Prodigy"


# The rare word that stands for the person in captions.
Token = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^{}\x00-\x1f]+$")]


class PriorPreservation(Contract):
    """Pictures of anybody, learnt beside the person's photos so that the noun does not come to mean the person alone
    (Ruiz et al. 2023, DreamBooth: its prior preservation loss)."""

    weight: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="How much the loss on class pictures counts beside that on the photos; 0: there are none. "
        "DreamBooth: 1. A step then takes twice as long.",
    )
    pictures: int = Field(
        default=100,
        ge=1,
        le=500,
        description="Class pictures, which the base model draws before the adapter learns: of the request's noun, at "
        "training.resolution. They are kept for later trainings of the namespace.",
    )


class TrainingRecipe(Contract):
    """How an adapter is trained, as the base model wants it. Defaults: design figures for SDXL at 1024 px."""

    rank: int = Field(default=32, ge=1, le=128)
    adapter_layers: AdapterLayers = Field(
        default=AdapterLayers.ATTENTION,
        description="attention: enough for SDXL. transformer: its feed-forward layers too. everything: convolutions, "
        "too, for thin models: they have no transformers where they draw the finest. look: of looks alone, the one "
        "group of transformers where style lives.",
    )
    steps: int | None = Field(default=None, ge=1, le=100_000, description="None: clamp(80 x photos, 500, 900).")
    batch: int = Field(default=4, ge=1, le=64)
    resolution: int = Field(default=1024, ge=64, le=2048, multiple_of=8)
    learning_rate: float = Field(default=1e-4, gt=0, le=10)
    up_rate: float = Field(
        default=1.0,
        ge=0.1,
        le=64,
        description="Learning rate of an adapter's matrices out of its rank, which begin as zeros, as a multiple of "
        "learningRate, that of those into it (LoRA+, Hayou et al. 2024).",
    )
    warm_up_steps: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="Steps over which the learning rate rises to its height, before it falls along half a cosine.",
    )
    optimiser: OptimiserKind = Field(
        default=OptimiserKind.ADAMW,
        description="Prodigy finds its learning rate by itself: learningRate is then not used. It takes longer for a "
        "step, since it waits for the GPU.",
    )
    ema_decay: float = Field(
        default=0.0,
        ge=0,
        le=0.9999,
        description="Above 0, a running average of the adapter's weights is judged and delivered instead of the "
        "weights themselves (EMA); this share of it stays in each step. 0.99 suits a few hundred steps.",
    )
    crops_per_photo: int = Field(default=3, ge=1, le=16)
    min_snr_gamma: float = Field(default=5.0, ge=0, le=1000)
    noise_offset: float = Field(default=0.0357, ge=0, le=1)
    face_weight: float = Field(
        default=2.0,
        ge=1,
        le=16,
        description="How much more a pixel of the face counts in the loss than one of the rest of the person.",
    )
    timesteps: Timesteps = Field(
        default=Timesteps.WEIGHTED,
        description="Weighted: as min-SNR weighs them. Even: all alike. Mixed: half of them each way; of a base that "
        "predicts velocity, min-SNR alone hardly ever draws those in which skin and the shape of the head are decided.",
    )
    prior_preservation: PriorPreservation = Field(
        default=PriorPreservation(),
        description="Pictures of anybody, which are learnt beside the person's photos.",
    )
    control_in_loss: bool = Field(
        default=False,
        description="Train with the ControlNet heard, as portraits are drawn: for a base that learnt together with it.",
    )
    latent_noise: bool = Field(
        default=True,
        description="Draw a photo's latents anew in each step, as its autoencoder is unsure of them; false: their mean "
        "alone, for small autoencoders, whose doubts hide what a person looks like.",
    )
    checkpoint_steps: int = Field(default=100, ge=1, le=100_000)
    validation_images: int = Field(
        default=4,
        ge=0,
        le=16,
        description="Portraits that a checkpoint is judged by: the first ones of the request's first style, 4 at most. "
        "0: the last checkpoint is delivered.",
    )
    validation_sampler_steps: SamplerSteps = Field(
        default=20, description="Of portraits that are judged where an order says nothing of a style."
    )
    gradient_checkpointing: bool = False
    mixed_precision: Literal["no", "bf16"] = "bf16"


class TrainParameters(TrainingRecipe):
    """How the adapter is trained; part of the digest."""

    base_model: ModelName = Field(min_length=1, description="Folder name below the models folder.")
    control_model: ModelName = ""
    noun: Literal["person", "woman", "man"] = "person"
    token: Token = Field(default="sks", description="The rare token that stands for the person in captions.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    @property
    def preserves_prior(self) -> bool:
        """Whether class pictures are learnt beside the photos."""
        return self.prior_preservation.weight > 0


class LookTraining(Contract):
    """A look is learnt, and no person: what its captions call it, and at which weights it is judged."""

    words: str = Field(min_length=1, max_length=200, description="What captions say of every picture.")
    weights_percent: list[int] = Field(default=[40, 60, 80], min_length=1, max_length=5)


class LookMerge(Contract):
    """A look that is merged into its base model, instead of learning one: `name` is the new model's folder."""

    name: str = Field(max_length=200, pattern=r"^[A-Za-z0-9][-_.A-Za-z0-9]*$")
    adapter: FileRef
    weight_percent: int = Field(ge=1, le=150)
    licence: str = Field(default="", max_length=200)
    # The platform's, as JSON, for a base model that brings none of its own.
    recipe: str = Field(default="", max_length=16_000)


class TrainOrder(StageOrder):
    """Dataset to adapter. `dataset` is the key of the preprocess report.

    `judge`: the portraits that checkpoints are judged by, and looks when they are learnt; its URLs are keys of the
    store. It stands outside of the digest: another style must not train anew.
    """

    stage: Literal[Stage.TRAIN] = Stage.TRAIN
    dataset: Key
    parameters: TrainParameters
    judge: GenerationOrder | None = None
    # Of the base model's recipe by which the platform is set up; no part of the digest: what it says is in parameters.
    recipe: str = Field(default="", max_length=64)
    look: LookTraining | None = None
    merge: LookMerge | None = None
    # The prefix below which class pictures are kept; None: there are none to learn. No part of the digest.
    class_pictures: Key | None = None


class Checkpoint(Tolerant):
    """A checkpoint of training: loss is the mean since the last one; likeness in per cent of the ceiling, unclipped.

    `key`: where it lay; when training is done all are deleted, and the adapter alone stays.
    """

    step: int
    key: str
    loss: float
    likeness: float | None = None
    copies: int = Field(default=0, description="Portraits in which a training photo was met again.")


class JudgedBy(Tolerant):
    """How the portraits were drawn that checkpoints were judged by."""

    pictures: int
    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    steps: int
    guidance: float
    control_weight: float = 0.0
    control_end: float = 0.0


class LookAtWeight(Tolerant):
    """What a look does at one weight, by pictures of the same seeds without it. Shares of the way from those to the
    look's own pictures: 0 is none of it, 1 all; None where they hardly differ, and nothing is to be gone."""

    weight_percent: int = Field(ge=1, le=150)
    backdrop: float | None = Field(default=None, description="Mean CIELAB of what is no person.")
    light: float | None = Field(default=None, description="Mean CIELAB of the skin.")
    features: float | None = Field(default=None, description="Means and spreads of the autoencoder's channels.")
    likeness: float | None = Field(
        default=None, description="Mean cosine of a face to the one of its seed that was drawn without the look."
    )
    nearest: float | None = Field(
        default=None, description="The greatest cosine of a drawn face to one in the look's own pictures."
    )
    rise: float | None = Field(
        default=None, description="The most by which that cosine is greater than that of the same seed without it."
    )
    resembling: int = Field(
        default=0,
        ge=0,
        description="Faces that resemble one in the look's own pictures, and without it did so far less.",
    )


class LookJudgement(Tolerant):
    """What was drawn of a look when it was learnt, and what that cost."""

    weights: list[LookAtWeight] = Field(max_length=5)
    pictures: int = Field(ge=0, description="Drawn at each weight.")
    learnt_from: int = Field(ge=0, description="Faces in the look's own pictures that each is compared with.")
    people: int = Field(default=0, ge=0, description="People that those show.")
    network: str = Field(default="", max_length=100, description="What told whether two faces are one person's.")
    threshold: float = Field(description="The cosine from which on it says so.")
    recommended_percent: int | None = Field(
        default=None, ge=1, le=150, description="None: at no weight it leaves faces alone."
    )
    sheet: str = Field(default="", max_length=1024, description="Key of the sheet.")


class MergedModel(Tolerant):
    """A base model that was written with a look merged in: a folder below the report's prefix."""

    name: str = Field(default="", max_length=200, pattern=r"^[-_.A-Za-z0-9]*$", description="The folder's name.")
    weight_percent: int = Field(default=0, ge=0, le=150, description="The look's weight.")
    bytes: int = Field(default=0, ge=0, description="Size of all files.")
    sums: str = Field(default="", max_length=64, description="sha256 of its SHA256SUMS.")


class TrainReport(StageReport):
    """The adapter in its served form, its WebUI twin, and how they came to be."""

    stage: Literal[Stage.TRAIN] = Stage.TRAIN
    adapter: FileRef | None = None
    adapter_webui: FileRef | None = None
    base_model: str = ""
    rank: int = 0
    steps: int = 0
    chosen_step: int = 0
    resumed_from: int = 0
    checkpoints: list[Checkpoint] = []
    changes: list[str] = Field(default=[], description="How training was made to fit into the memory.")
    skipped_steps: int = Field(default=0, description="Steps that changed nothing: their gradient was not finite.")
    notes: list[str] = Field(default=[], description="What was unusual about this training, for people.")
    seconds_per_step: float = 0.0
    judged_by: JudgedBy | None = Field(default=None, description="None: the last checkpoint was taken unseen.")
    look: LookJudgement | None = Field(default=None, description="Of a look alone.")
    merged: MergedModel | None = Field(default=None, description="Of a look that was merged into its base model.")
    class_pictures_drawn: int | None = Field(
        default=None,
        ge=0,
        description="Class pictures that this training drew, since none was kept that could be used; None: it learnt "
        "from none.",
    )


def untrained_digest(dataset: str) -> str:
    """Of a request that trains nothing: what is drawn for it depends on the dataset alone."""
    return digest_of(["untrained", dataset])


def class_pictures_digest(parameters: TrainParameters) -> str:
    """The same base model, noun, size, count, seed and way of drawing make the same class pictures."""
    drawn = [parameters.noun, parameters.resolution, parameters.seed, parameters.validation_sampler_steps]
    return digest_of([CLASS_PICTURES_VERSION, parameters.base_model, *drawn, parameters.prior_preservation.pictures])


def train_digest(dataset: str, parameters: TrainParameters, look: LookTraining | None = None) -> str:
    """`dataset` is a preprocess digest; `look`: what is learnt where it is no person."""
    of_look = [{"look": look.distinction()}] if look is not None else []
    return digest_of([VERSION, dataset, parameters.distinction(), *of_look])


def merge_digest(base_model: str, merge: LookMerge) -> str:
    """The same base model, file, weight and licence make the same folder."""
    return digest_of([VERSION, "merge", base_model, merge.adapter.sha256, merge.weight_percent, merge.licence])
