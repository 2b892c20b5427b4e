"""The form of a command's answer, as `-o` says it: a table for people, JSON or YAML for programs, names for scripts."""

from __future__ import annotations

import argparse
import json

import yaml

from profile_contract import GROUP

TABLE, JSON, YAML, NAME = "table", "json", "yaml", "name"


def for_programs(arguments: argparse.Namespace) -> bool:
    """Whether a program reads the answer, so that nothing but it may stand on standard output."""
    return getattr(arguments, "output", TABLE) != TABLE


def as_data(arguments: argparse.Namespace) -> bool:
    """Whether the answer is an object, and not a table or names."""
    return getattr(arguments, "output", TABLE) in (JSON, YAML)


def document(
    answer: object, arguments: argparse.Namespace, *, indent: int | None = None, one_of_many: bool = False
) -> str:
    """An object as `-o` asks for it. `indent`: of JSON; `one_of_many`: others may follow in the same stream."""
    if arguments.output == YAML:
        text = yaml.safe_dump(answer, allow_unicode=True, sort_keys=False).rstrip("\n")
        return f"---\n{text}" if one_of_many else text
    return json.dumps(answer, indent=indent)


def object_name(kind: str, name: str) -> str:
    """An object as kubectl's own `-o name` writes it: `profilerequest.profilestudio.io/minji`."""
    return f"{kind.lower()}.{GROUP}/{name}"
