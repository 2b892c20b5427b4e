"""people-python -m profile_workshop.people renders | photos ...; runs in Blender's environment (`make people-env`)."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from profile_models.fetch import FetchError
from profile_models.folders import people_folder
from profile_workshop.people import packages


def main() -> None:
    arguments = _parser().parse_args()
    try:
        packages.fetch(arguments.packages)
    except FetchError as error:
        sys.exit(f"people: {error}")
    if arguments.processes > 1:
        sys.exit(_share(arguments.processes))
    arguments.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="profile_workshop.people", description="Render people who do not exist.")
    parser.add_argument(
        "--packages", type=Path, default=people_folder() / "packages", help="assets (default: %(default)s)"
    )
    parser.add_argument("--processes", type=int, default=1, help="work side by side, a processor core each")
    parser.add_argument("--part", type=_part, default=(0, 1), help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    renders = commands.add_parser("renders", help="training pictures; goes on where it was cut")
    renders.add_argument("--seeds", type=_seeds, default=range(20_000), help="FIRST:END (default: 0:20000)")
    renders.add_argument("--out", type=Path, default=people_folder() / "renders", help="(default: %(default)s)")
    renders.set_defaults(run=_renders)
    candidates = commands.add_parser("candidates", help="small photos of those who may join the cast")
    candidates.add_argument("--seeds", type=_seeds, default=range(900_000, 900_120), help="(default: 900000:900120)")
    candidates.add_argument("--out", type=Path, default=people_folder() / "candidates", help="(default: %(default)s)")
    candidates.set_defaults(run=_candidates)
    cast = commands.add_parser("cast", help="the cast's photos, good and bad")
    cast.add_argument("--seeds", type=_list, required=True, help="SEED,SEED,...")
    cast.add_argument("--out", type=Path, required=True, help="folder of the people")
    cast.set_defaults(run=_cast)
    return parser


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end) if end else int(first) + 1)


def _list(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


def _part(text: str) -> tuple[int, int]:
    which, _, of = text.partition("/")
    return int(which), int(of)


def _share(processes: int) -> int:
    """Run this very command once for each part; the worst exit status of them."""
    command = [sys.executable, "-m", "profile_workshop.people", "--processes", "1"]
    given = _without_processes(sys.argv[1:])
    parts = [subprocess.Popen([*command, "--part", f"{which}/{processes}", *given]) for which in range(processes)]
    return max(part.wait() for part in parts)


def _without_processes(given: list[str]) -> list[str]:
    place = next(index for index, word in enumerate(given) if word.startswith("--processes"))
    return given[:place] + given[place + (1 if "=" in given[place] else 2) :]


def _renders(arguments: argparse.Namespace) -> None:
    from profile_workshop.people import assets, renders

    which, of = arguments.part
    count = renders.render(assets.load(arguments.packages), arguments.out, arguments.seeds[which::of])
    print(f"people: {count} people rendered into {arguments.out}", flush=True)


def _candidates(arguments: argparse.Namespace) -> None:
    from profile_workshop.people import assets, renders
    from profile_workshop.people.shot import photo

    which, of = arguments.part
    plan = renders.RenderPlan(take=photo, pictures=6, size=256, samples=8, of_cast=True)
    count = renders.render(assets.load(arguments.packages), arguments.out, arguments.seeds[which::of], plan)
    print(f"people: {count} candidates rendered into {arguments.out}", flush=True)


def _cast(arguments: argparse.Namespace) -> None:
    from profile_workshop.people import assets, cast

    which, of = arguments.part
    threads = max(1, (os.cpu_count() or 1) // of)
    cast.render(assets.load(arguments.packages), arguments.out, arguments.seeds[which::of], threads=threads)


if __name__ == "__main__":
    main()
