"""The log of every program: text as people read it, or an object a line, whoever speaks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessParameters
from profile_runtime.logging import bound, json_lines

STAGE = """
import logging, sys
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_runtime.shell import main
def run(order, context):
    logging.getLogger("somebody.else").warning("two\\nlines of %s", "민지")
    logging.getLogger("httpx").info("https://store/secret?signature=1")
    return PreprocessReport(digest=order.digest)
sys.exit(main(run, PreprocessOrder, Stage.PREPROCESS))
"""
ORDER = PreprocessOrder(
    request=RequestRef(namespace="hr", name="minji"),
    digest="abc",
    output="hr/requests/minji/dataset/abc/",
    photos=[],
    parameters=PreprocessParameters(),
)


def log_of_a_stage(tmp_path: Path, **environment: str) -> list[str]:
    env = {**os.environ, "PROFILE_ORDER": ORDER.to_json(), "PROFILE_STORE": f"file://{tmp_path}", **environment}
    ended = subprocess.run([sys.executable, "-c", STAGE], env=env, capture_output=True, text=True, check=True)
    return ended.stderr.splitlines()


def test_a_program_logs_text_where_nothing_is_said(tmp_path: Path) -> None:
    lines = log_of_a_stage(tmp_path)
    assert [line.split(" ", 2)[2] for line in lines if line[:1].isdigit()] == [
        "WARNING somebody.else two",
        "INFO profile_runtime.shell ends with 0 Succeeded: preprocess ended after 0 s",
    ]
    assert "secret" not in "".join(lines)


def test_as_json_every_message_is_an_object_that_says_whose_it_is(tmp_path: Path) -> None:
    first, last = map(json.loads, log_of_a_stage(tmp_path, PROFILE_LOG_FORMAT="json"))
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


def test_another_word_is_named_and_the_log_is_text(tmp_path: Path) -> None:
    assert "PROFILE_LOG_FORMAT is neither text nor json" in log_of_a_stage(tmp_path, PROFILE_LOG_FORMAT="yaml")[0]


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
