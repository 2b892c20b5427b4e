"""Which pods Prometheus scrapes, and where."""

from typing import Any

from profile_sandbox.targets import targets


def pod(phase: str = "Running", address: str | None = "10.244.1.7", **annotations: str) -> dict[str, Any]:
    notes = {f"prometheus.io/{key}": value for key, value in annotations.items()}
    return {
        "metadata": {"name": "p", "namespace": "n", "annotations": notes},
        "status": {"phase": phase, **({"podIP": address} if address else {})},
    }


def test_an_annotated_pod_is_a_target() -> None:
    (group,) = targets([pod(scrape="true", port="9000", path="/m")])
    assert group["targets"] == ["10.244.1.7:9000"]
    assert group["labels"] == {"__metrics_path__": "/m", "namespace": "n", "pod": "p"}


def test_usual_path_and_port_are_the_default() -> None:
    (group,) = targets([pod(scrape="true")])
    assert (group["targets"], group["labels"]["__metrics_path__"]) == (["10.244.1.7:8080"], "/metrics")


def test_others_are_none() -> None:
    silent = {"metadata": {"name": "p", "namespace": "n"}, "status": {"phase": "Running", "podIP": "10.244.1.8"}}
    assert (
        targets([pod(), pod(scrape="false"), pod("Pending", scrape="true"), pod(address=None, scrape="true"), silent])
        == []
    )
