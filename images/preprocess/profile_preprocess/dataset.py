"""The dataset: crops, masks, poses and captions of the accepted photos."""

from __future__ import annotations

import cv2
import numpy as np

from profile_contract.framing import HeadPlace, relative_to
from profile_contract.stages.preprocess import DatasetImage, DatasetPose, PreprocessOrder, WidePicture
from profile_vision import Face, MaskReader
from profile_vision.files import plain_jpeg, plain_png
from profile_vision.framing import Cut, widest_cut
from profile_vision.heads import head_of
from profile_vision.pixels import BGR, Mask
from profile_vision.poses import presets, skeleton_of

from .captions import CaptionedCrop, Captioner, Remarks, captions_of
from .cuts import cut_of
from .decode import Opener
from .look import Sitter


class DatasetWriter:
    """Writes a dataset below the order's prefix, and lists what it wrote. Crops have about resolution² pixels."""

    def __init__(self, order: PreprocessOrder, opener: Opener, mask: MaskReader, captioner: Captioner) -> None:
        self._prefix, self._opener, self._mask, self._captioner = order.output, opener, mask, captioner
        self._parameters = order.parameters
        self._images: list[DatasetImage] = []
        # Of each image: yaw in degrees, the face's share of the height, and what may be said of it.
        self._shown: list[tuple[float, float, Remarks]] = []
        self.poses: list[DatasetPose] = []

    @property
    def images(self) -> list[DatasetImage]:
        """The images; what their captions say is known when all of them are."""
        captions = captions_of(self._shown)
        return [
            image.model_copy(update={"caption": caption}) for image, caption in zip(self._images, captions, strict=True)
        ]

    def add(self, sitter: Sitter, *, held_out: bool) -> None:
        """Cut an accepted photo, write crop and mask, and keep its joints: in the crop, and for generation."""
        frame, face = sitter.frame, sitter.face.box
        cut = cut_of(frame, face, self._parameters)
        crop = resized(self._opener.part(sitter.photo, frame, cut), cut)
        box = cut.box(face)
        mask, yaw = self._mask.read(crop), sitter.measures.yaw
        name = f"{len(self._images) + 1:02d}"
        shown = CaptionedCrop(sitter.photo, crop, mask, _moved(sitter.face, cut), yaw)
        self._shown.append((yaw, box[3] / cut.out_height, self._captioner.remarks(shown)))
        self._images.append(
            DatasetImage(
                photo=sitter.photo.name,
                image=self._write(f"images/{name}", crop),
                mask=self._write(f"masks/{name}", mask),
                joints=skeleton_of(cut.joints(sitter.joints), cut.out_width, cut.out_height),
                caption="",
                width=cut.out_width,
                height=cut.out_height,
                source=(round(cut.width / frame.scale), round(cut.height / frame.scale)),
                face_box=box,
                held_out=held_out,
                wide=self._wide(sitter, f"wide/{name}"),
            )
        )
        seen = skeleton_of(sitter.joints, *frame.size)
        joints = relative_to(head_of(sitter.face), seen, *frame.size)
        self.poses.append(DatasetPose(name=f"photo-{len(self._images)}", joints=joints))

    def add_presets(self) -> None:
        """Add the poses that every dataset has."""
        self.poses += [DatasetPose(name=name, joints=joints) for name, joints in presets().items()]

    def _wide(self, sitter: Sitter, path: str) -> WidePicture | None:
        """Write as much of a photo as any cut may show, with its head and joints; None where it has no head to frame.

        A JPEG of the best quality, which is a fifth of a PNG: it is drawn over, and nothing is learnt from it.
        """
        frame, head = sitter.frame, head_of(sitter.face)
        cut = widest_cut(*frame.size, head, self._parameters.resolution)
        try:
            place = HeadPlace.of(cut.head(head), cut.out_width, cut.out_height)
        except ValueError:
            return None
        pixels = resized(self._opener.part(sitter.photo, frame, cut), cut)
        key = f"{self._prefix}{path}.jpg"
        self._opener.store.write(key, plain_jpeg(pixels), "image/jpeg")
        return WidePicture(
            key=key,
            width=cut.out_width,
            height=cut.out_height,
            head=place,
            joints=skeleton_of(cut.joints(sitter.joints), cut.out_width, cut.out_height),
        )

    def _write(self, path: str, image: BGR | Mask) -> str:
        key = f"{self._prefix}{path}.png"
        self._opener.store.write(key, plain_png(image), "image/png")
        return key


def _moved(face: Face, cut: Cut) -> Face:
    """A face of the photo in pixels of the crop."""
    x, y, w, h = face.box
    corner, scale = np.array([cut.left, cut.top], dtype=np.float32), cut.scale
    left, top = ((value - begin) * scale for value, begin in zip((x, y), corner.tolist(), strict=True))
    return Face((left, top, w * scale, h * scale), (face.points - corner) * np.float32(scale), face.score)


def resized(part: BGR, cut: Cut) -> BGR:
    """The cut's pixels at its output size."""
    way = cv2.INTER_AREA if cut.out_width < part.shape[1] else cv2.INTER_LANCZOS4
    return BGR(cv2.resize(part, (cut.out_width, cut.out_height), interpolation=way).astype(np.uint8))
