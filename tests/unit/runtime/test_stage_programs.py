"""The programs of the stage images hear SIGTERM before their heavy libraries are there."""

import subprocess
import sys

HEAVY = ("torch", "diffusers", "ultralytics", "cv2", "numpy")
STAGES = ("profile_preprocess", "profile_train", "profile_finish")


def test_a_program_is_ready_to_stop_before_it_imports_what_takes_seconds() -> None:
    """One process imports all three: what any of them brought would be there."""
    imports = ", ".join(f"{package}.__main__" for package in STAGES)
    code = f"import sys, {imports}; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
