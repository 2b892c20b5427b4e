"""Who may do what by the chart's roles, and what is asked before a release goes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import yaml

from chart import CHART, CLUSTER, Object, of_kind, render, run, the

READING = {"get", "list", "watch"}
STYLES = ("profilestyles", "clusterprofilestyles", "styleadapters", "clusterstyleadapters")
WEB = ("--set", "web.enabled=true,web.store.publicUrl=https://store.example.com,web.namespaces.default=hr")


def aggregated(role: str, *arguments: str) -> dict[str, set[str]]:
    """What the roles of this release add to one of Kubernetes' own for people: resource -> verbs."""
    label = f"rbac.authorization.k8s.io/aggregate-to-{role}"
    rights: dict[str, set[str]] = {}
    for found in of_kind("ClusterRole", *arguments).values():
        if found["metadata"]["labels"].get(label) == "true":
            for rule in found["rules"]:
                for resource in rule["resources"]:
                    rights.setdefault(resource, set()).update(rule["verbs"])
    return rights


def test_by_default_nobody_is_given_gpu_time() -> None:
    for role in ("view", "edit", "admin"):
        assert aggregated(role) == dict.fromkeys(("profilerequests", *STYLES), READING)


def test_editors_may_ask_for_portraits_where_the_platform_says_so_and_viewers_never() -> None:
    told = ("--set", "rbac.aggregate=true")
    assert aggregated("view", *told) == dict.fromkeys(("profilerequests", *STYLES), READING)
    for role in ("edit", "admin"):
        rights = aggregated(role, *told)
        for kind in ("profilerequests", "profilestyles", "styleadapters"):
            assert rights[kind] == READING | {"create", "update", "patch", "delete"}
        assert rights["clusterprofilestyles"] == rights["clusterstyleadapters"] == READING


