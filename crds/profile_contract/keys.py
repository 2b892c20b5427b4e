"""Keys in the store: what is asked of one before it is signed, read or shown. Pure.

A key may come from a report, and a report from whoever took over a stage: none is believed to lie where it should."""

from __future__ import annotations

import re

LONGEST_KEY = 1024


# With them a key could leave a header, a quoted name or a command line that it is put into.
_QUOTES = frozenset("\"'`\\")


# In photos' names, which people chose, these are ordinary letters. Photos lie below a namespace's area, see `areas`.
_IN_NAMES = frozenset("'`")
_PHOTOS = re.compile(r"([^./]+/)*[^./]+\.[^./]+/uploads/")


class ForeignKey(ValueError):
    """A key that does not lie below the prefix it has to lie below, or that is no sound key at all."""


def check_below(prefix: str, key: str) -> str:
    """The key, if it names an object below `prefix` (which ends with '/'). Raises ForeignKey.

    Refused: another prefix, the prefix itself, empty parts, '.' and '..', quotes (in photos' names, double ones only),
    backslashes, control characters, lone surrogates, and keys of more than 1,024 bytes. What the prefix itself holds is
    not asked again.
    """
    if not prefix.endswith("/") or not key.startswith(prefix):
        raise ForeignKey(f"the key {_shown(key)} does not lie below {_shown(prefix)}")
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise ForeignKey(f"the key {_shown(key)} has an empty part, '.' or '..'")
    rest = key.removeprefix(prefix)
    quotes = _QUOTES - _IN_NAMES if _PHOTOS.match(prefix) else _QUOTES
    if quotes & set(rest) or _UNSEEN.search(rest):
        raise ForeignKey(f"the key {_shown(key)} holds quotes, a backslash or control characters")
    if len(key.encode()) > LONGEST_KEY:
        raise ForeignKey(f"the key {_shown(key)} has more than {LONGEST_KEY} bytes")
    return key


# Control characters, line and paragraph separators, surrogates: Unicode's Cc, Zl, Zp and Cs.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _shown(text: str) -> str:
    """The text for a message: short, and nothing in it can end a line."""
    return ascii(text if len(text) <= 120 else text[:119] + "…")
