"""The page in front of the folder runner, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from page_forms import choose, photo, shoot
from page_stand import free_port, served
from played_run import Played, played_desk
from profile_cli.serve import worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


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
