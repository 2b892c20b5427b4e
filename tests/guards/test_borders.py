"""What crosses borders: digests, orders and reports, progress, metrics, the database.

Recorded anew by PROFILE_RECORD=1, see `record`.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import house
from record import as_yaml, compare

DOCUMENTS = Path(__file__).parent / "documents.yaml"
PHOTOS = [
    {"name": "b.jpg", "key": "hr.1a2b3c4d-5e6f/uploads/minji/b.jpg", "bytes": 20, "etag": "e2"},
    {"name": "a.jpg", "key": "hr.1a2b3c4d-5e6f/uploads/minji/a.jpg", "bytes": 10, "etag": "e1"},
]
WARM = {"title": {"en": "Warm"}, "tone": "Warm", "prompt": "portrait of {subject}, {tone}"}
BASE: dict[str, Any] = {
    "spec": {"photos": {"prefix": "uploads/minji/"}, "styles": ["studio-warm", "studio-cool"]},
    "styles": {"studio-warm": WARM, "studio-cool": {**WARM, "tone": "Cool"}},
    "platform": {
        "preprocess": {},
        "training": {"baseModel": "sdxl", "controlModel": "openpose"},
        "picture": {"width": 896, "height": 1152},
    },
    "photos": PHOTOS,
}
# A place in BASE, and what is said there.
VARIANTS: dict[str, tuple[str, Any]] = {
    "as it is": ("", None),
    "noun": ("spec.subject", {"noun": "woman"}),
    "one style": ("spec.styles", ["studio-warm"]),
    "portraits": ("spec.portraits", 3),
    "candidates": ("spec.candidates", 6),
    "seed": ("spec.seed", 2),
    "layouts": ("spec.layouts", ["resume", "print-5x7"]),
    "training of its own": ("spec.training", {"rank": 8, "steps": 100, "resolution": 512, "seed": 4}),
    "minimum likeness": ("spec.minimumLikeness", 40),
    "retained": ("spec.deletionPolicy", "Retain"),
    "style's pose": ("styles.studio-warm.pose", "frontal"),
    "style's mode": ("styles.studio-warm.mode", "ImageToImage"),
    "style's sampler": ("styles.studio-warm.sampler", {"steps": 31, "guidanceTenths": 40}),
    "style's weights": ("styles.studio-warm.adapterWeightPercent", 90),
    "resolution of crops": ("platform.preprocess.resolution", 512),
    "rank": ("platform.training.rank", 16),
    "layers": ("platform.training.adapterLayers", "transformer"),
    "learning rate": ("platform.training.learningRate", 0.0002),
    "picture": ("platform.picture.steps", 20),
    "other photos": ("photos", PHOTOS[:1]),
}


def _with(place: str, value: Any) -> dict[str, Any]:
    case = copy.deepcopy(BASE)
    if place:
        *folders, last = place.split(".")
        here = case
        for folder in folders:
            here = here[folder]
        here[last] = value
    return case


def test_digests_of_the_stages() -> None:
    digests = {name: house.stage_digests(**_with(place, value)) for name, (place, value) in VARIANTS.items()}
    compare("digests.yaml", as_yaml(digests))


def test_schemas_of_what_crosses_a_border() -> None:
    compare("schemas.json", json.dumps(house.schemas(), indent=1, sort_keys=True) + "\n")


@pytest.mark.parametrize("kind", yaml.safe_load(DOCUMENTS.read_text()))
def test_documents_are_written_as_they_were_read(kind: str) -> None:
    document = yaml.safe_load(DOCUMENTS.read_text())[kind]
    compare(f"{kind.replace(' ', '-')}.json", house.written(kind, document) + "\n")


def test_the_stream_of_a_requests_progress() -> None:
    assert house.stream_key("hr", "minji") == "profile:progress:hr:minji"


def test_metrics() -> None:
    compare("metrics.yaml", as_yaml(house.metrics()))


def test_the_database() -> None:
    compare("database.sql", house.database())


def test_the_api() -> None:
    files = [*sorted((house.ROOT / "crds").glob("*.yaml")), house.ROOT / "docs" / "api.md"]
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(house.ROOT)}\n" for file in files]
    compare("api.sha256", "".join(sums))
