"""Facts: all that one decision looks at, and the only argument of every policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from profile_contract.request import ProfileRequestSpec
from profile_contract.resource import RequestHead
from profile_operator.config import OperatorConfig
from profile_operator.observe.snapshot import Chain, Remains, Snapshot

from .standing import Standings, standings_of


@dataclass(frozen=True)
class Facts:
    """A request that lives, the operator's configuration, and the time."""

    snapshot: Snapshot
    config: OperatorConfig
    now: datetime

    @property
    def head(self) -> RequestHead:
        """The request without its spec."""
        return self.snapshot.head

    @property
    def spec(self) -> ProfileRequestSpec:
        """What is asked for."""
        return self.snapshot.spec

    @property
    def chain(self) -> Chain:
        """The digests of the request's stages."""
        return self.snapshot.chain

    @cached_property
    def standings(self) -> Standings:
        """Where the four stages stand, by what they left and what runs."""
        return standings_of(self.snapshot)


@dataclass(frozen=True)
class DeletionFacts:
    """What is left of a request that is being deleted, the operator's configuration, and the time."""

    remains: Remains
    config: OperatorConfig
    now: datetime

    @property
    def head(self) -> RequestHead:
        """The request without its spec."""
        return self.remains.head
