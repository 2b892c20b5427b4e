"""What tests of the page share: the page before a cluster and a store in memory."""

from collections.abc import Iterator

import pytest

from page_world import World, world


@pytest.fixture
def page() -> Iterator[World]:
    with world() as standing:
        yield standing
