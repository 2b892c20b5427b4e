"""LookJudge: draws faces with and without a look that was learnt, and measures what it does to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.generation import GenerationOrder
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.train import LookJudgement, LookTraining, TrainOrder
from profile_runtime.context import StageContext
from profile_runtime.store.port import Store
from profile_vision import FaceReader, MaskReader, WeightsMissing
from profile_vision.files import BEST_QUALITY, jpeg, read_picture
from profile_vision.pixels import RGB, to_bgr, to_rgb

from .dataset import read_of_dataset
from .judge import enlarged
from .look_figures import ONE_PERSON, PictureMeasures, Values, figures_at, recommended
from .look_sheet import sheet
from .model import Base
from .portraits import PortraitDrawing, judged_order

SHEET, SHEET_DPI = "look-sheet.jpg", 150
NETWORK = "SFace"
# The drawn portraits are the order's, and as many again with the seeds behind theirs.
ROUNDS = 2
# Of the face's box, the middle: away from hair and backdrop. Mask values below BACKDROP are no person.
SKIN_SHARE, BACKDROP = 0.6, 25
# A backdrop of less than this share of the picture says nothing.
LEAST_BACKDROP = 0.02


@dataclass(frozen=True)
class LookJudge:
    """Looks at pictures: the networks, and the autoencoder of the base model that the look is for."""

    base: Base
    faces: FaceReader
    masks: MaskReader
    drawing: PortraitDrawing

    @classmethod
    def of(cls, base: Base, order: TrainOrder, context: StageContext) -> LookJudge:
        """Read the prompts for good, while the base has its text encoders and no adapter.

        Raises BadInput where weights are missing, Refused for an order that cannot be drawn.
        """
        try:
            faces, masks = FaceReader(context.vision), MaskReader(context.vision)
        except WeightsMissing as error:
            raise BadInput(Reason.MODEL_NOT_FOUND, str(error)) from error
        layers = order.parameters.adapter_layers
        drawing = PortraitDrawing.of(base, look_order(order), layers, store=context.store, faces=faces)
        return cls(base, faces, masks, drawing)

    def judged(self, look: LookTraining, report: PreprocessReport, store: Store, output: str) -> LookJudgement:
        """Draw at each weight, measure, and write the sheet below `output`. Raises BadInput or StoreError."""
        pictures = [
            self._measured(to_rgb(read_of_dataset(read_picture, store, image.image)))
            for image in report.training_images
        ]
        drawn = {weight: replace(self.drawing, weight=weight / 100).draw() for weight in (0, *look.weights_percent)}
        measured = {weight: [self._measured(picture) for picture in row] for weight, row in drawn.items()}
        self.base.vae.to("cpu")
        # A weight that is too strong to be drawn with has no pictures, and is not told of.
        rows = [
            figures_at(weight, measured[weight], measured[0], pictures)
            for weight in look.weights_percent
            if drawn[weight] and drawn[0]
        ]
        columns = [(f"{weight} %" if weight else "without", row) for weight, row in drawn.items() if row]
        if columns:
            store.write(output + SHEET, jpeg(to_bgr(sheet(columns)), SHEET_DPI, BEST_QUALITY), "image/jpeg")
        return LookJudgement(
            weights=rows,
            pictures=len(drawn[0]),
            learnt_from=sum(picture.face is not None for picture in pictures),
            people=report.people or 0,
            network=NETWORK,
            threshold=ONE_PERSON,
            recommended_percent=recommended(rows),
            sheet=output + SHEET if columns else "",
        )

    @torch.no_grad()
    def _features(self, picture: RGB) -> Values:
        """Mean and spread of each channel of the picture's latents, (2 channels,)."""
        vae = self.base.vae.to(self.base.device, dtype=torch.float32)
        height, width = (edge // 8 * 8 for edge in picture.shape[:2])
        pixels = torch.from_numpy(np.ascontiguousarray(picture[:height, :width])).permute(2, 0, 1).float()[None]
        latent = vae.encode((pixels / 127.5 - 1).to(self.base.device)).latent_dist.mean[0].flatten(1)
        latent = latent * vae.config.scaling_factor
        return torch.cat([latent.mean(1), latent.std(1)]).double().cpu().numpy()

    def _measured(self, picture: RGB) -> PictureMeasures:
        """The measures of a picture, in which the largest face counts."""
        features, large = self._features(picture), enlarged(to_bgr(picture))
        faces = self.faces.find(large)
        lab = cv2.cvtColor(large.astype(np.float32) / 255, cv2.COLOR_BGR2Lab).astype(np.float64)
        outside = self.masks.read(large) < BACKDROP
        return PictureMeasures(
            backdrop=lab[outside].mean(0) if outside.mean() >= LEAST_BACKDROP else None,
            skin=_skin(lab, faces[0].box) if faces else None,
            features=features,
            face=self.faces.embed(large, faces[0]) if faces else None,
        )


def _skin(lab: Values, box: Sequence[float]) -> Values | None:
    """Mean colour of the middle of a face; None where that lies outside the picture."""
    x, y, w, h = box
    border = (1 - SKIN_SHARE) / 2
    top, left = max(0, int(y + border * h)), max(0, int(x + border * w))
    part = lab[top : int(y + (1 - border) * h), left : int(x + (1 - border) * w)]
    return part.reshape(-1, 3).mean(0) if part.size else None


def look_order(order: TrainOrder) -> GenerationOrder:
    """What a look is judged by: the order's portraits, and as many again. Raises BadInput where there are none."""
    wanted = judged_order(order)
    if wanted is None:
        raise BadInput(Reason.INVALID_ORDER, "a look cannot be judged: set training.validationImages to 1 or more")
    count = len(wanted.items)
    items = [
        item.model_copy(update={"seed": item.seed + again * count}) for again in range(ROUNDS) for item in wanted.items
    ]
    return wanted.model_copy(update={"items": items})
