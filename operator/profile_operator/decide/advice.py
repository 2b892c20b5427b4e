"""Texts for a status: on one line, short enough, and with the advice that belongs to a reason."""

from __future__ import annotations

import re

from profile_contract.conditions import REASONS, Reason

MESSAGE_LENGTH = 500
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
# Terminals obey some, others turn the direction of text, and halves of characters come back from the API server
# changed: such a status would be written again and again.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def plain(message: str, length: int = MESSAGE_LENGTH) -> str:
    """The message on one line, without links (one might be signed) and control characters, cut to a length."""
    text = _LINK.sub("[link]", " ".join(_UNSEEN.sub(" ", message).split()))
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def advised(reason: Reason, message: str) -> str:
    """The message with the advice that belongs to the reason."""
    advice, text = REASONS[reason].advice, plain(message)
    if not advice or advice in text:
        return text
    return f"{text}{'' if text.endswith(('.', '!', '?', '…')) else '.'} {advice}" if text else advice
