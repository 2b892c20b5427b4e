"""What is told of a style: whether its predictor is there, and who asks for it; written only where it changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from operator_world import CONFIG
from profile_contract.style_status import StyleStatus
from profile_operator.act.style_keeper import StyleKeeper
from profile_operator.clients.entries import RequestEntry, StyleEntry, request_entry, style_entry
from profile_operator.decide.style_status import StyleUse, style_status
from profile_runtime.kubernetes.errors import ApiError

NOW = datetime(2026, 11, 28, tzinfo=UTC)
USE = StyleUse("warm-predictor", "serving", pods=2, requests=3, outdated=1)


@pytest.mark.parametrize(
    ("use", "status", "reason", "said"),
    [
        (USE, "True", "PredictorReady", "answers"),
        (replace(USE, pods=0), "False", "PredictorNotReady", "has no pod that answers"),
        (replace(USE, pods=None), "False", "PredictorNotFound", "warm-predictor of spec.predictor does not exist"),
        (replace(USE, pods=None, elsewhere=True), "Unknown", "PredictorElsewhere", "is not looked for in serving"),
    ],
)
def test_a_style_is_ready_where_its_predictor_answers(use: StyleUse, status: str, reason: str, said: str) -> None:
    (ready,) = style_status(StyleStatus(), 4, use, "ns/release", NOW).conditions
    assert (ready.type, ready.status, ready.reason, ready.observed_generation) == ("Ready", status, reason, 4)
    assert said in ready.message


def test_nothing_is_new_until_something_is_and_the_time_is_that_of_the_change() -> None:
    first = style_status(StyleStatus(), 1, USE, "ns/release", NOW)
    later = NOW + timedelta(hours=1)
    assert style_status(first, 1, USE, "ns/release", later) == first
    more = style_status(first, 1, replace(USE, requests=4), "ns/release", later)
    assert (more.requests, more.conditions) == (4, first.conditions)
    away = style_status(first, 1, replace(USE, pods=0), "ns/release", later)
    assert away.conditions[0].last_transition_time > first.conditions[0].last_transition_time


@dataclass
class Styles:
    """Styles and requests as the watches tell them, and what is written of styles."""

    listed: list[RequestEntry] = field(default_factory=list)
    listed_cluster_styles: list[StyleEntry] = field(default_factory=list)
    listed_styles: list[StyleEntry] = field(default_factory=list)
    pods: dict[str, int | None] = field(default_factory=dict)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    fails: bool = False

    async def ready_pods(self, namespace: str, service: str) -> int | None:
        self.asked.append((namespace, service))
        if self.fails:
            raise ApiError("away")
        return self.pods.get(service)

    async def set_style_status(self, path: str, status: dict[str, Any], resource_version: str) -> None:
        self.written[path.rpartition("/v1alpha1/")[2]] = status


def a_style(name: str, namespace: str = "", predictor: str = "good", **status: Any) -> StyleEntry:
    metadata = {
        "name": name,
        "resourceVersion": "7",
        "generation": 2,
        **({"namespace": namespace} if namespace else {}),
    }
    return style_entry(msgspec.json.encode({"metadata": metadata, "spec": {"predictor": predictor}, "status": status}))


def a_request(namespace: str, *styles: Any, outdated: bool = False) -> RequestEntry:
    metadata = {"name": "minji", "namespace": namespace, "uid": "u", "resourceVersion": "1"}
    conditions = [{"type": "Outdated", "status": str(outdated), "reason": "X"}]
    document = {"metadata": metadata, "spec": {"styles": list(styles)}, "status": {"conditions": conditions}}
    return request_entry(msgspec.json.encode(document))


def kept(styles: Styles, installation: str = "ns/release") -> StyleKeeper:
    return StyleKeeper(styles, CONFIG.model_copy(update={"installation": installation}))  # type: ignore[arg-type]


async def test_requests_are_counted_by_whose_style_they_mean() -> None:
    own = {"name": "warm", "kind": "ProfileStyle"}
    styles = Styles(
        listed=[
            a_request("hr", {"name": "warm"}, own, outdated=True), a_request("sales", "warm"), a_request("sales", own)
        ],
        listed_cluster_styles=[a_style("warm")],
        listed_styles=[a_style("warm", "hr", "typo"), a_style("warm", "sales")],
        pods={"good-predictor": 1},
    )  # fmt: skip
    await kept(styles).look()
    counts = {path: (status["requests"], status["outdated"]) for path, status in styles.written.items()}
    assert counts == {
        "clusterprofilestyles/warm": (2, 1),
        "namespaces/hr/profilestyles/warm": (1, 1),
        "namespaces/sales/profilestyles/warm": (1, 0),
    }
    reasons = {path: status["conditions"][0]["reason"] for path, status in styles.written.items()}
    assert reasons["namespaces/hr/profilestyles/warm"] == "PredictorNotFound"
    assert reasons["clusterprofilestyles/warm"] == "PredictorReady"
    # Each predictor is looked at once a round, however many styles name it.
    assert len(styles.asked) == 2


async def test_whoever_calls_predictors_is_told_how_many_of_them_answer() -> None:
    served: list[tuple[str, int | None]] = []
    entries = [a_style("warm"), a_style("cool"), a_style("blue", predictor="away")]
    styles = Styles(listed_cluster_styles=entries, pods={"good-predictor": 3})
    await StyleKeeper(styles, CONFIG, serve=lambda *seen: served.append(seen)).look()  # type: ignore[arg-type]
    assert served == [("good", 3), ("away", None)]


async def test_what_did_not_change_and_what_another_installation_looks_after_is_not_written() -> None:
    styles = Styles(listed_cluster_styles=[a_style("warm")], pods={"good-predictor": 1})
    await kept(styles).look()
    standing = styles.written.pop("clusterprofilestyles/warm")
    styles.listed_cluster_styles = [a_style("warm", **standing)]
    await kept(styles).look()
    styles.pods = {}
    await kept(styles, "other/release").look()
    assert styles.written == {}
    await kept(styles).look()
    assert list(styles.written) == ["clusterprofilestyles/warm"]


async def test_a_style_of_a_release_that_was_renamed_is_looked_after_under_its_new_name() -> None:
    styles = Styles(listed_cluster_styles=[a_style("warm", installation="old/release")], pods={"good-predictor": 1})
    renamed = CONFIG.model_copy(update={"installation": "new/release", "formerly": ["old/release"]})
    await StyleKeeper(styles, renamed).look()  # type: ignore[arg-type]
    assert styles.written["clusterprofilestyles/warm"]["installation"] == "new/release"


async def test_a_predictor_that_cannot_be_looked_for_leaves_what_was_said() -> None:
    styles = Styles(listed_cluster_styles=[a_style("warm")], fails=True)
    await kept(styles).look()
    assert styles.written == {}
