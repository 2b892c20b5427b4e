"""What tests of the chart share."""

import pytest

from chart import sandbox_arguments


@pytest.fixture(scope="session")
def sandbox_values(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The arguments with which the chart runs in the sandbox."""
    return sandbox_arguments(tmp_path_factory.mktemp("chart"))
