"""The release's workflow, as far as a shell can run it: what it refuses."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOW = Path(__file__).resolve().parents[2] / ".github" / "workflows" / "release.yaml"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]
DIGEST = "sha256:" + "0123456789abcdef" * 4
FIRST = JOBS["images"]["steps"][0]


def checked(image: str) -> subprocess.CompletedProcess[str]:
    """The first step of every image's job, run as the runner runs it."""
    environment = {**os.environ, "PYTHON_IMAGE": image}
    command = ["bash", "-e", "-c", FIRST["run"]]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_base_image_that_is_looked_at_is_the_one_that_is_built_upon() -> None:
    given = FIRST["env"]["PYTHON_IMAGE"]
    (build,) = (step for step in JOBS["images"]["steps"] if step.get("id") == "build")
    assert build["with"]["build-args"] == f"PYTHON_IMAGE={given}"


@pytest.mark.parametrize("name", ["python", "docker.io/library/python:3.11-slim", "registry.example.com:5000/base/py"])
def test_a_base_image_named_by_its_digest_is_taken(name: str) -> None:
    done = checked(f"{name}@{DIGEST}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "image",
    [
        "",
        "docker.io/library/python:3.11-slim",
        f"@{DIGEST}",
        f"python@{DIGEST[:-1]}",
        f"python@{DIGEST} ",
        f"python@{DIGEST.upper()}",
        "python@sha512:" + "0" * 128,
        f"python@{DIGEST}\npython",
    ],
)
def test_any_other_base_image_ends_the_release(image: str) -> None:
    done = checked(image)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::")
    assert image in done.stdout
