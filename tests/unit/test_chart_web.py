"""The page in the Helm chart."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chart import CHART as FOLDER
from chart import CPU, Object, of_kind, render, run, the
from profile_sandbox.values import web_values
from profile_web.config import WebConfig

NAME = "profile-studio-web"


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The arguments with which the page runs in the sandbox."""
    file = tmp_path_factory.mktemp("web") / "values.yaml"
    file.write_text(yaml.safe_dump(web_values("127.0.0.1:9000")))
    return (*CPU, "--values", str(file))


def _config(*arguments: str) -> WebConfig:
    return WebConfig.model_validate(yaml.safe_load(the("ConfigMap", NAME, *arguments)["data"]["config.yaml"]))


def test_without_it_nothing_of_it_is_made() -> None:
    assert not [found for found in render() if NAME in found["metadata"]["name"]]


def test_its_configuration_is_what_the_program_reads(values: tuple[str, ...]) -> None:
    config = _config(*values)
    assert (config.sign_in.mode, config.sign_in.user) == ("Local", "you")
    assert config.namespaces.default == "demo"
    assert config.store.url(public=True) == "s3://profile-studio?endpoint=127.0.0.1:9000&secure=false&region=us-east-1"
    assert (config.defaults.minimum_likeness, config.defaults.training) == (0, None)


def test_it_may_make_requests_in_its_visitors_namespaces_and_nowhere_else(values: tuple[str, ...]) -> None:
    places = ("--set", "web.namespaces.byGroup.hr=portraits-hr", "--set", "web.namespaces.byUser.ceo=portraits-hr")
    bindings = [
        found
        for found in render(*values, *places)
        if found["kind"] == "RoleBinding" and found["metadata"]["name"].startswith(NAME)
    ]
    assert [binding["metadata"]["namespace"] for binding in bindings] == ["demo", "portraits-hr"]
    assert {binding["roleRef"]["name"] for binding in bindings} == {f"{NAME}-requests"}
    assert the("ClusterRole", f"{NAME}-requests", *values)["rules"] == [
        {
            "apiGroups": ["profilestudio.io"],
            "resources": ["profilerequests"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        }
    ]
    (bound,) = (found for name, found in of_kind("ClusterRoleBinding", *values).items() if name.startswith(NAME))
    assert bound["roleRef"]["name"] == f"{NAME}-styles"


def test_its_container(values: tuple[str, ...]) -> None:
    pod = the("Deployment", NAME, *values)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    names: Object = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one
    }
    assert names == {"AWS_ACCESS_KEY_ID": "profile-web-store", "AWS_SECRET_ACCESS_KEY": "profile-web-store"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_behind_a_proxy_nobody_else_reaches_it(values: tuple[str, ...]) -> None:
    proxy = '[{"podSelector":{"matchLabels":{"app":"oauth2-proxy"}}}]'
    ports = the("NetworkPolicy", NAME, *values)["spec"]["ingress"]
    assert [rule["ports"][0]["port"] for rule in ports] == ["metrics"]
    first = the("NetworkPolicy", NAME, *values, "--set-json", f"networkPolicies.webFrom={proxy}")["spec"]["ingress"][0]
    assert first["from"] == [{"podSelector": {"matchLabels": {"app": "oauth2-proxy"}}}]
    assert first["ports"] == [{"port": "http", "protocol": "TCP"}]


def test_ingress_and_budget_on_demand(values: tuple[str, ...]) -> None:
    assert not of_kind("Ingress", *values)
    assert not of_kind("PodDisruptionBudget", *values)
    more = ("--set", "web.ingress.enabled=true,web.ingress.host=portraits.example.com,web.ingress.tlsSecret=tls")
    (rule,) = the("Ingress", NAME, *values, *more)["spec"]["rules"]
    assert rule["host"] == "portraits.example.com"
    assert the("PodDisruptionBudget", NAME, *values, "--set", "web.replicas=2")["spec"]["maxUnavailable"] == 1


def test_a_page_without_a_store_for_browsers_is_refused_in_words() -> None:
    result = run("template", "profile-studio", str(FOLDER), "--set", "web.enabled=true")
    assert result.returncode != 0
    assert "web.store.publicUrl" in result.stderr


def test_the_program_refuses_a_configuration_in_words(tmp_path: Path) -> None:
    from profile_web.config import ConfigError, read_config

    file = tmp_path / "config.yaml"
    file.write_text("store: {endpoint: minio:9000, bucket: profiles, publicUrl: minio}")
    with pytest.raises(ConfigError, match=r"store\.publicUrl"):
        read_config(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "missing.yaml")
