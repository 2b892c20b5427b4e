"""Pictures as they come in and go out.

What comes in was made by strangers: it is opened in a child process with limits of size, memory and time, and only so
many at once, whoever sent them.
"""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from PIL import Image

from profile_contract.generation import ReadGrant
from profile_draw.errors import Refused, Unavailable
from profile_draw.fitting import fitted_pose
from profile_vision import decoding
from profile_vision.decoding import Decoder, PictureLimits, Refusal

from .files import Files

# Pictures opened at the same time, over all orders.
DECODERS = 2
# An order waits so long for others' pictures to be opened.
PATIENCE_SECONDS = 60.0
# Pose maps are drawn by us: PNG, of an order's size at most (2048 x 2048), thin lines on black.
POSE = PictureLimits(
    bytes=8_000_000,
    pixels=4_300_000,
    area=4_300_000,
    seconds=5.0,
    memory_megabytes=1000,
    formats=("PNG",),
    paper=0,
)
PHOTO = PictureLimits(
    bytes=20_000_000, pixels=16_000_000, seconds=5.0, memory_megabytes=1000, formats=("PNG", "JPEG", "WEBP")
)
# A picture shows a part of its initial image: so many times its own pixels are as sharp as it can be.
MOST_SHOWN = 4

_REASONS = {
    Refusal.TOO_MANY_BYTES: "has more than {limits.bytes} bytes",
    Refusal.TOO_MANY_PIXELS: "has more than {limits.pixels} pixels",
    Refusal.TOO_MUCH_WORK: "takes too much time or memory to open: save it anew, not progressive",
}
_UNREADABLE = "is no readable {formats} file"


class PictureReader:
    """Opens what orders bring. Safe for threads."""

    def __init__(self, decoders: int = DECODERS) -> None:
        self._idle: queue.LifoQueue[Decoder] = queue.LifoQueue()
        for _ in range(decoders):
            self._idle.put(Decoder())

    def pose(self, files: Files, grant: ReadGrant, size: tuple[int, int]) -> Image.Image:
        """A pose map, RGB, `size` (width, height); what is transparent is black.

        Raises Refused for what is no picture or too large, Unavailable if others' pictures take too long, and what
        `files` raises.
        """
        picture = self._read(files, grant, _Wanted("the pose map", POSE))
        return fitted_pose(picture, size)

    def photo(self, files: Files, grant: ReadGrant, size: tuple[int, int]) -> Image.Image:
        """An initial image, upright, RGB, of no more pixels than a picture of `size` (width, height) may show of it.

        Raises as `pose` does.
        """
        limits = replace(PHOTO, area=min(PHOTO.pixels, MOST_SHOWN * size[0] * size[1]))
        return self._read(files, grant, _Wanted("the initial image", limits))

    def _read(self, files: Files, grant: ReadGrant, wanted: _Wanted) -> Image.Image:
        """A granted picture, RGB and upright. Raises as `pose` does."""
        content = files.read(grant.url, wanted.limits.bytes).content
        if grant.sha256 and hashlib.sha256(content).hexdigest() != grant.sha256:
            raise Refused(f"{wanted.what} is not the file that the order names: its sha256 differs")
        with self._decoder() as decoder:
            try:
                return Image.fromarray(decoder.open(content, wanted.limits).pixels)
            except decoding.NotOpened as refused:
                raise Refused(wanted.sentence(refused.refusal)) from refused

    def close(self) -> None:
        """End the decoders' processes. A picture that is being opened keeps its own until it is."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        """A decoder for oneself. Raises Unavailable if all of them are busy for too long."""
        try:
            decoder = self._idle.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise Unavailable("too many pictures wait to be opened; ask again later") from None
        try:
            yield decoder
        finally:
            self._idle.put(decoder)


@dataclass(frozen=True)
class _Wanted:
    what: str
    limits: PictureLimits

    def sentence(self, refusal: Refusal) -> str:
        """Why it was refused, in a sentence."""
        reason = _REASONS.get(refusal, _UNREADABLE)
        return f"{self.what} {reason.format(limits=self.limits, formats=' or '.join(self.limits.formats))}"
