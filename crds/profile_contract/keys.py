"""Keys in the store: what is asked of one before it is signed, read or shown. Pure.

A key may come from a report, and a report from whoever took over a stage: none is believed to lie where it should.
"""

from __future__ import annotations

import unicodedata

from .model import canonical_json

LONGEST_KEY = 1024
# These have a meaning in a policy's resource: with them in a prefix the policy would grant more than it says.
UNSAFE_IN_POLICY = frozenset("*?$\\")
# S3's and MinIO's limit on a session policy.
LONGEST_POLICY = 2048
# With them a key could leave a header, a quoted name or a command line that it is put into.
_QUOTES = frozenset("\"'`\\")
# In photos' names, which people chose, these are ordinary letters.
_IN_NAMES = frozenset("'`")


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
    quotes = _QUOTES - _IN_NAMES if prefix.split("/")[1:2] == ["uploads"] else _QUOTES
    if quotes & set(rest) or any(unicodedata.category(letter) in _UNSEEN for letter in rest):
        raise ForeignKey(f"the key {_shown(key)} holds quotes, a backslash or control characters")
    if len(key.encode()) > LONGEST_KEY:
        raise ForeignKey(f"the key {_shown(key)} has more than {LONGEST_KEY} bytes")
    return key


# Control characters, line and paragraph separators, surrogates.
_UNSEEN = frozenset({"Cc", "Zl", "Zp", "Cs"})


def _shown(text: str) -> str:
    """The text for a message: short, and nothing in it can end a line."""
    return ascii(text if len(text) <= 120 else text[:119] + "…")


def prefix_policy(bucket: str, *, read: tuple[str, ...], write: tuple[str, ...], listed: tuple[str, ...] = ()) -> str:
    """A session policy as JSON: read, write and list below these prefixes, and nothing else.

    Raises ValueError for a prefix that is empty, does not end with '/' or holds what a policy would read as a
    pattern, and for a policy of more than 2,048 characters.
    """
    for prefix in (*read, *write, *listed):
        if UNSAFE_IN_POLICY & set(prefix):
            raise ValueError("a prefix must not hold any of * ? $ \\")
        if not prefix.endswith("/") or prefix == "/":
            raise ValueError(f"the prefix {_shown(prefix)} must end with '/'")
    statements: list[dict[str, object]] = []
    if listed:
        where = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in listed]}}
        place = [f"arn:aws:s3:::{bucket}"]
        statements.append({"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": place, "Condition": where})
    if read:
        statements.append({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": _objects(bucket, read)})
    if write:
        statements.append({"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": _objects(bucket, write)})
    policy = canonical_json({"Version": "2012-10-17", "Statement": statements})
    if len(policy) > LONGEST_POLICY:
        raise ValueError(f"the credentials' policy has {len(policy)} characters, the store takes {LONGEST_POLICY}")
    return policy


def _objects(bucket: str, prefixes: tuple[str, ...]) -> list[str]:
    return [f"arn:aws:s3:::{bucket}/{prefix}*" for prefix in prefixes]
