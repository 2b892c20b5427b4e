"""The predictor where no PEFT is installed, as in its image: the same picture of the same adapter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from profile_cli.run.drawing import StoreFiles
from profile_contract.generation import AdapterGrant, GenerationItem, GenerationOrder
from profile_contract.stages.order import RequestRef
from profile_models import random_sdxl
from profile_predictor.engine import Engine, EngineConfig
from profile_runtime.store.folder import FolderStore

pytestmark = pytest.mark.e2e
# Python takes a module that stands as None for one that is not installed.
PROGRAM = """
import sys
sys.modules["peft"] = None
from pathlib import Path
import numpy as np
import profile_predictor.__main__
from profile_cli.run.drawing import StoreFiles
from profile_contract.generation import GenerationOrder
from profile_predictor.engine import Engine, EngineConfig
from profile_runtime.store.folder import FolderStore
models, name, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
engine = Engine.load(EngineConfig(models, name, threads=1))
order = GenerationOrder.model_validate_json((folder / "order.json").read_text())
np.save(folder / "drawn.npy", [drawn.pixels for drawn in engine.generate(order, StoreFiles(FolderStore(folder)))])
"""


def test_the_bank_needs_no_library_of_adapters(
    random_models: Path, people: dict[str, Path], grant: Callable[..., AdapterGrant], tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    store.write("ann", people["ann"].read_bytes())
    order = GenerationOrder(
        request=RequestRef(namespace="team", name="minji"),
        adapter=grant(people["ann"], url="ann"),
        items=[GenerationItem(seed=seed, prompt="portrait of sks woman") for seed in (1, 2)],
        width=64,
        height=96,
        steps=2,
    )
    (tmp_path / "order.json").write_text(order.to_json())
    program = [sys.executable, "-c", PROGRAM, str(random_models), random_sdxl.NAME, str(tmp_path)]
    subprocess.run(program, check=True)
    engine = Engine.load(EngineConfig(random_models, random_sdxl.NAME, threads=1))
    here = np.stack([drawn.pixels for drawn in engine.generate(order, StoreFiles(store))]).astype(int)
    engine.close()
    assert here.shape == (2, 96, 64, 3)
    assert np.abs(np.load(tmp_path / "drawn.npy") - here).max() <= 1