def test_the_edit_role_alone_is_enough_to_work_with_requests() -> None:
    rule, looks, place = the("ClusterRole", f"{CLUSTER}-edit")["rules"]
    assert looks == {**rule, "resources": ["styleadapters"]}
    # Photos lie where the UID of the namespace says.
    assert place == {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
    assert rule == {
        "apiGroups": ["profilestudio.io"],
        "resources": ["profilerequests", "profilestyles"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    }


def test_the_page_may_do_what_its_visitors_do_and_no_more() -> None:
    requests, own, place = the("ClusterRole", f"{CLUSTER}-web-requests", *WEB)["rules"]
    assert requests["resources"] == ["profilerequests"]
    assert set(requests["verbs"]) <= {"get", "list", "create", "patch", "delete"}
    assert (own["resources"], set(own["verbs"])) == (["profilestyles"], {"get", "list"})
    assert place == {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
    (rule,) = the("ClusterRole", f"{CLUSTER}-web-styles", *WEB)["rules"]
    assert (rule["resources"], set(rule["verbs"])) == (["clusterprofilestyles"], {"get", "list"})


def test_looks_of_the_cluster_are_learnt_in_the_releases_own_namespace_and_nothing_else_is_done_there() -> None:
    served = ("--set", "watchNamespaces={hr}")
    rules = the("Role", "profile-studio-cluster-looks", *served)["rules"]
    rights = {resource: set(rule["verbs"]) for rule in rules for resource in rule["resources"]}
    assert rights == {
        "jobs": {"get", "list", "create", "delete"},
        "secrets": {"create", "delete"},
        "namespaces": {"get"},
    }
    # Where requests are served there, or everywhere, it is among what the operator may do anyway.
    for arguments in ((), ("--set", "clusterWide=true"), ("--set", "watchNamespaces={hr,profile-system}")):
        assert "profile-studio-cluster-looks" not in of_kind("Role", *arguments)
    owned = [rule for rule in the("ClusterRole", f"{CLUSTER}-cluster")["rules"] if rule["verbs"] == ["update"]]
    assert [rule["resources"] for rule in owned] == [["clusterstyleadapters/finalizers"]]


def rendered(release: str, namespace: str) -> set[tuple[str, str, str]]:
    result = run(
        *("template", release, str(CHART), "--namespace", namespace),
        *("--set", f"watchNamespaces={{{namespace}-requests}}", *WEB, "--set", "crds.install=false"),
        *("--set", f"styles.install=false,web.namespaces.default={namespace}-requests"),
    )
    assert result.returncode == 0, result.stderr

    return {
        (found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"])
        for found in yaml.safe_load_all(result.stdout)
        if found
    }


def test_two_teams_releases_of_one_name_share_no_object() -> None:
    first, second = rendered("profile-studio", "team-a"), rendered("profile-studio", "team-b")
    assert first
    assert first & second == set()


def test_every_binding_names_a_role_that_there_is() -> None:
    for arguments in (WEB, (*WEB, "--set", "watchNamespaces={hr}")):
        roles = set(of_kind("ClusterRole", *arguments)) | set(of_kind("Role", *arguments))
        bindings = [found for found in render(*arguments) if found["kind"].endswith("RoleBinding")]
        assert bindings
        for binding in bindings:
            assert binding["roleRef"]["name"] in roles, binding["metadata"]["name"]


def test_nobody_may_read_or_change_a_secret() -> None:
    """A patch answers with the content of what it changed, so it is as good as reading."""
    everything = (*WEB, "--set", "predictor.enabled=true", "--set", "database.existingSecret=a")
    for arguments in ((), everything, (*everything, "--set", "watchNamespaces={hr}")):
        roles = [*of_kind("ClusterRole", *arguments).values(), *of_kind("Role", *arguments).values()]
        rules = [rule for role in roles for rule in role["rules"] if {"secrets", "*"} & set(rule["resources"])]
        assert rules
        for rule in rules:
            assert set(rule["verbs"]) <= {"create", "delete"}


# --- before a release goes ---------------------------------------------------------------------------------------


def job(*arguments: str) -> Object:
    return the("Job", "profile-studio-uninstall", *arguments)


def test_before_a_release_goes_its_requests_are_looked_for() -> None:
    notes = job()["metadata"]["annotations"]
    assert notes["helm.sh/hook"] == "pre-delete"
    # Helm shows the log, which says what to do.
    assert notes["helm.sh/hook-output-log-policy"] == "hook-failed"
    spec = job()["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 120)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "profile_operator.release.end"]
    assert container["args"] == ["--release=profile-system/profile-studio", "--namespace=profile-system"]
    assert the("ClusterRole", f"{CLUSTER}-uninstall")["rules"] == [
        {"apiGroups": ["profilestudio.io"], "resources": ["profilerequests"], "verbs": ["list"]}
    ]


def test_it_looks_where_the_release_serves() -> None:
    def arguments(*values: str) -> list[str]:
        found: list[str] = job(*values)["spec"]["template"]["spec"]["containers"][0]["args"]
        return found[1:]

    named = ("--set", "watchNamespaces={hr,campus}")
    assert arguments(*named) == ["--namespace=hr", "--namespace=campus"]
    # With the definitions every request of the cluster would go.
    assert arguments(*named, "--set", "crds.keep=false") == ["--definitions-go"]
    assert arguments(*named, "--set", "crds.keep=false,crds.install=false") == ["--namespace=hr", "--namespace=campus"]


def test_whoever_wants_no_such_question_says_so() -> None:
    names = {
        name
        for kind in ("Job", "ServiceAccount", "ClusterRole")
        for name in of_kind(kind, "--set", "uninstall.check=false")
    }
    assert not [name for name in names if "uninstall" in name]


@pytest.mark.parametrize("kind", ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"])
def test_its_rights_are_there_before_it_and_gone_after_it(kind: str) -> None:
    (found,) = (found for name, found in of_kind(kind).items() if name.endswith("-uninstall"))
    notes = found["metadata"]["annotations"]
    assert (notes["helm.sh/hook"], notes["helm.sh/hook-weight"]) == ("pre-delete", "-1")
    assert set(notes["helm.sh/hook-delete-policy"].split(",")) == {
        "before-hook-creation",
        "hook-succeeded",
        "hook-failed",
    }


def test_the_operator_may_hold_its_own_lease_in_its_own_namespace_and_no_other() -> None:
    everywhere = [rule for role in of_kind("ClusterRole").values() for rule in role["rules"]]
    assert not [rule for rule in everywhere if {"leases", "*"} & set(rule["resources"])]
    create, held = the("Role", "profile-studio-operator-lease")["rules"]
    assert (create["resources"], create["verbs"]) == (["leases"], ["create"])
    assert (held["resourceNames"], set(held["verbs"])) == (["profile-studio-operator"], {"get", "patch"})
    config = yaml.safe_load(the("ConfigMap", "profile-studio-operator")["data"]["config.yaml"])
    assert config["lease"] == {"namespace": "profile-system", "name": "profile-studio-operator"}


def test_a_single_operator_has_no_budget_that_would_hold_a_node() -> None:
    assert the("PodDisruptionBudget", "profile-studio-operator")["spec"]["maxUnavailable"] == 1
    assert "profile-studio-operator" not in of_kind("PodDisruptionBudget", "--set", "operator.replicas=1")


def test_without_roles_of_its_own_the_chart_leaves_out_every_one_and_nothing_else() -> None:
    """Whoever may write no roles installs the rest, hooks included, for accounts that keep their names."""
    everything = ("--set", "database.existingSecret=dsn,clusterWide=true", *WEB)
    made, left = render(*everything), render(*everything, "--set", "rbac.create=false")
    rights = [found for found in made if found["apiVersion"].startswith("rbac.authorization.k8s.io/")]
    # Of the operator, its lease, the page, the history, and the two hooks.
    assert {found["metadata"]["labels"]["app.kubernetes.io/component"] for found in rights} == {
        "operator", "web", "history", "test", "uninstall",
    }  # fmt: skip
    assert names(left) == names(found for found in made if found not in rights)


def names(objects: Iterable[Object]) -> list[tuple[str, str]]:
    """Kind and name of each, in the order of the chart."""
    return [(found["kind"], found["metadata"]["name"]) for found in objects]
