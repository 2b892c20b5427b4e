"""Whose a request is: the label, the folder of photos, and the digest that stands for a person in both. Pure.

Requests of one namespace are told apart by their owner. An owner is a keyed digest of an issuer and a subject, as
OpenID Connect has them: who knows somebody's subject still cannot tell which label or folder is theirs.
"""

from __future__ import annotations

import hashlib
import hmac

from . import GROUP
from .artifacts import photos_prefix
from .model import canonical_json

OWNER_LABEL = f"{GROUP}/owner"
# 160 bits: that two people share an owner, or that somebody finds a subject with another's, does not happen.
OWNER_DIGITS = 40
_LOCAL_ISSUER, _LOCAL_KEY = "local", b"one machine, one person"


def owner_of(issuer: str, subject: str, key: bytes) -> str:
    """OWNER_DIGITS hexadecimal digits, the same for one issuer and subject as long as the key is."""
    who = canonical_json([issuer, subject]).encode()
    return hmac.new(key, who, hashlib.sha256).hexdigest()[:OWNER_DIGITS]


def local_owner(user: str) -> str:
    """The owner where the page runs for one machine alone: there is nobody from whom it would be a secret."""
    return owner_of(_LOCAL_ISSUER, user, _LOCAL_KEY)


def owned_photos(owner: str, request: str) -> str:
    """Where an owner's photos for a request of this name lie, as `spec.photos.prefix` says it."""
    return photos_prefix(owner, request)
