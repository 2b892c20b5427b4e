"""Who may talk to whom, where the chart's values ask for more than the defaults."""

from __future__ import annotations

from chart import NAMES, Object, of_kind, render, the

WEB = ("--set", "web.enabled=true,web.store.publicUrl=https://store.example.com")
REDIS = ("--set", "redis.existingSecret=profile-redis")
REQUESTS = ("--set", "networkPolicies.requestNamespaces={hr,campus}")
CLOSED = ("--set", "networkPolicies.egress.enabled=true")
DNS: Object = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def tcp(*ports: int) -> Object:
    return {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def test_stages_reach_names_store_and_redis_and_nobody_calls_them() -> None:
    policies = [
        found
        for found in render(*REQUESTS, *REDIS)
        if found["kind"] == "NetworkPolicy" and found["metadata"]["name"] == "profile-studio-stages"
    ]
    assert [found["metadata"]["namespace"] for found in policies] == ["hr", "campus"]
    for policy in policies:
        assert policy["spec"] == {
            "podSelector": {"matchExpressions": [{"key": "profilestudio.io/stage", "operator": "Exists"}]},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [DNS, tcp(9000), tcp(6379)],
        }


def test_without_redis_stages_reach_the_store_alone() -> None:
    assert the("NetworkPolicy", "profile-studio-stages", *REQUESTS)["spec"]["egress"] == [DNS, tcp(9000)]
    assert "profile-studio-stages" not in of_kind("NetworkPolicy")


def test_the_store_can_be_named() -> None:
    peers = '[{"ipBlock":{"cidr":"10.0.0.8/32"}}]'
    named = ("--set-json", f"networkPolicies.egress.storeTo={peers}")
    egress = the("NetworkPolicy", "profile-studio-stages", *REQUESTS, *named)["spec"]["egress"]
    assert egress == [DNS, {**tcp(9000), "to": [{"ipBlock": {"cidr": "10.0.0.8/32"}}]}]
    predictor = the("NetworkPolicy", "profile-studio-predictor", *named)["spec"]["egress"]
    assert predictor[1:] == egress[1:]


def test_the_predictor_asks_for_names_where_it_may() -> None:
    node = '[{"ipBlock":{"cidr":"169.254.20.10/32"}}]'
    said = ("--set-json", f"networkPolicies.egress.dnsTo={node}")
    egress = the("NetworkPolicy", "profile-studio-predictor", *said)["spec"]["egress"]
    assert egress[0] == {**DNS, "to": [{"ipBlock": {"cidr": "169.254.20.10/32"}}]}


def test_who_may_draw_is_the_operator_and_who_is_named() -> None:
    peers = '[{"namespaceSelector":{"matchLabels":{"team":"notebooks"}}}]'
    draw, measure = the(
        "NetworkPolicy", "profile-studio-predictor", "--set-json", f"networkPolicies.predictorFrom={peers}"
    )["spec"]["ingress"]
    operator = {"podSelector": {"matchLabels": {**NAMES, "app.kubernetes.io/component": "operator"}}}
    assert draw == {"from": [operator, {"namespaceSelector": {"matchLabels": {"team": "notebooks"}}}], **tcp(8080)}
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert measure == {"from": [monitoring], **tcp(9090)}


def test_operator_and_page_go_out_freely_unless_told_otherwise() -> None:
    for name in ("profile-studio-operator", "profile-studio-web"):
        assert the("NetworkPolicy", name, *WEB)["spec"]["policyTypes"] == ["Ingress"]
        assert "egress" not in the("NetworkPolicy", name, *WEB)["spec"]


def test_operator_and_page_reach_what_they_need() -> None:
    database = ("--set", "database.existingSecret=profile-database")
    arguments = (*WEB, *REDIS, *CLOSED, *database)
    operator, page = (
        the("NetworkPolicy", f"profile-studio-{name}", *arguments)["spec"] for name in ("operator", "web")
    )
    assert operator["policyTypes"] == page["policyTypes"] == ["Ingress", "Egress"]
    assert page["egress"] == [tcp(443, 6443), DNS, tcp(9000), tcp(6379)]
    assert operator["egress"] == [*page["egress"], tcp(5432), tcp(80, 8080)]
    assert operator["podSelector"]["matchLabels"] == {**NAMES, "app.kubernetes.io/component": "operator"}
