"""The images under test, built from their Dockerfiles on a base image of Debian's packages."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator

import pytest

import builder
from builder import Builder, BuiltImage


@pytest.fixture(scope="session")
def building() -> Iterator[Builder]:
    """The builder, where one can run."""
    if os.geteuid() != 0:
        pytest.skip("images are built as root: without it, chroot and mounts are not allowed")
    missing = [program for program in ("buildah", "mmdebstrap") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; `make test-images` installs it")
    with builder.builder() as found:
        yield found
        found.prune()


@pytest.fixture(scope="session")
def base(building: Builder) -> str:
    """The name of the base image."""
    return building.base()


@pytest.fixture(scope="session")
def built(building: Builder, base: str) -> Iterator[Callable[[str], BuiltImage]]:
    """Gives a built image by its folder's name; each is built once."""
    with contextlib.ExitStack() as stack:
        images: dict[str, BuiltImage] = {}

        def get(image: str) -> BuiltImage:
            if image not in images:
                images[image] = stack.enter_context(building.opened(building.build(image, base)))
            return images[image]

        yield get
