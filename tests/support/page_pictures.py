"""python tests/support/page_pictures.py ADDRESS: pictures for docs/ of the page of `make demo`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page as Tab
from playwright.sync_api import ViewportSize, expect, sync_playwright

CLONE = Path(__file__).resolve().parents[2]
PHOTOS = CLONE / "models" / "people" / "p900055"
WIDE, PHONE = ViewportSize(width=1100, height=900), ViewportSize(width=390, height=844)
REQUEST = "#/request/minji"


def _loaded(tab: Tab) -> None:
    tab.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    # The page's policy forbids the waits that evaluate text in it.
    while not tab.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)"):
        tab.wait_for_timeout(100)
    tab.evaluate("scrollTo(0, 0)")


def _gallery(tab: Tab, address: str) -> None:
    tab.goto(f"{address}{REQUEST}")
    expect(tab.locator(".compare").first).to_be_visible(timeout=30_000)
    _loaded(tab)


def main() -> None:
    """Write page-form.png, page-gallery.png and page-phone.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="the page's, as `make demo` tells it")
    parser.add_argument("--out", type=Path, default=CLONE / "docs" / "pictures", help="(default: %(default)s)")
    arguments = parser.parse_args()
    out: Path = arguments.out
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        # The sandbox of Chromium wants namespaces that root may not make.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page(viewport=WIDE, locale="en-US")
        _gallery(tab, arguments.address)
        tab.screenshot(path=out / "page-gallery.png", full_page=True)
        tab.goto(f"{arguments.address}#/new")
        tab.locator("input[type=file]").set_input_files(sorted(PHOTOS.glob("*.jpg"))[:6])
        expect(tab.locator(".photo.sent")).to_have_count(6, timeout=30_000)
        _loaded(tab)
        tab.screenshot(path=out / "page-form.png", full_page=True)
        # Nothing is left of a form that nobody ended.
        for _ in range(6):
            tab.locator(".photo.sent .remove").first.click()
        expect(tab.locator(".photo.sent")).to_have_count(0)
        phone = browser.new_page(viewport=PHONE, locale="ko-KR", color_scheme="dark", device_scale_factor=2)
        _gallery(phone, arguments.address)
        phone.screenshot(path=out / "page-phone.png")
        browser.close()


if __name__ == "__main__":
    main()
