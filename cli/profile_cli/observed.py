"""A ProfileRequest as a look at the cluster shows it: generation, deletion, status and its conditions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import status_of


@dataclass(frozen=True)
class ObservedRequest:
    """A ProfileRequest as it stands."""

    generation: int
    deleting: bool
    status: ProfileRequestStatus

    @property
    def current(self) -> bool:
        """Whether the status speaks of what is asked for now."""
        return self.status.observed_generation == self.generation

    def condition(self, kind: str) -> tuple[bool, str, str]:
        """Whether a condition is True, its reason and message; False and empty where it is not there."""
        for condition in self.status.conditions:
            if condition.type == kind:
                return condition.status == "True", condition.reason, condition.message
        return False, "", ""


def observed(document: dict[str, Any]) -> ObservedRequest:
    """A ProfileRequest of the API server, read."""
    metadata = document["metadata"]
    return ObservedRequest(metadata["generation"], "deletionTimestamp" in metadata, status_of(document))
