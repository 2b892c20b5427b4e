"""The page in a real browser, on the real cluster: from dropped photos to a downloaded card, and gone again."""

from __future__ import annotations

import base64
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, ViewportSize, expect
from playwright.sync_api import Page as Tab

from chart import STYLES
from product import Product, Request, pictures_in, wait_for
from profile_contract.areas import told_area
from profile_contract.artifacts import request_prefix, uploads_prefix
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.ownership import OWNER_LABEL
from profile_sandbox import Sandbox
from profile_sandbox.values import PAGE_NAMESPACE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

PHOTOS = 6
# As long as two slow cores take for all of it, beside the cluster and the browser.
WORK_SECONDS, LOOK_SECONDS = 900, 300
WIDE, PHONE = ViewportSize(width=1100, height=900), ViewportSize(width=390, height=844)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOST_TABS = 120
PICTURES_SHOWN = "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
PICTURE_SECONDS = 60
PICTURES = Path(__file__).resolve().parents[2] / "out" / "page"


# A machine that draws portraits beside the browser answers late.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def address(sandbox: Sandbox, product: Product) -> str:
    """Where the page is."""
    return f"http://{sandbox.address('web')}/"


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """An English visitor; a mistake in the page's script or a forbidden load fails the test."""
    # Colours that are on their way from one to another are neither.
    context = browser.new_context(
        viewport=WIDE, locale="en-US", accept_downloads=True, color_scheme="light", reduced_motion="reduce"
    )
    tab = context.new_page()
    mistakes: list[str] = []
    tab.on("pageerror", lambda error: mistakes.append(str(error)))
    tab.on("console", lambda said: mistakes.append(said.text) if said.type == "error" else None)
    yield tab
    context.close()
    assert mistakes == []


def _shoot(tab: Tab, name: str) -> None:
    """A picture of the whole page, to be looked at."""
    _pictures_stand(tab)
    PICTURES.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def _pictures_stand(tab: Tab) -> None:
    """Every picture of the page has come and is one. Those far below come when they are scrolled to."""
    tab.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    # Asked from here again and again: the page's policy lets nobody, not even a test's wait, evaluate text in it.
    wait_for(lambda: tab.evaluate(PICTURES_SHOWN) is True, PICTURE_SECONDS, "every picture is shown")
    tab.evaluate("scrollTo(0, 0)")


def _accessible(tab: Tab) -> None:
    """What is shown now has no fault and is no wider than the screen: on a desk and on a phone, by day and by night."""
    size = tab.viewport_size or WIDE
    for viewport, scheme in itertools.product((WIDE, PHONE), SCHEMES):
        tab.set_viewport_size(viewport)
        tab.emulate_media(color_scheme=scheme)
        found = Axe().run(tab)
        assert found.violations_count == 0, f"{viewport} {scheme}\n{found.generate_report()}"
        assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"], (viewport, scheme)
    tab.set_viewport_size(size)
    tab.emulate_media(color_scheme="light")


def _tab_to(tab: Tab, wanted: Locator) -> None:
    """Reach something by the Tab key alone."""
    for _ in range(MOST_TABS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        tab.keyboard.press("Tab")
    pytest.fail(f"{wanted} is not reached by {MOST_TABS} presses of Tab")


@dataclass(frozen=True)
class Dropped:
    """A file as a file manager hands it to a browser; `size` instead of content: that many zeros."""

    name: str
    type: str
    content: bytes = b""
    size: int = 0


def _drop(tab: Tab, *files: Dropped) -> None:
    """Drag files over the page's field, and let them fall there."""
    told = [{**asdict(file), "content": base64.b64encode(file.content).decode()} for file in files]
    transfer = tab.evaluate_handle(
        """(files) => {
          const transfer = new DataTransfer();
          for (const { name, type, content, size } of files) {
            const bytes = size ? new Uint8Array(size) : Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type }));
          }
          return transfer;
        }""",
        told,
    )
    field = tab.locator(".drop")
    field.dispatch_event("dragover", {"dataTransfer": transfer})
    expect(field).to_have_class(re.compile("over"))
    field.dispatch_event("drop", {"dataTransfer": transfer})
    expect(field).not_to_have_class(re.compile("over"))


def _photo(number: int) -> Dropped:
    """A small picture like no other: noise."""
    pixels = np.random.default_rng(number).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=40)
    return Dropped(f"{number:02d}.jpg", "image/jpeg", out.getvalue())


