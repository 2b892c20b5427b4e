"""Reads from a Dockerfile what a container runtime needs to know: entry point, command, user, environment, folder.

The sandbox does not build images; it runs the machine's own programs under the configuration that `images/*/Dockerfile`
states, so the two cannot drift apart.
"""

from __future__ import annotations

import io
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser


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
    """Configuration of the last stage in a Dockerfile's text, variables expanded."""
    parser = DockerfileParser(fileobj=io.BytesIO(text.encode()))
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user, folder = "", "/"
    for step in parser.structure:
        match step["instruction"].upper():
            case "FROM":
                entrypoint, command, user, folder = (), (), "", "/"
            case "ENTRYPOINT":
                entrypoint, command = _exec_form(step["value"], "ENTRYPOINT", name), ()
            case "CMD":
                command = _exec_form(step["value"], "CMD", name)
            case "USER":
                user = step["value"].strip()
            case "WORKDIR":
                folder = str(Path(folder) / _unquoted(step["value"]))
            case _:
                pass
    return ImageConfig(entrypoint, command, user, folder, dict(parser.envs))


def _exec_form(value: str, instruction: str, name: str) -> tuple[str, ...]:
    try:
        words = json.loads(value)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DockerfileError(f'{name}: {instruction} must be in exec form, ["program", "argument"], not {value!r}')
    return tuple(words)


def _unquoted(value: str) -> str:
    return " ".join(shlex.split(value))
