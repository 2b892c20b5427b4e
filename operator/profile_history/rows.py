"""What the database holds of a request, as rows made from its reports, in the order of `migrations`' columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from profile_contract.model import canonical_json
from profile_contract.resource import Key
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport

Row = tuple[object, ...]

TABLES = ("requests", "stages", "verdicts", "artifacts", "likeness")


@dataclass
class Rows:
    """Rows by table; `requests` apart, since the cluster knows more of it than the store."""

    stages: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    artifacts: list[Row] = field(default_factory=list)
    likeness: list[Row] = field(default_factory=list)

    def tables(self) -> Iterable[tuple[str, list[Row]]]:
        """Table name and rows."""
        return vars(self).items()


def rows_of(key: Key, reports: Iterable[tuple[str, StageReport]]) -> Rows:
    """The rows of a request's reports, each with the digest that it stands under."""
    rows = Rows()
    for digest, report in reports:
        rows.stages.append(_stage_row(key, digest, report))
        match report:
            case PreprocessReport():
                rows.verdicts += [
                    (key.namespace, key.name, digest, v.name, v.accepted, v.reason.value, canonical_json(v.measures))
                    for v in report.verdicts
                ]
            case TrainReport():
                files = [file for file in (report.adapter, report.adapter_webui) if file is not None]
                rows.artifacts += [
                    _artifact(key, Stage.TRAIN, digest, f.key, sha256=f.sha256, size=f.bytes) for f in files
                ]
            case GenerateReport():
                candidates = report.candidates
                rows.artifacts += [_artifact(key, Stage.GENERATE, digest, c.key, sha256=c.sha256) for c in candidates]
            case FinishReport():
                rows.artifacts += _portraits(key, digest, report)
                rows.likeness += [
                    (key.namespace, key.name, digest, s.style, s.seed, s.cosine, s.likeness, s.delivered, s.refusal)
                    for s in report.scores
                ]
    return rows


def _stage_row(key: Key, digest: str, report: StageReport) -> Row:
    style = report.style if isinstance(report, GenerateReport) else ""
    times = (report.started_at or None, report.finished_at or None)
    cost = (report.seconds, report.peak_memory_megabytes, report.gpu, report.gpu_count)
    model = report.base_model if isinstance(report, TrainReport) else ""
    said = (report.outcome, report.reason.value, report.message)
    return (key.namespace, key.name, report.stage.value, digest, style, *said, *times, *cost, model)


def _artifact(key: Key, stage: Stage, digest: str, file: str, *, sha256: str = "", size: int = 0) -> Row:
    return (key.namespace, key.name, stage.value, digest, file, sha256, size)


def _portraits(key: Key, digest: str, report: FinishReport) -> list[Row]:
    """The files of what was delivered: portraits and their cuts, the sheets, the likeness report."""
    rows = []
    for portrait in report.portraits:
        rows.append(_artifact(key, Stage.FINISH, digest, portrait.key))
        rows += [_artifact(key, Stage.FINISH, digest, cut.key, size=cut.bytes) for cut in portrait.layouts]
        rows += [_artifact(key, Stage.FINISH, digest, portrait.source)] if portrait.source else []
    extra = [file for file in (report.contact_sheet, report.print_sheet, report.likeness_report) if file]
    return rows + [_artifact(key, Stage.FINISH, digest, file) for file in extra]
