"""Every rule of the product, pure: a snapshot in, a plan out.

`decide` is for a snapshot that could be read; `outage` for one that could not.
"""

from .main import decide
from .outage import outage

__all__ = ["decide", "outage"]