def _saved(tab: Tab, link: Locator) -> tuple[str, bytes]:
    """A file's suggested name and content."""
    with tab.expect_download() as waiting:
        link.click()
    download = waiting.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def test_from_photos_to_a_downloaded_card_and_gone(
    tab: Tab, address: str, product: Product, people: Path, tmp_path: Path
) -> None:
    tab.goto(address)
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()
    _accessible(tab)
    tab.get_by_role("link", name="New portraits").click()
    _ask(tab, people, tmp_path)
    name = re.search(r"#/request/(.+)$", tab.url)
    assert name is not None
    request = Request(product.kubectl, PAGE_NAMESPACE, name[1])
    _follow(tab)
    _check_request(request)
    _download(tab)
    _accessible(tab)
    _shoot(tab, "4-ready")
    _shoot_on_a_phone(tab)
    _delete(tab, product, request)


def _ask(tab: Tab, people: Path, folder: Path) -> None:
    """Fill the form in: mistakes first."""
    start = tab.get_by_role("button", name="Make my portraits")
    start.click()
    expect(tab.get_by_role("alert")).to_contain_text("Add at least 5 more photos.")
    expect(tab.get_by_role("alert")).to_contain_text("confirm whose photos")
    _styles_are_shown(tab)
    _accessible(tab)
    text, small = folder / "notes.txt", folder / "small.png"
    text.write_text("no photo")
    Image.new("RGB", (64, 64)).save(small)
    photos = pictures_in(people / "p00060")[:PHOTOS]
    tab.locator("input[type=file]").set_input_files([*photos, photos[0], text, small])
    refused = tab.locator(".photo.refused .state")
    expect(refused).to_have_text(
        ["is there already", "is not a JPEG, PNG, WebP, HEIC or AVIF photo", "is too small: use the original photo"]
    )
    expect(tab.locator(".photo.sent")).to_have_count(PHOTOS)
    # What was mended is not complained of any more.
    problems = tab.get_by_role("alert").locator("p")
    expect(problems).to_have_text(["Please say who the photos show.", "Please confirm whose photos these are."])
    for name in (photos[0].name, "notes.txt", "small.png"):
        tab.locator(".photo.refused").filter(has_text=name).get_by_role("button").click()
    tab.get_by_label("The photos show").select_option("woman")
    tab.get_by_label("Portraits for each look").fill("1")
    tab.get_by_label("Name").fill("My card")
    tab.get_by_label("Student card").check()
    _tab_to(tab, tab.get_by_role("checkbox", name="These are photos of myself"))
    tab.keyboard.press("Space")
    expect(problems).to_have_count(0)
    _shoot(tab, "1-form")
    _tab_to(tab, start)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="My card")).to_be_focused()


def _styles_are_shown(tab: Tab) -> None:
    """Every style of the chart by a picture of what it makes."""
    _pictures_stand(tab)
    shown = tab.locator(".style img").evaluate_all("images => images.map((image) => new URL(image.src).pathname)")
    assert {f"/samples/{style}.jpg" for style in STYLES} <= set(shown)


