"""Help costs no library that talks to a cluster or a store: they take longer to import than everything else."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLUGIN, RUNNER = "profile_cli.plugin.__main__", "profile_cli.__main__"


@pytest.mark.parametrize(
    ("program", "words", "late"),
    [
        (PLUGIN, ["--help"], ("kubernetes", "minio", "urllib3")),
        (PLUGIN, ["doctor", "--help"], ("kubernetes", "minio", "urllib3")),
        (RUNNER, ["--help"], ("kubernetes",)),
        (RUNNER, ["demo", "--help"], ("kubernetes",)),
    ],
)
def test_help_imports_no_client(program: str, words: list[str], late: tuple[str, ...]) -> None:
    script = (
        f"import contextlib, sys\nfrom {program} import main\n"
        f"with contextlib.suppress(SystemExit):\n    main({words})\n"
        f"print([name for name in {late} if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "usage: " in said.stdout
    assert said.stdout.splitlines()[-1] == "[]"
