"""`python -m mutants.warm`: runs tests again and again, each time in a fork that has other people's packages already.

Importing torch and its like takes ten times what most tests take. Asked in lines of JSON (`{"tests": [...], "seconds":
900}`), answers in lines of JSON (`{"code": 1, "by": "tests/unit/test_x.py::test_y"}`). It runs in the folder and with
the environment of the copy that it serves, and imports nothing of the product itself.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

# What takes long to import, or is imported by many tests; what is not there is done without.
PACKAGES = (
    "pytest",
    # Its plug-ins are loaded in every fork.
    "_hypothesis_pytestplugin",
    "anyio.pytest_plugin",
    "platformdirs.pytest_plugin",
    "pytest_asyncio.plugin",
    "pytest_cov.plugin",
    "pytest_timeout",
    "time_machine",
    "xdist.plugin",
    "xdist.looponfail",
    "hypothesis",
    "hypothesis.strategies",
    "numpy",
    "PIL.Image",
    "pydantic",
    "yaml",
    "httpx2",
    "minio",
    "torch",
    "torch.utils.data",
    "torch._dynamo",
    "safetensors.torch",
    "transformers.models.clip.modeling_clip",
    "transformers.models.clip.tokenization_clip",
    "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl",
    "diffusers.pipelines.controlnet.pipeline_controlnet_sd_xl",
    "peft",
    "cv2",
    "mediapipe",
    "kubernetes",
    "kubernetes.client",
    "kopf",
    "fastapi.testclient",
    "uvicorn",
    "kserve",
    "sklearn",
    "matplotlib.pyplot",
)
LATE = 124
# What a single test may take: one that waits for ever is told by its name.
SECONDS_A_TEST = 60


class Warm:
    """The process that forks, as seen by who asks it."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        here = str(Path(__file__).resolve().parents[1])
        paths = os.pathsep.join([environment["PYTHONPATH"], here])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mutants.warm"],
            cwd=root,
            env={**environment, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, tests: list[str], seconds: float) -> tuple[int, str]:
        """How pytest ended (`LATE` where it did not), and the first test that failed. Raises EOFError if it is gone."""
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answered is not None
        print(json.dumps({"tests": tests, "seconds": seconds}), file=asked, flush=True)
        line = answered.readline()
        if not line:
            raise EOFError("the process that runs tests has ended")
        answer = json.loads(line)
        return answer["code"], answer["by"]

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> int:
    """Serve until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Two bugs of one length in one second would share a compiled file.
    sys.dont_write_bytecode = True
    for name in PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        code, by = _forked(asked["tests"], asked["seconds"])
        print(json.dumps({"code": code, "by": by}), file=answers, flush=True)
    return 0


def _forked(tests: list[str], seconds: float) -> tuple[int, str]:
    said = Path("said.txt")
    with said.open("w") as output:
        child = os.fork()
        if child == 0:
            _run(tests, output)
        code = _wait(child, seconds)
    return code, first_failure(said.read_text(errors="replace"))


def _run(tests: list[str], output: IO[str]) -> None:
    """In the fork: run the tests and end."""
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output.fileno(), 1), (output.fileno(), 2)):
            os.dup2(source, target)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore"]
        options.append(f"--timeout={SECONDS_A_TEST}")
        code = int(pytest.main([*options, *tests]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def _wait(child: int, seconds: float) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _sweep(child)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    _sweep(child)
    os.waitpid(child, 0)
    return LATE


def _sweep(group: int) -> None:
    """End what a test has left behind, or what does not end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def first_failure(output: str) -> str:
    """The first test that failed, from pytest's short summary; empty where all passed."""
    for line in output.splitlines():
        # Captured logs have lines that begin with ERROR, too.
        if line.startswith(("FAILED tests/", "ERROR tests/")):
            # Parameters may hold spaces.
            return line.partition(" ")[2].partition(" - ")[0].strip()
    return ""


if __name__ == "__main__":
    sys.exit(main())
