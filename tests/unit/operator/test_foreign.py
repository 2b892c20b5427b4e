"""What is another's: Jobs of our names, reports and keys that a stranger wrote, styles of other namespaces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fake_kubernetes import JOBS, STYLES
from operator_world import KEY
from operator_world import STYLES as STYLE_SPECS
from profile_operator.names import LABEL_STAGE
from profile_operator.workqueue import ExpectedError
from real_operator import RealOperator

# --- whose is it -------------------------------------------------------------------------------------------------


def foreign(operator: RealOperator, name: str, **metadata: Any) -> None:
    labels = {"profilestudio.io/request": KEY.name, "profilestudio.io/stage": "train"}
    reference = {"uid": "another", "controller": True, "kind": "X", "name": "x", "apiVersion": "v1"}
    document = {
        "metadata": {"name": name, "labels": labels, "ownerReferences": [reference], **metadata},
        "spec": {"template": {"spec": {"containers": [{"name": "stage"}]}}},
    }
    operator.server.put(JOBS.format(KEY.namespace), document)


async def test_jobs_of_others_are_not_deleted(operator: RealOperator) -> None:
    foreign(operator, "theirs")
    foreign(operator, "nobodys", ownerReferences=[])
    await operator.cycle()
    operator.change(suspend=True)
    await operator.cycle()
    assert [name for name in operator.jobs if "preprocess" in name] == []
    operator.change(suspend=False, photos={"prefix": "uploads/minji/", "revision": 2})
    operator.store.objects["hr.1a2b3c4d-5e6f/uploads/minji/7.jpg"] = b"7"
    await operator.cycle()
    operator.delete()
    for _ in range(3):
        await operator.cycle()
    for name in ("theirs", "nobodys"):
        assert "deletionTimestamp" not in operator.jobs[name]["metadata"]
    assert [name for name in operator.jobs if "preprocess" in name] == []


async def test_a_suspended_request_deletes_its_job_and_makes_it_again(operator: RealOperator) -> None:
    await operator.cycle()
    (name,) = operator.jobs
    operator.change(suspend=True)
    await operator.cycle()
    assert operator.jobs == {}
    assert operator.condition("Ready")[:2] == ("False", "Suspended")
    operator.change(suspend=False)
    await operator.cycle()
    assert list(operator.jobs) == [name]
    assert "suspend" not in operator.jobs[name]["spec"]


async def test_suspending_deletes_no_job_that_is_going(operator: RealOperator) -> None:
    await operator.cycle()
    name = next(iter(operator.jobs))
    operator.pod(name)
    await operator.kube.delete_job(KEY.namespace, name)
    operator.change(suspend=True)
    before = len(operator.server.writes("/jobs"))
    await operator.cycle()
    assert len(operator.server.writes("/jobs")) == before


async def test_a_foreign_job_of_our_name_is_a_conflict(operator: RealOperator) -> None:
    await operator.cycle()
    name = next(iter(operator.jobs))
    for owners in ([{"uid": "another", "controller": True}], []):
        operator.jobs[name]["metadata"]["ownerReferences"] = owners
        for label in ("profilestudio.io/request-uid", "app.kubernetes.io/managed-by"):
            operator.jobs[name]["metadata"]["labels"].pop(label, None)
        await operator.cycle()
        assert operator.condition("Stalled")[:2] == ("True", "Conflict")


async def test_our_own_job_that_lost_its_owner_reference_goes_on_and_goes_with_its_request(
    operator: RealOperator,
) -> None:
    """`kubectl delete --cascade=orphan` takes the reference away while our finalizer still holds the request."""
    await operator.cycle()
    name = next(iter(operator.jobs))
    operator.jobs[name]["metadata"].pop("ownerReferences")
    await operator.cycle()
    assert operator.condition("Stalled")[0] == "False"
    operator.delete()
    await operator.cycle()
    assert name not in operator.jobs


@pytest.mark.parametrize("labels", [{}, {LABEL_STAGE: "preprocess"}], ids=["nobodys", "of a stage"])
async def test_a_foreign_job_that_is_met_in_creating_is_a_conflict_that_stalls(
    operator: RealOperator, labels: dict[str, str]
) -> None:
    await operator.cycle()
    name, job = next(iter(operator.jobs.items()))
    job["metadata"]["labels"] = labels
    for owners in ([{"uid": "another", "controller": True}], []):
        job["metadata"]["ownerReferences"] = owners
        with pytest.raises(ExpectedError, match=f"a Job named {name} exists and belongs to something else"):
            await operator.cycle()
        assert operator.condition("Stalled")[:2] == ("True", "Conflict")
        assert operator.condition("Reconciling")[0] == "False"


async def test_our_own_job_that_an_earlier_try_created_is_adopted(operator: RealOperator) -> None:
    await operator.cycle()
    job = operator.job("preprocess")
    labels = job["metadata"].pop("labels")
    await operator.cycle()
    job["metadata"]["labels"] = labels
    await operator.cycle()
    assert len(operator.jobs) == 1
    assert operator.condition("Preprocessed")[1] == "Pending"


# --- what a stranger wrote ---------------------------------------------------------------------------------------


async def test_a_report_that_cannot_be_read_stalls_and_is_not_made_again_for_ever(operator: RealOperator) -> None:
    await operator.cycle()
    operator.finish("preprocess")
    key = next(key for key in operator.store.objects if key.endswith("report.json"))
    good = operator.store.objects[key]
    for bad in (b"{", b" " * 1_048_577, b'{"stage": "preprocess"}'):
        operator.store.objects[key] = bad
        for _ in range(2):
            await operator.cycle()
        assert operator.condition("Stalled")[:2] == ("True", "InvalidOrder")
        assert "its report in the store cannot be read (" in operator.condition("Stalled")[2]
        assert len(operator.jobs) == 1
    operator.store.objects[key] = good
    await operator.cycle()
    assert operator.condition("Trained")[1] == "Pending"


async def test_keys_of_others_reach_neither_a_status_nor_an_order(operator: RealOperator) -> None:
    await operator.cycle()
    for stage in ("preprocess", "train"):
        operator.finish(stage)
        await operator.cycle()
    operator.generate()
    await operator.cycle()
    operator.finish("finish")
    key = next(key for key in operator.store.objects if "/portraits/" in key)
    report = json.loads(operator.store.objects[key])
    report["contactSheet"] = "finance.1a2b3c4d-5e6f/requests/ceo/portraits/x/contact-sheet.jpg"
    operator.store.objects[key] = json.dumps(report).encode()
    await operator.cycle()
    assert operator.condition("Stalled")[:2] == ("True", "InvalidOrder")
    assert "does not lie below 'hr.1a2b3c4d-5e6f/requests/minji/'" in operator.condition("Stalled")[2]
    assert "finance" not in json.dumps(operator.document["status"].get("contactSheet", ""))
    assert operator.status.portraits == []


async def test_a_request_is_drawn_in_its_own_namespaces_style_and_in_no_others(operator: RealOperator) -> None:
    blue = {"name": "blue", "kind": "ProfileStyle"}
    operator.server.put(STYLES.format("sales"), {"metadata": {"name": "blue"}, "spec": STYLE_SPECS["warm"].document()})
    operator.change(styles=[{"name": "warm"}, blue])
    await operator.cycle()
    assert operator.condition("Stalled")[1] == "StyleNotFound"
    assert "there is no ProfileStyle blue; these exist: " in operator.condition("Stalled")[2]
    operator.server.put(STYLES.format("hr"), {"metadata": {"name": "blue"}, "spec": STYLE_SPECS["warm"].document()})
    await operator.ready()
    assert [(portrait.style, portrait.kind) for portrait in operator.status.portraits] == [
        ("warm", "ClusterProfileStyle"),
        ("blue", "ProfileStyle"),
    ]
    assert operator.status.styles_text == "warm, pstyle/blue"


async def test_a_cluster_style_of_the_same_name_is_another(operator: RealOperator) -> None:
    operator.server.put(STYLES.format("hr"), {"metadata": {"name": "warm"}, "spec": STYLE_SPECS["plain"].document()})
    operator.change(styles=[{"name": "warm"}, {"name": "warm", "kind": "ProfileStyle"}])
    await operator.ready()
    first, second = operator.status.portraits
    assert (first.style, second.style, first.kind != second.kind) == ("warm", "warm", True)
    assert first.key != second.key
