"""Every image holds what its code imports: the project's own packages, and pinned libraries."""

import functools
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import grimp
import pytest
from packaging.utils import canonicalize_name

from profile_sandbox.dockerfile import read_dockerfile

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTALL = "pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r /opt/constraints.txt"
DOCKERFILES = {path.parent.name: path.read_text() for path in sorted(ROOT.glob("images/*/Dockerfile"))}


@functools.cache
def distributions_of() -> dict[str, set[str]]:
    """Top-level module -> distributions that bring it."""
    brought = metadata.packages_distributions()
    return {module: {canonicalize_name(name) for name in names} for module, names in brought.items()}


def own_packages(dockerfile: str) -> list[str]:
    return re.findall(r"^COPY \S*?(profile_\w+) ", dockerfile, re.MULTILINE)


def pinned(dockerfile: str) -> set[str]:
    lock = (ROOT / constraints(dockerfile)).read_text()
    return set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))


def constraints(dockerfile: str) -> str:
    """What an image is installed from, unless its builder names something else."""
    lock = re.search(r"^(?:COPY |ARG CONSTRAINTS=)(constraints/\S+)", dockerfile, re.MULTILINE)
    assert lock, "an image installs from its constraints"
    return lock[1]


# Modules of shared rooms that need a heavy library: an image whose own code does not use one does not bring what it
# needs.
FOR_SOME = (
    "profile_draw.upscaling",
    "profile_runtime.kubernetes.aio",
    "profile_runtime.kubernetes.sync",
    "profile_runtime.tracing",
    "profile_vision.people",
)


def imported(packages: list[str]) -> set[str]:
    """Top-level modules that the packages import, at their head or inside functions."""
    graph = grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)
    for module in FOR_SOME:
        if module in graph.modules and not graph.find_modules_that_directly_import(module):
            graph.remove_module(module)
    graph = _without_orphans(graph)
    modules = {module for module in graph.modules if graph.is_module_squashed(module)}
    return {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names)


def _without_orphans(graph: grimp.ImportGraph) -> grimp.ImportGraph:
    """The graph without libraries that nobody imports any more."""
    for module in list(graph.modules):
        if graph.is_module_squashed(module) and not graph.find_modules_that_directly_import(module):
            graph.remove_module(module)
    return graph


@pytest.mark.parametrize("image", DOCKERFILES)
def test_an_image_brings_what_its_code_imports(image: str) -> None:
    packages = own_packages(DOCKERFILES[image])
    assert packages
    missing = []
    for module in sorted(imported(packages)):
        if module.startswith("profile_"):
            missing.append(f"COPY of {module}")
        elif not distributions_of().get(module, set()) & pinned(DOCKERFILES[image]):
            missing.append(f"{module} in the extra {image}")
    assert missing == []


@pytest.mark.parametrize("image", DOCKERFILES)
def test_an_image_runs_as_nobody_with_its_own_program(image: str) -> None:
    lines = DOCKERFILES[image].splitlines()
    assert "USER 65532:65532" in lines
    assert lines[-1].startswith('ENTRYPOINT ["python", "-m", "profile_')


@pytest.mark.parametrize("image", DOCKERFILES)
def test_packages_are_compiled_as_a_release_needs_it(image: str) -> None:
    """Python writes byte code that does not depend on files' times where it sees this variable."""
    assert "\nARG SOURCE_DATE_EPOCH\n" in DOCKERFILES[image].partition(INSTALL)[0]


@pytest.mark.parametrize("image", DOCKERFILES)
def test_what_installs_packages_is_not_in_the_image(image: str) -> None:
    """pip runs in a stage of its own, and the base image's is removed where its packages are copied in."""
    packages, last = re.split(r"^FROM \$\{PYTHON_IMAGE\}", DOCKERFILES[image], flags=re.MULTILINE)[1:]
    assert packages.startswith(" AS packages\n")
    assert INSTALL in packages
    assert "pip install" not in last
    assert "rm -rf /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/lib/python3.*/site-packages/*\n" in last
    assert "\nCOPY --from=packages /opt/venv /opt/venv\n" in last
    assert read_dockerfile(ROOT / "images" / image / "Dockerfile").environment["PATH"].startswith("/opt/venv/bin:")


@pytest.mark.parametrize("image", DOCKERFILES)
def test_an_image_says_what_it_is(image: str) -> None:
    """In OCI's words; what a build knows and a Dockerfile does not comes as arguments."""
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', DOCKERFILES[image]))
    assert labels.pop("description")
    assert labels == {
        "title": f"profile-studio/{image}",
        "licenses": PROJECT["license"],
        "source": "${SOURCE}",
        "revision": "${REVISION}",
        "version": "${VERSION}",
    }
    assert {"ARG VERSION=dev", "ARG REVISION", "ARG SOURCE"} <= set(DOCKERFILES[image].splitlines())
    assert len(DOCKERFILES) == len(set(re.findall(r'description="(.*)"', "\n".join(DOCKERFILES.values()))))


@pytest.mark.parametrize("image", DOCKERFILES)
def test_a_builder_may_choose_the_pytorch_of_an_image_that_has_one(image: str) -> None:
    """Another lock and one more index, both of the builder's own; hashes are asked for all the same."""
    text = DOCKERFILES[image]
    lines = text.splitlines()
    install = next(place for place, line in enumerate(lines) if INSTALL in line)
    if "torch" not in pinned(text):
        assert "CONSTRAINTS" not in text
        return
    assert f"ARG CONSTRAINTS=constraints/{image}.txt" in lines[:install]
    # Without a value: it stays unset, and pip's own index is the only one.
    assert "ARG PIP_EXTRA_INDEX_URL" in lines[:install]
    assert "COPY ${CONSTRAINTS} /opt/constraints.txt" in lines[:install]


@pytest.mark.parametrize("image", DOCKERFILES)
def test_no_index_is_named_in_an_image(image: str) -> None:
    assert re.findall(r"https?://|--(?:extra-)?index-url|--find-links", DOCKERFILES[image]) == []
