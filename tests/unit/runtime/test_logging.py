"""The log of every program: text as people read it, or an object a line, whoever speaks."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import datetime
from typing import Any

import pytest

from profile_runtime.logging import LINE, TextLines, bound, json_lines
from stage_program import ORDER, run_each

STAGE = """
import logging, sys
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_runtime.shell import main
def run(order, context):
    logging.getLogger("somebody.else").warning("two\\nlines of %s", "민지")
    logging.getLogger("httpx2").info("https://store/secret?signature=1")
    return PreprocessReport(digest=order.digest)
def program():
    return main(run, PreprocessOrder, Stage.PREPROCESS)
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a stage's program logs where this format is asked for, line by line."""
    folder = tmp_path_factory.mktemp("programs")
    order = {"PROFILE_ORDER": ORDER.to_json(), "PROFILE_STORE": f"file://{folder}"}
    formats = {"unsaid": {}, "json": {"PROFILE_LOG_FORMAT": "json"}, "yaml": {"PROFILE_LOG_FORMAT": "yaml"}}
    ended = run_each(STAGE, {name: order | chosen for name, chosen in formats.items()}, folder)
    assert {name: run.code for name, run in ended.items()} == dict.fromkeys(formats, 0)
    return {name: run.said.splitlines() for name, run in ended.items()}


def test_a_program_logs_text_where_nothing_is_said(logs: dict[str, list[str]]) -> None:
    lines = logs["unsaid"]
    assert [line.split(" ", 2)[2] for line in lines if line[:1].isdigit()] == [
        "WARNING somebody.else two",
        "INFO profile_runtime.shell ends with 0 Succeeded: preprocess ended after 0 s",
    ]
    assert "    lines of 민지" in lines
    assert "secret" not in "".join(lines)


NAUGHTY = "a\n2026-11-28 00:00:00,000 CRITICAL profile_runtime forged \x1b[2J\x9b31m\u202e\r\u2028x\ud800.jpg"


def logged(formatter: logging.Formatter) -> str:
    """How a line is written that names a stranger's photo, in its message and in what was raised."""
    try:
        raise ValueError(NAUGHTY)
    except ValueError:
        raised = sys.exc_info()
    record = logging.LogRecord("here", logging.WARNING, __file__, 1, "photo %s has gone", (NAUGHTY,), raised)
    return formatter.format(record)


def test_no_name_forges_a_message_or_moves_a_terminal() -> None:
    message, *further = logged(TextLines(LINE)).split("\n")
    assert message.endswith("WARNING here photo a")
    assert {line[:4] for line in further} == {"    ", "Trac"}
    text = "\n".join(further)
    assert text.count("forged \\x1b[2J\\x9b31m\\u202e\\r\\u2028x\\ud800.jpg") == 2
    assert not set(text) & set("\x1b\x9b\u202e\r\u2028\ud800")


def test_no_name_does_so_as_json() -> None:
    line = logged(json_lines())
    assert not set(line) & set("\n\x1b\x9b\u202e\r\u2028\ud800")
    said = json.loads(line)
    assert said["message"] == f"photo {NAUGHTY} has gone"
    assert said["exception"].endswith(f"ValueError: {NAUGHTY}")


def test_as_json_every_message_is_an_object_that_says_whose_it_is(logs: dict[str, list[str]]) -> None:
    first, last = map(json.loads, logs["json"])
    assert datetime.fromisoformat(first.pop("time")).utcoffset() is not None
    assert first == {
        "level": "warning",
        "logger": "somebody.else",
        "message": "two\nlines of 민지",
        "request": "hr/minji",
        "stage": "preprocess",
        "digest": "abc",
    }
    assert (last["logger"], last["digest"]) == ("profile_runtime.shell", "abc")


def test_another_word_is_named_and_the_log_is_text(logs: dict[str, list[str]]) -> None:
    assert "PROFILE_LOG_FORMAT is neither text nor json" in logs["yaml"][0]


def test_an_exception_is_a_field(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("no such photo")
    except ValueError:
        logging.getLogger("here").exception("oops")
    said = as_json(caplog.records[-1])
    assert (said["level"], said["message"]) == ("error", "oops")
    assert said["exception"].endswith("ValueError: no such photo")


def test_what_kopf_says_of_a_request_names_it(caplog: pytest.LogCaptureFixture) -> None:
    reference = {"k8s_ref": {"namespace": "hr", "name": "minji", "kind": "ProfileRequest"}}
    logging.getLogger("kopf.objects").warning("slow", extra=reference)
    assert as_json(caplog.records[-1])["request"] == "hr/minji"
    with bound(request="sales/other"):
        assert as_json(caplog.records[-1])["request"] == "sales/other"


def test_what_is_bound_holds_for_tasks_that_begin_there_and_for_nobody_else() -> None:
    record = logging.LogRecord("here", logging.INFO, __file__, 1, "hello", None, None)

    async def said() -> object:
        await asyncio.sleep(0)
        return as_json(record).get("request")

    async def both() -> list[object]:
        with bound(request="hr/minji"):
            hers = asyncio.create_task(said())
        return [await hers, await said()]

    assert asyncio.run(both()) == ["hr/minji", None]


def as_json(record: logging.LogRecord) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(json_lines().format(record))
    return said
