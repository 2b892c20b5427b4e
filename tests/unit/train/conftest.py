"""What tests of training share: a store in a folder, and the checkpoints of one training in it."""

from pathlib import Path

import pytest

from profile_runtime.store.folder import FolderStore
from profile_train.checkpoints import Checkpoints
from tiny_training import PREFIX


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def checkpoints(store: FolderStore) -> Checkpoints:
    return Checkpoints(store, PREFIX, "settings")
