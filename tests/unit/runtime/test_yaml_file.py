"""YAML that a person wrote: whatever is wrong with it is one error."""

from __future__ import annotations

from pathlib import Path

import pytest

from profile_runtime.yaml_file import BadYaml, read_yaml, yaml_of


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a: [", "it is no YAML"),
        (b"a: 2024-99-99", "it is no YAML: month must be in 1..12"),
        (b"a: " + b"9" * 5000, "it is no YAML"),
        (b"a: !!int x", "it is no YAML"),
        (b"a: !!python/object/apply:os.system [x]", "it is no YAML"),
        (b"a: \x00", "it is no YAML"),
        (b"a: \xff", "it is not written in UTF-8"),
        (b"[" * 9000, "its lists or mappings are nested too deeply"),
    ],
)
def test_whatever_is_wrong_is_one_error(data: bytes, said: str) -> None:
    with pytest.raises(BadYaml, match=f"^{said}"):
        yaml_of(data)


def test_a_byte_order_mark_is_no_part_of_a_document() -> None:
    assert yaml_of("\ufeff제목: 사진".encode()) == {"제목": "사진"}


def test_a_file_is_read_within_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1")
    assert read_yaml(file, most=4) == {"a": 1}
    with pytest.raises(BadYaml, match="it has more than 3 bytes"):
        read_yaml(file, most=3)


@pytest.mark.parametrize(("name", "said"), [("absent.yaml", "No such file"), ("", "directory"), ("a\0b", "null byte")])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(BadYaml, match=said):
        read_yaml(tmp_path / name)
