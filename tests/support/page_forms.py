"""Tests of the page in a browser: photos that are chosen, pictures of the page, and a request that is ready."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page as Tab
from playwright.sync_api import ViewportSize

from fake_kubernetes import CLUSTER_STYLES
from page_stand import Stand
from page_world import AREA, NAMESPACE
from profile_contract.ownership import OWNER_LABEL
from profile_web.visitor import local_visitor

WIDE, PHONE = ViewportSize(width=1100, height=900), ViewportSize(width=390, height=844)

PICTURES = Path(__file__).resolve().parents[2] / "out" / "page"
TIMES = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}


def photo(number: int, name: str = "", kind: str = "image/jpeg") -> Any:
    pixels = np.random.default_rng(number).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=40)
    return {"name": name or f"{number:02d}.jpg", "mimeType": kind, "buffer": out.getvalue()}


def choose(tab: Tab, *photos: Any) -> None:
    tab.locator("input[type=file]").set_input_files(list(photos))


def shoot(tab: Tab, name: str) -> None:
    """A picture of the whole page, on a desk and on a phone, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for size, ending in ((WIDE, ""), (PHONE, "-phone")):
        tab.set_viewport_size(size)
        assert tab.evaluate("document.documentElement.scrollWidth") <= size["width"]
        tab.screenshot(path=PICTURES / f"{name}{ending}.png", full_page=True)
    tab.set_viewport_size(WIDE)


def stalled(page: Stand, count: int = 20, used: int = 3) -> str:
    """A request of which few photos can be used."""
    owner = local_visitor("you", NAMESPACE).owner
    names = [f"{number:02d}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        page.store.write(f"{AREA}uploads/{owner}/p-1/{name}", photo(number)["buffer"])
    verdicts = [
        {"name": name, "accepted": number < used, "reason": "Accepted" if number < used else "Blurred"}
        for number, name in enumerate(names)
    ]
    condition = {"type": "Stalled", "status": "True", "reason": "TooFewUsablePhotos", **TIMES}
    page.api.put_request(
        NAMESPACE,
        "p-1",
        {
            "metadata": {"labels": {OWNER_LABEL: owner}, "annotations": {"profilestudio.io/title": "My card"}},
            "spec": {"photos": {"prefix": f"uploads/{owner}/p-1/"}, "styles": ["studio-warm"]},
            "status": {
                "observedGeneration": 1,
                "area": AREA,
                "conditions": [condition],
                "photos": {"verdicts": verdicts},
            },
        },
    )
    return "p-1"


def ready(page: Stand, **status: Any) -> str:
    """A request whose two portraits in the first style are there."""
    stalled(page, 6, used=6)
    document = page.api.requests[NAMESPACE, "p-1"]
    key = f"{AREA}requests/p-1/portraits/d/studio-warm"
    for number in (1, 2):
        for ending in (".png", "-square.jpg"):
            page.store.write(f"{key}/0{number}{ending}", photo(number)["buffer"])
    portraits = [
        {"style": "studio-warm", "key": f"{key}/0{n}.png", "seed": n, "rank": n, "likeness": 60 - n,
         "layouts": {"square": f"{key}/0{n}-square.jpg"}}
        for n in (1, 2)
    ]  # fmt: skip
    condition = {"type": "Ready", "status": "True", "reason": "Succeeded", **TIMES}
    document["status"] |= {"conditions": [condition], "portraits": portraits, "bestLikeness": 59, **status}
    cool = {"title": {"en": "Cool", "ko": "쿨"}, "prompt": "p", "tone": "Cool", "backgroundColour": "#aabbcc"}
    page.api.put(CLUSTER_STYLES, {"metadata": {"name": "studio-cool"}, "spec": cool})
    return "p-1"
