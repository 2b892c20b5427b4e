"""What others wrote is named with its licence, and is what its lock file says."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from pathlib import Path

import pytest
from notices import END, NOTICES, licences, locked, table, with_table

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "images" / "web" / "vendor"
VENDOR = ROOT / "images" / "web" / "profile_web" / "static" / "vendor"


@functools.cache
def terms() -> dict[str, str]:
    """The licences of what is installed, asked for once: that takes a second."""
    return dict(licences())


def test_the_notices_name_every_package_of_every_image_with_its_licence() -> None:
    page = NOTICES.read_text()
    assert with_table(page, table(locked(), terms())) == page, "run 'make notices'"


def test_no_licence_is_unknown() -> None:
    assert [name for name in locked() if terms()[name].upper() in {"UNKNOWN", ""}] == []


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        with_table(NOTICES.read_text().replace(END, ""), "")


def test_what_the_repository_passes_on_bears_its_licence() -> None:
    page = NOTICES.read_text()
    section = page.split("## Part of this repository")[1].split("\n## ")[0]
    paths = re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)
    assert {path.rsplit("/", 1)[-1] for path in paths} >= {"htm-preact.js", "profile-sheet.ttf", "studio-mini"}
    for path in paths:
        assert (ROOT / path).exists(), path
    assert "Apache License" in (VENDOR / "htm-LICENSE.txt").read_text()
    assert "MIT License" in (VENDOR / "preact-LICENSE.txt").read_text()


def test_the_page_s_vendored_file_is_the_one_that_the_lock_names() -> None:
    wanted = json.loads((SOURCE / "package.json").read_text())["dependencies"]
    lock = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    assert lock.keys() == {"", *(f"node_modules/{name}" for name in wanted)}
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"
        assert lock[f"node_modules/{name}"]["version"] == version
        assert lock[f"node_modules/{name}"]["integrity"].startswith("sha512-")
        assert "resolved" not in lock[f"node_modules/{name}"]
        assert f"{name} {version}" in NOTICES.read_text()
    digest, name = (SOURCE / "SHA256SUMS").read_text().split()
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, "run 'make page'"
    assert sorted(path.name for path in VENDOR.iterdir()) == ["htm-LICENSE.txt", name, "preact-LICENSE.txt"]
