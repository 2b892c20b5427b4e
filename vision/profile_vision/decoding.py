"""Opens a stranger's picture: in a process of its own, within limits, or says in one word why not.

Needs Pillow and NumPy alone; reads HEIC where pi_heif is installed, and tells damaged JPEG files where simplejpeg is.

    with Decoder() as decoder:
        picture = decoder.open(data, PictureLimits(area=4_000_000))
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from .decoder_process import DecoderProcess, Gone
from .picture import FORMATS, Box, FileFacts, NotOpened, Picture, PictureLimits, Refusal

__all__ = ["FORMATS", "Box", "Decoder", "FileFacts", "NotOpened", "Picture", "PictureLimits", "Refusal"]


class Decoder:
    """Opens pictures one after the other in a child process, which starts with the first and serves them all.

    A picture that takes too long costs the child its life: the next picture gets a new one. Several threads may share
    a decoder, and wait for each other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: DecoderProcess | None = None

    def open(self, data: bytes, limits: PictureLimits | None = None, box: Box | None = None) -> Picture:
        """Open a picture, or the part of it inside `box`, in pixels of the upright picture.

        Raises NotOpened. Nothing is decoded before bytes, pixels and scans are known to be within the limits. Raises
        DecoderBroken if no child process can be started.
        """
        limits = limits or PictureLimits()
        if len(data) > limits.bytes:
            raise NotOpened(Refusal.TOO_MANY_BYTES, f"{len(data)} bytes")
        with self._lock:
            return self._open(data, limits, box)

    def close(self) -> None:
        """End the child process. The decoder may be used again."""
        with self._lock:
            self._end()

    def _open(self, data: bytes, limits: PictureLimits, box: Box | None) -> Picture:
        """What the child makes of it; a child that is gone, or was interrupted, is never asked again."""
        if self._process is not None and self._process.memory_megabytes != limits.memory_megabytes:
            self._end()
        if self._process is None:
            self._process = DecoderProcess(limits.memory_megabytes)
        try:
            return self._process.open(data, limits, box)
        except NotOpened:
            raise
        except Gone as gone:
            self._end()
            raise NotOpened(gone.refusal, str(gone)) from gone
        except BaseException:
            # The rest of an interrupted answer must not be taken for the next picture's.
            self._end()
            raise

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
