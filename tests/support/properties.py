"""examples: how many a property is tried with: all of them, but in `make test-unit`, which is to be quick, a fifth."""

from __future__ import annotations

import os
from collections.abc import Collection

from hypothesis import HealthCheck, settings

FEWEST = 10


def examples(number: int, *, suppress_health_check: Collection[HealthCheck] = ()) -> settings:
    """Decorates a property that is tried with so many examples, however long each takes."""
    few = bool(os.environ.get("PROFILE_FEW_EXAMPLES"))
    number = max(number // 5, FEWEST) if few else number
    return settings(max_examples=number, deadline=None, suppress_health_check=suppress_health_check)
