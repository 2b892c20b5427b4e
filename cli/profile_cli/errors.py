"""How a command ends when it does not end well."""

from __future__ import annotations


class CommandError(Exception):
    """What a person has to know and do; shown without a traceback."""
