"""A delivered portrait: its full-size file and its layouts."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from profile_contract.layouts import LAYOUTS, Layout, LayoutName
from profile_contract.stages.finish import FinishParameters, LayoutFile, Portrait, Score
from profile_runtime.store.port import Store
from profile_vision import FaceReader, head_angles
from profile_vision.files import jpeg_within, png, visibly_marked
from profile_vision.pixels import BGR

from .checklist import POSED, Cutting, Pose, checks
from .cutting import Window, centred, cut, window_for
from .head import Head, head_of, mean_head


class Deliverer:
    """Writes portraits below a key prefix that ends with '/'."""

    def __init__(self, store: Store, prefix: str, faces: FaceReader, parameters: FinishParameters) -> None:
        self._store, self._prefix, self._faces, self._parameters = store, prefix, faces, parameters

    def deliver(self, score: Score, rank: int, image: BGR) -> Portrait:
        """Write the portrait and all layouts; `rank` counts from 1 within the style."""
        base = f"{self._prefix}{score.style}/{rank:02d}-{score.seed:06d}"
        self._store.write(f"{base}.png", png(self._shown(image)), "image/png")
        head = self._head(image)
        layouts = [self._layout(f"{base}-{name}.jpg", name, image, head) for name in self._parameters.layouts]
        return Portrait(
            style=score.style,
            seed=score.seed,
            rank=rank,
            key=f"{base}.png",
            likeness=score.likeness if score.likeness is not None else 0,
            layouts=layouts,
        )

    def show(self, score: Score, image: BGR) -> str:
        """Write the picture to stand beside a portrait, marked as that one is, without cuts; gives its key."""
        key = f"{self._prefix}compared/{score.style}/{score.seed:06d}.png"
        self._store.write(key, png(self._shown(image)), "image/png")
        return key

    def _layout(self, key: str, name: LayoutName, image: BGR, head: Head | None) -> LayoutFile:
        layout = LAYOUTS[name]
        window = self._window(layout, image, head)
        pixels = cut(image, window, layout)
        data = jpeg_within(self._shown(pixels), layout.dpi, layout.max_kilobytes)[0]
        self._store.write(key, data, "image/jpeg")
        scale, outside = layout.width / window.width, window.outside(image.shape[1], image.shape[0])
        # Measured on the finished cut, not computed from what it was meant to be.
        found = _measured(data, layout, self._head(pixels) if head else None, scale, outside)
        found = replace(found, pose=self._pose(pixels) if layout.name in POSED else None)
        return LayoutFile(
            layout=name, key=key, width=found.width, height=found.height, bytes=len(data), checks=checks(layout, found)
        )

    def _window(self, layout: Layout, image: BGR, head: Head | None) -> Window:
        """The window, from two looks at the head: in the picture, and in a first cut. Points differ between sizes."""
        height, width = image.shape[:2]
        if head is None:
            return centred(layout, width, height)
        first = window_for(layout, head, width, height)
        again = self._head(cut(image, first, layout))
        if again is None:
            return first
        return window_for(layout, mean_head(head, first.unmapped(again, layout)), width, height)

    def _head(self, image: BGR) -> Head | None:
        found = self._faces.find(image)
        return head_of(found[0]) if found else None

    def _pose(self, image: BGR) -> Pose | None:
        """How the largest face of a cut is held. A face's points look upright however it lies: its score tells."""
        found = self._faces.find(image)
        if not found:
            return None
        height, width = image.shape[:2]
        turn, _, tilt = head_angles(found[0], width, height)
        glances = [self._faces.glance(BGR(np.ascontiguousarray(np.rot90(image, turns)))) for turns in range(4)]
        return Pose(tilt=tilt, turn=turn, upright=glances[0] >= max(glances))

    def _shown(self, image: BGR) -> BGR:
        return visibly_marked(image) if self._parameters.visible_mark else image


def _measured(data: bytes, layout: Layout, head: Head | None, scale: float, outside: float) -> Cutting:
    with Image.open(io.BytesIO(data)) as written:
        width, height = written.size
        dpi = round(written.info.get("dpi", (0, 0))[0])
    return Cutting(
        width=width,
        height=height,
        dpi=dpi,
        bytes=len(data),
        head_share=100 * head.height / layout.height if head else None,
        eye_line=100 * (1 - head.eyes / layout.height) if head else None,
        scale=scale,
        outside=outside,
    )
