"""Who may talk to whom, where the chart's values ask for more than the defaults."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from chart import DNS, NAMES, Object, of_kind, render, the

WEB = (
    *("--set", "web.enabled=true,web.store.publicUrl=https://store.example.com"),
    *("--set", "database.existingSecret=profile-database"),
)
REDIS = ("--set", "redis.existingSecret=profile-redis")
REQUESTS = ("--set", "networkPolicies.requestNamespaces={hr,campus}")
CLOSED = ("--set", "networkPolicies.egress.enabled=true")
EVERYWHERE = (
    "profile-studio-operator",
    "profile-studio-history",
    "profile-studio-web",
    "profile-studio-predictor",
    "profile-studio-stages",
)
METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")
PREDICTORS: Object = {
    "ports": [{"port": 8080, "protocol": "TCP"}],
    "to": [
        {
            "podSelector": {"matchExpressions": [{"key": "serving.kserve.io/inferenceservice", "operator": "Exists"}]},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "profile-system"}},
        }
    ],
}


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


def test_the_store_can_be_named_for_everybody_who_reaches_it() -> None:
    peers = '[{"ipBlock":{"cidr":"10.0.0.8/32"}}]'
    named = ("--set-json", f"networkPolicies.egress.storeTo={peers}")
    for name in EVERYWHERE:
        egress = the("NetworkPolicy", name, *WEB, *REQUESTS, *CLOSED, *named)["spec"]["egress"]
        rules = [rule for rule in egress if rule["ports"][0]["port"] == 9000]
        assert rules == [{**tcp(9000), "to": [{"ipBlock": {"cidr": "10.0.0.8/32"}}]}], name


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://events.example.com/studio", 443),
        ("http://events2", 80),
        ("http://events:8080/a:9", 8080),
        ("https://[fd00::1]:8443/", 8443),
        ("https://[fd00::1]/", 443),
    ],
)
def test_the_operator_alone_reaches_the_sink_of_events(url: str, port: int) -> None:
    sink = ("--set", f"events.sink.url={url}")
    named = ("--set-json", 'networkPolicies.egress.eventsTo=[{"ipBlock":{"cidr":"10.0.0.8/32"}}]')
    for name in EVERYWHERE:
        before = the("NetworkPolicy", name, *WEB, *REQUESTS, *CLOSED)["spec"]["egress"]
        egress = the("NetworkPolicy", name, *WEB, *REQUESTS, *CLOSED, *sink, *named)["spec"]["egress"]
        more = [rule for rule in egress if rule not in before]
        wanted = [{**tcp(port), "to": [{"ipBlock": {"cidr": "10.0.0.8/32"}}]}]
        assert more == (wanted if name == "profile-studio-operator" else []), name


def test_operator_and_predictor_alone_reach_the_collector_of_traces() -> None:
    traces = ("--set", "tracing.endpoint=http://collector.monitoring:4318")
    named = ("--set-json", 'networkPolicies.egress.tracingTo=[{"ipBlock":{"cidr":"10.0.0.8/32"}}]')
    for name in EVERYWHERE:
        before = the("NetworkPolicy", name, *WEB, *REQUESTS, *CLOSED)["spec"]["egress"]
        egress = the("NetworkPolicy", name, *WEB, *REQUESTS, *CLOSED, *traces, *named)["spec"]["egress"]
        more = [rule for rule in egress if rule not in before]
        wanted = [{**tcp(4318), "to": [{"ipBlock": {"cidr": "10.0.0.8/32"}}]}]
        assert more == (wanted if name in ("profile-studio-operator", "profile-studio-predictor") else []), name


@pytest.mark.parametrize(
    ("field", "port", "names"),
    [
        ("apiServerTo", 443, ("operator", "history", "web")),
        ("databaseTo", 5432, ("history",)),
        ("redisTo", 6379, ("operator", "web", "stages")),
    ],
)
def test_whoever_else_is_reached_can_be_named(field: str, port: int, names: tuple[str, ...]) -> None:
    peer = {"ipBlock": {"cidr": "10.0.0.8/32"}}
    named = ("--set-json", f'networkPolicies.egress.{field}=[{{"ipBlock":{{"cidr":"10.0.0.8/32"}}}}]')
    for name in names:
        arguments = (*WEB, *REQUESTS, *REDIS, *CLOSED, *named)
        egress = the("NetworkPolicy", f"profile-studio-{name}", *arguments)["spec"]["egress"]
        (rule,) = (rule for rule in egress if rule["ports"][0]["port"] == port)
        assert rule["to"] == [peer]


def test_predictors_of_ones_own_can_be_named() -> None:
    named = ("--set-json", 'networkPolicies.egress.predictorTo=[{"ipBlock":{"cidr":"10.0.0.9/32"}}]')
    egress = the("NetworkPolicy", "profile-studio-operator", *CLOSED, *named)["spec"]["egress"]
    assert egress[-1] == {"to": [{"ipBlock": {"cidr": "10.0.0.9/32"}}]}
    elsewhere = the("NetworkPolicy", "profile-studio-operator", *CLOSED, "--set", "generation.namespace=serving")
    (place,) = elsewhere["spec"]["egress"][-1]["to"]
    assert place["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "serving"}}


def reaches(rule: Object, address: str, port: int) -> bool:
    """Whether a rule lets a pod reach an address outside the cluster at a TCP port."""
    ports = rule.get("ports")
    if ports is not None and not any(one["protocol"] == "TCP" and one["port"] == port for one in ports):
        return False
    if "to" not in rule:
        return True
    blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
    where = ip_address(address)
    return any(
        where in ip_network(block["cidr"]) and not any(where in ip_network(one) for one in block.get("except", ()))
        for block in blocks
    )


@pytest.mark.parametrize("endpoint", ["minio.data.svc:9000", "s3.example.com:80", "[fd00::1]:80"])
def test_nobody_reaches_a_clouds_metadata_service(endpoint: str) -> None:
    """It gives away the node's own credentials, on port 80."""
    store = ("--set-string", f"store.endpoint={endpoint}")
    for name in EVERYWHERE:
        egress = the("NetworkPolicy", name, *WEB, *REQUESTS, *REDIS, *CLOSED, *store)["spec"]["egress"]
        for address in METADATA:
            assert not [rule for rule in egress if reaches(rule, address, 80)], f"{name} reaches {address}"
        store_port = int(endpoint.rpartition(":")[2])
        for address in ("203.0.113.9", "2001:db8::9"):
            assert [rule for rule in egress if reaches(rule, address, store_port)], f"{name} reaches no store"


