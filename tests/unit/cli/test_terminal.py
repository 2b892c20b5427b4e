"""What people see where nobody draws bars."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.console import Console

from profile_cli.terminal import BarTracker, Terminal, duration


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def terminal(screen: io.StringIO) -> Terminal:
    return Terminal(Console(file=screen, width=120, highlight=False))


def test_progress_is_a_line_every_ten_per_cent(terminal: Terminal, screen: io.StringIO) -> None:
    with terminal.tracker("train") as tracker:
        for percent in range(0, 101, 2):
            tracker.show("", percent, 100 - percent)
    lines = screen.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0].endswith("train: 0 % (about 1 min 40 s left)")
    assert lines[-1].endswith("train: 100 %")


def test_a_terminal_gets_a_bar_as_long_as_the_per_cent_say(screen: io.StringIO) -> None:
    console = Console(file=screen, width=120, highlight=False, force_terminal=True, color_system=None)
    with Terminal(console).tracker("hr/minji") as tracker:
        tracker.show("Training", 40, 310)
        assert isinstance(tracker, BarTracker)
        tracker.refresh()
    drawn = max(screen.getvalue().splitlines(), key=lambda line: line.count("━"))
    assert "hr/minji: Training" in drawn
    assert "40 % (about 5 min 10 s left)" in drawn
    # Thirty columns wide; what is left of it is drawn in another colour, or not at all without colours.
    assert drawn.count("━") in (12, 30)


def test_a_changed_text_is_said_once(terminal: Terminal, screen: io.StringIO) -> None:
    with terminal.tracker("installing") as tracker:
        for text in ("operator", "operator", "predictor"):
            tracker.show(text)
    assert [line.split(": ")[1] for line in screen.getvalue().splitlines()] == ["operator", "predictor"]


def test_a_long_silence_is_broken(terminal: Terminal, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1.0, 2.0, 12.5])
    with terminal.tracker("demo") as tracker:
        monkeypatch.setattr(time, "monotonic", lambda: next(moments, 12.5))
        for _ in range(3):
            tracker.show("waiting")
    assert len(screen.getvalue().splitlines()) == 2


def test_tables_and_lines_show_brackets_as_they_are(terminal: Terminal, screen: io.StringIO) -> None:
    terminal.table("Photos", ("photo", "#likeness"), [("[bold].jpg", "7 %")])
    terminal.error("[red] is no style")
    assert "[bold].jpg" in screen.getvalue()
    assert "error: [red] is no style" in screen.getvalue()


NAUGHTY = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202egpj\r\x08.jpg half\udce9"


@pytest.mark.parametrize("fancy", [True, False])
def test_nothing_that_a_stranger_wrote_moves_the_terminal(screen: io.StringIO, fancy: bool) -> None:
    console = Console(file=screen, width=200, highlight=False, force_terminal=fancy, color_system=None)
    terminal = Terminal(console)
    terminal.table(NAUGHTY, ("photo",), [(NAUGHTY,)])
    for show in (terminal.say, terminal.plain, terminal.heading, terminal.error):
        show(NAUGHTY)
    with terminal.tracker(NAUGHTY) as tracker:
        tracker.show(NAUGHTY, 40)
        if isinstance(tracker, BarTracker):
            tracker.refresh()
    # What rich itself draws on a terminal (it hides the cursor and clears its lines) begins like this.
    drawn = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r", "", screen.getvalue()) if fancy else screen.getvalue()
    assert not set(drawn) & set("\x1b\x07\x08\x9b\u202e\r\udce9")
    assert drawn.count("\\x1b[2J") >= 6


def test_a_strangers_text_is_one_line_and_no_emoji(terminal: Terminal, screen: io.StringIO) -> None:
    terminal.say("a.jpg\n[   0.1 s] hr/minji is ready :warning:")
    terminal.table("Photos", ("photo",), [("a\nb",)])
    first, *_ = screen.getvalue().splitlines()
    assert first.endswith("a.jpg [   0.1 s] hr/minji is ready :warning:")
    assert "a b" in screen.getvalue()


def test_a_bar_shows_brackets_as_they_are(screen: io.StringIO) -> None:
    console = Console(file=screen, width=120, highlight=False, force_terminal=True, color_system=None)
    with Terminal(console).tracker("[red]hr") as tracker:
        tracker.show("looked at [bold]a.jpg", 40)
        assert isinstance(tracker, BarTracker)
        tracker.refresh()
    assert "[red]hr: looked at [bold]a.jpg" in screen.getvalue()


def test_text_to_be_copied_keeps_its_lines(terminal: Terminal, screen: io.StringIO) -> None:
    terminal.plain("one\n\ttwo [bold] :smile:")
    assert screen.getvalue().splitlines()[0] == "one"
    assert "two [bold] :smile:" in screen.getvalue()


def test_nobody_is_asked_where_nobody_sits(terminal: Terminal) -> None:
    assert terminal.ask("Who?") is None


@pytest.mark.parametrize(("seconds", "text"), [(7.6, "8 s"), (59.4, "59 s"), (125, "2 min 05 s")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
