"""Before anything is compiled for the demo: whose cluster is meant, and is there what `make` cannot bring by itself?

Python's standard library is all that this needs: it runs before the environment is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from profile_sandbox import doctor

CLONE = Path(__file__).resolve().parents[3]
# What a cluster of one's own needs beside KUBECONFIG, and what for.
NEEDED = {
    "PROFILE_VALUES": "a file of values for charts/profile-studio there: store, images (docs/install.md)",
    "PROFILE_STORE": "its store, s3://BUCKET?endpoint=HOST:PORT, as this machine reaches it",
}


def main() -> int:
    """Prints what is missing. Exit code 0: this machine's own cluster is meant; 3: another; 1: something is missing."""
    kubeconfig = own_kubeconfig(os.environ, CLONE)
    trouble = lacking(doctor.preflight()) if kubeconfig is None else missing(kubeconfig, os.environ)
    if trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0 if kubeconfig is None else 3


def lacking(findings: Sequence[doctor.Lack]) -> str:
    """What this machine lacks for a cluster of its own, as a person reads it; empty where nothing does."""
    if not findings:
        return ""
    lines = [f"- {finding.problem}: {finding.advice}" for finding in findings]
    return "\n".join(["`make demo` cannot begin on this machine:", *lines, doctor.ELSEWHERE])


def own_kubeconfig(environment: Mapping[str, str], clone: Path) -> Path | None:
    """The kubeconfig of somebody's own cluster; None where KUBECONFIG is not set or names this clone's sandbox."""
    given = environment.get("KUBECONFIG")
    if not given or Path(given).resolve() == (clone / ".sandbox" / "kubeconfig").resolve():
        return None
    return Path(given)


def missing(kubeconfig: Path, environment: Mapping[str, str]) -> str:
    """What a demo on that cluster lacks, as a person reads it; empty where nothing does."""
    lines = [f"- {name}: {what}" for name, what in NEEDED.items() if not environment.get(name)]
    if not kubeconfig.is_file():
        lines.insert(0, f"- {kubeconfig} does not exist")
    if not lines:
        return ""
    return "\n".join(
        [
            f"KUBECONFIG names a cluster of your own, {kubeconfig}. For the demo there, set as well:",
            *lines,
            "To have a cluster made on this machine instead:  env -u KUBECONFIG make demo",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
