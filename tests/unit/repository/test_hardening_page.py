"""The writer of docs/hardening.md: a table goes where it belongs, and nowhere unless it is asked to."""

from pathlib import Path

import pytest

from hardening import PAGE, replaced, section, table

ROWS: list[list[object]] = [["input", "result"], ["a|b", 3]]


def test_a_table() -> None:
    assert table(ROWS) == "| input | result |\n| --- | --- |\n| a\\|b | 3 |"


def test_only_the_named_section_changes() -> None:
    page = "# T\n<!-- a -->old<!-- /a -->\nbetween\n<!-- b -->kept<!-- /b -->\n"
    assert replaced(page, "a", "new") == "# T\n<!-- a -->\n\nnew\n\n<!-- /a -->\nbetween\n<!-- b -->kept<!-- /b -->\n"
    with pytest.raises(ValueError, match="no section"):
        replaced(page, "c", "new")


def test_the_page_is_written_when_it_is_asked_for_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- a -->\n<!-- /a -->")
    monkeypatch.delenv("PROFILE_WRITE_DOCS", raising=False)
    section("a", ROWS, page)
    assert "input" not in page.read_text()
    monkeypatch.setenv("PROFILE_WRITE_DOCS", "1")
    section("a", ROWS, page)
    assert table(ROWS) in page.read_text()


def test_the_page_has_markers_in_pairs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("<!-- /") == text.count("<!-- ") - text.count("<!-- /") > 0