def test_names_are_asked_of_the_clusters_own_dns_alone() -> None:
    for name in EVERYWHERE:
        egress = the("NetworkPolicy", name, *WEB, *REQUESTS, *CLOSED)["spec"]["egress"]
        rules = [rule for rule in egress if "ports" not in rule or any(one["port"] == 53 for one in rule["ports"])]
        assert rules == [DNS], name
    local = ("--set-json", 'networkPolicies.egress.dnsTo=[{"ipBlock":{"cidr":"169.254.20.10/32"}}]')
    egress = the("NetworkPolicy", "profile-studio-stages", *REQUESTS, *local)["spec"]["egress"]
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


def test_operator_history_and_page_go_out_freely_unless_told_otherwise() -> None:
    for name in ("profile-studio-operator", "profile-studio-history", "profile-studio-web"):
        assert the("NetworkPolicy", name, *WEB)["spec"]["policyTypes"] == ["Ingress"]
        assert "egress" not in the("NetworkPolicy", name, *WEB)["spec"]


def test_operator_history_and_page_reach_what_they_need() -> None:
    arguments = (*WEB, *REDIS, *CLOSED)
    history = the("NetworkPolicy", "profile-studio-history", *arguments)["spec"]
    assert history["policyTypes"] == ["Ingress", "Egress"]
    assert history["egress"] == [tcp(443, 6443), DNS, tcp(9000), tcp(5432)]
    operator, page = (
        the("NetworkPolicy", f"profile-studio-{name}", *arguments)["spec"] for name in ("operator", "web")
    )
    assert operator["policyTypes"] == page["policyTypes"] == ["Ingress", "Egress"]
    assert page["egress"] == [tcp(443, 6443), DNS, tcp(9000), tcp(6379)]
    assert operator["egress"] == [*page["egress"], PREDICTORS]
    assert operator["podSelector"]["matchLabels"] == {**NAMES, "app.kubernetes.io/component": "operator"}


def test_grpc_is_a_door_for_whom_rest_is_one() -> None:
    def ports(*values: str) -> list[int]:
        (asking, reading) = the("NetworkPolicy", "profile-studio-predictor", *values)["spec"]["ingress"]
        assert [port["port"] for port in reading["ports"]] == [9090]
        return [port["port"] for port in asking["ports"]]

    def served(*values: str) -> tuple[set[int], list[str]]:
        (container,) = the("InferenceService", "profile-predictor", *values)["spec"]["predictor"]["containers"]
        named = [row["value"] for row in container["env"] if row["name"] == "PROFILE_GRPC_PORT"]
        return {port["containerPort"] for port in container["ports"]}, named

    assert (ports(), served()) == ([8080], ({8080, 9090}, []))
    both = ("--set", "predictor.grpc=true")
    assert (ports(*both), served(*both)) == ([8080, 8081], ({8080, 8081, 9090}, ["8081"]))
