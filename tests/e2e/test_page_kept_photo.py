"""A photo that is kept: chosen for it, previewed, and shown beside what was drawn over it."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from fake_kubernetes import CLUSTER_STYLES
from page_forms import TIMES, choose, photo, ready, shoot
from page_stand import USER, Stand
from page_world import AREA, NAMESPACE
from profile_contract.ownership import OWNER_LABEL
from profile_web.visitor import local_visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

KEPT = {
    "title": {"en": "Your photo in warm light", "ko": "내 사진을 따뜻한 조명으로"}, "prompt": "{subject}",
    "tone": "Warm", "backgroundColour": "#eadbc6", "mode": "ImageToImage",
}  # fmt: skip
SLIDER = "How much of your photo is shown"


def offered(page: Stand) -> None:
    page.api.put(CLUSTER_STYLES, {"metadata": {"name": "retouch-warm"}, "spec": KEPT})


def drawn_over(page: Stand, place: str) -> dict[str, Any]:
    """A picture and its photo in the store; what a status says of them."""
    for number, ending in ((1, ".png"), (2, "-source.jpg")):
        page.store.write(f"{place}{ending}", photo(number)["buffer"])
    return {"style": "retouch-warm", "key": f"{place}.png", "source": f"{place}-source.jpg", "seed": 1, "rank": 1,
            "likeness": 60, "layouts": {}}  # fmt: skip


def learning(page: Stand) -> None:
    """A request that is being learnt, and beside it one whose preview is there."""
    ready(page, portraits=[], conditions=[{"type": "Reconciling", "status": "True", "reason": "Running", **TIMES}])
    place = f"{AREA}requests/p-1-preview/portraits/d/retouch-warm/01-000001"
    owner = local_visitor(USER, NAMESPACE).owner
    spec = {"photos": {"prefix": f"uploads/{owner}/p-1/"}, "styles": [{"name": "retouch-warm"}]}
    condition = {"type": "Ready", "status": "True", "reason": "Succeeded", **TIMES}
    status = {"observedGeneration": 1, "area": AREA, "conditions": [condition], "previews": [drawn_over(page, place)]}
    body = {"metadata": {"labels": {OWNER_LABEL: owner}}, "spec": spec, "status": status}
    page.api.put_request(NAMESPACE, "p-1-preview", body)


def test_a_photo_is_chosen_to_be_kept_and_a_preview_is_asked_for(page: Stand, tab: Tab) -> None:
    offered(page)
    tab.goto(f"{page.url}#/new")
    choose(tab, *(photo(number) for number in range(5)))
    expect(tab.locator(".photo.sent")).to_have_count(5)
    group = tab.get_by_role("group", name="Keep a photo, change the light")
    expect(group.get_by_label("The photo to keep")).to_have_count(0)
    group.get_by_role("checkbox", name="Your photo in warm light").check()
    group.get_by_label("The photo to keep").select_option("02.jpg")
    shoot(tab, "20-keep-a-photo")
    tab.get_by_label("The photos show").select_option("woman")
    tab.get_by_role("checkbox", name="These are photos of myself").check()
    tab.locator(".new .button.primary").click()
    expect(tab.locator(".head .badge")).to_be_visible()
    requests = {name: document["spec"] for (_, name), document in page.api.requests.items()}
    (name,) = (name for name in requests if not name.endswith("-preview"))
    assert requests[name]["source"] == requests[f"{name}-preview"]["source"] == "02.jpg"
    assert {"name": "retouch-warm"} in requests[name]["styles"]
    assert requests[f"{name}-preview"]["training"] == {"mode": "None"}


def test_a_preview_stands_beside_its_photo_and_is_moved_by_keys(page: Stand, tab: Tab) -> None:
    offered(page)
    learning(page)
    tab.goto(f"{page.url}#/request/p-1")
    section = tab.get_by_role("region", name="A first look")
    expect(section.get_by_text("Preview", exact=True)).to_be_visible()
    slider = section.get_by_role("slider", name=SLIDER)
    expect(slider).to_have_attribute("aria-valuetext", "50 % your photo")
    slider.focus()
    for _ in range(10):
        tab.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "60 % your photo")
    assert section.locator(".stack").evaluate("e => e.style.getPropertyValue('--share')") == "60%"
    tab.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0 % your photo")
    expect(section.locator("img.source")).to_have_css("clip-path", "inset(0px 100% 0px 0px)")
    tab.keyboard.press("End")
    expect(section.locator("img.source")).to_have_css("clip-path", "inset(0px 0% 0px 0px)")
    slider.fill("40")
    shoot(tab, "21-preview")
    found = Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()
    tab.get_by_role("button", name="한국어").click()
    expect(tab.get_by_role("slider", name="내 사진을 얼마나 보여 줄지")).to_be_visible()
    shoot(tab, "22-preview-korean")


def test_a_portrait_over_a_photo_has_that_photo_beside_it(page: Stand, tab: Tab) -> None:
    offered(page)
    place = f"{AREA}requests/p-1/portraits/d/retouch-warm/01-000001"
    ready(page, portraits=[drawn_over(page, place)])
    page.api.requests[NAMESPACE, "p-1"]["spec"]["styles"] = [{"name": "retouch-warm"}]
    tab.goto(f"{page.url}#/request/p-1")
    expect(tab.locator(".portrait").get_by_role("slider", name=SLIDER)).to_be_visible()
    expect(tab.get_by_role("region", name="A first look")).to_have_count(0)
    shoot(tab, "23-portrait-over-a-photo")


def test_a_look_that_could_not_be_made_is_told_beside_the_others(page: Stand, tab: Tab) -> None:
    omitted = {"type": "Omitted", "status": "True", "reason": "SourceRefused", "message": "m", **TIMES}
    ready(page)
    page.api.requests[NAMESPACE, "p-1"]["status"]["conditions"].append(omitted)
    tab.goto(f"{page.url}#/request/p-1")
    expect(tab.get_by_text("The photo that you chose to keep cannot be used.")).to_be_visible()
    expect(tab.locator(".portrait")).to_have_count(2)
