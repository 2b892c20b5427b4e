"""The log of every program: a line a message, ours and those of kopf, uvicorn and kserve alike.

    PROFILE_LOG_FORMAT   text (the default), or json: an object a line, for collectors of logs

An object has time (UTC), level, logger and message, whatever was bound (request, stage, digest), and exception where
there is one. What strangers name their photos can neither forge a message nor move the terminal of who reads the log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from .printable import UNPRINTABLE, printable

VARIABLE = "PROFILE_LOG_FORMAT"
TEXT, JSON = "text", "json"
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"

# They tell of every call and every event; httpx2, and what is below it, of whole links: presigned ones are secrets.
CHATTY = ("httpx2", "httpcore2", "urllib3", "aiohttp.access", "kopf.objects", "kopf.activities.probe")


_JSON = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


def configure(*, level: int = logging.INFO, line: str = LINE, environment: Mapping[str, str] = os.environ) -> None:
    """Set up the log of this program, on standard error. `line`: how a line of text is laid out."""
    wanted = environment.get(VARIABLE, "").strip().lower() or TEXT
    handler = logging.StreamHandler()
    handler.setFormatter(json_lines() if wanted == JSON else TextLines(line))
    logging.basicConfig(level=level, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if wanted not in (TEXT, JSON):
        logging.getLogger(__name__).warning("%s is neither %s nor %s: the log is text", VARIABLE, TEXT, JSON)


class TextLines(logging.Formatter):
    """Messages as people read them. Their further lines are indented: what begins at the margin is a message."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """One message."""
        return _indented(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """A traceback, whose last line may hold whatever a stranger wrote."""
        return _indented(super().formatException(ei))


def _indented(text: str) -> str:
    return printable(text).replace("\n", "\n    ")


def bound(**fields: str) -> AbstractContextManager[None]:
    """Within it every message carries these fields, and in tasks that begin there to their end."""
    return structlog.contextvars.bound_contextvars(**fields)


def json_lines() -> logging.Formatter:
    """The formatter that makes an object of each message, on one line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            _with_request,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            _as_json,
        ],
    )


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """JSON in which nothing is left that a terminal would obey."""
    line = str(_JSON(logger, method, event))
    return UNPRINTABLE.sub(lambda letter: f"\\u{ord(letter[0]):04x}", line)


def _with_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The message with the request that kopf tells it of, where none is bound."""
    reference = getattr(event.get("_record"), "k8s_ref", None)
    if isinstance(reference, Mapping) and reference.get("name"):
        event.setdefault("request", f"{reference.get('namespace')}/{reference['name']}")
    return event
