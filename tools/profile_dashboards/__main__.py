"""python -m profile_dashboards FOLDER: write every dashboard as <name>.json."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from .boards import BOARDS


def texts() -> dict[str, str]:
    """File name -> content."""
    encoder = JSONEncoder(sort_keys=True, indent=1)
    return {f"{name}.json": encoder.encode(make().build()) + "\n" for name, make in BOARDS.items()}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
