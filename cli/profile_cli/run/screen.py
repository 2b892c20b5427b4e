"""Shows the stages' progress events on the terminal."""

from __future__ import annotations

from profile_cli.terminal import Tracker
from profile_contract.progress import ProgressEvent


class Screen:
    """A publisher of progress whose stream is the terminal."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def publish(self, event: ProgressEvent) -> None:
        """Show it."""
        self._tracker.show(event.message, event.percent, event.remaining_seconds)
