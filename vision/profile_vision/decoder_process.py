"""The decoder's child process as its parent sees it: two pipes, a deadline, and answers that are checked.

Whoever made a picture may have taken the child over: nothing it says is believed unread.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from typing import IO

import numpy as np

from .picture import Box, FileFacts, NotOpened, Picture, PictureLimits, Refusal
from .pixels import RGB

# What the child is told of its parent's environment: where Python and its libraries are, and no credentials.
KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG")
# One thread, few arenas: a thread more is address space less for pictures.
ADDED = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}
READY = b"ready\n"
# Python and Pillow start in a third of a second; on a crowded machine in more. That is not the picture's time.
START_SECONDS = 60.0
# The head of an answer holds a few words and numbers.
LONGEST_HEAD = 2000
PIECE = 1 << 20


class Gone(Exception):
    """The child took too long, died, or answered what it cannot have meant. `refusal`: what it says of the picture."""

    def __init__(self, message: str, refusal: Refusal = Refusal.DAMAGED) -> None:
        super().__init__(message)
        self.refusal = refusal


class DecoderBroken(Exception):
    """No child process can be started."""


class DecoderProcess:
    """One child process. To be thrown away after Gone."""

    def __init__(self, memory_megabytes: int) -> None:
        """Start a child that may use so much memory. Raises DecoderBroken."""
        self.memory_megabytes = memory_megabytes
        # -P: a file named PIL.py in the folder where somebody started a program is not run.
        command = [sys.executable, "-P", "-m", "profile_vision.decoder_child", str(memory_megabytes)]
        pipe = subprocess.PIPE
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | ADDED
        self._process = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0
        )
        self._unread = bytearray()
        self._orders, self._answers = (
            _unblocked(stream) for stream in (self._process.stdin, self._process.stdout) if stream is not None
        )
        try:
            started = self._line(time.monotonic() + START_SECONDS)
        except Gone as gone:
            self.kill()
            raise DecoderBroken(f"the process that opens pictures does not start: {gone}") from gone
        if started != READY.strip():
            self.kill()
            raise DecoderBroken("the process that opens pictures does not start")

    def open(self, data: bytes, limits: PictureLimits, box: Box | None) -> Picture:
        """Have the child open a picture. Raises NotOpened, and Gone: then the child is of no use any more."""
        deadline = time.monotonic() + limits.seconds
        order = {"size": len(data), "box": box, "limits": asdict(limits)}
        self._write(json.dumps(order).encode() + b"\n" + data, deadline)
        height, width, facts, shown = _answer(self._line(deadline), limits)
        pixels = np.empty((height, width, 3), np.uint8)
        self._read(pixels.data.cast("B"), deadline)
        return Picture(pixels=RGB(pixels), facts=facts, box=shown)

    def kill(self) -> None:
        """End the child at once."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    def _write(self, data: bytes, deadline: float) -> None:
        """Send everything before the deadline. Raises Gone."""
        rest = memoryview(data)
        while rest:
            _wait(self._orders, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(self._orders, rest[:PIECE]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise Gone("it died") from error

    def _line(self, deadline: float) -> bytes:
        """The next line of an answer, without its end. Raises Gone."""
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > LONGEST_HEAD:
                raise Gone("it answered without end")
            self._receive(deadline)
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line

    def _read(self, place: memoryview, deadline: float) -> None:
        """Fill a place with what comes next: straight from the pipe, since pictures are large. Raises Gone."""
        known = min(len(self._unread), len(place))
        place[:known] = self._unread[:known]
        del self._unread[:known]
        rest = place[known:]
        while rest:
            _wait(self._answers, select.POLLIN, deadline)
            try:
                count = os.readv(self._answers, [rest[:PIECE]])
            except BlockingIOError:
                continue
            if not count:
                raise Gone("it died")
            rest = rest[count:]

    def _receive(self, deadline: float) -> None:
        """Take what the child has written by now, and wait for it until the deadline. Raises Gone."""
        _wait(self._answers, select.POLLIN, deadline)
        try:
            piece = os.read(self._answers, PIECE)
        except BlockingIOError:
            return
        if not piece:
            raise Gone("it died")
        self._unread += piece


def _unblocked(stream: IO[bytes]) -> int:
    """The stream's descriptor, which is never waited for, its pipe as wide as a piece where the system can do that."""
    os.set_blocking(stream.fileno(), False)
    with suppress(AttributeError, OSError):
        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, PIECE)
    return stream.fileno()


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, 1000 * (deadline - time.monotonic()))):
        raise Gone("it took too long", Refusal.TOO_MUCH_WORK)


def _answer(line: bytes, limits: PictureLimits) -> tuple[int, int, FileFacts, Box]:
    """Height and width of the pixels that follow, facts and box. Raises NotOpened, and Gone for nonsense."""
    try:
        said = json.loads(line)
        if "refusal" in said:
            raise NotOpened(Refusal(said["refusal"]), str(said["detail"])[:200])
        height, width = (int(value) for value in said["shape"])
        left, top, right, bottom = (int(value) for value in said["box"])
        facts = FileFacts(
            format=str(said["format"])[:8],
            width=int(said["width"]),
            height=int(said["height"]),
            alpha=said["alpha"] is True,
            grey=said["grey"] is True,
        )
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise Gone("its answer has another form") from error
    whole = 0 < height * width <= limits.area and height > 0
    inside = 0 <= left < right <= facts.width and 0 <= top < bottom <= facts.height
    if not whole or not inside or facts.width * facts.height > limits.pixels:
        raise Gone("its answer is larger than was asked for")
    return height, width, facts, (left, top, right, bottom)
