"""The second pass over a face: cut out square, enlarged to the model's full size, drawn again, and feathered back.

A network draws a small face from few numbers of its latent. Drawn larger, from the same words and adapter, it has more
of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from profile_contract.framing import Skeleton
from profile_contract.generation import DetailOutcome
from profile_contract.style import Mode
from profile_vision.faces import Face, FaceReader
from profile_vision.pixels import RGB, to_bgr
from profile_vision.poses import pose_map

from .rows import Piece, Row, Shape

# Edge of the cut in terms of the longer side of the face's box: hair and chin are drawn with the face.
MARGIN = 1.8
# The outer share of the way from the cut's middle to its edge in which what was drawn again fades into the picture.
FEATHER = 0.35
# Right eye, left eye and nose: OpenPose's joint, and which of a face's five points it is.
FACE_JOINTS = ((14, 0), (15, 1), (0, 2))
# A pose is fitted to the face that was drawn, but not to any.
MOST_SCALED = (0.6, 1.6)
# The noise of the second pass is another than the first one's, which is in the picture already.
SECOND_SEED = 1 << 62


@dataclass(frozen=True)
class FaceCut:
    """A square of a picture in pixels, and the middle of the face in it, relative to the square's corner."""

    left: int
    top: int
    edge: int
    middle: tuple[float, float]

    def of(self, pixels: RGB) -> RGB:
        """The square of the picture."""
        return RGB(pixels[self.top : self.top + self.edge, self.left : self.left + self.edge])

    @property
    def mask(self) -> NDArray[np.float32]:
        """How much of what was drawn again is seen, 0 to 1, (edge, edge, 1): a disc around the face that fades."""
        steps = np.arange(self.edge, dtype=np.float32) + 0.5
        across, down = steps - self.middle[0], steps - self.middle[1]
        away = np.hypot(across[None, :], down[:, None]) / (self.edge / 2)
        inside = np.clip((1 - away) / FEATHER, 0, 1)
        # Smooth at both ends, and nothing at the square's edges, where a disc that is not in their middle is cut.
        border = np.minimum(np.minimum(steps, steps[::-1])[None, :], np.minimum(steps, steps[::-1])[:, None])
        inside = np.minimum(inside, np.clip((border - 0.5) / (self.edge * FEATHER / 2), 0, 1))
        smooth: NDArray[np.float32] = (inside * inside * (3 - 2 * inside))[..., None].astype(np.float32)
        return smooth


def cut_around(face: Face, width: int, height: int) -> FaceCut:
    """The square around a face, as far as a picture of this size has one."""
    x, y, wide, tall = face.box
    middle = (x + wide / 2, y + tall / 2)
    edge = min(round(MARGIN * max(wide, tall)), width, height)
    left, top = (
        min(max(round(at - edge / 2), 0), whole - edge) for at, whole in zip(middle, (width, height), strict=True)
    )
    return FaceCut(left, top, edge, (middle[0] - left, middle[1] - top))


def joints_in(cut: FaceCut, joints: Skeleton, face: Face, size: tuple[int, int]) -> Skeleton:
    """A skeleton of a picture of this size as one relative to the cut, its eyes and nose where the picture has them.

    A network draws a head near its pose, not upon it; enlarged, the difference would pull the face aside.
    """
    places = np.array([joint or (np.nan, np.nan) for joint in joints]) * np.array(size)
    seen = [(joint, point) for joint, point in FACE_JOINTS if joints[joint] is not None]
    scale, moved = 1.0, np.zeros(2)
    if seen:
        wanted = places[[joint for joint, _ in seen]]
        actual = face.points[[point for _, point in seen]].astype(float)
        spread = np.linalg.norm(wanted - wanted.mean(axis=0))
        if spread > 0:
            scale = float(np.clip(np.linalg.norm(actual - actual.mean(axis=0)) / spread, *MOST_SCALED))
        moved = actual.mean(axis=0) - scale * wanted.mean(axis=0)
    relative = (places * scale + moved - np.array([cut.left, cut.top])) / cut.edge
    return tuple(
        (float(x), float(y)) if joint is not None else None for (x, y), joint in zip(relative, joints, strict=True)
    )


