"""Pictures out of the store."""

from __future__ import annotations

import cv2
import numpy as np

from profile_runtime.store.port import Store
from profile_vision.picture import Pixels


class Unreadable(Exception):
    """There is something under the key, but it is no picture."""


def read_picture(store: Store, key: str) -> Pixels:
    """A picture as BGR (H, W, 3). Raises Unreadable, or StoreError (NotFound where nothing is)."""
    data = np.frombuffer(store.read(key), dtype=np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # nothing in it, or more pixels than OpenCV reads
        image = None
    if image is None:
        raise Unreadable(key)
    return image.astype(np.uint8)
