"""How many predictors there are: so many as are named, or as many as the queue needs; and how they are updated."""

from __future__ import annotations

from chart import CHART, Object, config_of, of_kind, run, the

KEDA = (
    "--set", "predictor.autoscaling.enabled=true",
    "--set", "predictor.autoscaling.prometheus=http://prometheus.monitoring:9090",
    "--set", "predictor.autoscaling.maxReplicas=6",
)  # fmt: skip


def predictor(*values: str) -> Object:
    return the("InferenceService", "profile-predictor", *values)


def test_people_decide_unless_told_otherwise() -> None:
    service = predictor("--set", "predictor.replicas=2")
    assert service["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "none"
    spec = service["spec"]["predictor"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 2)
    assert not of_kind("ScaledObject")


def test_keda_counts_what_waits_at_these_predictors() -> None:
    service = predictor(*KEDA)
    assert service["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "external"
    spec = service["spec"]["predictor"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 6)
    scaled = the("ScaledObject", "profile-predictor", *KEDA)["spec"]
    assert scaled["scaleTargetRef"] == {"name": "profile-predictor-predictor"}
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"], scaled["cooldownPeriod"]) == (1, 6, 600)
    of_these = 'namespace="profile-system", pod=~"profile-predictor-predictor-.*"'
    (trigger,) = scaled["triggers"]
    assert trigger["type"] == "prometheus"
    assert trigger["metadata"] == {
        "serverAddress": "http://prometheus.monitoring:9090",
        "query": f"sum(profile_predictor_queue_orders{{{of_these}}})",
        "threshold": "8",
    }


def test_at_zero_the_operators_word_starts_the_first_one() -> None:
    zero = (*KEDA, "--set", "predictor.autoscaling.minReplicas=0", "--set", "predictor.startupSeconds=700")
    assert predictor(*zero)["spec"]["predictor"]["minReplicas"] == 0
    scaled = the("ScaledObject", "profile-predictor", *zero)["spec"]
    assert scaled["minReplicaCount"] == 0
    _, wanted = scaled["triggers"]
    assert wanted["metadata"] == {
        "serverAddress": "http://prometheus.monitoring:9090",
        "query": 'sum(profile_generation_requests{namespace="profile-system", predictor="profile-predictor"})',
        # So many for a replica: this alone never asks for a second one.
        "threshold": "1000000",
    }
    # Until then requests are Queued.
    assert config_of(*zero)["generation"]["startSeconds"] == 700
    assert "startSeconds" not in config_of(*KEDA)["generation"]


def test_without_a_prometheus_the_chart_says_what_is_missing() -> None:
    refused = run("template", "profile-studio", str(CHART), "--set", "predictor.autoscaling.enabled=true")
    assert refused.returncode != 0
    assert "predictor.autoscaling.prometheus must be the address of a Prometheus" in refused.stderr


def test_an_update_leaves_no_gap_where_there_is_room_for_it() -> None:
    assert predictor()["spec"]["predictor"]["deploymentStrategy"] == {"type": "Recreate"}
    rolling = predictor("--set", "predictor.rollingUpdate=true")["spec"]["predictor"]["deploymentStrategy"]
    assert rolling == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
