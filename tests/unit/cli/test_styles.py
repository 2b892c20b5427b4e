"""Styles by name or by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from profile_cli.errors import CommandError
from profile_cli.styles import known_styles, load_styles
from profile_contract.style import Tone

STYLE = """
apiVersion: profilestudio.io/v1alpha1
kind: ProfileStyle
metadata: {name: ours}
spec:
  title: {en: Ours}
  tone: Cool
  prompt: 'portrait of {subject}, {tone}'
"""


def test_the_charts_styles_are_known_by_name_and_all_are_valid() -> None:
    known = known_styles()
    assert {"studio-warm", "studio-cool", "business-neutral", "campus"} <= set(known)
    loaded = load_styles(list(known))
    assert list(loaded) == list(known)
    assert loaded["studio-warm"].tone is Tone.WARM


def test_a_file_gives_the_style_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "anything.yaml"
    file.write_text(STYLE)
    assert load_styles([str(file)])["team_ours"].prompt_for("sks man") == "portrait of sks man, cool light"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: ConfigMap", "is no ClusterProfileStyle and no ProfileStyle"),
        ("kind: ProfileStyle\nmetadata: {name: x}", "lacks metadata.name or spec"),
        ("kind: ProfileStyle\nmetadata: {name: x}\nspec: {title: {en: X}, prompt: p, colour: red}", "colour"),
        ("kind: [", "cannot be read: it is no YAML"),
        ("kind: [ProfileStyle]", "is no ClusterProfileStyle and no ProfileStyle"),
        ("kind: ProfileStyle\nfrom: 2024-99-99", "cannot be read: it is no YAML: month must be in 1..12"),
        (f"steps: {'9' * 5000}", "cannot be read: it is no YAML"),
        ("kind: ProfileStyle\nmetadata: {name: x}\nspec:", "spec: Input should be a valid dictionary"),
        (STYLE + "  pose: upside-down", "pose: must be FromPhotos, or one of frontal,"),
        (STYLE.replace("{subject}", "somebody"), r"prompt: must contain \{subject\}"),
        (STYLE + "  detail: {steps: 9, strengthPercent: 10}", "detail: steps times strengthPercent"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "style.yaml"
    file.write_text(text)
    with pytest.raises(CommandError, match=said):
        load_styles([str(file)])


def test_an_unknown_or_repeated_style_is_refused() -> None:
    with pytest.raises(CommandError, match=r"no style 'sepia'.*studio-warm"):
        load_styles(["sepia"])
    with pytest.raises(CommandError, match="twice"):
        load_styles(["studio-warm", "studio-warm"])