def put_back(pixels: RGB, cut: FaceCut, redrawn: RGB) -> RGB:
    """The picture with the face that was drawn again, of whatever size; beside the mask not a pixel is changed."""
    way = Image.Resampling.LANCZOS
    fitting = np.asarray(Image.fromarray(redrawn).resize((cut.edge, cut.edge), way), dtype=np.float32)
    mask, square = cut.mask, cut.of(pixels).astype(np.float32)
    mended = pixels.copy()
    blended = (square + mask * (fitting - square)).round().clip(0, 255).astype(np.uint8)
    mended[cut.top : cut.top + cut.edge, cut.left : cut.left + cut.edge] = blended
    return RGB(mended)


@dataclass(frozen=True)
class FirstPass:
    """A picture as it was drawn first, (height, width, 3), and what it was drawn from."""

    piece: Piece
    row: Row
    pixels: RGB


@dataclass(frozen=True)
class SecondPass:
    """What became of it."""

    pixels: RGB
    outcome: DetailOutcome


# Draws rows of one shape, each with its own adapters: N x height x width x 3.
Drawing = Callable[[Shape, Sequence[Row]], NDArray[np.uint8]]


def redraw_faces(
    first: Sequence[FirstPass], faces: FaceReader, full: tuple[int, int], draw: Drawing
) -> list[SecondPass]:
    """Draw the faces of these pictures again, those of one shape together; `full`: the model's own width and height.

    Each picture's piece has `detail`. What a face becomes does not depend on the others.
    """
    passes: list[SecondPass | None] = []
    together: dict[Shape, list[tuple[int, FaceCut, Row]]] = {}
    for position, picture in enumerate(first):
        detail = picture.piece.detail
        assert detail is not None  # noqa: S101
        face = next(iter(faces.find(to_bgr(picture.pixels))), None)
        if face is None:
            passes.append(SecondPass(picture.pixels, DetailOutcome.NO_FACE))
            continue
        height, width = picture.pixels.shape[:2]
        cut = cut_around(face, width, height)
        if cut.edge >= min(full) or (detail.below is not None and face.box[3] >= detail.below):
            passes.append(SecondPass(picture.pixels, DetailOutcome.LARGE_ENOUGH))
            continue
        passes.append(None)
        shape, row = _second(picture, face, cut, full)
        together.setdefault(shape, []).append((position, cut, row))
    for shape, rows in together.items():
        pictures = draw(shape, [row for _, _, row in rows])
        for (position, cut, _), redrawn in zip(rows, pictures, strict=True):
            mended = put_back(first[position].pixels, cut, RGB(redrawn))
            passes[position] = SecondPass(mended, DetailOutcome.REDRAWN)
    return [done for done in passes if done is not None]


def _second(picture: FirstPass, face: Face, cut: FaceCut, full: tuple[int, int]) -> tuple[Shape, Row]:
    """Shape and row of a second pass: image-to-image over the enlarged cut, the pose as far as the cut shows it."""
    piece, row, detail = picture.piece, picture.row, picture.piece.detail
    assert detail is not None  # noqa: S101
    height, width = picture.pixels.shape[:2]
    pose = None
    if row.joints is not None and piece.shape.has_pose:
        joints = joints_in(cut, row.joints, face, (width, height))
        pose = Image.fromarray(pose_map(joints, *full, piece.pose_line))
    shape = replace(
        piece.shape,
        width=full[0],
        height=full[1],
        steps=detail.steps,
        mode=Mode.IMAGE_TO_IMAGE,
        strength=detail.strength,
        has_pose=pose is not None,
        control_weight=piece.shape.control_weight if pose else 0.0,
        control_end=piece.shape.control_end if pose else 0.0,
    )
    enlarged = Image.fromarray(cut.of(picture.pixels)).resize(full, Image.Resampling.LANCZOS)
    return shape, replace(row, seed=row.seed ^ SECOND_SEED, pose=pose, initial_image=enlarged)
