"""Whole numbers as a command line takes them: what is none, or too small or large, is told before anything begins."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type for `add_argument`: whole numbers from `least` to `most`, both included."""

    def number(text: str) -> int:
        wanted = f"a whole number from {least} to {most}" if most is not None else f"a whole number of at least {least}"
        # Python itself reads digits of every script, and refuses thousands of them.
        if (
            not (text.isascii() and text.isdecimal())
            or len(text) > 18
            or int(text) < least
            or (most is not None and int(text) > most)
        ):
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {wanted}")
        return int(text)

    return number
