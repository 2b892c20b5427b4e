"""Nouns: the word that captions and prompts have for the person in the photos, which nobody but a person can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from profile_contract.request import ProfileRequestSpec, Subject

from .errors import CommandError
from .terminal import Terminal

NOUNS: tuple[str, ...] = get_args(Subject.model_fields["noun"].annotation)
# What holds for everybody.
ANYBODY: str = Subject.model_fields["noun"].default


def with_noun(spec: ProfileRequestSpec, terminal: Terminal, tell: Callable[[str], None]) -> ProfileRequestSpec:
    """The request about whom somebody at the terminal says is in the photos; where nobody sits there, about anybody,
    and `tell` is told.

    Raises CommandError for an answer that is none of NOUNS.
    """
    answer = terminal.ask(f"Who is in the photos: {', '.join(NOUNS)}? [{ANYBODY}]")
    if answer is None:
        tell(
            f"nobody said who is in the photos, so it is taken to be a {ANYBODY}: --noun woman or --noun man gives "
            "better portraits"
        )
        return spec
    if answer and answer.lower() not in NOUNS:
        raise CommandError(f"{answer!r} is none of {', '.join(NOUNS)}")
    return spec.model_copy(update={"subject": Subject.model_validate({"noun": answer.lower() or ANYBODY})})