def _follow(tab: Tab) -> None:
    """Steps and verdicts come by themselves."""
    expect(tab.locator(".steps li.now")).to_have_count(1, timeout=LOOK_SECONDS * 1000)
    expect(tab.locator(".verdicts .photo.good")).to_have_count(PHOTOS, timeout=LOOK_SECONDS * 1000)
    _shoot(tab, "2-steps")
    _accessible(tab)
    expect(tab.locator(".head .badge")).to_have_text("Ready", timeout=WORK_SECONDS * 1000)
    # One of each look, and the same seed in two lights side by side.
    expect(tab.locator(".portrait")).to_have_count(2)
    # Whatever seeds the two lights delivered: each stands beside the same seed in the other, with the measured light.
    rows = tab.locator(".compare")
    expect(rows.first).to_be_visible()
    assert tab.locator(".compare figure:not(.other)").count() == 2
    assert tab.locator(".compare figure").count() == 2 * rows.count()
    expect(rows.first.locator("figcaption")).to_contain_text(
        [re.compile(r"(warmer than|cooler than|like) neutral light \(b\*\s[+−]\d+\.\d\)")] * 2
    )
    _pictures_stand(tab)


def _shoot_on_a_phone(tab: Tab) -> None:
    tab.set_viewport_size(PHONE)
    tab.emulate_media(color_scheme="dark")
    _shoot(tab, "6-ready-phone")
    tab.set_viewport_size(WIDE)
    tab.emulate_media(color_scheme="light")


def _check_request(request: Request) -> None:
    spec = request.document()["spec"]
    assert spec["subject"] == {"noun": "woman"}
    assert set(spec["layouts"]) == {"square", "employee-card", "resume", "student-card"}
    assert request.document()["metadata"]["labels"][OWNER_LABEL]


