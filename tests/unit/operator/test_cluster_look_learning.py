"""A look that the platform has learnt for every namespace: whose pictures, Jobs and files they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from areas import area
from look_cluster import DONE, LEARNT, Cluster, Hand, of_photos
from look_lesson import DATASET, FACTS, LESSON, UPLOADS, trained
from operator_world import CONFIG
from profile_contract.areas import area_of
from profile_contract.artifacts import REPORT
from profile_contract.generation import LookCheckOrder
from profile_contract.look import LookSpec, look_state
from profile_contract.look_learning import Lesson, MergeWish
from profile_contract.look_ref import LookFile, LookKind, look_place
from profile_contract.resource import Key
from profile_contract.stages.order import FileRef, RequestRef
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import MergedModel, TrainOrder, TrainReport
from profile_operator import names
from profile_operator.act.look_learner import LookLearner, LookOwner
from profile_operator.act.look_line import LookLine, is_look, line_key
from profile_operator.config import Limits
from profile_operator.decide.look_learning import Learning, LearningFacts, learn, merge_of
from profile_operator.waiting_list import WaitingList

PREFIX = "studio/"
HOME = area_of("ns", "1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d", PREFIX)
SHARED: Lesson = replace(
    LESSON, request=RequestRef(namespace="ns", name="rim", uid="look-uid"), area=HOME, kind=LookKind.CLUSTER
)
OWN: Lesson = replace(SHARED, kind=LookKind.OWN)
MADE = SHARED.prefix(Stage.TRAIN)
CLAIMED: dict[str, Any] = {"installation": "ns/release", "observedGeneration": -1}


def facts(**changed: Any) -> LearningFacts:
    return replace(FACTS, lesson=SHARED, dataset=DATASET, **changed)


def learnt_report() -> TrainReport:
    report = trained()
    assert report.look is not None
    judged = report.look.model_copy(update={"sheet": f"{MADE}look-sheet.jpg"})
    file = FileRef(key=f"{MADE}adapter.safetensors", sha256="a" * 64, bytes=9)
    return report.model_copy(update={"adapter": file, "look": judged})


# --- where everything lies ---


def test_pictures_and_crops_stay_in_the_installations_own_namespace_and_the_look_alone_is_everybodys() -> None:
    assert SHARED.prefix(Stage.PREPROCESS).startswith(f"{HOME}looks/shared/rim/dataset/")
    assert MADE.startswith(f"{PREFIX}looks/learnt/rim/adapter/")
    learning = learn(facts())
    assert learning.job is not None
    order, (scope,) = learning.job.order, learning.job.scopes
    assert isinstance(order, TrainOrder)
    assert (scope.read, scope.write) == ((SHARED.prefix(Stage.PREPROCESS),), MADE)
    assert order.dataset == SHARED.prefix(Stage.PREPROCESS) + REPORT
    first = learn(replace(FACTS, lesson=SHARED)).job
    assert first is not None
    assert (first.scopes[0].read, first.scopes[0].write) == ((UPLOADS,), SHARED.prefix(Stage.PREPROCESS))
    # Any namespace's requests may be drawn with it, and with nothing that its crops lie beside.
    adapter = f"{MADE}adapter.safetensors"
    assert look_place(area("sales", store_prefix=PREFIX), adapter) == f"{PREFIX}looks/"
    with pytest.raises(ValueError, match="no look of this namespace"):
        look_place(area("sales", store_prefix=PREFIX), f"{SHARED.prefix(Stage.PREPROCESS)}adapter.safetensors")


def test_its_status_names_what_lies_below_the_installations_prefix() -> None:
    learning = learn(facts(training=learnt_report()))
    assert learning.learnt is not None
    folder = MADE.removeprefix(PREFIX)
    assert (learning.learnt.adapter, learning.learnt.sheet, learning.learnt.report) == (
        f"{folder}adapter.safetensors",
        f"{folder}look-sheet.jpg",
        f"{folder}report.json",
    )
    status = {
        "observedGeneration": 1,
        "installation": "ns/release",
        "digest": learning.sha256,
        "learnt": learning.learnt.document(),
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Fits", "message": "", "observedGeneration": 1,
             "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ],
    }  # fmt: skip
    spec = {"photos": {"prefix": "uploads/looks/rim/", "licence": "ours"}, "words": "golden rim light"}
    document = {"metadata": {"name": "rim", "generation": 1}, "spec": spec, "status": status}
    state = look_state(document, PREFIX, "ns/release")
    assert state.file == LookFile(key=f"{MADE}adapter.safetensors", sha256="a" * 64)


def test_a_base_model_with_it_lies_beside_it() -> None:
    wish = MergeWish(60, "ours")
    merge = merge_of(SHARED, learnt_report(), wish)
    assert merge is not None
    written = TrainReport(digest="d" * 16, merged=MergedModel(name="sdxl-rim", weight_percent=60, bytes=9, sums=""))
    learning = learn(facts(training=learnt_report(), merge=wish, merging=written))
    assert learning.learnt is not None
    assert learning.learnt.merged is not None
    folder = SHARED.merge_prefix(merge)
    assert folder.startswith(f"{PREFIX}looks/learnt/rim/models/")
    assert PREFIX + learning.learnt.merged.folder == f"{folder}sdxl-rim/"


def test_a_look_of_that_name_in_the_installations_own_namespace_shares_nothing_with_it() -> None:
    for stage in (Stage.PREPROCESS, Stage.TRAIN):
        assert SHARED.digest(stage) == OWN.digest(stage)
        assert SHARED.prefix(stage) != OWN.prefix(stage)
    jobs = [learn(replace(facts(), lesson=lesson)).job for lesson in (SHARED, OWN)]
    called = [job.name for job in jobs if job is not None]
    assert called == [f"{whose}-rim-train-{SHARED.digest(Stage.TRAIN)[:8]}" for whose in ("cluster-look", "look")]
    long = replace(SHARED, request=RequestRef(namespace="ns", name="x" * 63))
    job = learn(replace(FACTS, lesson=long)).job
    assert job is not None
    assert len(job.name) <= 63


# --- who has it learnt ---


async def test_its_jobs_and_secrets_belong_to_it_and_stand_in_the_installations_own_namespace() -> None:
    hand, owner = Hand(), LookOwner(Key("ns", "rim"), "look-uid", kind=LookKind.CLUSTER)
    spec = LookSpec.model_validate(
        {"photos": {"prefix": "uploads/looks/rim/", "licence": "ours"}, "words": "golden rim light"}
    )
    assert spec.photos is not None
    await LookLearner(hand, hand, hand, CONFIG).step(owner, spec, spec.photos, fresh=False)  # type: ignore[arg-type]
    (made,) = hand.jobs
    assert made["metadata"]["namespace"] == "ns"
    (reference,) = made["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"]) == ("ClusterStyleAdapter", "look-uid")
    assert "credentials rim preprocess ClusterStyleAdapter" in hand.done
    assert owner.look == Key("", "rim")


async def test_who_writes_its_status_first_learns_it_and_nobody_else() -> None:
    cluster = Cluster(listed_cluster_looks=[of_photos("rim", "")])
    ready = await cluster.look()
    assert ready["clusterstyleadapters/rim"] == ("False", "Learning", "it is learnt by the installation ns/release")
    assert cluster.steps == []
    claimed = cluster.written["clusterstyleadapters/rim"]
    # What was refused before is tried again: nobody looked at it yet.
    assert claimed["observedGeneration"] == -1
    cluster.listed_cluster_looks = [of_photos("rim", "", **claimed)]
    cluster.learns = Learning(DONE, learnt=LEARNT, sha256="b" * 64)
    ready = await cluster.look()
    assert ready["clusterstyleadapters/rim"][:2] == ("True", "Fits")
    assert cluster.steps == [(LookOwner(Key("ns", "rim"), "look-uid", kind=LookKind.CLUSTER), True)]
    ((_, order),) = cluster.asked
    assert order == LookCheckOrder(namespace="", look=order.look)
    assert (order.look.key, order.look.url) == (LEARNT.adapter, f"read {LEARNT.adapter} below looks/")
    assert cluster.kept == {Key("", "rim")}
    cluster.listed_cluster_looks = [of_photos("rim", "", installation="other/release")]
    assert await cluster.look() == {}


async def test_one_of_a_former_name_is_claimed_and_learnt_on() -> None:
    cluster = Cluster(listed_cluster_looks=[of_photos("rim", "", installation="old/release")], formerly=["old/release"])
    await cluster.look()
    claimed = cluster.written["clusterstyleadapters/rim"]
    assert claimed["installation"] == "ns/release"
    cluster.listed_cluster_looks = [of_photos("rim", "", **claimed)]
    await cluster.look()
    assert [owner.key for owner, _ in cluster.steps] == [Key("ns", "rim")]


async def test_an_operator_of_no_installation_says_that_it_learns_none() -> None:
    cluster = Cluster(listed_cluster_looks=[of_photos("rim", "")], installation="")
    ready = await cluster.look()
    assert ready["clusterstyleadapters/rim"][:2] == ("False", "Refused")
    assert "has no namespace to learn a cluster's look in" in ready["clusterstyleadapters/rim"][2]
    assert cluster.steps == []


# --- whose turn it is ---


async def test_it_waits_in_the_line_of_the_installations_own_namespace() -> None:
    key = line_key(Key("", "rim"), "ns")
    assert (key.namespace, is_look(key)) == ("ns", True)
    assert key != line_key(Key("ns", "rim"), "ns")
    config = CONFIG.model_copy(update={"installation": "ns/release"})
    line = LookLine(WaitingList(Limits(1, 0), lambda _: None), config)
    labels = {names.LABEL_LOOK: "rim", names.LABEL_STAGE: "train"}
    owners = [{"kind": kind, "name": "rim", "uid": "u"} for kind in ("ClusterStyleAdapter", "StyleAdapter")]
    jobs = [
        {
            "metadata": {"name": "x-train-1", "namespace": "ns", "labels": labels, "ownerReferences": [owner]},
            "spec": {"template": {"spec": {"containers": [{}]}}},
            "status": {"startTime": "2026-01-01T00:00:00Z"},
        }
        for owner in owners
    ]
    busy, _ = line.load(jobs)
    assert busy == [line_key(Key("", "rim"), "ns"), line_key(Key("ns", "rim"), "ns")]
