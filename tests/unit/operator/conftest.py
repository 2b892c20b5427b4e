"""What tests of the operator share: its real parts around a cluster and a store in memory."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from profile_operator.decide import deletion
from real_minio import RealMinio
from real_operator import RealOperator, real_operator
from tidy import versioned_minio


@pytest.fixture
async def operator() -> AsyncIterator[RealOperator]:
    async with real_operator() as operator:
        yield operator


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMinio]:
    """A real MinIO whose bucket keeps versions."""
    with versioned_minio(tmp_path_factory.mktemp("minio")) as minio:
        yield minio


@pytest.fixture
def everything_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was signed before a deletion is still on its way."""
    monkeypatch.setattr(deletion, "ARRIVAL", timedelta(0))
