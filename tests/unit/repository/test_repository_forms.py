"""What the forge reads beside the workflows: owners, forms for issues and pull requests, Renovate's configuration."""

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from profile_sandbox import programs

ROOT = Path(__file__).resolve().parents[3]
FORGE = ROOT / ".github"
FORMS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((FORGE / "ISSUE_TEMPLATE").glob("*.yml"))}
RENOVATE: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
# A form's kinds of element, and what each must say beside its label.
ELEMENTS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def rules(manager: str) -> list[dict[str, Any]]:
    return [rule for rule in RENOVATE["packageRules"] if manager in rule["matchManagers"]]


def fields(form: str) -> dict[str, dict[str, Any]]:
    return {element["id"]: element for element in FORMS[form]["body"] if "id" in element}


# --- owners ------------------------------------------------------------------------------------------------------


def owners() -> dict[str, list[str]]:
    lines = (FORGE / "CODEOWNERS").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return {pattern: names for pattern, *names in words}


def test_every_path_has_owners_and_exists() -> None:
    declared = owners()
    # The last match counts: what is for everything comes first.
    assert next(iter(declared)) == "*"
    for pattern, names in declared.items():
        assert names, pattern
        assert [name for name in names if not re.fullmatch(r"@[a-z0-9-]+/[a-z0-9-]+", name)] == [], pattern
        path = ROOT / pattern.strip("/")
        assert pattern == "*" or (path.is_dir() if pattern.endswith("/") else path.is_file()), pattern


def test_security_looks_at_what_signs_and_at_what_is_installed() -> None:
    for pattern in ("/.github/", "/constraints/", "/docs/privacy.md"):
        assert "@profile-studio/security" in owners()[pattern]


# --- issues and pull requests ------------------------------------------------------------------------------------


def test_an_issue_is_a_bug_or_a_feature() -> None:
    assert FORMS.keys() == {"bug", "feature", "config"}
    assert FORMS["config"] == {"blank_issues_enabled": False}


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_a_form_is_one_that_the_forge_takes(name: str) -> None:
    form = FORMS[name]
    assert form.keys() == {"name", "description", "labels", "body"}
    for element in form["body"]:
        assert element["type"] in ELEMENTS
        attributes = element["attributes"]
        assert attributes.keys() >= ({"value"} if element["type"] == "markdown" else {"label"})
        assert element["type"] == "markdown" or re.fullmatch(r"[a-z]+", element["id"])
    labels = [element["attributes"]["label"] for element in form["body"] if element["type"] != "markdown"]
    assert len(set(labels)) == len(labels)
    assert len(fields(name)) == len(labels)


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_a_form_asks_for_the_doctor_and_refuses_faces(name: str) -> None:
    first, *_, last = FORMS[name]["body"]
    assert "Do not attach anybody's face" in first["attributes"]["value"]
    assert last["attributes"]["options"][0]["required"] is True
    assert "No face of a real person" in last["attributes"]["options"][0]["label"]
    doctor = fields(name)["doctor"]
    assert "profile-studio doctor" in doctor["attributes"]["description"]
    assert "kubectl profile doctor" in doctor["attributes"]["description"]
    assert doctor.get("validations", {}).get("required", False) is (name == "bug")


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_a_forms_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(\.\./blob/main/([^)]+)\)", (FORGE / "ISSUE_TEMPLATE" / f"{name}.yml").read_text()):
        assert (ROOT / target).is_file(), target


def test_a_pull_requests_commands_exist() -> None:
    text = (FORGE / "PULL_REQUEST_TEMPLATE.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {target for words in re.findall(r"`make ([a-z -]+)`", text) for target in words.split()}
    assert {"lint", "test"} <= asked <= targets
    assert "No face of a real person" in text


# --- Renovate ----------------------------------------------------------------------------------------------------


def test_every_manager_has_a_group() -> None:
    for manager in RENOVATE["enabledManagers"]:
        assert [rule for rule in rules(manager) if rule.get("groupName")], manager
    for rule in RENOVATE["packageRules"]:
        assert set(rule["matchManagers"]) <= set(RENOVATE["enabledManagers"])


def test_actions_are_kept_by_their_commits() -> None:
    assert any(rule.get("pinDigests") for rule in rules("github-actions"))


def test_the_lock_files_are_read_and_only_a_vulnerability_changes_one() -> None:
    (pattern,) = RENOVATE["pip_requirements"]["managerFilePatterns"]
    locks = {path for path in (ROOT / "constraints").glob("*.txt") if "--hash=" in path.read_text(errors="replace")}
    read = {
        path
        for path in ROOT.glob("*/*.txt")
        if re.search(pattern.strip("/"), str(path.relative_to(ROOT))) and path.is_file()
    }
    assert len(locks) > 1
    assert read == locks
    (rule,) = rules("pip_requirements")
    assert rule["enabled"] is False
    assert RENOVATE["vulnerabilityAlerts"]["enabled"] is RENOVATE["osvVulnerabilityAlerts"] is True
    (chosen,) = rules("pep621")
    assert "make lock" in chosen["prBodyNotes"][0]


def test_every_go_module_is_in_one_group() -> None:
    modules = [path.relative_to(ROOT) for path in (ROOT / "sandbox").rglob("go.mod")]
    assert len(modules) > 5
    for module in modules:
        groups = [
            rule["groupName"]
            for rule in rules("gomod")
            if "groupName" in rule and any(fnmatch.fnmatch(str(module), name) for name in rule["matchFileNames"])
        ]
        assert len(groups) == 1, module


def test_versions_that_programs_say_are_those_of_their_modules() -> None:
    """Renovate finds them in the sources; by hand they are raised with the module."""
    source = (ROOT / "sandbox" / "profile_sandbox" / "programs.py").read_text()
    pinned = dict(re.findall(r"^\t(\S+) v(\S+)", (programs.CLUSTER.folder / "go.mod").read_text(), re.MULTILINE))
    seen = {}
    for manager in RENOVATE["customManagers"]:
        (pattern,) = manager["matchStrings"]
        assert manager["managerFilePatterns"] == ["/^sandbox/profile_sandbox/programs\\.py$/"]
        (seen[manager["depNameTemplate"]],) = re.findall(pattern.replace("?<", "?P<"), source)
    assert seen == {"k8s.io/kubernetes": programs.KUBERNETES, "helm.sh/helm/v3": programs.HELM}
    assert seen == {name: pinned[name] for name in seen}
