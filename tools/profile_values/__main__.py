"""python -m profile_values FILE: write the schema of the chart's values."""

from __future__ import annotations

import sys
from pathlib import Path

from .schema import text


def main() -> None:
    Path(sys.argv[1]).write_text(text())


if __name__ == "__main__":
    main()
