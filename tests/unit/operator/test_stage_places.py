"""Every stage has its place wherever there is one a stage; what is told of all of them goes by their table."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from operator_world import CONFIG, World, change, photo
from profile_contract.request_status import ProfileRequestStatus, StagesStatus
from profile_contract.resolved import Resolved
from profile_contract.stages.table import JOB_STAGES, STAGES, Stage
from profile_operator.decide.outdated import _STAGES
from profile_operator.job_settings import JobsConfig
from profile_operator.observe.references import referenced_digests
from profile_operator.observe.snapshot import Chain, Reports


def test_the_stages_that_run_as_jobs() -> None:
    assert JOB_STAGES == (Stage.PREPROCESS, Stage.TRAIN, Stage.FINISH)


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_its_place(stage: Stage) -> None:
    for kind in (Chain, Reports):
        assert stage.value in {field.name for field in fields(kind)}
    assert stage.value in StagesStatus.model_fields
    assert (stage.value in JobsConfig.model_fields) == (stage in JOB_STAGES) == (STAGES[stage].order is not None)
    assert (_STAGES[stage.value] is not None) == (stage in JOB_STAGES)


def test_credentials_must_outlast_the_longest_of_all_jobs() -> None:
    for stage in JOB_STAGES:
        long = CONFIG.jobs.of(stage).model_copy(update={"active_deadline_seconds": 30_000})
        with pytest.raises(ValueError, match="must be at least 30600"):
            JobsConfig.model_validate({**CONFIG.jobs.document(), stage.value: long.document()})


def test_no_stages_digest_is_swept_away_while_it_is_resolved_or_told() -> None:
    world = World()
    world.run()
    told = world.status.stages
    assert told is not None
    named = {entry.digest for stage in Stage if (entry := told.of(stage)) is not None}
    silent = replace(world.head, status=ProfileRequestStatus())
    earlier = Resolved.model_validate(world.recorded)
    assert (referenced_digests(silent, earlier, world.chain.area) or set()) >= set(map(world.chain.of, JOB_STAGES))
    change(world, refresh=1)
    world.photos.append(photo("another.jpg"))
    world.cycle()
    assert (referenced_digests(world.head, world.recorded, world.chain.area) or set()) >= named
