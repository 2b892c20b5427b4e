"""docs/reliability.md: a part that was tried replaces its table, and leaves the others as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability import results as module
from reliability.results import CRASHES, OUTAGES, Results


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(module, "commit", lambda: "abc1234")
    monkeypatch.setattr(module, "version", lambda: "one")
    return tmp_path / "reliability.md"


def test_what_was_not_tried_stays_as_it_stands(page: Path, tmp_path: Path) -> None:
    earlier = Results(tmp_path / "earlier.json")
    earlier.add(CRASHES, "Job created", "effect 4, before the effect", "", 9.0)
    earlier.add(OUTAGES, "the node is lost", "node, in train", "not ready", 9.0)
    earlier.write_page(page)
    before = page.read_text()
    assert "- node, in train: not ready" in before
    later = Results(tmp_path / "later.json")
    later.add(OUTAGES, "the node is lost", "node, in train", "", 9.0)
    later.add(OUTAGES, "the pod is evicted", "eviction, in train", "", 9.0)
    later.write_page(page)
    text = page.read_text()
    assert "| Job created | 1 | 1 |" in text
    assert "| **all** | **2** | **2** |" in text
    assert "Ended otherwise" not in text
    assert text.count("\n## ") == before.count("\n## ") == 3
    assert text.count("at commit abc1234") == 2
    later.write_page(page)
    assert page.read_text() == text
