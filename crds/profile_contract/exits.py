"""How a stage ends when it does not end well, and the exit codes that tell a Job's `podFailurePolicy` so."""

from __future__ import annotations

from .conditions import Reason

EXIT_DONE = 0
# The input is bad: the same input fails again, so the Job fails at once (podFailurePolicy: FailJob).
EXIT_BAD_INPUT = 42
# Something outside is not there (store, disk, evicted): try again (podFailurePolicy: Count). 75 is EX_TEMPFAIL.
EXIT_TRY_AGAIN = 75


class StageError(Exception):
    """A stage ended with a reason that a person understands."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class BadInput(StageError):
    """The order cannot be carried out as it is; the message says what to change."""


class TryAgain(StageError):
    """Nothing is wrong with the order; the same order may succeed later."""
