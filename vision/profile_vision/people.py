"""The reader of people and their joints that ultralytics' pose network makes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from profile_contract.conditions import Reason
from profile_contract.exits import TryAgain
from profile_runtime.weights import POSE_WEIGHTS, WeightsError, read_vision

from .faces import Face
from .joints import Body
from .pixels import BGR

# ultralytics' default; whether a weakly seen person counts is the verdict's business.
MINIMUM_SCORE = 0.25
NETWORK_EDGE = 640


class PeopleReader:
    """A `JointsReader`. Loads the network once; uses the GPU where there is one."""

    def __init__(self, models: Path) -> None:
        """`models`: the folder that holds the weights. Raises TryAgain if they are missing or not the ones expected."""
        try:
            # A .pt file is a pickle, which can run code when it is loaded.
            read_vision(models, POSE_WEIGHTS)
        except WeightsError as error:
            raise TryAgain(Reason.MODEL_NOT_FOUND, str(error)) from error
        self._scratch = _keep_to_itself()
        self._network: Any = _import_ultralytics()(str(models / POSE_WEIGHTS), task="pose", verbose=False)

    @property
    def accelerator(self) -> tuple[str, int]:
        """Name and number of the GPUs that torch sees; ('', 0) on a CPU."""
        import torch

        return (torch.cuda.get_device_name(0), torch.cuda.device_count()) if torch.cuda.is_available() else ("", 0)

    def find(self, image: BGR, _faces: Sequence[Face] = (), edge: int = NETWORK_EDGE) -> list[Body]:
        """People in a picture, the largest first. `edge`: what the network scales the picture to, in pixels."""
        result = self._network.predict(
            image, imgsz=edge, conf=MINIMUM_SCORE, verbose=False, save=False, project=self._scratch
        )[0]
        joints = result.keypoints.data.cpu().numpy() if result.keypoints is not None else np.zeros((0, 17, 3))
        boxes = result.boxes.xyxy.cpu().numpy()
        scores = result.boxes.conf.cpu().numpy()
        people = [_body(box, points, float(score)) for box, points, score in zip(boxes, joints, scores, strict=True)]
        return sorted(people, key=lambda person: person.area, reverse=True)


def _body(box: NDArray[np.float32], joints: NDArray[np.float32], score: float) -> Body:
    left, top, right, bottom = (float(value) for value in box)
    return Body(box=(left, top, right - left, bottom - top), joints=joints.astype(np.float32), score=score)


def _import_ultralytics() -> Any:
    """ultralytics' YOLO. It replaces PIL's `Image.open` by one that tries to install decoders: that is taken back."""
    plain_open = Image.open
    from ultralytics import YOLO

    Image.open = plain_open
    return YOLO


def _keep_to_itself() -> str:
    """Settings that ultralytics reads once, when imported: no network, no pip, files in a scratch folder only."""
    scratch = tempfile.mkdtemp(prefix="pose-")
    os.environ.update(
        YOLO_OFFLINE="true",
        YOLO_AUTOINSTALL="false",
        YOLO_VERBOSE="false",
        YOLO_CONFIG_DIR=scratch,
        MPLCONFIGDIR=scratch,
    )
    return scratch
