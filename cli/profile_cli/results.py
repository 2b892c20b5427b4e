"""From the store to a folder for people: portraits, layouts, adapter, likeness report, contact sheet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from profile_contract.areas import Area
from profile_contract.artifacts import (
    ADAPTER,
    ADAPTER_WEBUI,
    CONTACT_SHEET,
    LIKENESS_REPORT,
    ORDER,
    PRINT_SHEET,
    REPORT,
    folder_of,
    stage_prefix,
)
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages.finish import FinishOrder, FinishReport
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_runtime.store.port import NotFound, Store, StoreError

from .errors import CommandError

PORTRAITS = "portraits"
# Drawn without an adapter: they are no portraits.
PREVIEWS = "previews"
# Names what the last run left, so that a later one can take away what is not delivered any more.
LIST = ".delivered.json"
# Of a name, for every file system.
LONGEST_PART = 255
# What no name may hold: control characters, Windows' separators and drives, halves of characters.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\\\\:\ud800-\udfff]")

# Of a request that trains nothing.
UNTRAINED = TrainReport(digest="")

ReportT = TypeVar("ReportT", bound=StageReport)


@dataclass(frozen=True)
class Results:
    """The reports of the stages whose artifacts a person takes home. Where nothing was trained `train` says nothing."""

    preprocess: PreprocessReport
    train: TrainReport
    generate: tuple[GenerateReport, ...]
    finish: FinishReport


def read_results(store: Store, area: Area, name: str, digests: Mapping[Stage, str]) -> Results:
    """Read the reports that stand under these digests. Raises CommandError."""

    def report(stage: Stage, kind: type[ReportT]) -> ReportT:
        return read_report(store, stage_prefix(area, name, stage, digests[stage]) + REPORT, kind)

    return Results(
        preprocess=report(Stage.PREPROCESS, PreprocessReport),
        train=report(Stage.TRAIN, TrainReport) if Stage.TRAIN in digests else UNTRAINED,
        generate=_drawn(store, stage_prefix(area, name, Stage.FINISH, digests[Stage.FINISH]) + ORDER),
        finish=report(Stage.FINISH, FinishReport),
    )


def _drawn(store: Store, order_key: str) -> tuple[GenerateReport, ...]:
    """The reports of the styles, found by the candidates that the finish order names."""
    try:
        order = FinishOrder.model_validate_json(store.read(order_key))
    except (StoreError, ValidationError) as error:
        raise CommandError(f"{order_key} cannot be read: {error}") from error
    folders = [folder_of(style.candidates[0].key) for style in order.styles if style.candidates]
    return tuple(read_report(store, folder + REPORT, GenerateReport) for folder in folders)


def read_report(store: Store, key: str, kind: type[ReportT]) -> ReportT:
    """One report. Raises CommandError if it is not there or not readable."""
    try:
        return kind.model_validate_json(store.read(key))
    except NotFound as error:
        raise CommandError(f"{key} is not in the store") from error
    except (StoreError, ValidationError) as error:
        raise CommandError(f"{key} cannot be read: {error}") from error


def files_of(results: Results) -> dict[str, str]:
    """Path below the folder -> key in the store, of everything that is delivered. Pure.

    Raises CommandError where a report names a portrait that is not below its own folder, or no file's name.
    """
    finish = results.finish
    pictures = [
        key for portrait in finish.portraits for key in (portrait.key, *(layout.key for layout in portrait.layouts))
    ]
    adapters = {ADAPTER: results.train.adapter, ADAPTER_WEBUI: results.train.adapter_webui}
    folder = PREVIEWS if finish.preview else PORTRAITS
    return {
        CONTACT_SHEET: finish.contact_sheet,
        LIKENESS_REPORT: finish.likeness_report,
        **({PRINT_SHEET: finish.print_sheet} if finish.print_sheet else {}),
        **_below(finish.contact_sheet, pictures, folder),
        **{path: adapter.key for path, adapter in adapters.items() if adapter is not None},
    }


def files_of_status(status: ProfileRequestStatus) -> dict[str, str]:
    """The same, as far as a request's status tells it, whose stages run anew. Pure. Raises CommandError as above."""
    singles = {
        CONTACT_SHEET: status.contact_sheet,
        LIKENESS_REPORT: status.likeness_report,
        PRINT_SHEET: status.print_sheet,
        ADAPTER: status.adapter if not adapter_expired(status) else None,
    }
    shown, folder = (status.previews, PREVIEWS) if status.previews else (status.portraits, PORTRAITS)
    pictures = [key for portrait in shown for key in (portrait.key, *portrait.layouts.values())]
    files = _below(status.contact_sheet or "", pictures, folder)
    return {**files, **{path: key for path, key in singles.items() if key}}


