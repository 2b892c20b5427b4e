"""The engine: pipeline, adapter slots, batches. It knows no HTTP.

    engine = Engine.load(EngineConfig(models=Path("/models"), base_model="studio-random"))
    pictures = engine.generate(order, files)        # list[Drawn], in the order of order.items

`files` is a port with two methods (see `Files`) that resolves the `url` of an order's grants.
"""

from profile_draw.config import EngineConfig
from profile_draw.errors import Broken, Denied, EngineError, Expired, Full, Refused, Unavailable, Unwanted

from .engine import Drawn, Engine, ReadyOrder
from .files import Fetched, Files
from .queue import DrawingQueue
from .tickets import Ticket

__all__ = [
    "Broken",
    "Denied",
    "DrawingQueue",
    "Drawn",
    "Engine",
    "EngineConfig",
    "EngineError",
    "Expired",
    "Fetched",
    "Files",
    "Full",
    "ReadyOrder",
    "Refused",
    "Ticket",
    "Unavailable",
    "Unwanted",
]
