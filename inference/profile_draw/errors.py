"""How an order can fail. Every message is written for people and names no link."""

from __future__ import annotations


class EngineError(Exception):
    """An order could not be carried out, for a reason that may be told."""


class Refused(EngineError):
    """The order is wrong: the same order will be refused again."""


class Denied(Refused):
    """The store does not give (or no longer gives) what a grant names."""


class Expired(EngineError):
    """A grant ran out; the same order with fresh grants may succeed."""


class Unavailable(EngineError):
    """Something the order needs is away; later it may be there."""


class Full(EngineError):
    """As many orders wait as are let in. `seconds`: after about this time a place is free."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; come again in {seconds} s")
        self.seconds = seconds


class Unwanted(EngineError):
    """Nobody waits for the answer any more."""


class Broken(EngineError):
    """The accelerator failed in a way that only a new process mends."""