def _below(contact_sheet: str, pictures: Iterable[str], folder: str) -> dict[str, str]:
    """Path below the folder -> key, of pictures that lie in folders beside the contact sheet."""
    base = folder_of(contact_sheet)
    files = {}
    for key in pictures:
        path = key.removeprefix(base)
        if path == key or not _is_plain(path):
            raise CommandError(f"the report names {key!r}, which is no file below {base}: nothing was written")
        files[f"{folder}/{path}"] = key
    return files


def _is_plain(path: str) -> bool:
    """Whether every part of a path is a name that stays where it is, on every system."""
    return not _UNSAFE.search(path) and all(
        part not in ("", ".", "..") and len(part.encode()) <= LONGEST_PART for part in path.split("/")
    )


def adapter_expired(status: ProfileRequestStatus) -> bool:
    """Whether a request's adapter has had its time, by spec.retention, and is or will be gone."""
    train = status.stages.train if status.stages is not None else None
    return train is not None and train.expired(datetime.now(UTC))


def without_adapter(results: Results) -> Results:
    """The results of which the adapter is not delivered. Pure."""
    return replace(results, train=results.train.model_copy(update={"adapter": None, "adapter_webui": None}))


def deliver(store: Store, results: Results, folder: Path) -> list[Path]:
    """Write everything that is delivered into the folder, as deliver_files does. Raises CommandError."""
    return deliver_files(store, files_of(results), folder)


def deliver_files(store: Store, files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write the files (path -> key) into the folder; what an earlier run left and is not among them is taken away.

    Nothing outside of the folder is written or taken away. Returns the files, sorted. Raises CommandError.
    """
    try:
        for path, key in files.items():
            target = _inside(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(store.read(key))
        _forget(folder, set(files))
    except StoreError as error:
        raise CommandError(f"the results cannot be read from the store: {error}") from error
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}") from error
    return sorted(folder / path for path in files)


def _inside(folder: Path, path: str) -> Path:
    """Where a path leads, links followed. Raises CommandError where that is outside of the folder."""
    target = (folder / path).resolve()
    if target == folder.resolve() or not target.is_relative_to(folder.resolve()):
        raise CommandError(f"{folder / path} leads out of {folder}: nothing is written there")
    return target


def _forget(folder: Path, kept: set[str]) -> None:
    root = folder.resolve()
    for path in delivered(folder) - kept:
        old = (folder / path).resolve()
        if old.is_relative_to(root):
            _unlink(old)
    _inside(folder, LIST).write_text(json.dumps(sorted(kept), indent=1))


def delivered(folder: Path) -> set[str]:
    """What the last run says that it delivered into a folder; nothing where its record is not there or not its own."""
    try:
        document = json.loads((folder / LIST).read_text())
    except (OSError, ValueError, RecursionError):
        return set()
    return (
        {path for path in document if isinstance(path, str) and _is_plain(path)}
        if isinstance(document, list)
        else set()
    )


def _unlink(file: Path) -> None:
    if file.is_file():
        file.unlink()
