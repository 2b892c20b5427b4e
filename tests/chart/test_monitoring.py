"""What Prometheus is told: rules that its own tool accepts and plays, monitors, and a runbook for each alert."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from chart import CHART, RARELY_COLLECTED, ROOT, of_kind, the

RULES = CHART / "files" / "prometheus" / "rules.yaml"
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = [rule["alert"] for group in GROUPS for rule in group["rules"] if "alert" in rule]
RECORDS = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
RUNBOOKS = ROOT / "docs" / "alerts"
QUERY = re.compile(r"```promql\n(.*?)```", re.DOTALL)
METRIC = re.compile(r"\bprofile[:_][a-z0-9_:]+")
PROMETHEUS_OPERATOR = ("--api-versions", "monitoring.coreos.com/v1")


@pytest.fixture(scope="module")
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is not installed: run `make system`, which brings Debian's prometheus")
    return program


def test_every_alert_fires_when_it_should_and_keeps_quiet_otherwise(promtool: str, tmp_path: Path) -> None:
    played = ROOT / "tests" / "prometheus" / "rules_test.yaml"
    for source in (RULES, played):
        shutil.copyfile(source, tmp_path / source.name)
    checked = subprocess.run([promtool, "check", "rules", str(RULES)], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    command = [promtool, "test", "rules", played.name]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, env=RARELY_COLLECTED)
    assert done.returncode == 0, done.stdout + done.stderr
    fired = set(re.findall(r"alertname: (\w+)\n    exp_alerts", played.read_text()))
    assert fired == set(ALERTS), "an alert is never seen to fire"


def test_every_alert_is_seen_to_keep_quiet() -> None:
    played = (ROOT / "tests" / "prometheus" / "rules_test.yaml").read_text()
    tests = {test["name"]: test["alert_rule_test"] for test in yaml.safe_load(played)["tests"]}
    for name in ("nothing is wrong", "a little of everything, just below what each alert asks for"):
        assert {one["alertname"] for one in tests[name]} == set(ALERTS)
        assert not [one for one in tests[name] if "exp_alerts" in one]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.iterdir()) == sorted(ALERTS)
    index = (ROOT / "docs" / "alerts.md").read_text()
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in GROUPS[1]["rules"]}
    assert dict(re.findall(r"^\| \[(\w+)\]\(alerts/\1\.md\) \| (\w+) \|", index, re.MULTILINE)) == severities
    for rule in GROUPS[1]["rules"]:
        assert rule["annotations"]["runbook"] == f"docs/alerts/{rule['alert']}.md"


@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_says_what_is_seen_how_to_see_more_why_and_what_to_do(alert: str) -> None:
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert re.match(rf"# {alert}\n\n\w", page)
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["See it", "Cause", "Fix"]
    assert QUERY.findall(page)
    assert re.search(r"^    kubectl ", page, re.MULTILINE)


def test_the_runbooks_queries_are_promql_about_metrics_that_there_are(promtool: str, tmp_path: Path) -> None:
    for program in ("profile_history", "profile_operator", "profile_predictor.server", "profile_web"):
        importlib.import_module(f"{program}.metrics")
    endings = ("", "_total", "_bucket", "_sum", "_count", "_info")
    exported = {family.name + ending for family in REGISTRY.collect() for ending in endings}
    queries = {path.stem: found for path in RUNBOOKS.iterdir() for found in QUERY.findall(path.read_text())}
    for query in queries.values():
        named = set(METRIC.findall(query))
        assert named
        assert named <= exported | RECORDS
    rules = [{"record": f"page:{name}", "expr": query.strip()} for name, query in queries.items()]
    file = tmp_path / "pages.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", str(file)], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_metrics_that_rules_ask_for_exist() -> None:
    sources = [*(ROOT / "operator").rglob("metrics.py"), *(ROOT / "inference").rglob("metrics.py")]
    known = set(re.findall(r'"(profile_\w+)"', "".join(path.read_text() for path in sources)))
    asked = set(re.findall(r"\bprofile_\w+", " ".join(rule["expr"] for group in GROUPS for rule in group["rules"])))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= known


def test_rules_and_monitors_come_where_the_cluster_knows_them() -> None:
    assert not of_kind("PrometheusRule")
    assert not of_kind("PodMonitor")
    rule = the("PrometheusRule", "profile-studio", *PROMETHEUS_OPERATOR)
    assert [group["name"] for group in rule["spec"]["groups"]] == [group["name"] for group in GROUPS]
    rendered = [one for group in rule["spec"]["groups"] for one in group["rules"]]
    assert rendered == [one for group in GROUPS for one in group["rules"]]
    monitors = of_kind("PodMonitor", *PROMETHEUS_OPERATOR)
    assert set(monitors) == {"profile-studio-operator", "profile-studio-predictor"}
    operator = monitors["profile-studio-operator"]["spec"]
    for monitor in monitors.values():
        assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    labels = the("Deployment", "profile-studio-operator")["spec"]["template"]["metadata"]["labels"]
    assert operator["selector"]["matchLabels"].items() <= labels.items()


def test_the_page_is_watched_where_there_is_one() -> None:
    web = ("--set", "web.enabled=true,web.store.publicUrl=https://store.example.com")
    monitor = the("PodMonitor", "profile-studio-web", *PROMETHEUS_OPERATOR, *web)["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")
    pod = the("Deployment", "profile-studio-web", *web)["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert {"name": "metrics", "containerPort": 9090, "protocol": "TCP"} in pod["spec"]["containers"][0]["ports"]


def test_alerts_link_to_their_runbook_where_one_is_published() -> None:
    where = ("--set", "metrics.rules.runbooks=https://docs.example/alerts")
    rule = the("PrometheusRule", "profile-studio", *PROMETHEUS_OPERATOR, *where)
    links = {
        one["alert"]: one["annotations"]["runbook_url"]
        for group in rule["spec"]["groups"]
        for one in group["rules"]
        if "alert" in one
    }
    assert links["ProfileStagesFail"] == "https://docs.example/alerts/ProfileStagesFail.md"
    assert set(links) == set(ALERTS)


def test_monitoring_can_be_switched_off() -> None:
    off = ("--set", "metrics.rules.enabled=false", "--set", "metrics.podMonitor.enabled=false")
    assert not of_kind("PrometheusRule", *PROMETHEUS_OPERATOR, *off)
    assert not of_kind("PodMonitor", *PROMETHEUS_OPERATOR, *off)
