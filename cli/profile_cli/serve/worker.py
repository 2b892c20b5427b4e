"""Worker: takes the requests of a ledger one after another through the four stages, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from profile_cli.errors import CommandError
from profile_cli.run.other_networks import OtherNetworks
from profile_cli.run.runner import InputRefused, Run
from profile_cli.run.settings import AREA
from profile_cli.terminal import Terminal, Tracker
from profile_contract.artifacts import request_prefix
from profile_contract.conditions import Reason
from profile_contract.exits import StageError
from profile_contract.request_status import Progress
from profile_contract.resource import SpecError, parse_spec
from profile_contract.stages.chain import Platform
from profile_contract.stages.order import StageReport
from profile_contract.stages.table import Stage
from profile_contract.style import ProfileStyleSpec
from profile_runtime.kubernetes.resources import Document
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoreError

from .ledger import Ledger, settled
from .request_status import status

log = logging.getLogger(__name__)

IDLE_SECONDS = 5.0


class Withdrawn(CommandError):
    """The request was deleted or changed while it was worked on."""


@dataclass(frozen=True)
class Workplace:
    """What the worker works with. `models` is the models folder; `styles` by their keys; `toy`: the base model's name,
    if it is but a toy; `signature`, `signer` and `networks` as of a Run."""

    store: FolderStore
    models: Path
    styles: Mapping[str, ProfileStyleSpec]
    platform: Platform
    terminal: Terminal
    toy: str = ""
    signature: Path | None = None
    signer: str = ""
    networks: OtherNetworks = field(default_factory=OtherNetworks)


class Worker:
    """One person at a time: on one card two trainings would be slower than one after the other, or not fit."""

    def __init__(self, ledger: Ledger, workplace: Workplace) -> None:
        self._ledger, self._workplace = ledger, workplace
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; what runs is left where it is, and goes on from there when it is begun again."""
        self._ends.set()

    def _work(self) -> None:
        while not self._ends.is_set():
            try:
                busy = self.step()
            except Exception:
                log.exception("the worker looks again in a while")
                busy = False
            if not busy:
                self._ledger.wait(IDLE_SECONDS)

    def step(self) -> bool:
        """Do what is due for the first request that something is due for; whether there was one."""
        documents = self._ledger.documents()
        if any(self._purge(document) for document in documents if _deleted(document)):
            return True
        kept = [document for document in documents if not _deleted(document)]
        waiting = [document for document in kept if not settled(document) and _can_be_read(document)]
        for document in waiting[1:]:
            self._tell(document, Task(queued=True))
        if waiting:
            self._serve(waiting[0])
        return bool(waiting)

    def _purge(self, document: Document) -> bool:
        """Take away what a request made, and then itself; whether it could be. Else it is tried again later, and holds
        up nobody."""
        name = str(document["metadata"]["name"])
        try:
            self._workplace.store.delete(request_prefix(AREA, name))
        except (OSError, StoreError) as error:
            log.warning("%s is not deleted yet: %s", name, error)
            return False
        self._ledger.forget(name)
        return True

    def _tell(self, document: Document, task: Task) -> None:
        """Write how far a request is."""
        metadata = document["metadata"]
        shown = status(
            parse_spec(document["spec"]),
            metadata["generation"],
            task.reports,
            looked_at=task.looked_at or task.reports.get(Stage.PREPROCESS),
            queued=task.queued,
            failure=task.failure,
            progress=task.progress,
            toy=self._workplace.toy,
        )
        self._ledger.tell(str(metadata["name"]), str(metadata["uid"]), shown)

    def _serve(self, document: Document) -> None:
        """Take a request through the stages that it lacks, and tell how that ended."""
        task = Task(tell=lambda: self._tell_if_wanted(document, task))
        try:
            self._check_wanted(document)
            self._run(document, task)
            task.progress = None
        except Withdrawn:
            self._workplace.terminal.say("it was taken back, or changed: what was begun is left")
            return
        except InputRefused as refused:
            if refused.report.stage is Stage.PREPROCESS:
                task.looked_at = refused.report
            task.failure = (refused.report.reason, refused.report.message)
        except CommandError as error:
            cause = error.__cause__
            reason = cause.reason if isinstance(cause, StageError) else Reason.STAGE_FAILED
            task.failure = (reason, str(error))
        except Exception as error:
            log.exception("a request failed")
            task.failure = (Reason.STAGE_FAILED, f"{type(error).__name__}: {error}")
        self._tell(document, task)

    def _run(self, document: Document, task: Task) -> None:
        """Raises CommandError and Withdrawn."""
        place, spec = self._workplace, parse_spec(document["spec"])
        unknown = [key for key in spec.style_keys if key not in place.styles]
        if unknown:
            task.failure = (Reason.STYLE_NOT_FOUND, f"there is no style {unknown[0]}")
            return
        styles = {key: place.styles[key] for key in spec.style_keys}
        terminal = Relay(place.terminal, task)
        name = str(document["metadata"]["name"])
        task.tell()
        job = Run(
            place.store, place.models, spec, styles, place.platform, terminal, name=name, listener=task.done,
            signature=place.signature, signer=place.signer, networks=place.networks,
        )  # fmt: skip
        job.results()

    def _tell_if_wanted(self, document: Document, task: Task) -> None:
        self._check_wanted(document)
        self._tell(document, task)

    def _check_wanted(self, document: Document) -> None:
        """Raises Withdrawn for a request that is not asked for any more as it was."""
        now = self._ledger.standing(str(document["metadata"]["name"]))
        if now is None or self._ends.is_set():
            raise Withdrawn("gone")
        same = [now["metadata"].get(name) == document["metadata"].get(name) for name in ("uid", "generation")]
        if not all(same) or _deleted(now):
            raise Withdrawn("changed")


