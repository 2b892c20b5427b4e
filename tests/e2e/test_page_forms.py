"""The page's forms in a real browser, without a cluster: what survives, what heals by itself, what can be mended."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Route, ViewportSize, expect, sync_playwright
from playwright.sync_api import Page as Tab

from fake_kubernetes import CLUSTER_STYLES
from page_stand import USER, Stand, draft_of, free_port, served, stand
from page_world import AREA, NAMESPACE, failure
from played_run import Played, played_desk
from profile_cli.serve import worker
from profile_contract.ownership import OWNER_LABEL
from profile_web.answers import ENGLISH
from profile_web.visitor import local_visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WIDE, PHONE = ViewportSize(width=1100, height=900), ViewportSize(width=390, height=844)
PICTURES = Path(__file__).resolve().parents[2] / "out" / "page"
# Pages look again every five seconds, on a machine that does other things too.
expect.set_options(timeout=30_000)
TIMES = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: run `make browser`"
    with sync_playwright() as playwright:
        # The sandbox of Chromium wants namespaces that root may not make here.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page() -> Iterator[Stand]:
    with stand() as standing:
        yield standing


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=WIDE, locale="en-US", reduced_motion="reduce")
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext) -> Iterator[Tab]:
    tab = context.new_page()
    mistakes: list[str] = []
    tab.on("pageerror", lambda error: mistakes.append(str(error)))
    yield tab
    assert mistakes == []


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


def test_photos_and_choices_are_there_after_a_reload_and_after_going_back(page: Stand, tab: Tab) -> None:
    tab.goto(f"{page.url}#/new")
    choose(tab, photo(1), photo(2), photo(3))
    expect(tab.locator(".photo.sent")).to_have_count(3)
    tab.get_by_label("The photos show").select_option("woman")
    tab.get_by_label("Name").fill("My card")
    tab.get_by_label("Portraits for each look").fill("2")
    tab.reload()
    expect(tab.locator(".photo.sent")).to_have_count(3)
    assert tab.get_by_label("The photos show").input_value() == "woman"
    assert tab.get_by_label("Name").input_value() == "My card"
    tab.get_by_role("link", name="All portraits").click()
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()
    tab.go_back()
    expect(tab.locator(".photo.sent")).to_have_count(3)
    choose(tab, photo(4), photo(5))
    expect(tab.locator(".photo.sent")).to_have_count(5)
    tab.get_by_role("button", name="Remove 01.jpg").click()
    expect(tab.locator(".photo.sent")).to_have_count(4)
    choose(tab, photo(6))
    expect(tab.locator(".photo.sent")).to_have_count(5)
    shoot(tab, "7-form-kept")
    tab.get_by_text("These are photos of myself").click()
    tab.get_by_role("button", name="Make my portraits").click()
    expect(tab.get_by_role("heading", name="My card")).to_be_visible()
    (document,) = page.api.requests.values()
    assert document["spec"]["portraits"] == 2
    assert sorted(page.photos()) == ["02.jpg", "03.jpg", "04.jpg", "05.jpg", "06.jpg"]
    assert {draft_of(key) for key in page.store.objects} == {document["metadata"]["name"]}
    # The next form is a new one.
    tab.goto(f"{page.url}#/new")
    expect(tab.get_by_role("button", name="Make my portraits")).to_be_visible()
    expect(tab.locator(".photo")).to_have_count(0)


def test_what_the_fields_do_not_take_is_said_before_anything_is_asked(page: Stand, tab: Tab) -> None:
    tab.goto(f"{page.url}#/new")
    tab.get_by_label("Portraits for each look").fill("99")
    start = tab.get_by_role("button", name="Make my portraits")
    start.click()
    problems = tab.get_by_role("alert")
    expect(problems).to_contain_text("Choose 1 to 8 portraits for each look.")
    expect(problems).to_contain_text("Please say who the photos show.")
    shoot(tab, "8-form-problems")
    for wrong in ("2.5", "0", "-1", ""):
        tab.get_by_label("Portraits for each look").fill(wrong)
        start.click()
        expect(problems).to_contain_text("Choose 1 to 8")
    tab.get_by_label("Portraits for each look").fill("8")
    expect(problems).not_to_contain_text("Choose 1 to 8")
    assert page.api.requests == {}


@pytest.mark.parametrize("answers", [[503, 500], [403], [403, 503]])
def test_a_photo_that_the_store_did_not_take_is_sent_again_by_itself(page: Stand, tab: Tab, answers: list[int]) -> None:
    page.refusals.extend(answers)
    tab.goto(f"{page.url}#/new")
    choose(tab, photo(1), photo(2))
    expect(tab.locator(".photo.sent")).to_have_count(2)
    assert len(page.photos()) == 2


def test_a_line_that_was_down_is_waited_for(page: Stand, tab: Tab, context: BrowserContext) -> None:
    tab.goto(f"{page.url}#/new")
    expect(tab.get_by_role("button", name="Make my portraits")).to_be_visible()
    context.set_offline(True)
    choose(tab, photo(1), photo(2))
    expect(tab.locator(".photo.waiting .state")).to_have_text("waits for the connection")
    context.set_offline(False)
    expect(tab.locator(".photo.sent")).to_have_count(2)
    assert sorted(page.photos()) == ["01.jpg", "02.jpg"]


def test_heic_is_sent_though_this_browser_cannot_show_it(page: Stand, tab: Tab) -> None:
    tab.goto(f"{page.url}#/new")
    heic = {"name": "IMG_1.HEIC", "mimeType": "", "buffer": b"ftypheic" * 500}
    choose(tab, heic, {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no photo"})
    expect(tab.locator(".photo.sent")).to_have_count(1)
    expect(tab.locator(".photo.refused .state")).to_have_text(["is not a JPEG, PNG, WebP, HEIC or AVIF photo"])
    assert page.photos() == ["IMG_1.HEIC"]


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


def test_of_twenty_photos_that_cannot_be_used_there_is_a_way_out(page: Stand, tab: Tab) -> None:
    stalled(page)
    tab.goto(f"{page.url}#/request/p-1")
    again = tab.get_by_role("button", name="Look at the photos again")
    expect(again).to_be_disabled()
    expect(tab.locator(".verdicts .remove")).to_have_count(20)
    tab.get_by_role("button", name="Remove 19.jpg").click()
    expect(tab.locator(".verdicts .photo")).to_have_count(19)
    expect(again).to_be_enabled()
    choose(tab, *(photo(number) for number in range(30, 34)))
    expect(tab.locator(".photo.sent")).to_have_count(4)
    shoot(tab, "9-needs-help")
    # Taken away and sent: both are there after a reload.
    tab.reload()
    expect(tab.locator(".verdicts .photo")).to_have_count(23)
    again.click()
    expect(tab.locator(".head .badge")).to_have_text("Needs your help")
    for _ in range(50):
        if page.api.requests[NAMESPACE, "p-1"]["spec"]["photos"].get("revision") == 2:
            break
        tab.wait_for_timeout(100)
    assert sorted(page.photos()) == ["00.jpg", "01.jpg", "02.jpg", "30.jpg", "31.jpg", "32.jpg", "33.jpg"]


def test_problems_are_said_in_the_visitors_language_and_lead_back(page: Stand, tab: Tab) -> None:
    tab.goto(f"{page.url}#/request/p-404")
    expect(tab.get_by_role("alert")).to_contain_text(ENGLISH["error.request-not-found"])
    tab.get_by_role("button", name="한국어").click()
    expect(tab.get_by_role("alert")).to_contain_text("요청이 삭제되었거나 본인의 요청이 아닙니다.")
    shoot(tab, "10-gone-korean")
    tab.get_by_role("alert").get_by_role("link").click()
    expect(tab.get_by_role("heading", name="내 프로필 사진")).to_be_visible()
    expect(tab.get_by_role("alert")).to_have_count(0)


def test_an_outage_is_said_while_it_lasts_and_no_longer(page: Stand, tab: Tab) -> None:
    stalled(page, 6)
    tab.goto(page.url)
    expect(tab.locator(".card")).to_have_count(1)
    page.api.failure = failure(503, "etcd")
    expect(tab.get_by_role("alert")).to_contain_text(ENGLISH["error.cluster-away"])
    expect(tab.locator(".card")).to_have_count(1)
    page.api.failure = None
    expect(tab.get_by_role("alert")).to_have_count(0)
    # All that is asked for once has come; the rest is asked again and again.
    with tab.expect_response("**/api/uploads/p-1"):
        tab.locator(".card a").click()
    expect(tab.locator(".head .badge")).to_have_text("Needs your help")
    page.api.failure = failure(503, "etcd")
    expect(tab.locator(".note").first).to_contain_text("not answering")
    page.api.failure = None
    expect(tab.get_by_text("not answering")).to_have_count(0)
    page.api.objects.clear()
    expect(tab.get_by_role("heading", name="This request was deleted.")).to_be_visible()


def test_who_is_not_signed_in_any_more_is_led_to_sign_in(page: Stand, tab: Tab) -> None:
    stalled(page, 6)
    tab.goto(page.url)
    expect(tab.locator(".card")).to_have_count(1)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.headers["accept"])
        route.fulfill(status=401, content_type="text/html", body="<html>Sign in</html>")

    tab.route("**/api/**", refuse)
    expect(tab.get_by_role("alert")).to_contain_text("You are not signed in")
    expect(tab.get_by_role("alert").get_by_role("link", name="Sign in again")).to_be_visible()
    assert set(asked) == {"application/json"}


def test_a_stream_that_ends_goes_on_by_itself(page: Stand, tab: Tab) -> None:
    stalled(page, 6)
    whole = page.app.state.page.watch.follow
    page.app.state.page.watch.follow = lambda *arguments: whole(*arguments, 0.5)
    tab.goto(f"{page.url}#/request/p-1")
    expect(tab.locator(".head .badge")).to_have_text("Needs your help")
    tab.wait_for_timeout(2500)
    page.api.requests[NAMESPACE, "p-1"]["status"] = {}
    page.api.requests[NAMESPACE, "p-1"]["metadata"]["resourceVersion"] = "99"
    expect(tab.locator(".head .badge")).to_have_text("Waiting")
    assert not re.search("not answering", tab.locator("main").inner_text())


def test_a_training_that_waits_for_its_turn_says_so(page: Stand, tab: Tab) -> None:
    stalled(page, 6, used=6)
    document = page.api.requests[NAMESPACE, "p-1"]
    preprocessed = {"type": "Preprocessed", "status": "True", "reason": "Succeeded", **TIMES}
    queued = {"type": "Reconciling", "status": "True", "reason": "Queued", **TIMES}
    stages = {"preprocess": {"digest": "d"}}
    document["status"] |= {"conditions": [preprocessed, queued], "stages": stages}
    tab.goto(f"{page.url}#/request/p-1")
    step = tab.locator(".steps .now")
    expect(step).to_contain_text(ENGLISH["stage.train"])
    expect(step).to_contain_text(ENGLISH["waits.Queued"])
    expect(step.locator("progress")).to_have_count(0)
    document["status"]["conditions"][1] = {**queued, "reason": "Running"}
    document["metadata"]["resourceVersion"] = "99"
    expect(step.locator("progress")).to_have_count(1)
    expect(step).not_to_contain_text(ENGLISH["waits.Queued"])


def test_deletion_says_what_is_kept(page: Stand, tab: Tab) -> None:
    stalled(page, 6)
    page.api.requests[NAMESPACE, "p-1"]["spec"]["deletionPolicy"] = "Retain"
    tab.goto(f"{page.url}#/request/p-1")
    tab.get_by_role("button", name="Delete my data").click()
    expect(tab.locator("dialog")).to_contain_text("The model of you and the portraits stay")
    tab.get_by_role("button", name="Delete request and photos").click()
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()
    expect(tab.get_by_text("“My card” is being deleted.")).to_be_visible()
    assert page.photos() == []
    # Said once.
    tab.get_by_role("link", name="New portraits").click()
    tab.get_by_role("link", name="All portraits").click()
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()
    expect(tab.get_by_text("is being deleted")).to_have_count(0)


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


def test_who_has_portraits_gets_another_look_without_sending_anything(page: Stand, tab: Tab) -> None:
    ready(page)
    tab.goto(f"{page.url}#/request/p-1")
    tab.get_by_role("button", name="Change looks or cuts").click()
    make = tab.get_by_role("button", name="Make these portraits")
    make.click()
    expect(tab.get_by_role("alert")).to_contain_text("Change something first")
    tab.locator(".another .style", has_text="Cool").click()
    shoot(tab, "11-another-look")
    tab.get_by_label("Employee card").check()
    make.click()
    expect(tab.locator(".head .badge")).to_have_text("Waiting")
    expect(make).to_have_count(0)
    spec = page.api.requests[NAMESPACE, "p-1"]["spec"]
    assert spec["styles"] == [{"name": "studio-warm"}, {"name": "studio-cool"}]
    assert spec["layouts"] == ["square", "employee-card"]
    # What was drawn before is there while the new look is.
    expect(tab.locator(".portrait")).to_have_count(2)


def test_a_portrait_can_be_enlarged_and_a_cut_says_what_it_lacks(page: Stand, tab: Tab) -> None:
    ready(page)
    key = page.api.requests[NAMESPACE, "p-1"]["status"]["portraits"][0]["key"].rsplit("/", 2)[0]
    page.api.requests[NAMESPACE, "p-1"]["status"]["likenessReport"] = f"{key}/likeness.json"
    unmet = [{"name": "room around the head", "met": False, "measured": "", "wanted": ""}]
    square = {"layout": "square", "key": "x", "width": 600, "height": 600, "bytes": 1, "checks": unmet}
    portrait = {"style": "studio-warm", "seed": 1, "rank": 1, "key": "x", "likeness": 59, "layouts": [square]}
    report = {"stage": "finish", "digest": "d", "portraits": [portrait]}
    page.store.write(f"{key}/report.json", json.dumps(report).encode())
    tab.goto(f"{page.url}#/request/p-1")
    first, second = tab.locator(".portrait").nth(0), tab.locator(".portrait").nth(1)
    expect(first.locator(".unmet")).to_have_text(ENGLISH["check.room"])
    expect(second.locator(".unmet")).to_have_count(0)

    small = first.locator(".enlarge img").bounding_box()
    first.get_by_role("button", name="Enlarge").click()
    large = tab.locator("dialog.enlarged")
    expect(large).to_be_visible()
    expect(large).to_contain_text(" pixels")
    shown = large.locator("img").bounding_box()
    assert small is not None
    assert shown is not None
    assert shown["width"] > 1.5 * small["width"]
    shoot(tab, "12-enlarged")
    tab.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(first.get_by_role("button", name="Enlarge")).to_be_focused()


def test_a_look_that_is_refused_says_why_where_it_was_asked_for(page: Stand, tab: Tab) -> None:
    ready(page)
    tab.goto(f"{page.url}#/request/p-1")
    tab.get_by_role("button", name="Change looks or cuts").click()
    tab.locator(".another .style", has_text="Cool").click()
    page.api.requests[NAMESPACE, "p-1"]["status"]["conditions"] = []
    tab.get_by_role("button", name="Make these portraits").click()
    expect(tab.get_by_role("alert")).to_contain_text(ENGLISH["error.not-at-rest"])


def test_what_is_worth_knowing_stands_above_and_beside_the_photo(page: Stand, tab: Tab) -> None:
    ready(page, toyModel="studio-mini")
    photos = page.api.requests[NAMESPACE, "p-1"]["status"]["photos"]
    photos["warnings"] = [{"kind": "TurnedUpright", "photos": ["03.jpg"]}, {"kind": "NotFrontal", "photos": []}]
    tab.goto(f"{page.url}#/request/p-1")
    expect(tab.locator(".warnings li")).to_have_text(
        [ENGLISH["warning.TurnedUpright.one"].replace("{count}", "1"), ENGLISH["warning.NotFrontal"]]
    )
    expect(tab.locator(".photo", has=tab.get_by_text("03.jpg")).locator(".warned")).to_have_text(["turned upright"])
    expect(tab.locator(".photo .warned")).to_have_count(1)
    toy = ENGLISH["toy"].replace("{model}", "studio-mini")
    expect(tab.get_by_text(toy)).to_have_count(1)
    shoot(tab, "12-worth-knowing")
    tab.get_by_role("button", name="한국어").click()
    expect(tab.get_by_text("시연용 소형 모델(studio-mini)로 만든 사진입니다.")).to_have_count(1)
    shoot(tab, "12-worth-knowing-korean")
    tab.get_by_role("link", name="전체 목록").click()
    expect(tab.get_by_text("시연용 소형 모델(studio-mini)로 만든 사진입니다.")).to_have_count(1)


def test_how_many_photos_are_missing_is_said_and_the_unusable_go_at_once(page: Stand, tab: Tab) -> None:
    stalled(page, 8)
    tab.set_viewport_size(PHONE)
    tab.goto(f"{page.url}#/request/p-1")
    expect(tab.get_by_text("Add at least 2 more photos.")).to_be_visible()
    # What has to be done something about comes first, its advice beside it.
    first = tab.locator(".verdicts .photo").first
    expect(first).to_contain_text("03.jpg")
    picture, advice = first.locator("img").bounding_box(), first.locator(".state").bounding_box()
    assert picture is not None
    assert advice is not None
    assert advice["x"] >= picture["x"] + picture["width"]
    tab.get_by_role("button", name="Remove the 5 that cannot be used").click()
    expect(tab.locator(".verdicts .photo")).to_have_count(3)
    assert sorted(page.photos()) == ["00.jpg", "01.jpg", "02.jpg"]
    choose(tab, photo(30), photo(31))
    expect(tab.get_by_text("2 of 2 sent")).to_be_visible()


# --- a photo that is kept ---------------------------------------------------------------------------------------

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


def test_on_one_machine_the_page_sits_on_the_folder_runner(
    tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the address that holds the token, from photos to a portrait; without it nobody comes in."""
    monkeypatch.setattr(worker, "Run", Played)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    desk = played_desk(tmp_path, origin, "the-token")
    with served(desk.app, port):
        tab.goto(f"{origin}/")
        expect(tab.locator("body")).to_contain_text("Open the address that profile-studio showed in its terminal")
        tab.goto(f"{origin}/?token=the-token")
        expect(tab).to_have_url(f"{origin}/")
        tab.goto(f"{origin}/#/new")
        choose(tab, *(photo(number) for number in range(1, 6)))
        expect(tab.locator(".photo.sent")).to_have_count(5)
        tab.get_by_label("The photos show").select_option("woman")
        tab.get_by_label("Name").fill("My card")
        tab.get_by_text("These are photos of myself").click()
        tab.get_by_role("button", name="Make my portraits").click()
        expect(tab.get_by_role("heading", name="My card")).to_be_visible()
        desk.worker.start()
        picture = tab.locator(f"img[src^='{origin}/shelf/'][src*='portrait']").first
        expect(picture).to_be_visible()
        assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 64
        shoot(tab, "9-one-machine")
        desk.worker.stop()
