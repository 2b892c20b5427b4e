"""The decoder's child process: reads orders from its input, opens pictures, writes what they show to its output.

python -P -m profile_vision.decoder_child MEGABYTES
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from .decoder_process import READY
from .opening import Opening
from .picture import Box, NotOpened, PictureLimits, Refusal

MEGABYTE = 1_000_000
# The parent ends a picture that takes too long. Should the parent be gone, the child does it itself, a little later.
PATIENCE_SECONDS = 5


def main() -> None:
    """Serve until the parent closes the pipe."""
    orders, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a library prints must not be taken for an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _limit_memory(int(sys.argv[1]) * MEGABYTE)
    answers.write(READY)
    answers.flush()
    opening = Opening()
    while line := orders.readline():
        _serve(json.loads(line), orders, answers, opening)


def _limit_memory(most: int) -> None:
    # Not every system has this limit (macOS): the time limit holds there.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(order: dict[str, Any], orders: BinaryIO, answers: BinaryIO, opening: Opening) -> None:
    """Read one order with its file, and write the answer."""
    data = orders.read(order["size"])
    limits = PictureLimits(**{**order["limits"], "formats": tuple(order["limits"]["formats"])})
    box = tuple(order["box"]) if order["box"] else None
    signal.alarm(int(limits.seconds) + PATIENCE_SECONDS)
    head, pixels = _opened(opening, data, limits, box)
    signal.alarm(0)
    answers.write(json.dumps(head).encode() + b"\n")
    answers.write(pixels)
    answers.flush()


def _opened(
    opening: Opening, data: bytes, limits: PictureLimits, box: Box | None
) -> tuple[dict[str, object], bytes | memoryview]:
    """The answer's head, and the pixels that follow it."""
    try:
        picture = opening.open(data, limits, box)
        head = {"shape": picture.pixels.shape[:2], "box": picture.box, **vars(picture.facts)}
        return head, np.ascontiguousarray(picture.pixels).data
    except NotOpened as refused:
        return {"refusal": refused.refusal, "detail": refused.detail[:200]}, b""
    except MemoryError:
        return {"refusal": Refusal.TOO_MUCH_WORK, "detail": "it needs too much memory"}, b""


if __name__ == "__main__":
    main()
