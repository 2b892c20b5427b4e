"""The pictures of the pages show what kubectl profile draws today."""

from pathlib import Path

import pytest

from plugin_pictures import PICTURES, picture

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "pictures"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_as_the_plugin_draws_it(name: str) -> None:
    made = picture(name)
    # Or: .venv/bin/python tests/support/plugin_pictures.py
    assert (FOLDER / f"kubectl-{name}.svg").read_text() == made
    assert "@font-face" not in made


def test_the_bar_stands_half_way() -> None:
    assert "50&#160;%&#160;(about&#160;6&#160;min&#160;00&#160;s&#160;left)" in picture("watch")
