"""The dataset: crops, masks, pose maps and captions of the accepted photos."""

from __future__ import annotations

import cv2
import numpy as np

from profile_contract.stages.preprocess import DatasetImage, PoseMap, PreprocessOrder
from profile_vision import MaskReader
from profile_vision.files import plain_png
from profile_vision.framing import Cut, Framing, bucket_for, cut_to
from profile_vision.pixels import BGR, RGB, Mask, to_bgr
from profile_vision.poses import pose_map, presets

from .captions import caption
from .decode import Opener
from .look import Sitter


class DatasetWriter:
    """Writes a dataset below the order's prefix, and lists what it wrote. Crops have about resolution² pixels."""

    def __init__(self, order: PreprocessOrder, opener: Opener, mask: MaskReader) -> None:
        self._prefix, self._opener, self._mask = order.output, opener, mask
        self._resolution = order.parameters.resolution
        self._framing = Framing(order.parameters.face_percent / 100)
        self.images: list[DatasetImage] = []
        self.poses: list[PoseMap] = []

    def add(self, sitter: Sitter, *, held_out: bool) -> None:
        """Cut an accepted photo, write crop, mask and pose map, and its pose for generation, which is square."""
        frame, face = sitter.frame, sitter.face.box
        cut = cut_to(*frame.size, face, bucket_for(*frame.size, self._resolution), self._framing)
        crop = resized(self._opener.part(sitter.photo, frame, cut), cut)
        box = cut.box(face)
        name = f"{len(self.images) + 1:02d}"
        self.images.append(
            DatasetImage(
                photo=sitter.photo.name,
                image=self._write(f"images/{name}", crop),
                mask=self._write(f"masks/{name}", self._mask.read(crop)),
                pose=self._write(f"poses/{name}", to_bgr(pose_map(sitter.joints, cut))),
                caption=caption(sitter.measures.yaw, box[3] / cut.out_height),
                width=cut.out_width,
                height=cut.out_height,
                face_box=box,
                held_out=held_out,
            )
        )
        square = cut_to(*frame.size, face, (self._resolution, self._resolution), self._framing)
        self._add_pose(f"photo-{len(self.images)}", f"poses-square/{name}", pose_map(sitter.joints, square))

    def add_presets(self) -> None:
        """Write the pose maps that every dataset has."""
        for name, pixels in presets(self._resolution, self._framing).items():
            self._add_pose(name, f"poses-preset/{name}", pixels)

    def _add_pose(self, name: str, path: str, pixels: RGB) -> None:
        key = self._write(path, to_bgr(pixels))
        self.poses.append(PoseMap(name=name, key=key, width=self._resolution, height=self._resolution))

    def _write(self, path: str, image: BGR | Mask) -> str:
        key = f"{self._prefix}{path}.png"
        self._opener.store.write(key, plain_png(image), "image/png")
        return key


def resized(part: BGR, cut: Cut) -> BGR:
    """The cut's pixels at its output size."""
    way = cv2.INTER_AREA if cut.out_width < part.shape[1] else cv2.INTER_LANCZOS4
    return BGR(cv2.resize(part, (cut.out_width, cut.out_height), interpolation=way).astype(np.uint8))
