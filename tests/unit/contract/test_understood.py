"""What is read of a document that another version wrote."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import status_of
from profile_contract.stages.stage_text import StageText
from profile_contract.understood import understood
from properties import examples

CONDITION = {"type": "Ready", "status": "True", "reason": "Succeeded", "lastTransitionTime": "2026-01-02T03:04:05Z"}
PORTRAIT = {"style": "warm", "key": "k", "seed": 7, "rank": 1, "likeness": 50, "layouts": {"square": "k-square.jpg"}}
STATUS: dict[str, Any] = {
    "observedGeneration": 3,
    "conditions": [CONDITION, {**CONDITION, "type": "Trained"}],
    "photos": {"digest": "d", "revision": 2, "found": 6, "verdicts": []},
    "stages": {"train": {"digest": "t", "gpuSeconds": 40}},
    "progress": {"stage": "train", "percent": 3},
    "portraits": [PORTRAIT],
    "gpuSeconds": 90,
}


def wrong(*path: int | str, value: Any) -> dict[str, Any]:
    """STATUS with another value at a place."""
    document = copy.deepcopy(STATUS)
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return document


def test_a_whole_document_is_read_whole() -> None:
    assert understood(ProfileRequestStatus, STATUS) == (ProfileRequestStatus.model_validate(STATUS), True)
    assert understood(ProfileRequestStatus, {}) == (ProfileRequestStatus(), True)


@pytest.mark.parametrize(
    ("document", "lost"),
    [
        (wrong("progress", "stage", value="polish"), {"progress"}),
        (wrong("photos", "verdicts", value=[{"name": "a.jpg", "accepted": True, "reason": "Smiling"}]), set()),
        (wrong("portraits", 0, "layouts", value={"square": "s", "passport-of-tomorrow": "p"}), set()),
        (wrong("conditions", value=None), {"conditions"}),
        (wrong("stages", "train", "gpuSeconds", value="many"), set()),
    ],
)
def test_what_is_unknown_costs_itself_alone(document: dict[str, Any], lost: set[str]) -> None:
    status, whole = understood(ProfileRequestStatus, document)
    assert not whole
    rest = {name for name in STATUS if name in status.document()} | {"conditions"} - lost
    assert rest == set(STATUS) - lost | {"conditions"}
    assert status.gpu_seconds == 90
    assert status.photos is not None
    assert (status.photos.digest, status.photos.revision) == ("d", 2)


def test_an_item_that_is_unknown_takes_no_other_with_it() -> None:
    document = copy.deepcopy(STATUS)
    document["conditions"] = [{**CONDITION, "status": "Perhaps"}, CONDITION, {"type": "Odd"}, CONDITION]
    status, whole = understood(ProfileRequestStatus, document)
    assert (len(status.conditions), whole) == (2, False)
    document["conditions"] = [{"type": "Odd", "status": "Perhaps"}, CONDITION, CONDITION]
    assert len(understood(ProfileRequestStatus, document)[0].conditions) == 2
    document["portraits"] = [PORTRAIT, {**PORTRAIT, "rank": 0}, {**PORTRAIT, "rank": 2}]
    assert [portrait.rank for portrait in understood(ProfileRequestStatus, document)[0].portraits] == [1, 2]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*STATUS, "train"]), inner, max_size=3),
    max_leaves=8,
)


@examples(100)
@given(st.dictionaries(st.sampled_from(sorted(STATUS)), ANYTHING))
def test_nothing_that_anybody_wrote_is_refused(changes: dict[str, Any]) -> None:
    status, _ = understood(ProfileRequestStatus, {**STATUS, **changes})
    for name in set(STATUS) - set(changes):
        assert status.document()[name] == ProfileRequestStatus.model_validate(STATUS).document()[name]


@pytest.mark.parametrize("odd", ["", "Dreaming"])
def test_a_word_of_another_version_for_what_a_request_is_at_takes_nothing_else(odd: str) -> None:
    status = status_of({"status": {"stageText": odd, "gpuSeconds": 7, "adapter": "a"}})
    assert (status.stage_text, status.gpu_seconds, status.adapter) == (StageText.WAITING, 7, "a")
    assert status_of({}).observed_generation == -1
