"""One run at a time in a folder: two would take each other's photos and checkpoints away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from profile_cli.errors import CommandError


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder as long as the block runs; a program that was killed holds it no more.

    Raises CommandError where another program holds it, or it cannot be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CommandError(f"{folder} cannot be opened: {error.strerror}") from error
    try:
        _hold(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, folder: Path) -> None:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        text = f"another run works in {folder.parent} now: wait until it has ended, or name another folder by --out"
        raise CommandError(text) from None
    except OSError:
        # A file system that knows no locks: nobody can be told apart there.
        return
