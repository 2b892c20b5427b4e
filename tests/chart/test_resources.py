"""The Helm chart's custom resource definitions and styles."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from chart import (
    CHART,
    ROOT,
    STYLES,
    STYLES_KNOWN,
    of_kind,
    the,
)
from profile_contract.style import ProfileStyleSpec

# --- custom resources --------------------------------------------------------------------------------------------


def test_the_chart_holds_the_generated_definitions() -> None:
    files = {file.name: file.read_text() for file in (ROOT / "crds").glob("*.yaml")}
    copies = {file.name: file.read_text() for file in (CHART / "files" / "crds").glob("*.yaml")}
    assert copies == files, "the chart's copy is old: run `make crds`"


def test_definitions_are_kept_unless_told_otherwise() -> None:
    for found in of_kind("CustomResourceDefinition").values():
        assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    for found in of_kind("CustomResourceDefinition", "--set", "crds.keep=false").values():
        assert "annotations" not in found["metadata"]
    assert not of_kind("CustomResourceDefinition", "--set", "crds.install=false")


def test_styles_are_complete() -> None:
    styles = of_kind("ClusterProfileStyle", *STYLES_KNOWN)
    assert set(styles) == STYLES
    for style in styles.values():
        spec = ProfileStyleSpec.model_validate(style["spec"])
        assert spec.title.en
        assert spec.title.ko
        assert "{subject}" in spec.prompt
        assert "{tone}" in spec.prompt
        assert spec.negative_prompt
    tones = {name: style["spec"]["tone"] for name, style in styles.items()}
    assert (tones["studio-warm"], tones["studio-cool"]) == ("Warm", "Cool")


def test_warm_and_cool_differ_in_light_and_nothing_of_the_person() -> None:
    warm, cool = (
        the("ClusterProfileStyle", f"studio-{tone}", *STYLES_KNOWN)["spec"]["prompt"].split(", ")
        for tone in ("warm", "cool")
    )
    assert [(a, b) for a, b in zip(warm, cool, strict=True) if a != b] == [
        ("seamless cream paper backdrop", "seamless pale blue-grey paper backdrop")
    ]


def test_styles_come_by_a_hook_only_while_the_cluster_does_not_know_them() -> None:
    for style in of_kind("ClusterProfileStyle").values():
        assert style["metadata"]["annotations"] == {
            "helm.sh/hook": "post-install,post-upgrade",
            # Or a rollback to the first revision, whose objects they are not, would delete them.
            "helm.sh/resource-policy": "keep",
            "meta.helm.sh/release-name": "profile-studio",
            "meta.helm.sh/release-namespace": "profile-system",
        }
    for style in of_kind("ClusterProfileStyle", *STYLES_KNOWN).values():
        assert style["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert style["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert not of_kind("ClusterProfileStyle", "--set", "styles.install=false")


def test_the_install_page_shows_values_that_render(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    shown, *_ = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "values.yaml"
    file.write_text(shown)
    pod = the("Deployment", "profile-studio-operator", "--values", str(file))["spec"]["template"]["spec"]
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert pod["containers"][0]["image"] == f"registry.example.com/profile-studio/operator:{version}"
    binding = the("RoleBinding", "profile-studio-requests", "--values", str(file))
    assert binding["metadata"]["namespace"] == "hr"
