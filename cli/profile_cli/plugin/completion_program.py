"""The program by which kubectl completes `kubectl profile`, and its place: beside `kubectl-profile` on the PATH.

krew links a plug-in's one program alone; whoever installed by krew puts this one there by `completion --install`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from profile_cli.errors import CommandError

COMPLETION = "kubectl_complete-profile"
PLUGIN = "kubectl-profile"
SOURCE = Path(__file__).with_name(COMPLETION)


def program() -> str:
    """Its text."""
    return SOURCE.read_text()


def install() -> Path:
    """Put it into the folder of the `kubectl-profile` that kubectl finds; its path. Raises CommandError."""
    plugin = shutil.which(PLUGIN)
    if plugin is None:
        raise CommandError(f"there is no {PLUGIN} on the PATH, so kubectl does not know `kubectl profile` yet")
    target = Path(plugin).with_name(COMPLETION)
    try:
        target.write_text(program())
        target.chmod(0o755)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}") from error
    return target
