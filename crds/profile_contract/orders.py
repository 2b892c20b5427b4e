"""Orders and reports: what a stage is told, and what it leaves behind.

A stage is one function `run(order, store, progress) -> report`. The report is written last: where it stands under
the order's output prefix, the stage is done.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .keys import check_below
from .model import Contract, Tolerant, digest_of
from .names import STAGE_VERSIONS, AdapterLayers, LayoutName, PhotoReason, Reason, Stage, Tone
from .request import PhotosWarning
from .style import ProfileStyleSpec


def _sound_prefix(prefix: str) -> str:
    """The prefix, if it ends with '/' and stays where it says. Raises ValueError."""
    check_below("store/", f"store/{prefix}object")
    if not prefix.endswith("/"):
        raise ValueError(f"the prefix {prefix!a} must end with '/'")
    return prefix


def _below_models(name: str) -> str:
    """The name, if it is a folder's below the models folder. Raises ValueError."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ValueError(f"{name!a} must name a folder below the models folder")
    return name


# x, y, width, height in pixels; a face may reach past the edge.
Edge = Annotated[int, Field(ge=-65536, le=65536)]
FaceBox = tuple[Edge, Edge, Edge, Edge]
Key = Annotated[str, Field(min_length=1, max_length=1024)]
Prefix = Annotated[str, Field(max_length=1024), AfterValidator(_sound_prefix)]
ModelName = Annotated[str, Field(max_length=253), AfterValidator(_below_models)]


