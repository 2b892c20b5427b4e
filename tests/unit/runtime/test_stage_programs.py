"""The programs of the stage images hear SIGTERM before their heavy libraries are there."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "diffusers", "ultralytics", "cv2", "numpy")


@pytest.mark.parametrize("package", ["profile_preprocess", "profile_train", "profile_finish"])
def test_a_program_is_ready_to_stop_before_it_imports_what_takes_seconds(package: str) -> None:
    code = f"import sys, {package}.__main__; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
