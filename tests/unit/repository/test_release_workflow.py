"""The workflows, as far as they can be tried without a runner: shape, rights, and what the release refuses."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from profile_sandbox import add_ons, build, programs

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".github" / "workflows"
CHART = Path("charts") / "profile-studio" / "Chart.yaml"
WORKFLOWS: dict[str, dict[str, Any]] = {path.name: yaml.safe_load(path.read_text()) for path in FOLDER.iterdir()}
JOBS: dict[str, Any] = WORKFLOWS["release.yaml"]["jobs"]
CHECKS = {step["name"]: step for step in JOBS["check"]["steps"] if "name" in step}
BASE_IMAGE, REGISTRY, VERSION = CHECKS.values()
DIGEST = "sha256:" + "0123456789abcdef" * 4
WRITES_IMAGES = {"contents": "read", "packages": "write", "id-token": "write"}
READS = {"contents": "read"}
# A tag may be moved to other code, a commit may not. What is named by a tag all the same, and why.
BY_TAG = {
    "debian:12": "its digest changes with every security update, and an old one's package lists are gone",
}
PINNED = re.compile(r"^ *-? *uses: ([a-z-]+/[a-z-]+)@([0-9a-f]{40}) # (v[0-9]+\.[0-9]+\.[0-9]+)$")


def checked(step: dict[str, Any], folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """A step's script, run as the runner runs it."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)


def steps_of(job: str) -> list[dict[str, Any]]:
    return list(JOBS[job].get("steps", []))


def every_step() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        for job, declared in workflow["jobs"].items():
            for step in declared.get("steps", []):
                yield f"{name}: {job}", step


def before(job: str) -> set[str]:
    """The jobs that must have gone well before this one starts."""
    needs = JOBS[job].get("needs", [])
    direct = {needs} if isinstance(needs, str) else set(needs)
    return direct.union(*(before(name) for name in direct))


def actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    folder = add_ons.ACTIONS.folder
    if build.missing(folder, [programs.ACTIONS]):
        pytest.fail("actionlint is not compiled: run `make checks`")
    # shellcheck and pyflakes are asked only where a machine happens to have them: then not at all.
    command = [str(folder / "actionlint"), "-no-color", "-oneline", "-shellcheck=", "-pyflakes=", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_actionlint_finds_nothing() -> None:
    done = actionlint(*sorted(FOLDER.iterdir()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_actionlint_refuses_a_job_that_there_is_not(tmp_path: Path) -> None:
    workflow = tmp_path / "release.yaml"
    workflow.write_text((FOLDER / "release.yaml").read_text().replace("needs: chart\n", "needs: charts\n"))
    done = actionlint(workflow)
    assert done.returncode == 1
    assert "charts" in done.stdout


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_has_the_rights_that_it_says_and_no_others(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert all("permissions" in job for job in WORKFLOWS[name]["jobs"].values())


def test_rights_are_narrow() -> None:
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "check": READS,
        "tests": READS,
        "images": WRITES_IMAGES,
        "chart": WRITES_IMAGES,
        "plugin": {"contents": "write"},
    }
    assert {name: job["permissions"] for name, job in WORKFLOWS["test.yaml"]["jobs"].items()} == {"test": READS}


def test_the_clones_credentials_are_not_left_to_what_is_run_after() -> None:
    checkouts = [(place, step) for place, step in every_step() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 5
    assert [place for place, step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


def test_an_action_is_named_by_its_commit_with_the_version_beside_it() -> None:
    lines = [line for path in FOLDER.iterdir() for line in path.read_text().splitlines() if "uses:" in line]
    others = [line.split()[-1] for line in lines if not PINNED.match(line)]
    assert others == ["./.github/workflows/test.yaml"]
    pins = {match.groups() for line in lines if (match := PINNED.match(line))}
    # Of one action, one version: two would be read, and one of them would be forgotten.
    assert len({action for action, _, _ in pins}) == len(pins)
    assert len({commit for _, commit, _ in pins}) == len(pins)


def test_an_image_that_a_job_runs_in_is_named_by_its_digest() -> None:
    jobs = [job for workflow in WORKFLOWS.values() for job in workflow["jobs"].values() if "container" in job]
    images = {job["container"]["image"] for job in jobs}
    assert {image for image in images if "@sha256:" not in image} == BY_TAG.keys()


def test_no_expression_is_pasted_into_a_script() -> None:
    """A branch or tag may be named like a command: scripts get such words as variables."""
    assert [place for place, step in every_step() if "${{" in step.get("run", "")] == []


def test_a_pull_request_runs_every_test_and_uploads_nothing() -> None:
    workflow = WORKFLOWS["test.yaml"]
    # YAML 1.1 reads the word `on` as true.
    triggers = workflow[True]  # type: ignore[index]
    assert {"pull_request", "workflow_call"} <= triggers.keys()
    assert "pull_request_target" not in triggers
    steps = workflow["jobs"]["test"]["steps"]
    assert steps[-1]["run"] == "make test"
    used = {step["uses"].partition("@")[0] for step in steps if "uses" in step}
    assert used == {"actions/checkout", "actions/setup-go"}
    (go,) = (step for step in steps if step.get("uses", "").startswith("actions/setup-go@"))
    assert go["with"]["cache"] is False
    assert (ROOT / go["with"]["go-version-file"]).is_file()
    assert "secrets." not in (FOLDER / "test.yaml").read_text()


def test_nothing_is_pushed_before_every_test_has_passed() -> None:
    assert JOBS["tests"]["uses"] == "./.github/workflows/test.yaml"
    for name, job in JOBS.items():
        if "write" in job["permissions"].values():
            assert {"check", "tests"} <= before(name), name
    assert {"images", "chart"} <= before("plugin")
    assert not [name for name, job in JOBS.items() if "if" in job or "continue-on-error" in job]


@pytest.mark.parametrize("job", ["images", "chart"])
def test_who_signs_has_logged_in_where_cosign_looks(job: str) -> None:
    steps = steps_of(job)
    login = next(place for place, step in enumerate(steps) if step.get("uses", "").startswith("docker/login-action@"))
    signs = [place for place, step in enumerate(steps) if "cosign sign" in step.get("run", "")]
    assert signs
    assert login < min(signs)
    assert not [step for step in steps if "registry login" in step.get("run", "")]


def test_images_and_chart_bear_the_version_without_the_v() -> None:
    (built,) = (step for step in steps_of("images") if step.get("id") == "build")
    assert built["with"]["tags"].endswith("/${{ matrix.image }}:${{ needs.check.outputs.version }}")
    assert "VERSION=${{ needs.check.outputs.version }}" in built["with"]["build-args"].splitlines()
    (pushed,) = (step for step in steps_of("chart") if "helm push" in step.get("run", ""))
    assert pushed["env"]["VERSION"] == "${{ needs.check.outputs.version }}"
    assert '"profile-studio-$VERSION.tgz"' in pushed["run"]


def test_every_image_is_built_for_arm64_too_where_its_packages_have_wheels() -> None:
    matrix = JOBS["images"]["strategy"]["matrix"]
    platforms = dict.fromkeys(matrix["image"], matrix["platforms"][0])
    platforms |= {combination["image"]: combination["platforms"] for combination in matrix["include"]}
    assert platforms.keys() == {path.parent.name for path in ROOT.glob("images/*/Dockerfile")}
    for image, built in platforms.items():
        # The one pinned package without a wheel for Linux on arm64; the base image has no compiler.
        compiled = "\npsutil==5.9.8 " in (ROOT / "constraints" / f"{image}.txt").read_text()
        assert ("linux/arm64" in built.split(",")) != compiled, image


def test_the_releases_notes_are_written() -> None:
    (release,) = (step["run"] for step in steps_of("plugin") if "gh release create" in step.get("run", ""))
    assert "--generate-notes" in release
    assert "--verify-tag" in release


def versions_in(root: Path) -> dict[str, str]:
    chart = yaml.safe_load((root / CHART).read_text())
    python = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return {"chart": chart["version"], "images": chart["appVersion"], "plug-in": python}


def test_chart_images_and_plug_in_have_one_version() -> None:
    """The chart asks for images tagged with its appVersion, and the release tags them with the chart's version."""
    versions = versions_in(ROOT)
    assert set(versions.values()) == {versions["chart"]}, versions


def clone(folder: Path, *, chart: str = "1.2.3", app: str = "1.2.3", python: str = "1.2.3") -> Path:
    """What the version's step reads: this repository's files, at other versions."""
    said = versions_in(ROOT)
    (folder / CHART).parent.mkdir(parents=True)
    text = (ROOT / CHART).read_text()
    text = text.replace(f"\nversion: {said['chart']}\n", f"\nversion: {chart}\n")
    (folder / CHART).write_text(text.replace(f"\nappVersion: {said['images']}\n", f"\nappVersion: {app}\n"))
    text = (ROOT / "pyproject.toml").read_text()
    plugin = said["plug-in"]
    (folder / "pyproject.toml").write_text(text.replace(f'\nversion = "{plugin}"\n', f'\nversion = "{python}"\n', 1))
    return folder


def tagged(folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return checked(VERSION, folder, GITHUB_REF_NAME=tag, GITHUB_OUTPUT=str(folder / "output"))


def test_a_tag_of_the_version_that_everything_has_is_taken(tmp_path: Path) -> None:
    done = tagged(clone(tmp_path), "v1.2.3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "output").read_text() == "version=1.2.3\n"
    assert JOBS["check"]["outputs"]["version"] == "${{ steps.version.outputs.version }}"


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2.4", "v1.2", "vv1.2.3", "v1.2.3-rc.1", "v1.2.3 v1.2.3", "version-1.2.3"])
def test_any_other_tag_ends_the_release(tmp_path: Path, tag: str) -> None:
    done = tagged(clone(tmp_path), tag)
    assert done.returncode == 1
    assert done.stdout.startswith(f"::error::the tag is '{tag}'")
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("other", ["chart", "app", "python"])
def test_a_version_of_its_own_ends_the_release(tmp_path: Path, other: str) -> None:
    done = tagged(clone(tmp_path, **{other: "1.2.2"}), "v1.2.3")
    assert done.returncode == 1
    assert "'1.2.2'" in done.stdout


def test_the_registry_and_its_host_are_taken() -> None:
    done = checked(REGISTRY, REGISTRY="registry.example.com:5000/a/studio", REGISTRY_HOST="registry.example.com:5000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("registry", "host"),
    [
        ("", ""),
        ("registry.example.com/studio", ""),
        ("", "registry.example.com"),
        ("registry.example.com", "registry.example.com"),
        ("registry.example.com/", "registry.example.com"),
        ("registry.example.com/studio/", "registry.example.com"),
        ("registry.example.com/Studio", "registry.example.com"),
        ("registry.example.com.evil/studio", "registry.example.com"),
    ],
)
def test_any_other_registry_ends_the_release(registry: str, host: str) -> None:
    done = checked(REGISTRY, REGISTRY=registry, REGISTRY_HOST=host)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::")


def test_the_base_image_that_is_looked_at_is_the_one_that_is_built_upon() -> None:
    given = BASE_IMAGE["env"]["PYTHON_IMAGE"]
    (built,) = (step for step in steps_of("images") if step.get("id") == "build")
    assert f"PYTHON_IMAGE={given}" in built["with"]["build-args"].splitlines()


@pytest.mark.parametrize("name", ["python", "docker.io/library/python:3.11-slim", "registry.example.com:5000/base/py"])
def test_a_base_image_named_by_its_digest_is_taken(name: str) -> None:
    done = checked(BASE_IMAGE, PYTHON_IMAGE=f"{name}@{DIGEST}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "image",
    [
        "",
        "docker.io/library/python:3.11-slim",
        f"@{DIGEST}",
        f"python@{DIGEST[:-1]}",
        f"python@{DIGEST} ",
        f"python@{DIGEST.upper()}",
        "python@sha512:" + "0" * 128,
        f"python@{DIGEST}\npython",
    ],
)
def test_any_other_base_image_ends_the_release(image: str) -> None:
    done = checked(BASE_IMAGE, PYTHON_IMAGE=image)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::")
    assert image in done.stdout
