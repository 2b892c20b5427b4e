"""Four dashboards: requests, GPU, predictor, likeness and quality."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .panels import HALF, THIRD, board, graph, number

RATE = "[$__rate_interval]"
RANGE = "[$__range]"


def _quantile(share: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{RATE})))"


def _mean(metric: str, by: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum "
    return f"{grouped}(rate({metric}_sum{RATE})) / {grouped}(rate({metric}_count{RATE}))"


def requests() -> Dashboard:
    """What people wait for."""
    return (
        board("Profile Studio / Requests", "profile-requests", "What people wait for, and what fails.")
        .with_panel(number("Requests now", "sum(profile_requests)"))
        .with_panel(number("Ready", 'sum(profile_requests{stage="Done"}) or vector(0)'))
        .with_panel(number("Waiting to be looked at", "sum(profile_queue_length)"))
        .with_panel(
            number(
                "Stages that failed",
                f'sum(increase(profile_stages_total{{reason!="Succeeded"}}{RANGE})) or vector(0)',
                help_text="In the time that is shown.",
            )
        )
        .with_panel(graph("Requests by stage", {"{{stage}}": "sum by (stage) (profile_requests)"}, stacked=True))
        .with_panel(
            graph(
                "Stages that ended",
                {"{{stage}} {{reason}}": f"sum by (stage, reason) (increase(profile_stages_total{RATE}))"},
                stacked=True,
                help_text="With a reason other than Succeeded: see docs/conditions.md.",
            )
        )
        .with_panel(
            graph(
                "How long a stage takes (9 of 10 are quicker)",
                {"{{stage}}": _quantile(0.9, "profile_stage_seconds", "stage")},
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Reconciliations", {"{{result}}": f"sum by (result) (rate(profile_reconciles_total{RATE}))"}, unit="ops"
            )
        )
        .with_panel(
            graph(
                "One reconciliation",
                {
                    "half": _quantile(0.5, "profile_reconcile_seconds"),
                    "99 %": _quantile(0.99, "profile_reconcile_seconds"),
                },
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Writes to the Kubernetes API",
                {"{{kind}}": f"sum by (kind) (rate(profile_api_writes_total{RATE}))"},
                unit="ops",
            )
        )
        .with_panel(graph("History not yet written", {"requests": "sum(profile_history_pending)"}))
        .with_panel(
            graph(
                "The page: answers",
                {"{{status}}": f"sum by (status) (rate(profile_web_answers_total{RATE}))"},
                unit="reqps",
            )
        )
    )


def gpu() -> Dashboard:
    """Who uses the GPUs, and for what."""
    return (
        board(
            "Profile Studio / GPU", "profile-gpu", "Who uses GPUs for how long. For single requests: docs/history.md."
        )
        .with_panel(
            number(
                "GPU time",
                f"sum(increase(profile_gpu_seconds_total{RANGE}))",
                unit="s",
                span=THIRD,
                help_text="In the time that is shown.",
            )
        )
        .with_panel(number("Trainings running", 'sum(profile_requests{stage="Training"}) or vector(0)', span=THIRD))
        .with_panel(
            number(
                "Trainings out of memory",
                f'sum(increase(profile_stages_total{{stage="train", reason="OutOfMemory"}}{RANGE})) or vector(0)',
                span=THIRD,
            )
        )
        .with_panel(
            graph(
                "GPUs in use by namespace",
                {"{{namespace}}": f"sum by (namespace) (rate(profile_gpu_seconds_total{RATE}))"},
                stacked=True,
                help_text="GPU seconds a second, told as a stage ends: a long training shows at its end.",
            )
        )
        .with_panel(
            graph(
                "Waiting for a GPU",
                {"{{namespace}}": "sum by (namespace) (profile_queued_requests)"},
                stacked=True,
                help_text="Requests that are Queued: see docs/operations.md.",
            )
        )
        .with_panel(
            graph(
                "How long they waited",
                {"half": _quantile(0.5, "profile_queue_seconds"), "90 %": _quantile(0.9, "profile_queue_seconds")},
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Time of a stage",
                {"{{stage}}, half": _quantile(0.5, "profile_stage_seconds", "stage")},
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Drawing time of a candidate",
                {
                    "half": _quantile(0.5, "profile_predictor_image_seconds"),
                    "90 %": _quantile(0.9, "profile_predictor_image_seconds"),
                },
                unit="s",
            )
        )
        .with_panel(graph("Rows drawn together", {"mean": _mean("profile_predictor_batch_rows")}))
    )


def predictor() -> Dashboard:
    """Whether the predictor keeps up, and whose adapters it holds."""
    return (
        board("Profile Studio / Predictor", "profile-predictor", "Whether the predictor keeps up.")
        .with_panel(number("Orders in its queue", "sum(profile_predictor_queue_orders)", span=THIRD))
        .with_panel(number("Candidates drawn", f"sum(increase(profile_predictor_images_total{RANGE}))", span=THIRD))
        .with_panel(number("Predictors", "count(profile_predictor_model_info)", span=THIRD))
        .with_panel(
            graph(
                "Calls from the operator",
                {
                    "{{predictor}}": "sum by (predictor) (profile_generation_calls)",
                    "{{predictor}}, waiting": "sum by (predictor) (profile_generation_waiting_calls)",
                },
                help_text="Under way, and waiting for their turn: generation.callsPerReplica for each replica.",
            )
        )
        .with_panel(graph("Queue", {"{{pod}}": "sum by (pod) (profile_predictor_queue_orders)"}))
        .with_panel(
            graph(
                "Candidates a second",
                {"{{pod}}": f"sum by (pod) (rate(profile_predictor_images_total{RATE}))"},
                unit="ops",
            )
        )
        .with_panel(
            graph(
                "Orders by outcome",
                {"{{outcome}}": f"sum by (outcome) (rate(profile_predictor_orders_total{RATE}))"},
                unit="ops",
            )
        )
        .with_panel(
            graph(
                "Where adapters were found",
                {"{{tier}}": f"sum by (tier) (rate(profile_predictor_adapter_uses_total{RATE}))"},
                stacked=True,
                unit="ops",
                help_text="slot: in the pipeline; host: in memory; store: fetched anew; none: the base model alone.",
            )
        )
        .with_panel(
            graph(
                "Time in the queue",
                {
                    "half": _quantile(0.5, "profile_predictor_wait_seconds"),
                    "90 %": _quantile(0.9, "profile_predictor_wait_seconds"),
                },
                unit="s",
            )
        )
        .with_panel(
            graph("Fetching and checking an adapter", {"mean": _mean("profile_predictor_adapter_seconds")}, unit="s")
        )
        .with_panel(
            graph(
                "A call from the operator",
                {"{{predictor}}": _quantile(0.9, "profile_generation_call_seconds", "predictor")},
                unit="s",
                span=HALF,
            )
        )
    )


def likeness() -> Dashboard:
    """Whether people get what they came for."""
    return (
        board("Profile Studio / Likeness and quality", "profile-likeness", "Whether portraits look like their people.")
        .with_panel(number("Portraits delivered", f"sum(increase(profile_portraits_total{RANGE}))", span=THIRD))
        .with_panel(
            number(
                "Mean likeness",
                f"sum(increase(profile_likeness_percent_sum{RANGE}))"
                f" / sum(increase(profile_likeness_percent_count{RANGE}))",
                unit="percent",
                span=THIRD,
                help_text="Of delivered portraits, per cent of the person's own ceiling.",
            )
        )
        .with_panel(
            number(
                "Photos that could be used",
                f'sum(increase(profile_photos_total{{reason="Accepted"}}{RANGE}))'
                f" / sum(increase(profile_photos_total{RANGE}))",
                unit="percentunit",
                span=THIRD,
            )
        )
        .with_panel(
            graph("Mean likeness by style", {"{{style}}": _mean("profile_likeness_percent", "style")}, unit="percent")
        )
        .with_panel(
            graph(
                "The least like (1 of 10 is lower)",
                {"{{style}}": _quantile(0.1, "profile_likeness_percent", "style")},
                unit="percent",
            )
        )
        .with_panel(
            graph(
                "Portraits a candidate",
                {
                    "{{style}}": f"sum by (style) (increase(profile_portraits_total{RATE}))"
                    f" / sum by (style) (increase(profile_candidates_total{RATE}))"
                },
                unit="percentunit",
                help_text="How many of the candidates were good enough.",
            )
        )
        .with_panel(
            graph(
                "Verdicts on photos",
                {"{{reason}}": f"sum by (reason) (increase(profile_photos_total{RATE}))"},
                stacked=True,
            )
        )
    )


BOARDS = {"requests": requests, "gpu": gpu, "predictor": predictor, "likeness": likeness}
