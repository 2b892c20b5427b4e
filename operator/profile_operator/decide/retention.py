"""retention: until when adapter and candidates are kept, and what cannot be made once they are gone. Pure.

Files go while a request is ready, never while work goes on that may need them: the end stands in the status of a stage
from when the portraits are there until work begins again. An end that has come stays, whatever spec.retention says
later, until the stage runs anew; and it does that only when a person asks for it. What is asked for no more is
forgotten with its end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from profile_contract.artifacts import REPORT
from profile_contract.conditions import Reason
from profile_contract.request_status import StagesStatus, StageStatus
from profile_contract.resolved import Resolved
from profile_contract.stages.table import Stage
from profile_operator.clock import parsed, stamp

from .facts import Facts
from .plan import Action, DeleteJob, DropReport
from .standing import Decision, StageState, Standings, next_standing, with_standing

# A report is dropped; the next look begins the stage.
AT_ONCE = 1.0
BEGINNING = (StageState.READY, StageState.QUEUED, StageState.RUNNING)


def await_refresh(facts: Facts) -> Decision | None:
    """What is asked for now needs what has had its time: it is made anew when a person asks, and never by itself."""
    current = next_standing(facts.standings)
    if current is None or current.state is not StageState.READY:
        return None
    gone = _gone(facts)
    if not gone:
        return None
    if _asked_anew(facts, gone):
        return _made_anew(facts, gone)
    ends = {stage: _ended(facts, stage) for stage in gone}
    words = {Stage.TRAIN: "the adapter was", Stage.GENERATE: "the candidates were"}
    kept = (f"{words[stage]} kept until {entry.expires}" for stage, entry in ends.items() if entry is not None)
    message = f"{' and '.join(kept)}, as spec.retention said"
    blocked = replace(current, state=StageState.BLOCKED, reason=Reason.EXPIRED, message=message)
    return Decision(with_standing(facts.standings, blocked))


def _asked_anew(facts: Facts, gone: tuple[Stage, ...]) -> bool:
    """Whether a person asks for all that is gone: by `refresh`, or for candidates alone by that of each of their
    styles. A style's own asks for no training."""
    resolved, recorded = facts.head.status.resolved, facts.snapshot.recorded
    if facts.spec.refresh > (resolved.refresh if resolved is not None else 0):
        return True
    if Stage.TRAIN in gone:
        return False
    before = {style.key: style.refresh for style in recorded.generate.styles} if recorded is not None else {}
    asked = {style.key: style.refresh for style in facts.spec.styles}
    return all(asked[key] > before.get(key, 0) for key in _hollow(facts))


def left_behind(facts: Facts) -> tuple[Action, ...]:
    """Forgets the reports of what has had its time and is asked for no more, before that is written down: they tell
    files that are gone, and whoever asks for it again is to have it made anew."""
    recorded = facts.snapshot.recorded
    if recorded is None or recorded == facts.snapshot.resolved:
        return ()
    chain, folders, forgotten = facts.chain, list[tuple[Stage, str]](), list[Action]()
    drawn, adapter = _ended(facts, Stage.GENERATE), _ended(facts, Stage.TRAIN)
    if drawn is not None and drawn.digest == recorded.digest_of_stage(Stage.GENERATE):
        left = _styles_of(recorded) - set(chain.styles.values())
        folders += [(Stage.GENERATE, digest) for digest in sorted(left)]
    if adapter is not None and adapter.digest == recorded.digest_of_stage(Stage.TRAIN) != chain.train:
        # A Job that ended well, and whose report is gone, would be taken for one that failed.
        jobs = [job for job in facts.snapshot.jobs if (job.stage, job.digest) == (Stage.TRAIN, adapter.digest)]
        forgotten += [DeleteJob(job.name, job.uid) for job in jobs if job.owner_uid == facts.head.uid]
        folders.append((Stage.TRAIN, adapter.digest))
    return (*forgotten, *(DropReport(chain.prefix(stage, digest) + REPORT) for stage, digest in folders))


def with_ends(facts: Facts, standings: Standings, stages: StagesStatus) -> StagesStatus:
    """The entries of the stages with until when their files are kept."""
    finished = all(standing.state is StageState.DONE for standing in standings)
    completion = stages.finish.completion_time if stages.finish is not None else None
    retention = facts.spec.retention
    days = {Stage.TRAIN: retention.adapter_days, Stage.GENERATE: retention.candidate_days}
    entries: dict[str, StageStatus | None] = {}
    for standing in (standing for standing in standings if standing.stage in days):
        entry, before, most = stages.of(standing.stage), _ended(facts, standing.stage), days[standing.stage]
        if before is not None and standing.state not in BEGINNING:
            entry = (entry or before).model_copy(update={"expires": before.expires})
        elif entry is not None:
            ends = stamp(parsed(completion) + timedelta(days=most)) if finished and completion and most else None
            entry = entry.model_copy(update={"expires": ends})
        entries[standing.stage.value] = entry
    return stages.model_copy(update=entries)


def _ended(facts: Facts, stage: Stage) -> StageStatus | None:
    """What the status says of a stage whose files have had their time; None where they have not."""
    entry = (facts.head.status.stages or StagesStatus()).of(stage)
    return entry if entry is not None and entry.expired(facts.now) else None


def _hollow(facts: Facts) -> tuple[str, ...]:
    """The keys of the styles whose reports stand and were among those whose candidates have had their time, if any
    have: what was drawn for another wish had no part in that."""
    recorded, drawn = facts.snapshot.recorded, facts.snapshot.reports.generate
    if recorded is None:
        return tuple(drawn)
    before = _styles_of(recorded)
    return tuple(key for key in drawn if facts.chain.styles[key] in before)


def _styles_of(recorded: Resolved) -> set[str]:
    """The digests of the styles that were drawn."""
    return {style.digest for style in recorded.generate.styles}


def _gone(facts: Facts) -> tuple[Stage, ...]:
    """The stages whose reports stand, whose files have had their time, and without which nothing goes on."""
    _, train, generate, *_ = facts.standings
    adapter = _ended(facts, Stage.TRAIN)
    candidates = bool(_hollow(facts)) and train.state is StageState.DONE and _ended(facts, Stage.GENERATE) is not None
    drawing = candidates or generate.state is not StageState.DONE
    trained = train.state is StageState.DONE and adapter is not None and adapter.digest == facts.chain.train
    return (*((Stage.TRAIN,) if trained and drawing else ()), *((Stage.GENERATE,) if candidates else ()))


def _made_anew(facts: Facts, gone: tuple[Stage, ...]) -> Decision:
    """Forgets the reports, the adapter's last: whoever is interrupted finds the request as it was."""
    chain = facts.chain
    drawn = _hollow(facts) if Stage.GENERATE in gone else ()
    drops: list[Action] = [DropReport(chain.prefix(Stage.GENERATE, chain.styles[key]) + REPORT) for key in drawn]
    if Stage.TRAIN in gone:
        job = facts.standings[1].job
        drops += [DeleteJob(job.name, job.uid)] if job is not None and job.owner_uid == facts.head.uid else []
        drops.append(DropReport(chain.prefix(Stage.TRAIN) + REPORT))
    first = list(Stage).index(gone[0])
    begun = replace(facts.standings[first], state=StageState.READY, report=None)
    after = (
        replace(standing, state=StageState.WAITING, reason=Reason.WAITING_FOR_STAGE, report=None)
        for standing in facts.standings[first + 1 :]
    )
    return Decision((*facts.standings[:first], begun, *after), (*left_behind(facts), *drops), AT_ONCE)
