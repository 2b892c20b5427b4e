"""The page in the Helm chart."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chart import CHART as FOLDER
from chart import CLUSTER, CPU, Object, of_kind, render, run, the
from profile_sandbox.values import web_values
from profile_web.config import VisitorLimits, WebConfig

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
    assert {binding["roleRef"]["name"] for binding in bindings} == {f"{CLUSTER}-web-requests"}
    assert the("ClusterRole", f"{CLUSTER}-web-requests", *values)["rules"] == [
        {
            "apiGroups": ["profilestudio.io"],
            "resources": ["profilerequests"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        },
        {"apiGroups": ["profilestudio.io"], "resources": ["profilestyles"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]
    bound = the("ClusterRoleBinding", f"{CLUSTER}-web-styles", *values)
    assert bound["roleRef"]["name"] == f"{CLUSTER}-web-styles"


def test_its_container(values: tuple[str, ...]) -> None:
    pod = the("Deployment", NAME, *values)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    names: Object = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one
    }
    assert names == {
        "AWS_ACCESS_KEY_ID": "profile-web-store",
        "AWS_SECRET_ACCESS_KEY": "profile-web-store",
        "PROFILE_WEB_OWNER_KEY": f"{NAME}-owner",
    }
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
    assert NAME not in of_kind("PodDisruptionBudget", *values)
    more = ("--set", "web.ingress.enabled=true,web.ingress.host=portraits.example.com,web.ingress.tlsSecret=tls")
    (rule,) = the("Ingress", NAME, *values, *more)["spec"]["rules"]
    assert rule["host"] == "portraits.example.com"
    assert the("PodDisruptionBudget", NAME, *values, "--set", "web.replicas=2")["spec"]["maxUnavailable"] == 1


def test_a_page_without_a_store_for_browsers_is_refused_in_words() -> None:
    result = run("template", "profile-studio", str(FOLDER), "--set", "web.enabled=true")
    assert result.returncode != 0
    assert "web.store.publicUrl" in result.stderr


def test_the_program_refuses_a_configuration_in_words(tmp_path: Path) -> None:
    from profile_runtime.configuration import ConfigError, read_config

    file = tmp_path / "config.yaml"
    file.write_text("store: {endpoint: minio:9000, bucket: profiles, publicUrl: minio}")
    with pytest.raises(ConfigError, match=r"store\.publicUrl"):
        read_config(file, WebConfig, "PROFILE_WEB_CONFIG")
    with pytest.raises(ConfigError, match=r"cannot be read: .*; set PROFILE_WEB_CONFIG"):
        read_config(tmp_path / "missing.yaml", WebConfig, "PROFILE_WEB_CONFIG")


# --- who is believed ---------------------------------------------------------------------------------------------

HEADER = (
    "--set", "web.enabled=true,web.store.publicUrl=https://store.example.com,web.namespaces.default=portraits",
)  # fmt: skip
INGRESS = ("--set", "web.ingress.enabled=true,web.ingress.host=portraits.example.com")
PROXY = ("--set-json", 'networkPolicies.webFrom=[{"podSelector":{"matchLabels":{"app":"oauth2-proxy"}}}]')
SECRET = ("--set", "web.signIn.proxySecret=page-proxy")


@pytest.mark.parametrize(
    ("more", "accepted"),
    [
        ((), True),
        (INGRESS, False),
        ((*INGRESS, *PROXY), True),
        ((*INGRESS, *SECRET), True),
        ((*INGRESS, *PROXY, "--set", "networkPolicies.enabled=false"), False),
        ((*INGRESS, *SECRET, "--set", "networkPolicies.enabled=false"), True),
    ],
)
def test_an_ingress_that_leads_past_the_sign_in_is_refused_in_words(more: tuple[str, ...], *, accepted: bool) -> None:
    result = run("template", "profile-studio", str(FOLDER), *CPU, *HEADER, *more)
    assert (result.returncode == 0) is accepted, result.stderr
    assert accepted or "web.signIn.proxySecret" in result.stderr


def test_the_proxys_secret_reaches_the_page_and_not_its_configuration() -> None:
    (container,) = the("Deployment", NAME, *CPU, *HEADER, *SECRET)["spec"]["template"]["spec"]["containers"]
    (variable,) = (one for one in container["env"] if one["name"] == "PROFILE_WEB_PROXY_SECRET")
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "page-proxy", "key": "secret"}
    assert "page-proxy" not in the("ConfigMap", NAME, *CPU, *HEADER, *SECRET)["data"]["config.yaml"]
    assert _config(*CPU, *HEADER, *SECRET) == _config(*CPU, *HEADER)


def test_the_owners_key_is_made_once_and_kept() -> None:
    import base64

    secret = the("Secret", f"{NAME}-owner", *CPU, *HEADER)
    assert len(base64.b64decode(secret["data"]["key"])) == 48
    assert secret["immutable"] is True
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    own = (*CPU, *HEADER, "--set", "web.signIn.ownerKeySecret=my-key")
    assert f"{NAME}-owner" not in of_kind("Secret", *own)
    (container,) = the("Deployment", NAME, *own)["spec"]["template"]["spec"]["containers"]
    (variable,) = (one for one in container["env"] if one["name"] == "PROFILE_WEB_OWNER_KEY")
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "my-key", "key": "key"}


def test_the_owners_label_cannot_be_changed() -> None:
    spec = the("ValidatingAdmissionPolicy", f"{CLUSTER}-web-owner", *CPU, *HEADER)["spec"]
    assert spec["matchConstraints"]["resourceRules"] == [
        {
            "apiGroups": ["profilestudio.io"],
            "apiVersions": ["*"],
            "operations": ["UPDATE"],
            "resources": ["profilerequests"],
        }
    ]
    assert spec["failurePolicy"] == "Fail"
    binding = the("ValidatingAdmissionPolicyBinding", f"{CLUSTER}-web-owner", *CPU, *HEADER)["spec"]
    assert binding == {"policyName": f"{CLUSTER}-web-owner", "validationActions": ["Deny"]}
    without = (*CPU, *HEADER, "--set", "web.immutableOwner=false")
    assert not of_kind("ValidatingAdmissionPolicy", *without)
    assert not of_kind("ValidatingAdmissionPolicyBinding", *without)


def test_on_one_machine_the_ingress_host_is_the_pages_own(values: tuple[str, ...]) -> None:
    assert _config(*values).sign_in.hosts == []
    assert _config(*values, *INGRESS).sign_in.hosts == ["portraits.example.com"]
    assert _config(*CPU, *HEADER, *INGRESS, *SECRET).sign_in.hosts == []


def test_limits_and_how_long_drafts_stay_reach_the_program() -> None:
    more = ("--set", "web.limits.activeRequests=7,web.limits.streams=2,web.drafts.expireAfter=90m")
    config = _config(*CPU, *HEADER, *more)
    assert (config.limits.active_requests, config.limits.streams, config.drafts.seconds) == (7, 2, 5400)
    assert _config(*CPU, *HEADER).limits == VisitorLimits()
    wrong = run("template", "profile-studio", str(FOLDER), *CPU, *HEADER, "--set", "web.drafts.expireAfter=1week")
    assert wrong.returncode != 0
    assert "expireAfter" in wrong.stderr
