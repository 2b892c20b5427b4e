"""The tables of docs/hardening.md: what was tried against the product, and what became of it.

Tests that try things hand their rows here. They are written when PROFILE_WRITE_DOCS is set; otherwise the tests assert
only, and the page stays as it was written last.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hardening.md"


@dataclass
class Attempts:
    """What a module of tests tried, as rows for people."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def note(self, what: str, got: str) -> None:
        """One more row."""
        self.rows.append((what, got))

    def write(self, name: str) -> None:
        """The rows as the table of that name."""
        section(name, [("attempt", "what it got"), *self.rows])


def section(name: str, rows: Sequence[Sequence[object]], page: Path = PAGE) -> None:
    """Replace the table between `<!-- name -->` and `<!-- /name -->` by these rows, the first of which is its head.

    Raises ValueError if the page has no such markers: a table that nobody sees is a mistake.
    """
    if not os.environ.get("PROFILE_WRITE_DOCS"):
        return
    page.write_text(replaced(page.read_text(encoding="utf-8"), name, table(rows)), encoding="utf-8")


def replaced(text: str, name: str, content: str) -> str:
    """The text with the content between a section's markers replaced. Raises ValueError without them."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"the page has no section {begin} ... {end}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows as a Markdown table; the first is its head."""
    head, *body = [[_cell(value) for value in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
