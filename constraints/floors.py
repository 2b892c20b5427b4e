"""The picture of the floors in docs/development.md, drawn of the import contract: `python constraints/floors.py`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "development.md"
BEGIN, END = "<!-- floors: made by `make floors` -->\n", "<!-- end of floors -->\n"


def picture(pyproject: str) -> str:
    """The floors of `[tool.importlinter]`, the highest first, as a text in Markdown."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    (floors,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    lines = [" | ".join(name.strip().removeprefix("profile_") for name in floor.split("|")) for floor in floors]
    return "\n".join([BEGIN + "```", *lines, "```", END])


def drawn(page: str, pyproject: str) -> str:
    """The page with the picture as it is now. Raises ValueError for a page without its place."""
    text, count = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: picture(pyproject), page, flags=re.DOTALL)
    if count != 1:
        raise ValueError("the page must have one place for the floors")
    return text


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(drawn(PAGE.read_text(), (ROOT / "pyproject.toml").read_text()))


if __name__ == "__main__":
    main()
