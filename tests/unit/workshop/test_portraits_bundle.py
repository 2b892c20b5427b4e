"""The bundle that trains the portrait model elsewhere: it holds every package that its program imports."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import grimp

from profile_sandbox.paths import CLONE
from profile_workshop.portraits import bundle

PROGRAM = "profile_workshop.__main__"


def test_the_bundle_holds_what_its_program_imports() -> None:
    project = tomllib.loads((CLONE / "pyproject.toml").read_text())
    graph = grimp.build_graph(*project["tool"]["importlinter"]["root_packages"])
    reached = {module.split(".")[0] for module in graph.find_upstream_modules(PROGRAM)}
    assert set(bundle.PACKAGES) == reached | {"profile_workshop"}


def test_the_bundle_starts_a_program_that_there_is() -> None:
    script = Path(bundle.__file__).with_name("bundle.sh").read_text()
    assert set(re.findall(r"python3 -m (profile_\w+)", script)) == {PROGRAM.split(".", maxsplit=1)[0]}