class RequestRef(Contract):
    """Whose order it is. Not part of any digest."""

    namespace: str = Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    name: str = Field(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")
    uid: str = Field(default="", max_length=64)


class FileRef(Contract):
    """A file in the store, named with what it must hold."""

    key: str
    sha256: str = ""
    bytes: int = 0


class StageOrder(Contract):
    """What every order holds. `output` is the key prefix that the stage may write, ending with '/'."""

    request: RequestRef
    digest: str = Field(min_length=1, max_length=64)
    output: Prefix


# --- preprocess ------------------------------------------------------------------------------------------------


class PhotoRef(Contract):
    """A raw photo as it was listed. `name` is the key below the photos' prefix."""

    name: str
    key: str
    bytes: int = Field(ge=0)
    etag: str


class PreprocessParameters(Contract):
    """Limits and thresholds of preprocessing; part of its digest."""

    noun: Literal["person", "woman", "man"] = "person"
    resolution: int = Field(
        default=1024, ge=64, le=2048, description="Edge in pixels whose square is the area of a training crop."
    )
    minimum_photos: int = Field(default=5, ge=1, le=40)
    maximum_photos: int = Field(default=20, ge=1, le=40)
    maximum_bytes: int = Field(default=30_000_000, ge=1, le=1_000_000_000)
    maximum_pixels: int = Field(default=60_000_000, ge=1, le=1_000_000_000)
    minimum_face_pixels: int = Field(default=96, ge=1, le=4096, description="Height of the face box, upright photo.")
    face_percent: int = Field(
        default=40,
        ge=25,
        le=60,
        description="Height of the face's box (hairline to chin) in crops and preset poses, per cent of the picture's.",
    )


class PreprocessOrder(StageOrder):
    """Photos to dataset."""

    stage: Literal[Stage.PREPROCESS] = Stage.PREPROCESS
    photos: list[PhotoRef] = Field(max_length=1000)
    parameters: PreprocessParameters


class PhotoVerdict(Tolerant):
    """What was found about one photo, with the figures that led to it."""

    name: str
    accepted: bool
    reason: PhotoReason
    advice: str = ""
    measures: dict[str, float] = Field(default={}, description="Face height, sharpness, brightness, angles, ...")


class DatasetImage(Tolerant):
    """One crop of an accepted photo. Keys are absolute in the store. Boxes are pixels of the crop: x, y, w, h."""

    photo: str
    image: str
    mask: str = Field(description="Person mask: 8 bit grey, 255 inside, the size of the image.")
    pose: str = Field(description="Pose map: RGB skeleton on black, the size of the image.")
    caption: str = Field(description="What the crop shows; {subject} stands for the person, as in a style's prompt.")
    width: int = Field(ge=1, le=16384)
    height: int = Field(ge=1, le=16384)
    face_box: FaceBox
    held_out: bool = Field(default=False, description="Kept from training, to judge likeness by.")


class PoseMap(Tolerant):
    """A pose map that generation may use: `name` is a preset's name or `photo-<n>`."""

    name: str
    key: str
    width: int
    height: int


class StageReport(Tolerant):
    """What every report holds. `outcome` BadInput: the same order will not succeed; see reason and message."""

    stage: Stage
    digest: str
    outcome: Literal["Done", "BadInput"] = "Done"
    reason: Reason = Reason.SUCCEEDED
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    seconds: float = 0.0
    peak_memory_megabytes: int = 0
    gpu: str = Field(default="", description="Name of the accelerator, empty on a CPU.")
    gpu_count: int = 0


class PreprocessReport(StageReport):
    """The dataset: a verdict per photo, crops, pose maps."""

    stage: Literal[Stage.PREPROCESS] = Stage.PREPROCESS
    verdicts: list[PhotoVerdict] = []
    warnings: list[PhotosWarning] = Field(
        default=[],
        max_length=10,
        description="What is true of the accepted photos together and will show in portraits.",
    )
    images: list[DatasetImage] = []
    poses: list[PoseMap] = []
    ceiling: float | None = Field(default=None, description="Mean cosine between accepted photos.")

    @property
    def training_images(self) -> list[DatasetImage]:
        """Crops that may be trained on."""
        return [image for image in self.images if not image.held_out]

    @property
    def reference_images(self) -> list[DatasetImage]:
        """Crops that judge likeness: the held-out ones, or all of them where none were held out."""
        return [image for image in self.images if image.held_out] or self.images


# --- train -----------------------------------------------------------------------------------------------------


class TrainParameters(Contract):
    """How the adapter is trained; part of the digest. Defaults: design figures for SDXL at 1024 px."""

    base_model: ModelName = Field(min_length=1, description="Folder name below the models folder.")
    control_model: ModelName = ""
    noun: Literal["person", "woman", "man"] = "person"
    token: str = Field(
        default="sks",
        min_length=1,
        max_length=40,
        pattern=r"^[^{}\x00-\x1f]+$",
        description="The rare token that stands for the person in captions.",
    )
    rank: int = Field(default=32, ge=1, le=128)
    adapter_layers: AdapterLayers = Field(
        default=AdapterLayers.ATTENTION,
        description="attention: enough for SDXL. transformer: its feed-forward layers too, for thin models.",
    )
    steps: int | None = Field(default=None, ge=1, le=100_000, description="None: clamp(80 x photos, 500, 900).")
    batch: int = Field(default=4, ge=1, le=64)
    resolution: int = Field(default=1024, ge=64, le=2048, multiple_of=8)
    learning_rate: float = Field(default=1e-4, gt=0, le=10)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    crops_per_photo: int = Field(default=3, ge=1, le=16)
    min_snr_gamma: float = Field(default=5.0, ge=0, le=1000)
    noise_offset: float = Field(default=0.0357, ge=0, le=1)
    checkpoint_steps: int = Field(default=100, ge=1, le=100_000)
    validation_images: int = Field(
        default=4, ge=0, le=16, description="Fixed-seed portraits a checkpoint is judged by."
    )
    validation_sampler_steps: int = Field(default=20, ge=1, le=150)
    gradient_checkpointing: bool = False
    mixed_precision: Literal["no", "bf16"] = "bf16"


class TrainOrder(StageOrder):
    """Dataset to adapter. `dataset` is the key of the preprocess report."""

    stage: Literal[Stage.TRAIN] = Stage.TRAIN
    dataset: Key
    parameters: TrainParameters


class Checkpoint(Tolerant):
    """A checkpoint of training: loss is the mean since the last one; likeness in per cent of the ceiling."""

    step: int
    key: str
    loss: float
    likeness: float | None = None


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
    changes: list[str] = Field(default=[], description="Settings made smaller after running out of memory.")
    skipped_steps: int = Field(default=0, description="Steps that changed nothing: their gradient was not finite.")
    notes: list[str] = Field(default=[], description="What was unusual about this training, for people.")
    seconds_per_step: float = 0.0


# --- generate --------------------------------------------------------------------------------------------------


class Candidate(Tolerant):
    """A picture in the store. `twin`: the neutral twin of the same seed."""

    seed: int
    key: str
    sha256: str = ""
    pose: str = ""
    twin: bool = False


class GenerateReport(StageReport):
    """The candidates of one style. Written by the operator (or the folder runner) when the last one is in the store."""

    stage: Literal[Stage.GENERATE] = Stage.GENERATE
    style: str = ""
    style_spec: ProfileStyleSpec | None = None
    candidates: list[Candidate] = []


# --- finish ----------------------------------------------------------------------------------------------------


class StyleCandidates(Contract):
    """The candidates of one style, for finishing."""

    style: str = Field(max_length=253)
    tone: Tone
    candidates: list[Candidate] = Field(max_length=1000)


class FinishParameters(Contract):
    """What is delivered; part of the digest."""

    portraits: int = Field(ge=1, le=16)
    minimum_likeness: int = Field(ge=-100, le=100)
    layouts: list[LayoutName] = Field(max_length=8)
    visible_mark: bool = False
    toy_model: ModelName = Field(
        default="", description="The base model, where it is a toy for demonstrations: the contact sheet says so."
    )


class FinishOrder(StageOrder):
    """Candidates to portraits. `dataset` is the key of the preprocess report."""

    stage: Literal[Stage.FINISH] = Stage.FINISH
    dataset: Key
    styles: list[StyleCandidates] = Field(max_length=64)
    parameters: FinishParameters
    # What documents say of themselves; no part of the digest.
    title: str = Field(default="", max_length=100, description="The request's title, as its owner gave it.")
    drawn_at: str = Field(default="", max_length=40, description="When the last candidate was drawn, ISO 8601.")


class Check(Tolerant):
    """One line of a layout's checklist."""

    name: str
    met: bool
    measured: str
    wanted: str


class LayoutFile(Tolerant):
    """One cut of a portrait and what it meets."""

    layout: LayoutName
    key: str
    width: int
    height: int
    bytes: int
    checks: list[Check] = []


class Score(Tolerant):
    """What was measured on one candidate. Cosines are SFace's; `likeness` is per cent of the person's own ceiling."""

    style: str
    seed: int
    key: str
    faces: int
    cosine: float | None = None
    likeness: int | None = None
    face_height: float = Field(default=0.0, description="Share of the picture's height, 0 to 1.")
    sharpness: float = 0.0
    delivered: bool = False
    refusal: str = ""


class Portrait(Tolerant):
    """A delivered portrait."""

    style: str
    seed: int
    rank: int
    key: str
    likeness: int
    layouts: list[LayoutFile] = []


class ToneShift(Tolerant):
    """Mean shift of CIE L*a*b* against the neutral twins of the same seeds; cosine change of the likeness."""

    style: str
    tone: Tone
    pairs: int
    b_shift: float
    l_shift: float
    likeness_change: float | None = None
    met: bool


class ComparedSide(Tolerant):
    """One look of a comparison. `key` is that of the portrait, or of a picture made to be compared alone; empty where
    the picture may not be shown, since by itself it could not be delivered."""

    style: str
    tone: Tone
    key: str = ""
    likeness: int | None = None
    delivered: bool = False


class Comparison(Tolerant):
    """What one seed became in looks of different tones, all in the same pose; at least one was delivered."""

    seed: int
    sides: list[ComparedSide]


class FinishReport(StageReport):
    """Portraits, and everything that was measured on the way."""

    stage: Literal[Stage.FINISH] = Stage.FINISH
    ceiling: float | None = None
    references: int = 0
    portraits: list[Portrait] = []
    scores: list[Score] = []
    tones: list[ToneShift] = []
    contact_sheet: str = ""
    print_sheet: str = ""
    likeness_report: str = ""


Order = Annotated[PreprocessOrder | TrainOrder | FinishOrder, Field(discriminator="stage")]


# --- digests: what a change runs again ---------------------------------------------------------------------------


def photos_digest(photos: list[PhotoRef]) -> str:
    """The key of a set of photos: names and contents, whatever their order."""
    return digest_of(sorted([photo.name, photo.etag, photo.bytes] for photo in photos))


def preprocess_digest(photos: str, parameters: PreprocessParameters) -> str:
    """`photos` is a photos digest."""
    return digest_of([STAGE_VERSIONS[Stage.PREPROCESS], photos, parameters.distinction()])


def train_digest(dataset: str, parameters: TrainParameters) -> str:
    """`dataset` is a preprocess digest."""
    return digest_of([STAGE_VERSIONS[Stage.TRAIN], dataset, parameters.distinction()])


def generate_digest(adapter: str, style_name: str, style: ProfileStyleSpec, parameters: list[object]) -> str:
    """One style's candidates. `adapter` is a train digest, `parameters` what else matters (seeds, size, models)."""
    return digest_of([STAGE_VERSIONS[Stage.GENERATE], adapter, style_name, style.distinction(), parameters])


def finish_digest(candidates: list[str], parameters: FinishParameters) -> str:
    """`candidates` are the generate digests of all styles, by the styles' names. Layouts are a set."""
    cuts = parameters.model_copy(update={"layouts": sorted(parameters.layouts)})
    return digest_of([STAGE_VERSIONS[Stage.FINISH], candidates, cuts.distinction()])
