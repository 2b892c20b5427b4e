"""The page in a real browser, on the real cluster: from dropped photos to a downloaded card, and gone again."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, ViewportSize, expect, sync_playwright
from playwright.sync_api import Page as Tab

from product import Product, Request, pictures_in, wait_for
from profile_contract.layouts import LAYOUTS
from profile_contract.names import LayoutName
from profile_sandbox import Sandbox
from profile_sandbox.values import PAGE_NAMESPACE
from profile_web.visitor import OWNER_LABEL

pytestmark = pytest.mark.e2e

PHOTOS = 6
WORK_SECONDS = 300
WIDE, PHONE = ViewportSize(width=1100, height=900), ViewportSize(width=390, height=844)
PICTURES = Path(__file__).resolve().parents[2] / "out" / "page"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; `make browser` installs it."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: run `make browser`"
    with sync_playwright() as playwright:
        # The sandbox of Chromium wants namespaces that root may not make here.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(sandbox: Sandbox, product: Product) -> str:
    """Where the page is."""
    return f"http://{sandbox.address('web')}/"


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """An English visitor; a mistake in the page's script or a forbidden load fails the test."""
    context = browser.new_context(viewport=WIDE, locale="en-US", accept_downloads=True)
    tab = context.new_page()
    mistakes: list[str] = []
    tab.on("pageerror", lambda error: mistakes.append(str(error)))
    tab.on("console", lambda said: mistakes.append(said.text) if said.type == "error" else None)
    yield tab
    context.close()
    assert mistakes == []


def _shoot(tab: Tab, name: str) -> None:
    """A picture of the whole page, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def _accessible(tab: Tab) -> None:
    found = Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()


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
    _delete(tab, product, request)


def _ask(tab: Tab, people: Path, folder: Path) -> None:
    """Fill the form in: mistakes first."""
    start = tab.get_by_role("button", name="Make my portraits")
    start.click()
    expect(tab.get_by_role("alert")).to_contain_text("Add at least 5 more photos.")
    expect(tab.get_by_role("alert")).to_contain_text("confirm whose photos")
    _accessible(tab)
    text, small = folder / "notes.txt", folder / "small.png"
    text.write_text("no photo")
    Image.new("RGB", (64, 64)).save(small)
    photos = pictures_in(people / "p00060")[:PHOTOS]
    tab.locator("input[type=file]").set_input_files([*photos, photos[0], text, small])
    refused = tab.locator(".photo.refused .state")
    expect(refused).to_have_text(
        ["is there already", "is not a JPEG, PNG or WebP photo", "is too small: use the original photo"]
    )
    expect(tab.locator(".photo.sent")).to_have_count(PHOTOS)
    for name in (photos[0].name, "notes.txt", "small.png"):
        tab.locator(".photo.refused").filter(has_text=name).get_by_role("button").click()
    tab.get_by_label("The photos show").select_option("woman")
    tab.get_by_label("Portraits for each look").fill("1")
    tab.get_by_label("Name").fill("My card")
    tab.get_by_label("Student card").check()
    tab.get_by_text("These are photos of myself").click()
    _shoot(tab, "1-form")
    start.click()
    expect(tab.get_by_role("heading", name="My card")).to_be_visible()


def _follow(tab: Tab) -> None:
    """Steps and verdicts come by themselves."""
    expect(tab.locator(".steps li.now")).to_have_count(1, timeout=60_000)
    expect(tab.locator(".verdicts .photo.good")).to_have_count(PHOTOS, timeout=120_000)
    _shoot(tab, "2-steps")
    expect(tab.locator(".head .badge")).to_have_text("Ready", timeout=WORK_SECONDS * 1000)
    # One of each look, and the same seed in two lights side by side.
    expect(tab.locator(".portrait")).to_have_count(2)
    expect(tab.locator(".compare figure").first).to_be_visible()


def _check_request(request: Request) -> None:
    spec = request.document()["spec"]
    assert spec["subject"] == {"noun": "woman"}
    assert set(spec["layouts"]) == {"square", "employee-card", "resume", "student-card"}
    assert request.document()["metadata"]["labels"][OWNER_LABEL]


def _download(tab: Tab) -> None:
    card = tab.locator(".portrait").first.get_by_role("link", name=re.compile("employee-card"))
    name, data = _saved(tab, card)
    assert name.endswith("-employee-card.jpg")
    with Image.open(io.BytesIO(data)) as picture:
        layout = LAYOUTS[LayoutName.EMPLOYEE_CARD]
        assert picture.size == (layout.width, layout.height)
    _, everything = _saved(tab, tab.get_by_role("link", name="Everything (ZIP)"))
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
    photos = f"{PAGE_NAMESPACE}/{request.document()['spec']['photos']['prefix']}"
    made = f"{PAGE_NAMESPACE}/requests/{request.name}/"
    assert product.store.list(photos)
    assert product.store.list(made)
    tab.get_by_role("button", name="Delete my data").click()
    expect(tab.get_by_role("button", name="Keep")).to_be_focused()
    tab.get_by_role("button", name="Delete everything").click()
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()
    wait_for(lambda: not product.store.list(photos) and not product.store.list(made), 120, "everything is deleted")
    expect(tab.locator(".card").filter(has_text="My card")).to_have_count(0, timeout=30_000)


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
    tab.get_by_text("These are photos of myself").click()
    tab.get_by_role("button", name="Make my portraits").click()
    expect(tab.locator(".head .badge")).to_have_text("Needs you", timeout=120_000)
    expect(tab.get_by_text("Too few photos can be used")).to_be_visible()
    expect(tab.locator(".verdicts .photo.refused").first).to_contain_text(re.compile("dark|No face"))
    _accessible(tab)
    _shoot(tab, "3-needs-you")
    # The one before them, 05.jpg, is turned too far away.
    tab.locator("input[type=file]").set_input_files(good[6:11])
    expect(tab.locator(".photo.sent")).to_have_count(5)
    tab.get_by_role("button", name="Look at the photos again").click()
    expect(tab.locator(".head .badge")).to_have_text("In work", timeout=60_000)
    expect(tab.locator(".verdicts .photo.good")).to_have_count(5, timeout=120_000)
    tab.get_by_role("button", name="Delete my data").click()
    tab.get_by_role("button", name="Delete everything").click()
    expect(tab.get_by_role("heading", name="Your portraits")).to_be_visible()


def test_korean_on_a_phone(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport=PHONE, locale="ko-KR", is_mobile=True, has_touch=True)
    tab = context.new_page()
    tab.goto(f"{address}#/new")
    expect(tab.get_by_role("heading", name="새 프로필 사진 만들기")).to_be_visible()
    expect(tab.get_by_text("스튜디오 웜톤")).to_be_visible()
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
    expect(tab.get_by_role("heading", name="New portraits")).to_be_focused()
