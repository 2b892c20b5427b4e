"""Spectacle frames: tubes around two lenses, a bridge and two temples. No asset: drawn from a few figures."""

from __future__ import annotations

import numpy as np

from profile_workshop.people.assets import Floats, Integers, Polygons

SIDES = 8
"""Corners of a tube's cross-section."""


def frames(
    eyes: tuple[Floats, Floats], ear: Floats, front: float, shape: tuple[float, float, float, float]
) -> tuple[Floats, Polygons]:
    """Vertices (N, 3) in decimetres and faces, for eye centres (3,), the mean ear (|x|, y, z) and the nasion's z.

    `shape`: half width and half height of a lens, exponent of its superellipse, radius of the tube.
    """
    half_width, half_height, power, radius = shape
    depth = front + 0.07
    parts = []
    inner = []
    for eye in eyes:
        side = float(np.sign(eye[0]))
        middle = eye[0] + side * 0.03
        parts.append(
            _tube(
                _rim(eye, middle, side, depth=depth, width=half_width, height=half_height, power=power),
                radius,
                closed=True,
            )
        )
        parts.append(_tube(_temple(eye, middle + side * half_width, side, depth, ear), radius, closed=False))
        inner.append(middle - half_width * side)
    between = (inner[0] + inner[1]) / 2
    high = (eyes[0][1], eyes[1][1])
    bridge = [[inner[0], high[0], depth], [between, high[0] + 0.05, depth + 0.04], [inner[1], high[1], depth]]
    parts.append(_tube(np.array(bridge), radius, closed=False))
    return _joined(parts)


def _rim(eye: Floats, middle: float, side: float, *, depth: float, width: float, height: float, power: float) -> Floats:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x = width * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power)
    y = height * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power)
    # Lenses follow the face: their outer edges lie further back.
    back = 0.10 * ((x * side + width) / (2 * width)) ** 2
    return np.stack([middle + x, eye[1] - 0.03 + y, depth - back], axis=1)


def _temple(eye: Floats, outer: float, side: float, depth: float, ear: Floats) -> Floats:
    height, width = eye[1] + 0.06, abs(float(ear[0]))
    return np.array(
        [
            [outer, height, depth - 0.1],
            [max(abs(outer), width - 0.12) * side, height, depth - 0.3],
            [width * side, eye[1] + 0.03, ear[2]],
            [width * side, eye[1] - 0.15, ear[2] - 0.25],
        ]
    )


def _tube(line: Floats, radius: float, *, closed: bool) -> tuple[Floats, Integers]:
    """A tube around a polyline: vertices, and faces of four corners."""
    count = len(line)
    along = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0) if closed else np.gradient(line, axis=0)
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, np.array([0.02, 0.05, 1.0]))
    parallel = np.linalg.norm(across, axis=1) < 0.2
    across[parallel] = np.cross(along[parallel], [0.0, 1.0, 0.0])
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    angle = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)[None, :, None]
    circle = np.cos(angle) * across[:, None] + np.sin(angle) * np.cross(along, across)[:, None]
    ring = np.arange(count if closed else count - 1)[:, None] * SIDES
    step = np.arange(SIDES)[None]
    following = (step + 1) % SIDES
    next_ring = (ring + SIDES) % (count * SIDES)
    faces = np.stack([ring + step, ring + following, next_ring + following, next_ring + step], axis=-1)
    return (line[:, None] + radius * circle).reshape(-1, 3), faces.reshape(-1, 4).astype(np.int32)


def _joined(parts: list[tuple[Floats, Integers]]) -> tuple[Floats, Polygons]:
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts[:-1])])
    corners = np.concatenate([faces + start for (_, faces), start in zip(parts, starts, strict=True)]).astype(np.int32)
    flat = corners.ravel()
    sizes = np.full(len(corners), 4, np.int32)
    return np.concatenate([vertices for vertices, _ in parts]), Polygons(flat, np.zeros_like(flat), sizes)
