"""The page's forms in a real browser, without a cluster: what survives, what heals by itself, what can be mended."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import BrowserContext, Route, expect
from playwright.sync_api import Page as Tab

from page_forms import PHONE, TIMES, choose, photo, ready, shoot, stalled
from page_stand import Stand, draft_of
from page_world import NAMESPACE, failure
from profile_web.answers import ENGLISH

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# Pages look again every five seconds, on a machine that does other things too.
expect.set_options(timeout=30_000)


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
