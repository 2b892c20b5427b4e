"""When the last of a deleted request has ended: pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from operator_world import CONFIG, World
from profile_contract.request_status import ProfileRequestStatus, StagesStatus, StageStatus
from profile_contract.stages.table import Stage
from profile_operator.clock import parsed
from profile_operator.decide import DeletionFacts, decide_deletion
from profile_operator.decide.plan import DeleteJob, Purge, RemoveFinalizer, Revoke, StopGeneration
from profile_operator.observe.snapshot import JobState, JobView, Remains

NOW = datetime(2026, 1, 2, 4, 0, 0, tzinfo=UTC)

AREA = "hr.1a2b3c4d-5e6f/requests/minji/"


def deleted(**fields: object) -> Remains:
    since, held = NOW - timedelta(seconds=30), ("profilestudio.io/purge",)
    head = replace(World().head, deleting=True, deleted=since, finalizers=held)
    return replace(World().remains(), head=head, **fields)  # type: ignore[arg-type]


def ran(**stages: StageStatus) -> Callable[[Remains], Remains]:
    status = ProfileRequestStatus(stages=StagesStatus(**stages))
    return lambda remains: replace(remains, head=replace(remains.head, status=status))


def end_of(remains: Remains) -> str | None:
    plan = decide_deletion(DeletionFacts(remains, CONFIG, NOW))
    assert (RemoveFinalizer() in plan.actions) == (plan.status is None)
    return plan.status.purge_after if plan.status else None


def test_the_predictors_links_end_so_long_after_the_last_candidate() -> None:
    # 660 s, and 10 s for what was under way.
    finished = StageStatus(digest="a", completion_time="2026-01-02T03:50:00Z")
    assert end_of(ran(generate=finished)(deleted())) == "2026-01-02T04:01:10Z"
    long_ago = StageStatus(digest="a", completion_time="2026-01-02T03:48:00Z")
    assert end_of(ran(generate=long_ago)(deleted())) is None


def test_links_of_a_generation_that_was_under_way_are_counted_from_the_deletion() -> None:
    begun = StageStatus(digest="a", start_time="2026-01-02T03:50:00Z")
    assert end_of(ran(generate=begun)(deleted())) == "2026-01-02T04:10:40Z"
    trained = StageStatus(digest="a", completion_time="2026-01-02T01:00:00Z")
    assert end_of(ran(train=trained)(deleted())) == "2026-01-02T04:10:40Z"


def test_credentials_are_renewed_until_their_stage_is_complete_or_the_request_goes() -> None:
    """The deadline is an hour, and ten minutes are for the start."""
    begun = StageStatus(digest="a", start_time="2026-01-02T03:30:00Z")
    complete = begun.model_copy(update={"completion_time": "2026-01-02T03:45:00Z"})
    assert end_of(ran(preprocess=complete)(deleted())) == "2026-01-02T04:55:10Z"
    assert end_of(ran(preprocess=complete, finish=complete)(deleted())) == "2026-01-02T04:55:10Z"
    unfinished, since = end_of(ran(preprocess=complete, finish=begun)(deleted())), deleted().head.deleted
    assert unfinished is not None
    assert since is not None
    assert parsed(unfinished) == since + timedelta(minutes=70, seconds=10)
    # A report may tell a time before its Job began.
    forged = begun.model_copy(update={"completion_time": "2020-01-01T00:00:00Z"})
    assert end_of(ran(preprocess=forged)(deleted())) == "2026-01-02T04:40:10Z"


def test_an_end_that_was_told_never_comes_nearer() -> None:
    remains = deleted()
    status = ProfileRequestStatus(purge_after="2026-01-02T05:00:00Z")
    remains = replace(remains, head=replace(remains.head, status=status))
    assert end_of(remains) == "2026-01-02T05:00:00Z"
    plan = decide_deletion(DeletionFacts(remains, CONFIG, NOW))
    # The first purge was done; what was handed out is revoked again, whoever did it before.
    assert plan.actions == (Revoke(AREA),)


def test_what_was_revoked_ends_as_soon_as_every_server_of_the_store_knows() -> None:
    config = CONFIG.model_copy(update={"revocation_seconds": 900})
    begun = ran(train=StageStatus(digest="a", start_time="2026-01-02T03:59:00Z"))
    for seconds, gone in ((909, False), (911, True)):
        remains = begun(deleted(revoked=NOW - timedelta(seconds=seconds)))
        plan = decide_deletion(DeletionFacts(remains, config, NOW))
        assert (plan.actions == (Purge(AREA), RemoveFinalizer())) is gone
        assert any(note.reason == "ArtifactsPurged" for note in plan.events) is gone


def test_a_pod_on_a_lost_node_holds_a_deletion_no_longer_than_its_credentials() -> None:
    job = JobView(name="j", stage=Stage.TRAIN, digest="d", owner_uid="u1", state=JobState.ACTIVE, deleting=True)
    remains = deleted(jobs=(job,))
    assert decide_deletion(DeletionFacts(remains, CONFIG, NOW)).actions == ()
    stuck = replace(remains, head=replace(remains.head, deleted=NOW - timedelta(seconds=301)))
    assert decide_deletion(DeletionFacts(stuck, CONFIG, NOW)).actions == (Purge(AREA), RemoveFinalizer())
    held = ran(train=StageStatus(digest="a", start_time="2026-01-02T03:59:00Z"))(stuck)
    assert Revoke(AREA) in decide_deletion(DeletionFacts(held, CONFIG, NOW)).actions
    assert RemoveFinalizer() not in decide_deletion(DeletionFacts(held, CONFIG, NOW)).actions
    # One that was never told to go is told first.
    told = replace(stuck, jobs=(replace(job, deleting=False),))
    assert decide_deletion(DeletionFacts(told, CONFIG, NOW)).actions == (DeleteJob("j"),)


def test_a_generation_that_runs_is_stopped_however_long_it_takes() -> None:
    remains = deleted(generation=replace(World().remains().generation, running=True))
    assert decide_deletion(DeletionFacts(remains, CONFIG, NOW)).actions == (StopGeneration(),)
