"""What the configuration sets for all requests, and by what its changes are told."""

from __future__ import annotations

from operator_house import CONFIG
from profile_operator.compared import platform_digest, platform_of


def test_the_strength_with_an_adapter_is_the_platforms() -> None:
    generation = CONFIG.generation.model_copy(update={"trained_strength_percent": 65})
    changed = CONFIG.model_copy(update={"generation": generation})
    assert platform_of(changed).trained_strength_percent == 65
    assert platform_of(CONFIG).trained_strength_percent is None
    assert platform_of(changed).picture == platform_of(CONFIG).picture
    # Requests are looked at anew where it changes.
    assert platform_digest(changed) != platform_digest(CONFIG)
