"""What the pages point to is there: files, headings and make targets."""

import re
import string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*/README.md"))]


def slug(heading: str) -> str:
    """A heading's anchor, as Git hosts make it."""
    kept = (character for character in heading.strip().lower() if character not in string.punctuation.replace("-", ""))
    return "".join(kept).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    text = re.sub(r"`[^`\n]+`", "", page.read_text())
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = re.findall(r"(?:^    |`)make ((?:[a-z0-9-]+ ?)+)", page.read_text(), re.MULTILINE)
    assert {target for command in commands for target in command.split()} <= targets


def test_every_folder_at_the_top_says_what_it_holds() -> None:
    # Without git: `make mutants` runs this in a copy that is no repository.
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."} - ignored
    assert "docs" in folders
    assert [name for name in sorted(folders) if not (ROOT / name / "README.md").is_file()] == []


def test_the_index_of_decisions_names_each_with_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    rows = re.findall(r"^\| \[(\d+)\]\(([^)]+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [file for _, file, _ in rows] == files
    for number, file, title in rows:
        lines = (folder / file).read_text().splitlines()
        assert file.startswith(f"{int(number):04}-")
        assert lines[0].lower() == f"# {number}. {title}".lower()
        assert re.findall(r"^\*\*(\w+)\.\*\*", "\n".join(lines), re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]
