"""The stage: dataset to adapter."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from profile_contract.artifacts import ADAPTER, ADAPTER_WEBUI
from profile_contract.candidates import subject_of
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.generation import POSE_LINE
from profile_contract.stages.order import FileRef
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_contract.stages.train import Checkpoint, LookJudgement, TrainOrder, TrainReport
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.webui import write_webui
from profile_draw.adapters.weights import trained_layers
from profile_draw.errors import Refused
from profile_draw.finite import NotFinite
from profile_draw.rows import by_pose
from profile_runtime.context import StageContext
from profile_runtime.recipes import recipe_warning

from .cache import CachedExample, encode_examples, encode_text, free_encoders
from .checkpoints import Checkpoints, Saved
from .class_pictures import ClassPictures, class_prompt
from .dataset import Example, read_examples, read_report
from .judge import Judgement, judge_of
from .look_judge import LookJudge
from .loop import Fallback, Trained, best, train
from .loss import check_weights
from .machine import memory_here, sizes_of
from .memory import FreeMemory, Ladder, plans_of, precisions_of
from .merge import merge
from .model import Base, load_base
from .portraits import PortraitDrawing, judged_by, judged_order
from .sampling import alone
from .settings import Settings, settings_of

log = logging.getLogger(__name__)

# In the environment, 1: blocks that repeat are compiled, where that pays. It changes no result, so no order names it.
COMPILE = "PROFILE_COMPILE"


def run(order: TrainOrder, context: StageContext) -> TrainReport:
    """Train an adapter on a dataset, as fits into the memory that is free; or merge a look into its base model.

    Raises BadInput if base model or dataset are missing, the loss explodes, or memory is too small in every way.
    """
    if order.merge is not None:
        return merge(order, order.merge, context)
    return run_within(memory_here(), order, context, compiles=os.environ.get(COMPILE) == "1")


def run_within(memory: FreeMemory, order: TrainOrder, context: StageContext, *, compiles: bool = False) -> TrainReport:
    """Train an adapter as fits into this memory. `compiles`: see `Base`. Raises as `run` does."""
    report = read_report(context.store, order.dataset)
    settings = settings_of(order.parameters, len(report.training_images))
    try:
        return Attempt(order, context, report, settings, memory, compiles).run()
    except torch.OutOfMemoryError as error:
        raise BadInput(
            Reason.OUT_OF_MEMORY, "the base model does not fit into the memory; give the Job a larger GPU"
        ) from error


@dataclass(frozen=True)
class Attempt:
    """One order, carried out within some memory."""

    order: TrainOrder
    context: StageContext
    report: PreprocessReport
    settings: Settings
    memory: FreeMemory
    compiles: bool = False

    def run(self) -> TrainReport:
        """Train and write the adapter. Raises BadInput, or torch.OutOfMemoryError if not even the weights fit."""
        parameters, ladder = self.order.parameters, self._ladder()
        # First: what cannot be trained on is told before gigabytes are loaded.
        control, examples = self._control_model, self._examples(ladder.plan.resolution)
        base = load_base(
            self.context.models,
            parameters.base_model,
            precision=ladder.plan.precision,
            control=control,
            compiles=self.compiles,
        )
        check_weights(base, parameters.min_snr_gamma)
        checkpoints = Checkpoints(self.context.store, self.order.output, self.settings.key)
        trained, look_judge, class_pictures = self._train(base, examples, checkpoints, ladder)
        chosen, weights = delivered(checkpoints, trained.checkpoints)
        adapter, twin = self._export(base, weights)
        # While the checkpoints stand: whoever is stopped here is judged again, and trains nothing.
        look = self._judged_look(base, weights, look_judge)
        checkpoints.finish()
        lonely = alone([example.size for example in examples], parameters.crops_per_photo)
        notes = notes_of(trained, lonely, chosen)
        notes += filter(None, [recipe_warning(self.context.models / parameters.base_model, self.order.recipe)])
        on_gpu = base.device.type == "cuda"
        return TrainReport(
            digest=self.order.digest,
            message="; ".join([f"{self.settings.steps} steps, checkpoint {chosen.step} delivered", *notes]),
            adapter=adapter,
            adapter_webui=twin,
            base_model=parameters.base_model,
            rank=parameters.rank,
            steps=self.settings.steps,
            chosen_step=chosen.step,
            resumed_from=trained.resumed_from,
            checkpoints=[
                Checkpoint(step=s.step, key=s.prefix, loss=s.loss, likeness=s.likeness, copies=s.copies)
                for s in trained.checkpoints
            ],
            changes=ladder.changes,
            skipped_steps=trained.skipped,
            notes=notes,
            seconds_per_step=round(trained.seconds_per_step, 4),
            judged_by=judged_by(self.order) if chosen.likeness is not None or look is not None else None,
            look=look,
            class_pictures_drawn=class_pictures.drawn if class_pictures is not None else None,
            gpu=torch.cuda.get_device_name() if on_gpu else "",
            gpu_count=1 if on_gpu else 0,
        )

    def _ladder(self) -> Ladder:
        """How the training can be fitted into its memory, the way that is tried first on top."""
        parameters, memory = self.order.parameters, self.memory
        precisions = precisions_of(mixed=parameters.mixed_precision == "bf16", accelerated=memory.accelerated)
        sizes = sizes_of(self.context.models, parameters, self._control_model)
        return Ladder(plans_of(self.settings, precisions), sizes, memory)

    @property
    def _control_model(self) -> str:
        """The ControlNet that the loss or the judged portraits hear, empty for none. Raises BadInput where one is
        wanted in the loss and not named."""
        parameters = self.order.parameters
        if parameters.control_in_loss and not parameters.control_model:
            raise BadInput(
                Reason.INVALID_ORDER,
                "training.controlInLoss needs a ControlNet: name one in training.controlModel, or set it to false",
            )
        judged = judged_order(self.order)
        return parameters.control_model if parameters.control_in_loss or (judged and True in by_pose(judged)) else ""

    @property
    def _pose_line(self) -> int | None:
        """How wide the lines of training pictures' pose maps are; None where nobody hears them."""
        if not self.order.parameters.control_in_loss:
            return None
        # As those that portraits are drawn by.
        return self.order.judge.pose_line_thousandths if self.order.judge is not None else POSE_LINE

    @property
    def _subject(self) -> str:
        """The person, as captions name them; of a look it is anybody, and nobody whom the rare word means."""
        parameters = self.order.parameters
        return subject_of(parameters.token, parameters.noun, trains=self.order.look is None)

    @property
    def _pictures(self) -> list[DatasetImage]:
        """What is trained on; of a look, with its words in every caption."""
        images, look = self.report.training_images, self.order.look
        if look is None:
            return images
        return [image.model_copy(update={"caption": f"{image.caption}, {look.words}"}) for image in images]

    def _examples(self, resolution: int) -> list[Example]:
        """The dataset's pictures, cut for a resolution. Raises BadInput."""
        # A look is backdrop and light, wherever they are: nothing counts more than the rest, least of all a face.
        weights = {"face_weight": 1.0, "outside": 1.0} if self.order.look is not None else {}
        return read_examples(
            self.context.store,
            self._pictures,
            crops=self.order.parameters.crops_per_photo,
            resolution=resolution,
            wanted=self.order.parameters.resolution,
            subject=self._subject,
            pose_line=self._pose_line,
            **({"face_weight": self.order.parameters.face_weight} | weights),
        )

    def _train(
        self, base: Base, examples: list[Example], checkpoints: Checkpoints, ladder: Ladder
    ) -> tuple[Trained, LookJudge | None, ClassPictures | None]:
        """Encode the examples, free the encoders, and train; with what judges the look then, if one is learnt, and the
        class pictures, if there were any.

        Raises as `train` does.
        """
        parameters = self.order.parameters
        noise, prior = parameters.latent_noise, [class_prompt(parameters)] if parameters.preserves_prior else []
        texts = encode_text(base, [example.caption for example in examples] + prior)
        cached = encode_examples(base, examples, texts, noise=noise)
        judge, look_judge = self._judge(base), self._look_judge(base)
        class_pictures = ClassPictures.of(base, self.order, texts, self.context.store, self.context.progress)
        free_encoders(base)

        def recut(resolution: int) -> list[CachedExample]:
            again = encode_examples(base, self._examples(resolution), texts, noise=noise)
            free_encoders(base)
            return again

        memory = Fallback(ladder, recut)
        if class_pictures is not None:
            memory = Fallback(ladder, recut, class_pictures.examples)
        trained = train(
            base,
            cached,
            self.order.parameters,
            self.settings,
            memory=memory,
            checkpoints=checkpoints,
            progress=self.context.progress,
            judge=judge,
        )
        return trained, look_judge, class_pictures

    def _judge(self, base: Base) -> Callable[[], Judgement]:
        """What tells the worth of the adapter as it then is. Raises BadInput."""
        # A look is like nobody: its last checkpoint is taken, and judged by itself.
        wanted = judged_order(self.order) if self.order.look is None else None
        judge = judge_of(self.context, self.report) if wanted is not None else None
        if wanted is None or judge is None:
            return lambda: Judgement(None)
        try:
            layers = self.order.parameters.adapter_layers
            drawing = PortraitDrawing.of(base, wanted, layers, store=self.context.store, faces=judge.reader)
        except Refused as error:
            raise BadInput(Reason.INVALID_ORDER, f"no checkpoint can be judged: {error}") from error
        return lambda: judge.judged(drawing.draw())

    def _look_judge(self, base: Base) -> LookJudge | None:
        """What judges the look that is learnt, None for a person's adapter. Raises BadInput."""
        if self.order.look is None:
            return None
        try:
            return LookJudge.of(base, self.order, self.context)
        except Refused as error:
            raise BadInput(Reason.INVALID_ORDER, f"the look cannot be judged: {error}") from error

    def _judged_look(
        self, base: Base, weights: Mapping[str, torch.Tensor], judge: LookJudge | None
    ) -> LookJudgement | None:
        """What the look that is delivered does to pictures, None for a person's adapter. Raises BadInput."""
        if judge is None or self.order.look is None:
            return None
        with torch.no_grad():
            for name, parameter in base.adapter_weights.items():
                parameter.copy_(weights[name])
        return judge.judged(self.order.look, self.report, self.context.store, self.order.output)

    def _export(self, base: Base, weights: dict[str, torch.Tensor]) -> tuple[FileRef, FileRef]:
        """The adapter in the form that the predictor serves, and its twin for other programs. Raises BadInput."""
        parameters, family, layers = self.order.parameters, base.family, trained_layers(weights)
        names = partial(family.webui_name, unet_config=base.unet.config)
        try:
            served = write_adapter(layers, family.modules(parameters.adapter_layers), parameters.base_model)
            twin = write_webui(layers, names, family.webui_metadata(parameters.base_model, parameters.resolution))
        except NotFinite as error:
            raise BadInput(
                Reason.TRAINING_DIVERGED,
                f"the adapter is not delivered: {error}; set another training.seed, or fewer training.steps",
            ) from error
        return self._write(ADAPTER, served), self._write(ADAPTER_WEBUI, twin)

    def _write(self, name: str, data: bytes) -> FileRef:
        key = self.order.output + name
        self.context.store.write(key, data)
        return FileRef(key=key, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def delivered(checkpoints: Checkpoints, saved: list[Saved]) -> tuple[Saved, dict[str, torch.Tensor]]:
    """The checkpoint to deliver and its weights: the best of those that are whole and finite. Raises BadInput."""
    left = list(saved)
    while left:
        chosen = best(left)
        weights = checkpoints.weights(chosen)
        if weights is not None:
            return chosen, weights
        left.remove(chosen)
    raise BadInput(
        Reason.TRAINING_DIVERGED, "no checkpoint of the training is whole and finite; set another training.seed"
    )


def notes_of(trained: Trained, lonely: list[tuple[int, int]], chosen: Saved) -> list[str]:
    """What was unusual about a training, for people; `lonely` are sizes in pixels that a single photo has.

    `chosen`: the checkpoint that is delivered.
    """
    notes = []
    if chosen.copies:
        pictures = "one portrait shows" if chosen.copies == 1 else f"{chosen.copies} portraits show"
        notes.append(
            f"when the checkpoint was judged, {pictures} a training photo again: it has learnt photos by heart; "
            "add photos of other moments, or set fewer training.steps"
        )
    if trained.skipped:
        steps = "1 step was" if trained.skipped == 1 else f"{trained.skipped} steps were"
        notes.append(f"{steps} skipped, because the gradient was not finite")
    if trained.redrawn:
        notes.append("training diverged once and went on from its last good checkpoint with other noise")
    for width, height in lonely:
        notes.append(f"only one photo has the shape {width}x{height}, so it was trained on in batches of its own")
    return notes
