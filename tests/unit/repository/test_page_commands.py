"""Every command of the pages is run by a test, or somebody has written down why it is not."""

from __future__ import annotations

from page_commands import ELSEWHERE, PAGES, STORY, lines


def test_every_command_of_the_pages_has_its_place() -> None:
    shown = {line for page in PAGES for line in lines(page)}
    nowhere = {line for line in shown - set(STORY) if not line.startswith(tuple(ELSEWHERE))}
    assert nowhere == set()
    assert set(STORY) - shown == set(), "the pages no longer say this"
