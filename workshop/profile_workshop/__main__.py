"""python -m profile_workshop portraits | choose"""

from __future__ import annotations

import argparse
from pathlib import Path

from profile_models.folders import models_folder, people_folder

from .portraits import stages as portraits


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="profile_workshop", description="How the demo's people and model are made.")
    commands = parser.add_subparsers(dest="command", required=True)
    choose = commands.add_parser("choose", help="who of the rendered candidates joins the cast")
    choose.add_argument(
        "--candidates", type=Path, default=people_folder() / "candidates", help="(default: %(default)s)"
    )
    choose.add_argument("--count", type=int, default=10, help="people of the cast")
    choose.set_defaults(run=_choose)
    portraits.add_to(commands)
    arguments = parser.parse_args()
    arguments.run(arguments)


def _choose(arguments: argparse.Namespace) -> None:
    from .people.choose import report

    print(report(arguments.candidates, models_folder() / "vision", arguments.count))


if __name__ == "__main__":
    main()
