"""The page's texts: both languages say the same things, and everything that the page asks for is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from profile_contract.conditions import Reason
from profile_contract.layouts import LAYOUTS
from profile_contract.photos import PhotoReason, PhotosWarningKind
from profile_contract.stages.table import Stage
from profile_contract.style import Tone
from profile_web.problems import Code
from profile_web.views import TOLD_CHECKS

STATIC = Path(__file__).resolve().parents[3] / "images" / "web" / "profile_web" / "static"
TEXTS = {file.stem: json.loads(file.read_text()) for file in (STATIC / "texts").glob("*.json")}
# What a request can be while it goes on by itself, or when it went well.
NO_END = {
    Reason.SUCCEEDED, Reason.QUEUED, Reason.PENDING, Reason.RUNNING, Reason.SUSPENDED, Reason.WAITING_FOR_STAGE,
    Reason.UP_TO_DATE, Reason.PLATFORM_CHANGED, Reason.NOT_ASKED,
    Reason.STORE_UNAVAILABLE, Reason.PREDICTOR_UNAVAILABLE, Reason.PREDICTOR_NOT_FOUND,
    Reason.REFUSED, Reason.IMAGE_PULL_FAILED, Reason.POD_NOT_STARTED, Reason.EVICTED, Reason.NODE_LOST,
    Reason.PREDICTOR_FAILS, Reason.PREDICTOR_REFUSED, Reason.API_UNAVAILABLE,
    Reason.DELETING, Reason.ARTIFACTS_PURGED, Reason.ARTIFACTS_RETAINED,
    Reason.ARTIFACTS_ABANDONED, Reason.OTHER_INSTALLATION,
}  # fmt: skip
PLACE = re.compile(r"\{(\w+)\}")


def test_both_languages_say_the_same() -> None:
    assert set(TEXTS) == {"en", "ko"}
    assert TEXTS["en"].keys() == TEXTS["ko"].keys()
    for key, english in TEXTS["en"].items():
        assert set(PLACE.findall(english)) == set(PLACE.findall(TEXTS["ko"][key])), key


def test_what_is_said_of_one_is_said_of_more() -> None:
    counted = {key.removesuffix(".one") for key in TEXTS["en"] if key.endswith(".one")}
    assert counted
    assert all("{count}" in TEXTS["en"][key] for key in counted)


def test_every_text_that_the_page_names_is_there() -> None:
    named = {key for file in STATIC.glob("*.js") for key in re.findall(r"""\bt\(\s*"([\w.-]+)\"""", file.read_text())}
    assert named
    assert named <= TEXTS["en"].keys()


def test_every_word_of_the_api_that_the_page_shows_has_a_text() -> None:
    wanted = {f"photo.{reason}" for reason in PhotoReason} | {f"stage.{stage}" for stage in Stage}
    wanted |= {f"layout.{name}" for name in LAYOUTS} | {f"tone.{tone}" for tone in Tone}
    wanted |= {f"error.{code}" for code in Code} | {f"reason.{reason}" for reason in Reason if reason not in NO_END}
    wanted |= {f"state.{state}" for state in ("Waiting", "Running", "Ready", "Stalled", "Deleting")}
    wanted |= {f"waits.{reason}" for reason in (Reason.QUEUED, Reason.SUSPENDED)}
    wanted |= {f"warning.{kind}" for kind in PhotosWarningKind if kind is not PhotosWarningKind.LEFT_OUT}
    wanted |= {f"check.{name}" for name in TOLD_CHECKS.values()}
    assert wanted <= TEXTS["en"].keys()
