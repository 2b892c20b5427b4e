"""From the store to a folder for people: portraits, layouts, adapter, likeness report, contact sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from profile_contract.artifacts import (
    ADAPTER,
    ADAPTER_WEBUI,
    CONTACT_SHEET,
    LIKENESS_REPORT,
    ORDER,
    PRINT_SHEET,
    REPORT,
    stage_prefix,
)
from profile_contract.names import Stage
from profile_contract.orders import (
    FinishOrder,
    FinishReport,
    GenerateReport,
    PreprocessReport,
    StageReport,
    TrainReport,
)
from profile_contract.store import NotFound, Store, StoreError

from .errors import CommandError

PORTRAITS = "portraits"
# Names what the last run left, so that a later one can take away what is not delivered any more.
LIST = ".delivered.json"

ReportT = TypeVar("ReportT", bound=StageReport)


@dataclass(frozen=True)
class Results:
    """The reports of the stages whose artifacts a person takes home."""

    preprocess: PreprocessReport
    train: TrainReport
    generate: tuple[GenerateReport, ...]
    finish: FinishReport


def read_results(store: Store, namespace: str, name: str, digests: Mapping[Stage, str]) -> Results:
    """Read the reports that stand under these digests. Raises CommandError."""

    def report(stage: Stage, kind: type[ReportT]) -> ReportT:
        return read_report(store, stage_prefix(namespace, name, stage, digests[stage]) + REPORT, kind)

    return Results(
        preprocess=report(Stage.PREPROCESS, PreprocessReport),
        train=report(Stage.TRAIN, TrainReport),
        generate=_drawn(store, stage_prefix(namespace, name, Stage.FINISH, digests[Stage.FINISH]) + ORDER),
        finish=report(Stage.FINISH, FinishReport),
    )


def _drawn(store: Store, order_key: str) -> tuple[GenerateReport, ...]:
    """The reports of the styles, found by the candidates that the finish order names."""
    try:
        order = FinishOrder.model_validate_json(store.read(order_key))
    except (StoreError, ValidationError) as error:
        raise CommandError(f"{order_key} cannot be read: {error}") from error
    folders = [style.candidates[0].key.rpartition("/")[0] for style in order.styles if style.candidates]
    return tuple(read_report(store, f"{folder}/{REPORT}", GenerateReport) for folder in folders)


def read_report(store: Store, key: str, kind: type[ReportT]) -> ReportT:
    """One report. Raises CommandError if it is not there or not readable."""
    try:
        return kind.model_validate_json(store.read(key))
    except NotFound as error:
        raise CommandError(f"{key} is not in the store") from error
    except (StoreError, ValidationError) as error:
        raise CommandError(f"{key} cannot be read: {error}") from error


def files_of(results: Results) -> dict[str, str]:
    """Path below the folder -> key in the store, of everything that is delivered. Pure."""
    finish = results.finish
    base = finish.contact_sheet.rpartition("/")[0] + "/"
    files = {CONTACT_SHEET: finish.contact_sheet, LIKENESS_REPORT: finish.likeness_report}
    if finish.print_sheet:
        files[PRINT_SHEET] = finish.print_sheet
    for portrait in finish.portraits:
        for key in (portrait.key, *(layout.key for layout in portrait.layouts)):
            files[f"{PORTRAITS}/{key.removeprefix(base)}"] = key
    adapters = {ADAPTER: results.train.adapter, ADAPTER_WEBUI: results.train.adapter_webui}
    return files | {path: found.key for path, found in adapters.items() if found is not None}


def deliver(store: Store, results: Results, folder: Path) -> list[Path]:
    """Write everything into the folder, and take away what an earlier run left and is not delivered any more.

    Returns the files, sorted. Raises CommandError.
    """
    files = files_of(results)
    try:
        for path, key in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(store.read(key))
        _forget(folder, set(files))
    except StoreError as error:
        raise CommandError(f"the results cannot be read from the store: {error}") from error
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}") from error
    return sorted(folder / path for path in files)


def _forget(folder: Path, kept: set[str]) -> None:
    record = folder / LIST
    before: list[str] = json.loads(record.read_text()) if record.exists() else []
    root = folder.resolve()
    for path in set(before) - kept:
        old = (folder / path).resolve()
        if old.is_relative_to(root):
            old.unlink(missing_ok=True)
    record.write_text(json.dumps(sorted(kept), indent=1))
