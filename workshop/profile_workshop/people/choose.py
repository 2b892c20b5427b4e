"""Who joins the cast: measured on small pictures of many candidates, so that nobody is like another and all are like
themselves. Runs in the product's environment, with the product's own face measuring."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_vision import FaceReader
from profile_vision.pixels import BGR

OWN_AT_LEAST = 0.60
"""Mean SFace cosine between a person's own photos."""

BETWEEN_AT_MOST = 0.45
"""SFace cosine between the mean embeddings of two people."""


@dataclass(frozen=True)
class RenderedPerson:
    seed: int
    gender: str
    ancestry: str
    age: float
    own: float
    readable: float
    """Share of the photos in which exactly one face was found."""
    centroid: NDArray[np.float32]


def measure(path: Path, reader: FaceReader) -> RenderedPerson:
    """A candidate's file as `renders.render` writes it: `pictures` RGBA and `facts`."""
    with np.load(path) as content:
        pictures, facts = content["pictures"], json.loads(str(content["facts"]))
    embeddings = []
    for rgba in pictures:
        faces = reader.find(before_grey(rgba))
        if len(faces) == 1:
            embeddings.append(reader.embed(before_grey(rgba), faces[0]))
    table = np.stack(embeddings) if embeddings else np.zeros((1, 128), np.float32)
    pairs = (table @ table.T)[np.triu_indices(len(table), 1)]
    centroid = table.mean(axis=0)
    first = facts[0]
    return RenderedPerson(
        seed=first["seed"],
        gender=first["gender"],
        ancestry=first["ancestry"],
        age=first["age"],
        own=float(pairs.mean()) if len(pairs) else 0.0,
        readable=len(embeddings) / len(pictures),
        centroid=np.asarray(centroid / max(float(np.linalg.norm(centroid)), 1e-9), np.float32),
    )


def before_grey(rgba: NDArray[np.uint8]) -> BGR:
    """A render (H, W, 4) with straight alpha before a grey wall."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    mixed = rgba[..., 2::-1] * alpha + 150 * (1 - alpha)
    return BGR(cv2.convertScaleAbs(mixed).astype(np.uint8))


def choose(candidates: list[RenderedPerson], count: int) -> list[RenderedPerson]:
    """The `count` people whose nearest pair is farthest apart: greedy from each start, men and women alternating.

    Raises ValueError where no such group keeps within BETWEEN_AT_MOST.
    """
    fit = [person for person in candidates if person.own >= OWN_AT_LEAST and person.readable == 1.0]
    groups = [_grown(start, fit, count) for start in fit]
    whole = [group for group in groups if len(group) == count]
    if not whole:
        raise ValueError(f"no {count} of {len(fit)} fit candidates are unlike enough: render more of them")
    return min(whole, key=nearest_pair)


def nearest_pair(group: list[RenderedPerson]) -> float:
    """The highest cosine between two people's centroids."""
    return max(float(person.centroid @ other.centroid) for person, other in itertools.combinations(group, 2))


def _grown(start: RenderedPerson, fit: list[RenderedPerson], count: int) -> list[RenderedPerson]:
    group = [start]
    while len(group) < count:
        wanted = "male" if group[-1].gender == "female" else "female"
        allowed = [person for person in fit if person.gender == wanted and person not in group]
        scored = [
            (max(float(person.centroid @ other.centroid) for other in group), person.seed, person) for person in allowed
        ]
        within = [row for row in scored if row[0] <= BETWEEN_AT_MOST]
        if not within:
            return group
        group.append(min(within, key=lambda row: row[:2])[2])
    return group


def report(candidates: Path, vision: Path, count: int) -> str:
    """Measure all candidates and choose: a table to read, the seeds last."""
    reader = FaceReader(vision)
    measured = [measure(path, reader) for path in sorted(candidates.glob("p*.npz"))]
    group = choose(measured, count)
    lines = [
        f"{person.seed} {person.gender} {person.age:.0f} {person.ancestry}: own {person.own:.2f}" for person in group
    ]
    own = ", ".join(f"{value:.2f}" for value in np.percentile([person.own for person in measured], [5, 50, 95]))
    lines.append(f"{len(measured)} candidates, own mean at 5, 50, 95 %: {own}; nearest pair {nearest_pair(group):.2f}")
    return "\n".join([*lines, ",".join(str(person.seed) for person in group)])
