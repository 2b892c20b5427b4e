"""Problems as answers: a code for the page, and English for whoever asks without it."""

from __future__ import annotations

import json
from pathlib import Path

from fastapi.responses import JSONResponse

from .problems import Problem

STATIC = Path(__file__).parent / "static"


ENGLISH: dict[str, str] = json.loads((STATIC / "texts" / "en.json").read_text())


def problem_answer(problem: Problem) -> JSONResponse:
    """The answer that tells a problem: `code`, the text's `values`, and `message` in English."""
    message = ENGLISH.get(f"error.{problem.code}", problem.code)
    for name, value in problem.values.items():
        message = message.replace(f"{{{name}}}", str(value))
    return JSONResponse({"code": problem.code, "values": problem.values, "message": message}, problem.status)
