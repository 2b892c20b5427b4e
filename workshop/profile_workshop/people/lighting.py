"""Light set-ups around a head: studio lamps, a window, the sun, and what else phones meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from profile_workshop.people import stage
from profile_workshop.people.shot import Shot

Colour = tuple[float, float, float]
WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Around:
    """Places around a head: azimuth 0 is the camera's side, positive to the picture's right."""

    head: tuple[float, float, float]
    side: int
    """1 or -1: where the main light comes from."""
    power: float
    draw: Generator

    def lamp(  # noqa: PLR0917  (a table of lamps reads best without names)
        self,
        azimuth: float,
        height: float,
        distance: float,
        power: float,
        size: float,
        colour: Colour,
        kind: str = "AREA",
    ) -> None:
        """Angles in degrees, distance and size in metres; azimuth counts towards the main light's side."""
        around, above = np.radians(self.side * azimuth), np.radians(height)
        position = (
            float(self.head[0] + distance * np.sin(around) * np.cos(above)),
            float(self.head[1] - distance * np.cos(around) * np.cos(above)),
            float(self.head[2] + distance * np.sin(above)),
        )
        stage.lamp(kind, position, self.head, power=power * self.power, size=size, colour=colour)

    def between(self, low: float, high: float) -> float:
        return float(self.draw.uniform(low, high))


def set_up(shot: Shot, head: tuple[float, float, float]) -> None:
    """Light the scene as the shot says; `head` in metres."""
    draw = np.random.default_rng([5, shot.seed])
    side = int(draw.choice([-1, 1]))
    stops = float(draw.normal(0.8 if shot.light in ("dim", "flash") else 0.42, 0.2))
    SET_UPS[shot.light](Around(head, side, 2**stops, draw))


def kelvin(temperature: float) -> Colour:
    """Roughly the colour of a black body, linear RGB with green at 1."""
    share = (temperature - 2500) / 6000
    return float(np.clip(1.75 - share, 0.75, 1.8)), 1.0, float(np.clip(0.38 + 0.95 * share, 0.3, 1.6))


def _studio(a: Around) -> None:
    stage.sky(WHITE, (0.7, 0.7, 0.7), 0.16 * a.power)
    colour = kelvin(a.between(4800, 6300))
    a.lamp(a.between(20, 55), a.between(15, 45), 1.3, 26, 0.7, colour)
    a.lamp(-a.between(30, 70), a.between(0, 20), 1.5, 9, 0.9, colour)
    a.lamp(160, 35, 1.4, 14, 0.4, WHITE)


def _window(a: Around) -> None:
    stage.sky(kelvin(5200), (0.5, 0.42, 0.35), 0.22 * a.power)
    a.lamp(a.between(35, 85), a.between(5, 30), 1.6, 48, 1.2, kelvin(a.between(5500, 7600)))
    a.lamp(-80, 10, 2, 5, 1.2, kelvin(3600))


def _sun(a: Around) -> None:
    stage.sky((0.45, 0.62, 1.0), (0.42, 0.38, 0.3), 0.6 * a.power)
    a.lamp(a.between(20, 130), a.between(25, 60), 3, 3.4, 0.02, kelvin(a.between(4000, 5600)), "SUN")


def _overcast(a: Around) -> None:
    stage.sky((0.85, 0.95, 1.1), (0.3, 0.3, 0.28), 0.95 * a.power)
    a.lamp(20, 60, 2, 22, 2.0, (0.95, 1.0, 1.08))


def _indoor(a: Around) -> None:
    stage.sky(kelvin(a.between(3000, 4200)), (0.45, 0.36, 0.28), 0.34 * a.power)
    a.lamp(a.between(0, 60), a.between(40, 70), 1.3, 20, 0.5, kelvin(a.between(2900, 4000)))
    a.lamp(-50, 15, 1.8, 9, 0.8, kelvin(a.between(3200, 5200)))


def _flash(a: Around) -> None:
    stage.sky((1.0, 0.9, 0.8), (0.5, 0.4, 0.35), 0.14 * a.power)
    a.lamp(4, 6, 1.0, 15, 0.08, (1.0, 1.0, 1.02))


def _dim(a: Around) -> None:
    stage.sky((0.5, 0.55, 0.8), (0.3, 0.2, 0.15), 0.16 * a.power)
    a.lamp(a.between(30, 70), 15, 1.2, 11, 0.5, kelvin(3000))
    a.lamp(-70, 10, 1.4, 7, 0.5, kelvin(8500))


SET_UPS: dict[str, Callable[[Around], None]] = {
    "studio": _studio,
    "window": _window,
    "sun": _sun,
    "overcast": _overcast,
    "indoor": _indoor,
    "flash": _flash,
    "dim": _dim,
}
