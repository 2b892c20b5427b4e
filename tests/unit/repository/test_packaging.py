"""pyproject.toml, the constraints and the tree say the same."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "constraints" / "dev.txt").read_text()


def pins_in(lock: str) -> dict[str, str]:
    """Package -> version."""
    pins = re.findall(r"^([\w.-]+)==([^\s\\]+)", lock, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


PINS = pins_in(LOCK)
# Blender wants older libraries than everything else: an environment and a lock of its own.
APART = "people"
IMAGES = sorted(path.parent.name for path in ROOT.glob("images/*/Dockerfile"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]


def test_every_package_of_the_tree_is_distributed_and_linted() -> None:
    tree = {
        str(path.parent.relative_to(ROOT))
        for path in ROOT.glob("**/profile_*/__init__.py")
        if ".venv" not in path.parts
    }
    build = PROJECT["tool"]["hatch"]["build"]
    product = {package for package in tree if Path(package).parts[0] not in {"workshop", "tools"}}
    assert product == set(build["targets"]["wheel"]["packages"])
    assert {str(Path(package).parent) for package in tree} <= set(build["dev-mode-dirs"])
    mypy_path = {path.removeprefix("$MYPY_CONFIG_FILE_DIR/") for path in PROJECT["tool"]["mypy"]["mypy_path"]}
    assert {str(Path(package).parent) for package in tree} <= mypy_path
    assert {Path(package).name for package in tree} == set(PROJECT["tool"]["importlinter"]["root_packages"])


@pytest.mark.parametrize("extra", [*EXTRAS, ""])
def test_every_requirement_is_pinned_to_a_version_it_allows(extra: str) -> None:
    requirements = EXTRAS[extra] if extra else PROJECT["project"]["dependencies"]
    lock = ROOT / "constraints" / f"{APART}.txt"
    pins = pins_in(lock.read_text()) if extra == APART else PINS
    for requirement in map(Requirement, requirements):
        if requirement.name == PROJECT["project"]["name"]:
            assert requirement.extras <= set(EXTRAS)
            continue
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"{requirement.name} is not pinned: run 'make lock'"
        assert requirement.specifier.contains(pin), f"{requirement} is pinned to {pin}: run 'make lock'"


def test_dev_holds_every_component() -> None:
    whole = next(requirement for requirement in map(Requirement, EXTRAS["dev"]) if requirement.extras)
    assert whole.extras == set(EXTRAS) - {"dev", APART}


@pytest.mark.parametrize("path", sorted((ROOT / "constraints").glob("*.txt")), ids=lambda path: path.stem)
def test_constraints_are_versions_and_digests_and_nothing_else(path: Path) -> None:
    marker = r"( ; [\w .()<>=!']+)?"
    line = re.compile(rf"([\w.-]+==[\w.+!]+{marker} \\|    --hash=sha256:[0-9a-f]{{64}}( \\)?)")
    assert [text for text in path.read_text().splitlines() if not line.fullmatch(text)] == []


@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.0", "3.13.5"])
@pytest.mark.parametrize("machine", [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")])
def test_one_version_of_each_package_serves_every_python_and_platform(python: str, machine: tuple[str, str]) -> None:
    """What differs between them is whether a package is there at all: CUDA's on Linux alone."""
    place = dict(zip(("sys_platform", "platform_machine"), machine, strict=True)) | {"python_full_version": python}
    pins = [Requirement(line) for line in re.findall(r"^(\w.*?) \\$", LOCK, re.MULTILINE)]
    assert len({pin.name for pin in pins}) == len(pins)
    absent = {pin.name for pin in pins if pin.marker and not pin.marker.evaluate(place)}
    cuda = {name for name in absent if name.startswith(("cuda-", "nvidia-", "triton"))}
    assert ("nvidia-cublas" in cuda) == (machine[0] == "darwin")
    others = {"appnope"} if machine[0] == "linux" else set()
    others |= {"async-timeout"} if python != "3.11.0" else set()
    assert absent - cuda == {"colorama", "httpx2-jsfetch"} | others


@pytest.mark.parametrize("component", IMAGES)
def test_a_component_alone_has_the_versions_that_were_tested(component: str) -> None:
    path = ROOT / "constraints" / f"{component}.txt"
    pins = pins_in(path.read_text())
    assert pins.items() <= PINS.items()
    wanted = map(Requirement, [*EXTRAS[component], *PROJECT["project"]["dependencies"]])
    assert {canonicalize_name(requirement.name) for requirement in wanted} <= pins.keys()


@pytest.mark.parametrize(
    ("component", "absent"),
    [
        ("operator", {"torch", "diffusers", "ultralytics", "kserve", "psycopg2-binary", "alembic", "sqlalchemy"}),
        ("history", {"torch", "kopf", "kserve", "httpx2", "numpy"}),
        ("train", {"kopf", "kserve", "kubernetes"}),
    ],
)
def test_images_hold_only_what_they_need(component: str, absent: set[str]) -> None:
    assert not absent & pins_in((ROOT / "constraints" / f"{component}.txt").read_text()).keys()
