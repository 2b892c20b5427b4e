"""The order that every stage receives and the report that it leaves."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from profile_contract.conditions import Reason
from profile_contract.keys import check_below
from profile_contract.model import Contract, Tolerant

from .stage import Stage


def _sound_prefix(prefix: str) -> str:
    """The prefix, if it ends with '/' and stays where it says. Raises ValueError."""
    check_below("store/", f"store/{prefix}object")
    if not prefix.endswith("/"):
        raise ValueError(f"the prefix {prefix!a} must end with '/'")
    return prefix


def _below_models(name: str) -> str:
    """The name, if it is a folder's below the models folder. Raises ValueError."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ValueError(f"{name!a} must name a folder below the models folder")
    return name


# x, y, width, height in pixels; a face may reach past the edge.
Edge = Annotated[int, Field(ge=-65536, le=65536)]


FaceBox = tuple[Edge, Edge, Edge, Edge]


Key = Annotated[str, Field(min_length=1, max_length=1024)]


Prefix = Annotated[str, Field(max_length=1024), AfterValidator(_sound_prefix)]


ModelName = Annotated[str, Field(max_length=253), AfterValidator(_below_models)]


class RequestRef(Contract):
    """Whose order it is. Not part of any digest."""

    namespace: str = Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    name: str = Field(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")
    uid: str = Field(default="", max_length=64)


class FileRef(Contract):
    """A file in the store, named with what it must hold."""

    key: str
    sha256: str = ""
    bytes: int = 0


class StageOrder(Contract):
    """What every order holds. `output` is the key prefix that the stage may write, ending with '/'."""

    request: RequestRef
    digest: str = Field(min_length=1, max_length=64)
    output: Prefix

    def for_environment(self) -> str:
        """The order as JSON for a container's variable, of which the kubelet changes nothing.

        It takes `$$` for one dollar and `$(NAME)` for another variable's value, and photos and titles are named by
        anybody.
        """
        return self.to_json().replace("$", r"\u0024")


class StageReport(Tolerant):
    """What every report holds. `outcome` BadInput: the same order will not succeed; see reason and message."""

    stage: Stage
    digest: str
    outcome: Literal["Done", "BadInput"] = "Done"
    reason: Reason = Reason.SUCCEEDED
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    seconds: float = 0.0
    peak_memory_megabytes: int = 0
    gpu: str = Field(default="", description="Name of the accelerator, empty on a CPU.")
    gpu_count: int = 0
