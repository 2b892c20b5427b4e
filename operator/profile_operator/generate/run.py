"""GenerationRun: one request's generation as it stands, with what it cost and what failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from profile_contract.conditions import Reason
from profile_contract.generation import DetailOutcome, GenerationResult, Receipts
from profile_contract.resource import Key
from profile_operator.decide.plan import GenerationWork, StyleWork
from profile_operator.observe.snapshot import GenerationView
from profile_runtime.progress import StageProgress
from profile_runtime.store.credentials import PrefixSigner

# The same error of the predictor so often is told as such, and asked about ever more seldom: each try costs its GPU.
EQUAL_FAILURES = 5
FAILURE_PAUSE_SECONDS = 60.0
LONGEST_FAILURE_PAUSE_SECONDS = 1800.0


@dataclass
class DrawnStyle:
    """What was drawn of a style since `started`, and what it cost: `seconds` of drawing, without waiting in a queue.

    `reported`: its report stood in the store when that was listed last.
    """

    style: StyleWork
    started: str
    digests: dict[str, str] = field(default_factory=dict)
    details: dict[str, DetailOutcome | None] = field(default_factory=dict)
    held_back: set[str] = field(default_factory=set)
    seconds: float = 0.0
    gpu: str = ""
    reported: bool = False

    def add(self, result: GenerationResult) -> None:
        """Count one batch."""
        self.digests |= {item.key: item.sha256 for item in result.items}
        self.details |= {item.key: item.detail for item in result.items}
        self.held_back |= {item.key for item in result.items if item.held_back}
        self.seconds += result.timings.generate / 1000
        if result.device and result.device != "cpu":
            self.gpu = result.device

    @property
    def unanswered(self) -> list[str]:
        """Keys of candidates of which nobody told what they are, though they stand in the store."""
        return [planned.key for planned in self.style.candidates if planned.key not in self.digests]

    def add_receipts(self, lost: Collection[str], answer: Receipts) -> None:
        """Count what a replica drew of what was `lost`. Two may have drawn the same: both have cost."""
        receipts = [receipt for receipt in answer.items if receipt.key in lost]
        self.digests |= {receipt.key: receipt.sha256 for receipt in receipts}
        self.details |= {receipt.key: receipt.detail for receipt in receipts}
        self.held_back |= {receipt.key for receipt in receipts if receipt.held_back}
        self.seconds += sum(receipt.milliseconds for receipt in receipts) / 1000
        if receipts and answer.device and answer.device != "cpu":
            self.gpu = answer.device


@dataclass
class EqualFailures:
    """Errors of the predictor that are alike, one after another."""

    text: str = ""
    equal: int = 0

    def count(self, text: str) -> int:
        """Count one; returns how many there were that say the same."""
        self.equal = self.equal + 1 if text == self.text else 1
        self.text = text
        return self.equal

    @property
    def pause(self) -> float:
        """Seconds until the next try."""
        doublings = min(self.equal - EQUAL_FAILURES, 10)
        return float(min(FAILURE_PAUSE_SECONDS * 2**doublings, LONGEST_FAILURE_PAUSE_SECONDS))


@dataclass
class GenerationRun:
    """One request's generation. `stopping` is set to end it between batches, `retrying` held by what failed."""

    work: GenerationWork
    progress: StageProgress
    task: asyncio.Task[None] | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    retrying: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    drawn: int = 0
    reason: Reason | None = None
    message: str = ""
    # Since when the predictor has not answered; None while it does.
    absent_since: float | None = None

    def awaits_start(self, start_seconds: float) -> bool:
        """Whether a predictor that does not answer may still be about to start."""
        now = time.monotonic()
        self.absent_since = now if self.absent_since is None else self.absent_since
        return now - self.absent_since < start_seconds

    @property
    def key(self) -> Key:
        """Whose generation it is."""
        return Key(self.work.request.namespace, self.work.request.name)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.task is not None and not self.task.done()

    @property
    def remaining_seconds(self) -> int | None:
        """How long it may still take, by what was drawn so far; None before the first batch."""
        if not self.drawn:
            return None
        return round((time.monotonic() - self.began) / self.drawn * (self.work.total - self.done))

    @property
    def view(self) -> GenerationView:
        """What a decision may see of it."""
        return GenerationView(
            digest=self.work.digest,
            running=self.running,
            done=self.done,
            total=self.work.total,
            remaining_seconds=self.remaining_seconds,
            reason=self.reason,
            message=self.message,
        )


@dataclass(frozen=True)
class RequestGrants:
    """Links to what one request made, valid for so many seconds, and to the looks that it is drawn with. Raises
    ForeignKey for any other object.

    `looks`: who signs for a place where looks lie, by its prefix.
    """

    signer: PrefixSigner
    seconds: int
    looks: Mapping[str, PrefixSigner] = field(default_factory=dict)

    def get(self, key: str) -> str:
        """A link that reads the object."""
        signer = next((signer for place, signer in self.looks.items() if key.startswith(place)), self.signer)
        return signer.get(key, self.seconds)

    def put(self, key: str) -> str:
        """A link that writes the object."""
        return self.signer.put(key, self.seconds)
