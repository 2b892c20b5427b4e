"""What tests of the operator share: its real parts around a cluster and a store in memory."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from generation_bench import CONFIGURATION, Bench, FolderAccess, Predictor, work
from profile_contract.resource import Key
from profile_operator.clients.predictor import PredictorClient
from profile_operator.decide import deletion
from profile_operator.generate import runner
from profile_operator.generate.runner import GenerationRunner
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


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Generation over a folder and a predictor that is none."""
    monkeypatch.setattr(runner, "FIRST_PAUSE_SECONDS", 0.005)
    access = FolderAccess(tmp_path)
    predictor = Predictor(access)
    client = PredictorClient(CONFIGURATION)
    client._client = httpx2.AsyncClient(transport=httpx2.MockTransport(predictor))
    woken: list[Key] = []
    made = Bench(None, access, predictor, woken, [], work())  # type: ignore[arg-type]
    made.runner = GenerationRunner(access, client, made, woken.append, CONFIGURATION)  # type: ignore[arg-type]
    yield made
    await made.runner.close()
    await client.close()
