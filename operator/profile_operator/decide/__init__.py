"""Every rule of the product, pure: facts in, a plan out.

`decide` is for a request that lives, `decide_deletion` for one that is being deleted, `outage` for one that could not
be looked at.
"""

from .decision import claim_of, decide
from .deletion import decide_deletion
from .facts import DeletionFacts, Facts
from .tell import outage

__all__ = ["DeletionFacts", "Facts", "claim_of", "decide", "decide_deletion", "outage"]
