"""YAML that a person wrote: read within bounds, with one error for all that can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import yaml

# Of settings, styles and values of a chart; what is longer is something else.
MOST_BYTES = 4 << 20


class BadYaml(Exception):
    """A file cannot be read, or holds no YAML; the message says why, and not which file it is."""


def read_yaml(file: Path, most: int = MOST_BYTES) -> object:
    """The document in a file of at most so many bytes, in UTF-8. Raises BadYaml."""
    try:
        with file.open("rb") as content:
            data = content.read(most + 1)
    except (OSError, ValueError) as error:
        raise BadYaml(getattr(error, "strerror", None) or str(error)) from error
    if len(data) > most:
        raise BadYaml(f"it has more than {most} bytes")
    return yaml_of(data)


def yaml_of(data: bytes) -> object:
    """The document that a text holds. Raises BadYaml."""
    try:
        return yaml.safe_load(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadYaml("it is not written in UTF-8") from error
    # A date of the 99th month, or a number of thousands of digits, is a plain ValueError.
    except (yaml.YAMLError, ValueError) as error:
        raise BadYaml(f"it is no YAML: {error}") from error
    except RecursionError as error:
        raise BadYaml("its lists or mappings are nested too deeply") from error
