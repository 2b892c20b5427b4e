"""Requests as visitors of the page have them, and the limits they may have."""

from __future__ import annotations

from typing import Any

from page_world import AREA, NAMESPACE, STORE
from profile_web.config import Namespaces, VisitorLimits, WebConfig

MADE = f"{AREA}requests/p-1/"

PORTRAIT = {
    "style": "studio-warm", "key": f"{MADE}portraits/d/studio-warm/01-000001.png", "seed": 1, "rank": 1,
    "likeness": 80, "layouts": {"resume": f"{MADE}portraits/d/studio-warm/01-000001-resume.jpg"},
}  # fmt: skip

TIMES = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}

READY = [{"type": "Ready", "status": "True", "reason": "Succeeded", **TIMES}]

STALLED = [{"type": "Stalled", "status": "True", "reason": "TooFewUsablePhotos", **TIMES}]


def limited(**limits: Any) -> WebConfig:
    return WebConfig(namespaces=Namespaces(default=NAMESPACE), store=STORE, limits=VisitorLimits(**limits))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
