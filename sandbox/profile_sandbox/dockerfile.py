"""Reads from a Dockerfile what a container runtime needs to know: entry point, command, user, environment, folder.

The sandbox does not build images; it runs the machine's own programs under the configuration that `images/*/Dockerfile`
states, so the two cannot drift apart.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path


class DockerfileError(ValueError):
    """A Dockerfile that the sandbox cannot use; the message says what to change."""


@dataclass(frozen=True)
class ImageConfig:
    """The part of an OCI image configuration that decides how a container starts."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=dict)


def read_dockerfile(path: Path) -> ImageConfig:
    """Configuration of the last stage of a Dockerfile.

    Raises DockerfileError for a missing or shell-form ENTRYPOINT: a shell in between would swallow signals.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise DockerfileError(f"{path}: {error.strerror}") from error
    config = parse_dockerfile(text, str(path))
    if not config.entrypoint:
        raise DockerfileError(f'{path}: no ENTRYPOINT; write ENTRYPOINT ["python", "-m", "PACKAGE"]')
    return config


def parse_dockerfile(text: str, name: str = "Dockerfile") -> ImageConfig:
    """Configuration of the last stage in a Dockerfile's text, variables expanded: unknown ones to nothing.

    Raises DockerfileError for what it cannot tell: shell form, here-documents, expansions other than a default.
    """
    config = ImageConfig()
    arguments: dict[str, str] = {}
    for instruction, value in _instructions(text, name):
        variables = arguments | config.environment
        match instruction:
            case "FROM":
                config, arguments = ImageConfig(), {}
            case "ARG" if "=" in value:
                arguments |= _assignments(value, variables, name)
            case "ENV":
                config = replace(config, environment=config.environment | _assignments(value, variables, name))
            case "ENTRYPOINT":
                config = replace(config, entrypoint=_exec_form(value, instruction, name), command=())
            case "CMD":
                config = replace(config, command=_exec_form(value, instruction, name))
            case "USER":
                config = replace(config, user=_expanded(value, variables, name))
            case "WORKDIR":
                folder = " ".join(shlex.split(_expanded(value, variables, name)))
                config = replace(config, folder=str(Path(config.folder) / folder))
            case _:
                pass
    return config


def _instructions(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Each instruction with its value, in order: comments left out, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in re.sub(r"\\[ \t]*\n", "", lines).splitlines():
        instruction, _, value = line.strip().partition(" ")
        if re.search(r"<<-?[\"']?\w", value):
            raise DockerfileError(f"{name}: here-documents are not read; write {instruction} as continued lines")
        yield instruction.upper(), value.strip()


def _assignments(value: str, variables: Mapping[str, str], name: str) -> dict[str, str]:
    """What `KEY=VALUE KEY2="VALUE 2"`, or the older `KEY VALUE`, gives values to."""
    if "=" not in value.partition(" ")[0]:
        key, _, only = value.partition(" ")
        return {key: _expanded(only.strip(), variables, name)}
    words = (word.partition("=") for word in shlex.split(value))
    return {key: _expanded(assigned, variables, name) for key, _, assigned in words}


def _expanded(value: str, variables: Mapping[str, str], name: str) -> str:
    """`value` with `$NAME`, `${NAME}` and `${NAME:-default}` replaced."""

    def content(reference: re.Match[str]) -> str:
        key = reference["plain"] or reference["braced"]
        if key is None:
            raise DockerfileError(f"{name}: cannot expand {value!r}; write ${{NAME}} or ${{NAME:-default}}")
        return variables.get(key) or reference["default"] or ""

    return re.sub(r"\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)(?::-(?P<default>[^}]*))?\}|\{)", content, value)


def _exec_form(value: str, instruction: str, name: str) -> tuple[str, ...]:
    """The words of `["program", "argument"]`."""
    try:
        words = json.loads(value)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DockerfileError(f'{name}: {instruction} must be in exec form, ["program", "argument"], not {value!r}')
    return tuple(words)
