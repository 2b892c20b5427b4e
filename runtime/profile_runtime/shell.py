"""The small shell that turns a stage function into a program.

    PROFILE_ORDER   the order as JSON (or --order FILE)
    PROFILE_STORE   the store's URL, see `profile_runtime.store.opening`
    PROFILE_REDIS   where progress goes, optional
    PROFILE_MODELS  folder of models, default /models
    PROFILE_SIGNATURE  folder of the key and certificates by which finish signs pictures, optional

It writes the report last, a short summary to the container's termination message, and ends with an exit code that
the Job's podFailurePolicy understands.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from profile_contract.artifacts import ORDER, REPORT
from profile_contract.conditions import Reason
from profile_contract.exits import EXIT_BAD_INPUT, EXIT_DONE, EXIT_TRY_AGAIN, BadInput, StageError, TryAgain
from profile_contract.model import canonical_json
from profile_contract.stages.order import StageOrder, StageReport
from profile_contract.stages.table import Stage

from .context import StageContext
from .logging import bound, configure
from .progress import Publisher, RedisPublisher, Silent, StageProgress
from .store.opening import open_store
from .store.port import Store, StoreError

log = logging.getLogger(__name__)

OrderT = TypeVar("OrderT", bound=StageOrder)
ReportT = TypeVar("ReportT", bound=StageReport)
StageFunction = Callable[[OrderT, StageContext], ReportT]

TERMINATION_LOG = Path("/dev/termination-log")
TERMINATION_BYTES = 4000


def run_stage(
    run: StageFunction[OrderT, ReportT],
    order: OrderT,
    stage: Stage,
    store: Store,
    *,
    models: Path,
    publisher: Publisher | None = None,
    signature: Path | None = None,
) -> StageReport:
    """Run a stage and leave its report in the store, last of all. BadInput becomes a report; other errors pass."""
    started = datetime.now(UTC)
    clock = time.monotonic()
    progress = StageProgress(order.request, stage, order.digest, publisher or Silent())
    progress.at(0, 1)
    report: StageReport
    try:
        report = run(order, StageContext(store, progress, models, signature))
    except BadInput as error:
        report = StageReport(
            stage=stage, digest=order.digest, outcome="BadInput", reason=error.reason, message=error.message
        )
    report = report.model_copy(
        update={
            "started_at": _stamp(started),
            "finished_at": _stamp(datetime.now(UTC)),
            "seconds": round(time.monotonic() - clock, 3),
            "peak_memory_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    )
    store.write(order.output + ORDER, order.to_json().encode(), "application/json")
    store.write(order.output + REPORT, report.to_json().encode(), "application/json")
    progress.at(1, 1)
    return report


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def main(run: StageFunction[OrderT, ReportT], order_type: type[OrderT], stage: Stage) -> int:
    """The program: returns the exit code. Call as `sys.exit(main(run, TrainOrder, Stage.TRAIN))`."""
    configure()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        order, store, publisher = _inputs(order_type, stage)
    except (StageError, StoreError) as error:
        return _failed(error)
    models = Path(os.environ.get("PROFILE_MODELS", "/models"))
    signature = Path(folder) if (folder := os.environ.get("PROFILE_SIGNATURE")) else None
    with bound(request=f"{order.request.namespace}/{order.request.name}", stage=stage, digest=order.digest):
        try:
            report = run_stage(run, order, stage, store, models=models, publisher=publisher, signature=signature)
        except (StageError, StoreError) as error:
            return _failed(error)
        if report.outcome == "BadInput":
            return _end(EXIT_BAD_INPUT, report.reason, report.message)
        return _end(EXIT_DONE, report.reason, report.message or f"{stage} ended after {report.seconds:.0f} s")


def _failed(error: StageError | StoreError) -> int:
    """The exit code for a stage that leaves no report."""
    if isinstance(error, StoreError):
        return _end(EXIT_TRY_AGAIN, Reason.STORE_UNAVAILABLE, str(error))
    return _end(EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_TRY_AGAIN, error.reason, error.message)


def _inputs(order_type: type[OrderT], stage: Stage) -> tuple[OrderT, Store, Publisher]:
    """The order, the store and where progress goes, as arguments and environment say. Raises BadInput, StoreError."""
    parser = argparse.ArgumentParser(description=f"Run the stage '{stage}' on an order.")
    parser.add_argument("--order", type=Path, help="file that holds the order (default: $PROFILE_ORDER)")
    parser.add_argument("--store", default=os.environ.get("PROFILE_STORE", ""), help="store URL")
    arguments = parser.parse_args()
    order = read_order(order_type, _order_text(arguments.order))
    redis_url = os.environ.get("PROFILE_REDIS", "")
    return order, open_store(arguments.store), RedisPublisher(redis_url) if redis_url else Silent()


def _order_text(file: Path | None) -> bytes:
    """The order as JSON, out of the file or the environment. Raises BadInput."""
    if file is None:
        return os.environb.get(b"PROFILE_ORDER", b"")
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(Reason.INVALID_ORDER, f"the order {file} cannot be read: {error.strerror}") from error


def read_order(order_type: type[OrderT], text: bytes) -> OrderT:
    """The order that a JSON text holds. Raises BadInput, which names the fields that are wrong, and why."""
    try:
        return order_type.model_validate_json(text)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))[:80]}: {e['msg']}".removeprefix(": ") for e in error.errors()[:5]]
        raise BadInput(Reason.INVALID_ORDER, f"the order cannot be read: {'; '.join(wrong)}") from error


def _terminated(number: int, frame: object) -> None:
    raise TryAgain(Reason.PENDING, "the pod was asked to stop; the stage goes on from its last checkpoint")


def _end(code: int, reason: Reason, message: str) -> int:
    log.info("ends with %d %s: %s", code, reason, message)
    if TERMINATION_LOG.exists():
        TERMINATION_LOG.write_bytes(_last_words(code, reason, message))
    return code


def _last_words(code: int, reason: Reason, message: str) -> bytes:
    """A document that fits whole: one that is cut off could not be read, and its reason would be lost."""
    words = canonical_json({"code": code, "reason": reason, "message": message[:1000]}).encode()
    return (
        words if len(words) <= TERMINATION_BYTES else _last_words(code, reason, message[: len(message[:1000]) * 3 // 4])
    )