@dataclass
class Task:
    """How far one request is. `tell` writes that down, and raises Withdrawn where nobody wants it any more.
    `looked_at`: what preprocessing said where it could not go on."""

    tell: Callable[[], None] = lambda: None
    reports: dict[Stage, StageReport] = field(default_factory=dict)
    progress: Progress | None = None
    failure: tuple[str, str] | None = None
    queued: bool = False
    looked_at: StageReport | None = None
    drawn: StageReport | None = None

    def done(self, stage: Stage, report: StageReport) -> None:
        """A stage's report stands."""
        # Each style has a report of its own: all are drawn when the next stage says so.
        if stage is Stage.GENERATE:
            self.drawn = report
            return
        if stage is Stage.FINISH and self.drawn is not None:
            self.reports[Stage.GENERATE] = self.drawn
        self.reports[stage] = report
        self.tell()


class Relay(Terminal):
    """The terminal, which also tells the page how far a stage is."""

    def __init__(self, terminal: Terminal, task: Task) -> None:
        super().__init__(terminal.console)
        self._terminal, self._task = terminal, task

    def say(self, text: str) -> None:
        """As the terminal does."""
        self._terminal.say(text)

    @contextmanager
    def tracker(self, title: str) -> Iterator[Tracker]:
        """Progress on the terminal and on the page."""
        stage, task = Stage(title.split(maxsplit=1)[0]), self._task
        with self._terminal.tracker(title) as shown:

            class Both:
                def show(self, text: str, percent: int | None = None, remaining: int | None = None) -> None:
                    shown.show(text, percent, remaining)
                    task.progress = Progress(stage=stage, percent=percent or 0, remaining_seconds=remaining)
                    task.tell()

            yield Both()


def _deleted(document: Document) -> bool:
    """Whether somebody deleted the request, which stands until what it made is gone."""
    return "deletionTimestamp" in document["metadata"]


def _can_be_read(document: Document) -> bool:
    """Whether this version understands the spec; the page says of others that it does not, and they can be deleted."""
    try:
        parse_spec(document["spec"])
    except SpecError:
        return False
    return True
