"""Recorded answers of the product, compared byte for byte: what must not change while its sources move.

    PROFILE_RECORD=1 .venv/bin/python -m pytest tests/guards

records them anew. A commit that does so says which behaviour it means to change.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parent / "recorded"
# Lines of a difference that are shown.
MOST_LINES = 120
# Texts longer than this that nobody reads are recorded by their digest.
LONG_TEXT = 12_000


class _Dumper(yaml.SafeDumper):
    """Blocks for texts of several lines; nothing is told by an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        """No anchors."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    """YAML in the order of the value's own keys."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)


def compare(name: str, text: str) -> None:
    """Fail where `recorded/<name>` says anything else than `text`; write it instead where PROFILE_RECORD is set."""
    file = FOLDER / name
    if os.environ.get("PROFILE_RECORD"):
        file.write_text(text, encoding="utf-8", newline="")
        return
    before = file.read_bytes().decode() if file.exists() else ""
    if text == before:
        return
    lines = list(difflib.unified_diff(before.splitlines(), text.splitlines(), f"recorded/{name}", "now", lineterm=""))
    shown = "\n".join(lines[:MOST_LINES])
    pytest.fail(f"the product answers differently ({len(lines)} lines of difference):\n{shown}", pytrace=False)


def digest(data: bytes) -> str:
    """What stands for bytes that nobody reads."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def shortened(documents: str) -> str:
    """The documents of a YAML stream, the long ones as their comments and a digest."""
    parts = []
    for part in re.split(r"^---\n", documents, flags=re.MULTILINE):
        comments = "".join(line for line in part.splitlines(keepends=True) if line.startswith("#"))
        parts.append(part if len(part) <= LONG_TEXT else f"{comments}{digest(part.encode())}\n")
    return "---\n".join(parts)
