"""What people see: lines, tables and progress; with bars on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from profile_runtime.printable import printable

# Where nobody draws a bar, a line this often says that it still runs.
QUIET_SECONDS = 10.0
PERCENT_STEP = 10
# Width of tables in a log.
PLAIN_WIDTH = 132


def one_line(text: str) -> str:
    """The same, as one line."""
    return printable(text).replace("\n", " ").replace("\t", " ")


class Tracker(Protocol):
    """Shows how far something is. `percent` None: not known; `remaining` in seconds."""

    def show(self, text: str, percent: int | None = None, remaining: int | None = None) -> None: ...


class Terminal:
    """Standard output. Every line carries the seconds since the command began."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _console()
        self._begin = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._begin

    def say(self, text: str) -> None:
        """One line of what happens now."""
        self._print(Text.assemble((f"[{self.elapsed:6.1f} s]", "dim"), " ", one_line(text)))

    def plain(self, text: str = "") -> None:
        """Lines as they are, to be copied."""
        self._print(Text(printable(text)))

    def heading(self, text: str) -> None:
        """What comes next."""
        self._print(Text.assemble("\n", (one_line(text), "bold")))

    def error(self, text: str) -> None:
        """Why the command ends."""
        self._print(Text.assemble(("error:", "bold red"), " ", printable(text)))

    def aside(self, text: str) -> None:
        """A line on standard error, where programs read along on standard output."""
        print(one_line(text), file=sys.stderr)

    def ask(self, question: str) -> str | None:
        """What a person answers; None where nobody is there to be asked."""
        if not (self.console.is_terminal and sys.stdin.isatty()):
            return None
        try:
            return self.console.input(Text(f"{one_line(question)} ")).strip()
        except EOFError:
            return None

    def _print(self, text: Text) -> None:
        """Text that is no markup: what strangers wrote looks as they wrote it."""
        self.console.print(text, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; columns whose name begins with '#' are aligned to the right."""
        table = Table(title=Text(one_line(title), "bold"), title_justify="left", header_style="bold")
        for column in columns:
            table.add_column(column.lstrip("#"), justify="right" if column.startswith("#") else "left")
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        self.console.print()
        self.console.print(table)

    @contextmanager
    def tracker(self, title: str) -> Iterator[Tracker]:
        """Progress of one thing, as long as the block runs."""
        if not self.console.is_terminal:
            yield PlainTracker(self, title)
            return
        with bar(self.console) as progress:
            yield BarTracker(progress, progress.add_task(one_line(title), total=100, note=""), title)


class PlainTracker:
    """A line every ten per cent and every ten seconds; where no per cent is known, also when the text changes."""

    def __init__(self, terminal: Terminal, title: str) -> None:
        self._terminal, self._title = terminal, title
        self._text: str | None = None
        self._percent: int | None = None
        self._last = 0.0

    def show(self, text: str, percent: int | None = None, remaining: int | None = None) -> None:
        """Say it if it is worth a line."""
        now = time.monotonic()
        if not self._news(text, percent) and now - self._last < QUIET_SECONDS:
            return
        self._text, self._percent, self._last = text, percent, now
        self._terminal.say(" ".join([f"{self._title}:", *filter(None, [text]), *_figures(percent, remaining)]))

    def _news(self, text: str, percent: int | None) -> bool:
        if percent is None or self._percent is None:
            return text != self._text or percent != self._percent
        return abs(percent - self._percent) >= PERCENT_STEP


class BarTracker:
    """A bar of rich."""

    def __init__(self, progress: Progress, task: TaskID, title: str) -> None:
        self._progress, self._task, self._title = progress, task, title

    def show(self, text: str, percent: int | None = None, remaining: int | None = None) -> None:
        """Draw it."""
        note = " ".join(_figures(percent, remaining))
        description = one_line(f"{self._title}: {text}" if text else self._title)
        self._progress.update(self._task, description=description, completed=percent or 0, note=note)

    def refresh(self) -> None:
        """Draw it now, not at the next tenth of a second."""
        self._progress.refresh()


def _figures(percent: int | None, remaining: int | None) -> list[str]:
    figures = [] if percent is None else [f"{percent} %"]
    return figures + ([] if not remaining else [f"(about {duration(remaining)} left)"])


def duration(seconds: float) -> str:
    """Seconds for people: 8 s, 2 min 05 s."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def bar(console: Console) -> Progress:
    """The look of a BarTracker's bar."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