def _download(tab: Tab) -> None:
    card = tab.locator(".portrait").first.get_by_role("link", name=re.compile("employee-card"))
    _tab_to(tab, card)
    with tab.expect_download() as waiting:
        tab.keyboard.press("Enter")
    name, data = waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()
    assert name.endswith("-employee-card.jpg")
    with Image.open(io.BytesIO(data)) as picture:
        layout = LAYOUTS[LayoutName.EMPLOYEE_CARD]
        assert picture.size == (layout.width, layout.height)
    _, everything = _saved(tab, tab.get_by_role("link", name="All portraits (ZIP)"))
    with zipfile.ZipFile(io.BytesIO(everything)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert sum(name.endswith("-resume.jpg") for name in names) == 2
    assert {"contact-sheet.jpg", "print-sheet.pdf"} <= set(names)
    _, pages = _saved(tab, tab.get_by_role("link", name="Print sheet"))
    assert pages.startswith(b"%PDF-")
    name, _ = _saved(tab, tab.get_by_role("link", name="Model of you"))
    assert name == "adapter-webui.safetensors"


def _delete(tab: Tab, product: Product, request: Request) -> None:
    """Photos, adapter, portraits: nothing is left in the store."""
    area = told_area(request.status.area, PAGE_NAMESPACE)
    assert area is not None
    photos, made = (
        uploads_prefix(area, request.document()["spec"]["photos"]["prefix"]),
        request_prefix(area, request.name),
    )
    assert product.store.list(photos)
    assert product.store.list(made)
    tab.get_by_role("button", name="Delete my data").click()
    expect(tab.get_by_role("button", name="Keep")).to_be_focused()
    _accessible(tab)
    tab.get_by_role("button", name="Delete everything").click()
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()
    wait_for(
        lambda: not product.store.list(photos) and not product.store.list(made), LOOK_SECONDS, "everything is deleted"
    )
    expect(tab.locator(".card").filter(has_text="My card")).to_have_count(0)


def test_too_few_usable_photos_and_then_better_ones(tab: Tab, address: str, people: Path, tmp_path: Path) -> None:
    """The page says what to do about each photo, takes more, and looks again."""
    good = pictures_in(people / "p900055")
    dark = []
    for photo in good[:5]:
        with Image.open(photo) as picture:
            picture.point(lambda value: value // 12).save(tmp_path / photo.name, quality=95)
        dark.append(tmp_path / photo.name)
    tab.goto(f"{address}#/new")
    tab.locator("input[type=file]").set_input_files(dark)
    expect(tab.locator(".photo.sent")).to_have_count(5)
    tab.get_by_label("The photos show").select_option("person")
    tab.get_by_text("These are photos of myself").click()
    tab.get_by_role("button", name="Make my portraits").click()
    expect(tab.locator(".head .badge")).to_have_text("Needs your help", timeout=LOOK_SECONDS * 1000)
    expect(tab.get_by_text("Too few photos can be used")).to_be_visible()
    expect(tab.locator(".verdicts .photo.refused").first).to_contain_text(re.compile("dark|No face"))
    _accessible(tab)
    _shoot(tab, "3-needs-you")
    # The one before them, 05.jpg, is turned too far away.
    tab.locator("input[type=file]").set_input_files(good[6:11])
    expect(tab.locator(".photo.sent")).to_have_count(5)
    tab.get_by_role("button", name="Look at the photos again").click()
    expect(tab.locator(".head .badge")).to_have_text("In progress")
    expect(tab.locator(".verdicts .photo.good")).to_have_count(5, timeout=LOOK_SECONDS * 1000)
    tab.get_by_role("button", name="Delete my data").click()
    tab.get_by_role("button", name="Delete everything").click()
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()


def test_photos_are_dropped_and_what_is_none_is_told(tab: Tab, address: str) -> None:
    tab.goto(f"{address}#/new")
    photos = [_photo(number) for number in range(1, 20)]
    _drop(
        tab,
        *photos,
        Dropped("notes.txt", "text/plain", b"no photo"),
        Dropped("broken.jpg", "image/jpeg", b"no photo either"),
        Dropped("large.jpg", "image/jpeg", size=25_000_001),
    )
    refused = tab.locator(".photo.refused .state")
    told = ["is not a JPEG, PNG, WebP, HEIC or AVIF photo", "cannot be read as a picture", "is larger than 25 MB"]
    expect(tab.locator(".photo.sent")).to_have_count(19, timeout=120_000)
    expect(refused).to_have_text(told)
    _drop(tab, _photo(20), _photo(21))
    expect(refused).to_have_text([*told, "is one too many: at most 20 photos"])
    expect(tab.locator(".photo.sent")).to_have_count(20)
    # What was taken away makes room again.
    tab.get_by_role("button", name="Remove 01.jpg").click()
    expect(tab.locator(".photo.sent")).to_have_count(19)
    _drop(tab, _photo(22))
    expect(tab.locator(".photo.sent")).to_have_count(20)
    tab.get_by_role("button", name="한국어").click()
    expect(refused.last).to_have_text("사진은 최대 20장까지입니다")


def test_korean_on_a_phone(browser: Browser, address: str) -> None:
    context = browser.new_context(
        viewport=PHONE, locale="ko-KR", is_mobile=True, has_touch=True, reduced_motion="reduce"
    )
    tab = context.new_page()
    tab.goto(f"{address}#/new")
    expect(tab.get_by_role("heading", name="새 프로필 사진 만들기")).to_be_visible()
    expect(tab.get_by_text("스튜디오 웜톤")).to_be_visible()
    _pictures_stand(tab)
    assert tab.locator("html").get_attribute("lang") == "ko"
    _accessible(tab)
    # Nothing is wider than the screen.
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    _shoot(tab, "5-korean-phone")
    tab.get_by_role("button", name="English").tap()
    expect(tab.get_by_role("heading", name="New portraits")).to_be_visible()
    context.close()


def test_the_keyboard_alone_leads_to_the_form(tab: Tab, address: str) -> None:
    tab.goto(address)
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_focused()
    link = tab.get_by_role("link", name="New portraits")
    tab.keyboard.press("Tab")
    expect(link).to_be_focused()
    tab.keyboard.press("Enter")
    # The form comes after its heading, and does not take the focus away.
    expect(tab.get_by_role("button", name="Make my portraits")).to_be_visible()
    expect(tab.get_by_role("heading", name="New portraits")).to_be_focused()
