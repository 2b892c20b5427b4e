"""What an accepted photo becomes: crop, mask, pose map, caption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from profile_contract.stages.preprocess import DatasetImage, PoseMap
from profile_runtime.store.port import Store
from profile_vision import MaskReader
from profile_vision.files import plain_png
from profile_vision.framing import Cut, Framing, bucket_for, cut_to
from profile_vision.pixels import BGR, Mask, to_bgr
from profile_vision.poses import pose_map, presets

from .captions import caption
from .look import Seen


@dataclass(frozen=True)
class Accepted:
    """An accepted photo: `number` counts them from 1. `part` opens the file at a cut, as large as the file has it."""

    number: int
    name: str
    seen: Seen
    yaw: float
    held_out: bool
    part: Callable[[Cut], BGR]

    def cut(self, size: tuple[int, int], framing: Framing) -> Cut:
        """Where to cut it for an output size."""
        frame = self.seen.frame
        return cut_to(frame.width, frame.height, self.seen.face.box, size, framing)


class DatasetWriter:
    """Writes the dataset below a key prefix that ends with '/'. Crops have about resolution² pixels."""

    def __init__(self, store: Store, prefix: str, mask: MaskReader, resolution: int, framing: Framing) -> None:
        self._store, self._prefix, self._mask = store, prefix, mask
        self._resolution, self._framing = resolution, framing

    def image(self, accepted: Accepted) -> DatasetImage:
        """Cut the photo, write crop, mask and pose map, and describe them."""
        frame = accepted.seen.frame
        cut = accepted.cut(bucket_for(frame.width, frame.height, self._resolution), self._framing)
        crop = resized(accepted.part(cut), cut)
        box = cut.box(accepted.seen.face.box)
        name = f"{accepted.number:02d}"
        return DatasetImage(
            photo=accepted.name,
            image=self._write(f"images/{name}", crop),
            mask=self._write(f"masks/{name}", self._mask.read(crop)),
            pose=self._write(f"poses/{name}", to_bgr(pose_map(accepted.seen.joints, cut))),
            caption=caption(accepted.yaw, box[3] / cut.out_height),
            width=cut.out_width,
            height=cut.out_height,
            face_box=box,
            held_out=accepted.held_out,
        )

    def square_pose(self, accepted: Accepted) -> PoseMap:
        """The photo's pose for generation, which is square whatever the photo is."""
        cut = accepted.cut((self._resolution, self._resolution), self._framing)
        key = self._write(f"poses-square/{accepted.number:02d}", to_bgr(pose_map(accepted.seen.joints, cut)))
        return self._pose(f"photo-{accepted.number}", key)

    def presets(self) -> list[PoseMap]:
        """The presets' pose maps."""
        maps = presets(self._resolution, self._framing)
        return [self._pose(name, self._write(f"poses-preset/{name}", to_bgr(pixels))) for name, pixels in maps.items()]

    def _pose(self, name: str, key: str) -> PoseMap:
        return PoseMap(name=name, key=key, width=self._resolution, height=self._resolution)

    def _write(self, name: str, image: BGR | Mask) -> str:
        key = f"{self._prefix}{name}.png"
        self._store.write(key, plain_png(image), "image/png")
        return key


def resized(part: BGR, cut: Cut) -> BGR:
    """The cut's pixels at its output size."""
    way = cv2.INTER_AREA if cut.out_width < part.shape[1] else cv2.INTER_LANCZOS4
    return BGR(cv2.resize(part, (cut.out_width, cut.out_height), interpolation=way).astype(np.uint8))
