"""What tests of the operator share: its real parts around a cluster and a store in memory."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from profile_operator.decide import deletion
from real_operator import RealOperator, real_operator


@pytest.fixture
async def operator() -> AsyncIterator[RealOperator]:
    async with real_operator() as operator:
        yield operator


@pytest.fixture
def everything_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was signed before a deletion is still on its way."""
    monkeypatch.setattr(deletion, "ARRIVAL", timedelta(0))
