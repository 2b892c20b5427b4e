"""Every rule of the product, pure: a snapshot in, a plan out.

`decide` is for a request that lives, `decide_deletion` for one that is being deleted, `outage` for one that could not
be looked at.
"""

from .deletion import decide_deletion
from .main import decide
from .outage import outage

__all__ = ["decide", "decide_deletion", "outage"]
