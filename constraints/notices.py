"""The table of Python packages in THIRD_PARTY_NOTICES.md: what each image's lock pins, and its licence.

    .venv/bin/python constraints/notices.py     write it anew (`make notices`)

Licences are told by pip-licenses from what is installed; versions are left to the locks.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD_PARTY_NOTICES.md"
IMAGES = sorted(path.parent.name for path in ROOT.glob("images/*/Dockerfile"))
BEGIN, END = "<!-- written by make notices: begin -->", "<!-- end -->"
# What packages say so that no tool understands it, and those that only the oldest Python of an image installs.
SAID_ELSEWHERE = {
    "async-timeout": "Apache-2.0",
    "cuda-toolkit": "NVIDIA's proprietary licence (no files of its own)",
}
# Where images run: the oldest Python that the locks are for.
IN_AN_IMAGE = {"sys_platform": "linux", "platform_machine": "x86_64", "python_full_version": "3.11.0"}


def main() -> None:
    NOTICES.write_text(with_table(NOTICES.read_text(), table(locked(), licences())))


def locked() -> dict[str, list[str]]:
    """Packages by name, each with the images that its lock puts it into."""
    images: dict[str, list[str]] = {}
    for image in IMAGES:
        lock = (ROOT / "constraints" / f"{image}.txt").read_text()
        for pin in map(Requirement, re.findall(r"^(\w.*?) \\$", lock, re.MULTILINE)):
            if pin.marker is None or pin.marker.evaluate(IN_AN_IMAGE):
                images.setdefault(canonicalize_name(pin.name), []).append(image)
    return dict(sorted(images.items()))


def licences() -> dict[str, str]:
    """Licences of all installed packages by name."""
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--from=mixed", "--with-system"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        canonicalize_name(package["Name"]): package["License"] for package in json.loads(answer.stdout)
    } | SAID_ELSEWHERE


def table(packages: dict[str, list[str]], terms: dict[str, str]) -> str:
    """Rows of package, licence and images. Raises KeyError for a package that is not installed."""
    rows = [f"| {name} | {terms[name]} | {', '.join(images)} |" for name, images in packages.items()]
    return "\n".join(["| package | licence | in the images |", "|---|---|---|", *rows])


def with_table(page: str, rows: str) -> str:
    """The page with the table between its two marks. Raises ValueError where they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{NOTICES.name} lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{rows}\n\n{END}{after}"


if __name__ == "__main__":
    main()
