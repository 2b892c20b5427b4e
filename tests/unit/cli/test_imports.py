"""Help costs no library that talks to a cluster or a store: they take longer to import than everything else."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLUGIN, RUNNER = "profile_cli.plugin.__main__", "profile_cli.__main__"


@pytest.mark.parametrize(
    ("program", "command", "late"),
    [(PLUGIN, "doctor", ("kubernetes", "minio", "urllib3")), (RUNNER, "demo", ("kubernetes",))],
)
def test_help_imports_no_client(program: str, command: str, late: tuple[str, ...]) -> None:
    """The program's own help, and after it a command's in the same process: what either brought would be there."""
    script = (
        f"import contextlib, sys\nfrom {program} import main\n"
        f"for words in (['--help'], ['{command}', '--help']):\n"
        f"    with contextlib.suppress(SystemExit):\n        main(words)\n"
        f"print([name for name in {late} if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.count("usage: ") == 2
    assert said.stdout.splitlines()[-1] == "[]"
