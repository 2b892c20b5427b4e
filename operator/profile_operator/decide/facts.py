"""Facts: all that one decision looks at, and the only argument of every policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from profile_contract.areas import Area
from profile_contract.conditions import Reason
from profile_contract.request import ProfileRequestSpec
from profile_contract.resource import RequestHead
from profile_contract.stages.table import STAGES, Stage
from profile_operator.config import OperatorConfig
from profile_operator.observe.snapshot import Chain, Remains, Snapshot

from .standing import Standings, standings_of
from .turns import Turn


@dataclass(frozen=True)
class Facts:
    """A request that lives, the operator's configuration, the time, and the request's turn."""

    snapshot: Snapshot
    config: OperatorConfig
    now: datetime
    # Whether it may begin what needs a GPU, where those are counted.
    turn: Turn = Turn()

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

    @property
    def write_due(self) -> bool:
        """Whether the status may be written for the sake of a number alone: how far it is, which place it has."""
        return self.snapshot.seconds_since_write >= self.config.progress_interval_seconds

    def told(self, stage: Stage, reason: Reason) -> str | None:
        """What stands in the condition of a stage; None where it has another reason, or was never written."""
        conditions = {condition.type: condition for condition in self.head.status.conditions}
        condition = conditions.get(STAGES[stage].condition)
        return condition.message if condition is not None and condition.reason == reason else None

    @property
    def area(self) -> Area:
        """Where the namespace's things lie in the bucket."""
        return self.snapshot.chain.area

    @cached_property
    def standings(self) -> Standings:
        """Where the four stages stand, by what they left and what runs."""
        return standings_of(self.snapshot, self.now)


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
