"""The configuration of a program: one YAML file, read into a model of pydantic; one error for all that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from profile_contract.problems import problems_of

from .yaml_file import BadYaml, read_yaml

Config = TypeVar("Config", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file and the field, or the variable."""


def read_config(file: Path, model: type[Config], variable: str) -> Config:
    """What a YAML file says, as `model`. `variable`: what names the file. Raises ConfigError."""
    try:
        document = read_yaml(file)
    except BadYaml as error:
        raise ConfigError(f"{file} cannot be read: {error}; set {variable} to the configuration file") from error
    try:
        return model.model_validate({} if document is None else document)
    except ValidationError as error:
        problems = problems_of(error)
        raise ConfigError(f"{file}: {problems}") from error
