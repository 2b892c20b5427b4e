"""A stage's program run as a pod runs it, several times from one interpreter: its imports take longer than all else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessParameters

ORDER = PreprocessOrder(
    request=RequestRef(namespace="hr", name="minji"),
    digest="abc",
    output="hr.1a2b3c4d-5e6f/requests/minji/dataset/abc/",
    photos=[],
    parameters=PreprocessParameters(),
)

# Each run is a child of its own, with its own environment and standard error, that ends as the program ends.
RUNS = """
import json, os, sys
for name, environment in json.loads(sys.argv.pop()).items():
    child = os.fork()
    if not child:
        os.dup2(os.open(name + ".stderr", os.O_WRONLY | os.O_CREAT, 0o600), 2)
        os.environ.update(environment)
        sys.exit(program())
    print(name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it said on standard error."""

    code: int
    said: str


def run_each(program: str, runs: Mapping[str, Mapping[str, str]], folder: Path) -> dict[str, Ended]:
    """Run a source that defines `program() -> code` once for each environment, by name; `folder` is scratch."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PROFILE_")}
    command = [sys.executable, "-c", program + RUNS, json.dumps(runs)]
    done = subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, check=True)
    codes = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    return {name: Ended(int(codes[name]), (folder / f"{name}.stderr").read_text()) for name in runs}
