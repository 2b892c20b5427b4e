"""What the product's own networks see in the renders, once for each: joints and the face.

`p000012.npz` holds `joints` float32 (K, 17, 3) as x, y, confidence in COCO's order and `faces` float32 (K, 4) as x, y,
width, height, both in pixels of the render; a face of width 0 says that nothing is to be learnt from that render.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_vision import FaceReader
from profile_vision.people import PeopleReader
from profile_vision.pixels import RGB, to_bgr
from profile_workshop.portraits.crowd import before_grey

# Small pictures are enlarged for the networks: enough for joints, and a part of the time of their usual 640.
SEEN = 320


class RenderObserver:
    def __init__(self, vision: Path) -> None:
        self._people = PeopleReader(vision)
        self._faces = FaceReader(vision)

    def observe(self, renders: Path, folder: Path) -> int:
        """Look at everyone who is rendered but was not looked at; how many that were."""
        folder.mkdir(parents=True, exist_ok=True)
        observed = 0
        for path in sorted(renders.glob("p*.npz")):
            target = folder / path.name
            if target.exists():
                continue
            with np.load(path) as content:
                looks = [self._look(rgba) for rgba in content["pictures"]]
            partial = target.with_name(f".{target.stem}.{os.getpid()}.npz")
            np.savez(partial, joints=np.stack([look[0] for look in looks]), faces=np.stack([look[1] for look in looks]))
            partial.replace(target)
            observed += 1
        return observed

    def _look(self, rgba: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Joints (17, 3) and face (4,); zeros where there is no person or not exactly one face."""
        scale = SEEN / rgba.shape[0]
        picture = cv2.resize(before_grey(rgba), (SEEN, SEEN), interpolation=cv2.INTER_CUBIC)
        bgr = to_bgr(RGB(picture.astype(np.uint8)))
        faces = self._faces.find(bgr)
        people = self._people.find(bgr, edge=SEEN) if len(faces) == 1 else []
        if not people:
            return np.zeros((17, 3), np.float32), np.zeros(4, np.float32)
        joints = people[0].joints.astype(np.float32).copy()
        joints[:, :2] /= scale
        return joints, np.array(faces[0].box, np.float32) / scale
