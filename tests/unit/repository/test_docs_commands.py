"""Commands that the pages show are commands that there are: programs, their arguments, the files that they name.

tests/cluster/test_docs.py runs them; here nothing is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from profile_cli.__main__ import parser as studio_parser
from profile_cli.plugin.commands import parser as plugin_parser

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*/README.md"))]
NOTES = ROOT / "charts" / "profile-studio" / "templates" / "NOTES.txt"
# Nobody's namespace is asked for: kinds that have none, files and folders that name theirs, words about a kind, what
# the chart's notes take from a list of the cluster's own objects.
NO_NAMESPACE = re.compile(
    r"(?:cluster)?profilestyles?\b|csadapter\b|namespace\b|explain\b|apply -k\b|"
    r"apply -f examples/(?:style|learnt-cluster|models/)|profile\b|krew\b|"
    r"(?:label|annotate) --overwrite (?:\{\{|crd/)|delete crd\b"
)
HAS_NAMESPACE = re.compile(r" (-n|--namespace|-A|--all-namespaces)\b")
OWN_FILES = re.compile(r"\b(?:examples|charts|constraints|images)/[\w./-]+")
# A path that the reader fills in.
FILLED_IN = re.compile(r"\$|[A-Z]{3,}")


def commands(page: Path) -> Iterator[str]:
    """Lines of indented blocks, and what stands in backquotes, without comments."""
    text = page.read_text()
    for line in [*re.findall(r"^    (\S.*)$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]:
        yield re.sub(r"\s+#.*$", "", line).replace("... ", "").strip()


def of_program(*starts: str) -> list[tuple[str, str]]:
    """Page and what follows the program's name, for every such command."""
    found = []
    for page in PAGES:
        for line in commands(page):
            start = next((start for start in starts if line.startswith(start + " ")), None)
            if start is not None:
                found.append((page.name, line.removeprefix(start).strip()))
    return found


def kubectl_lines() -> list[tuple[str, str]]:
    """Whole kubectl commands of the pages and of what Helm says after an install."""
    found = of_program("kubectl")
    found += [(NOTES.name, line) for line in re.findall(r"^  kubectl (.+)$", NOTES.read_text(), re.MULTILINE)]
    return [(page, rest) for page, rest in found if len(rest.split()) > 1]


@pytest.mark.parametrize(("page", "rest"), kubectl_lines())
def test_a_command_says_in_which_namespace(page: str, rest: str) -> None:
    """Or it would look into whichever namespace the reader's context names."""
    if NO_NAMESPACE.match(re.sub(r"^(get|create) ", "", rest)) or "NAME" in rest or rest == "apply -f - <<EOF":
        return
    if rest.split(maxsplit=1)[0] in ("wait", "apply", "describe") and len(rest.split()) == 2:
        return  # Words about a command, and no whole one.
    assert HAS_NAMESPACE.search(f" {rest}"), f"{page}: kubectl {rest}"


@pytest.mark.parametrize(("page", "rest"), of_program("kubectl profile"))
def test_the_plugin_takes_it(page: str, rest: str) -> None:
    words = shlex.split(rest)
    if all(re.fullmatch(r"[a-z]+", word) for word in words[:1]) and words[0] != "<Tab>":
        plugin_parser().parse_args(
            [*words, "NAME"] if len(words) == 1 and words[0] not in ("doctor", "styles", "list") else words
        )


@pytest.mark.parametrize(("page", "rest"), of_program(".venv/bin/profile-studio", "profile-studio"))
def test_the_program_takes_it(page: str, rest: str) -> None:
    words = shlex.split(rest)
    if "--help" in words:
        with pytest.raises(SystemExit) as ended:
            studio_parser().parse_args(words)
        assert ended.value.code == 0
    elif len(words) > 1:
        studio_parser().parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_commands_name_are_there(page: Path) -> None:
    named = {path for line in commands(page) for path in OWN_FILES.findall(line) if not FILLED_IN.search(path)}
    patterns = {path.rstrip("./") for path in named if "*" not in path and not path.endswith("-")}
    assert [path for path in sorted(patterns) if not (ROOT / path).exists() and not list(ROOT.glob(f"{path}*"))] == []
