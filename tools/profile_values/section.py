"""Section: a part of the values that the chart alone reads, and the types that its parts share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from profile_contract.model import Contract

Sha256 = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]
Objects = list[dict[str, Any]]
Share = Annotated[str, Field(pattern=r"^[0-9]+%$")]
ShareOrNone = Annotated[str, Field(pattern=r"^([0-9]+%)?$")]
Count = Annotated[int, Field(ge=0)]


class Section(Contract):
    """A section that the chart alone reads: whatever is left out is as values.yaml says."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))
