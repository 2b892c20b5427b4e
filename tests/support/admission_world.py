"""Requests that wait for their turn: counted by the operator, or by Kueue."""

from __future__ import annotations

from typing import Any

from operator_world import CONFIG, World
from profile_operator.config import AdmissionConfig, OperatorConfig, PriorityClass
from profile_operator.decide.turns import Turn


def admitting(**fields: Any) -> OperatorConfig:
    return CONFIG.model_copy(update={"admission": AdmissionConfig(**fields)})


COUNTED = admitting(trainings=1)
KUEUE = admitting(
    mode="Kueue",
    queue="team-a",
    priority_classes=[PriorityClass(at_least=-10, name="normal"), PriorityClass(at_least=100, name="urgent")],
)
THIRD = Turn(place=3, waiting=41)


def preprocessed(config: OperatorConfig = COUNTED) -> World:
    """A request whose training is next."""
    world = World(config=config)
    world.run(until=lambda w: bool(w.created))
    world.work_on()
    return world


def training(world: World) -> list[str]:
    return [name for name in world.jobs if "-train-" in name]
