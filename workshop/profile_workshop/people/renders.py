"""Training pictures: thousands of people, a few portraits each, without backgrounds.

One file per person, `p000012.npz`, written whole: whoever is there is done, so that a run may be cut at any time
and several processes may share the work. `pictures` are uint8 (K, 160, 160, 4) sRGB RGBA with straight alpha,
`facts` a JSON list of K objects.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from profile_workshop.people.assets import Assets
from profile_workshop.people.facts import facts
from profile_workshop.people.identity import Person, person
from profile_workshop.people.shot import Shot, portrait
from profile_workshop.people.stage import Quality
from profile_workshop.people.studio import Studio

SIZE = 160
SAMPLES = 8
PICTURES = 6
FIRST_CAST_SEED = 900_000
"""Seeds from here on are not trained on: the cast is chosen among them."""


@dataclass(frozen=True)
class RenderPlan:
    """What is rendered of each person."""

    take: Callable[[Person, int], Shot]
    pictures: int
    size: int
    samples: int
    of_cast: bool = False


TRAINING = RenderPlan(take=portrait, pictures=PICTURES, size=SIZE, samples=SAMPLES)


def file_of(folder: Path, seed: int) -> Path:
    return folder / f"p{seed:06d}.npz"


def render(assets: Assets, folder: Path, seeds: Iterable[int], plan: RenderPlan = TRAINING) -> int:
    """Render everyone who is not there yet; how many that were. Raises ValueError for a seed of the wrong side."""
    folder.mkdir(parents=True, exist_ok=True)
    rendered = 0
    with Studio(assets, Quality(size=plan.size, samples=plan.samples, fine=False)) as studio:
        for seed in seeds:
            if (seed >= FIRST_CAST_SEED) != plan.of_cast:
                raise ValueError(f"seed {seed}: the cast's begin at {FIRST_CAST_SEED}, training people's lie below")
            if not file_of(folder, seed).exists():
                _render_person(studio, folder, seed, plan)
                rendered += 1
    return rendered


def _render_person(studio: Studio, folder: Path, seed: int, plan: RenderPlan) -> None:
    started = time.monotonic()
    who = person(seed)
    studio.invite(who)
    pictures, truths = [], []
    for number in range(plan.pictures):
        shot = plan.take(who, number)
        picture = studio.photograph(shot)
        pictures.append(picture.rgba)
        truths.append(facts(who, shot, picture))
    target = file_of(folder, seed)
    partial = target.with_name(f".{target.stem}.{os.getpid()}.npz")
    np.savez_compressed(partial, pictures=np.stack(pictures), facts=np.array(json.dumps(truths)))
    partial.replace(target)
    print(f"people: {target.name} {time.monotonic() - started:.1f} s", flush=True)
