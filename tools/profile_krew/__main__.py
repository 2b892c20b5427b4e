"""python -m profile_krew --uri URI --homepage URL: dist/kubectl-profile-VERSION.tar.gz and dist/profile.yaml."""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

from .archive import CLONE, PROGRAM, BuildError, build, pack
from .manifest import NAME, manifest
from .platforms import everywhere


def main() -> None:
    arguments = _parser().parse_args()
    version = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]["version"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    archive = arguments.out / f"{PROGRAM}-{version}.tar.gz"
    try:
        with tempfile.TemporaryDirectory() as scratch:
            digest = pack(build(Path(scratch), None if arguments.here else everywhere()), archive)
    except BuildError as error:
        sys.exit(f"krew: {error}")
    document = manifest(version, arguments.uri.replace("{file}", archive.name), digest, arguments.homepage)
    (arguments.out / f"{NAME}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    print(f"krew: {archive} and {arguments.out / f'{NAME}.yaml'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="profile_krew", description=__doc__)
    parser.add_argument("--out", type=Path, default=CLONE / "dist", help="folder (default: dist)")
    parser.add_argument("--here", action="store_true", help="for this machine's platform and Python alone: quick")
    parser.add_argument("--uri", required=True, help="where people will fetch the archive; {file} is its name")
    parser.add_argument("--homepage", required=True, help="the project's page")
    return parser


if __name__ == "__main__":
    main()
