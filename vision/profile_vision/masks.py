"""Which pixels are the person, by MediaPipe's selfie segmentation network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .faces import weights
from .pixels import BGR, Mask

WEIGHTS = "selfie_segmentation.tflite"
NETWORK_EDGE = 256


class MaskReader:
    """Makes person masks. Not thread-safe, as cv2.dnn is not."""

    def __init__(self, models: Path) -> None:
        """`models`: the folder that holds the weights, whose sha256 must be right. Raises WeightsMissing."""
        self._network = cv2.dnn.readNetFromTFLite(weights(models, WEIGHTS))

    def read(self, image: BGR) -> Mask:
        """The mask of a picture, of the same size."""
        edge = (NETWORK_EDGE, NETWORK_EDGE)
        # The network takes RGB of 0 to 1, and answers with a probability per pixel.
        self._network.setInput(cv2.dnn.blobFromImage(image, 1 / 255, edge, swapRB=True))
        inside = np.asarray(self._network.forward(), dtype=np.float32).reshape(NETWORK_EDGE, NETWORK_EDGE)
        height, width = image.shape[:2]
        scaled = cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR)
        return Mask(np.clip(np.rint(scaled * 255), 0, 255).astype(np.uint8))
