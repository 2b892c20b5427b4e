"""The demo's request: whose photos, which styles, how small the training is. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profile_contract.layouts import LayoutName
from profile_contract.manifest import manifest
from profile_contract.ownership import OWNER_LABEL, local_owner, owned_photos
from profile_contract.request import Photos, ProfileRequestSpec, Subject
from profile_contract.resource import TITLE_ANNOTATION
from profile_contract.style_ref import StyleRef
from profile_sandbox.values import PAGE_NAMESPACE, PAGE_USER

NAMESPACE = PAGE_NAMESPACE
NAME = "minji"
# A rendered woman who does not exist: models/people/README.md.
PERSON = Path(__file__).resolve().parents[3] / "models" / "people" / "p00060"
# The page in the demo's cluster shows it: it belongs to that page's visitor.
OWNER = local_owner(PAGE_USER)
PHOTOS_PREFIX = owned_photos(OWNER, NAME)
TITLE = "Minji"

WHY_NO_FLOOR = (
    "The base model here is studio-mini, a small one that learnt from rendered people: its portraits are small, and "
    "have less likeness than a floor for real ones asks. minimumLikeness is 0 to have them delivered all the same, "
    "and the likeness report says what was measured. With a real base model leave it at its default."
)


def demo_spec() -> ProfileRequestSpec:
    """What the demo asks for. Training and picture size come from the chart's values."""
    return ProfileRequestSpec(
        subject=Subject(noun="woman"),
        photos=Photos(prefix=PHOTOS_PREFIX),
        styles=[StyleRef(name="studio-warm"), StyleRef(name="studio-cool")],
        portraits=2,
        candidates=4,
        layouts=[LayoutName.SQUARE, LayoutName.EMPLOYEE_CARD, LayoutName.RESUME],
        minimum_likeness=0,
    )


def demo_manifest() -> dict[str, Any]:
    """The demo's request as it is applied."""
    labels, annotations = {OWNER_LABEL: OWNER}, {TITLE_ANNOTATION: TITLE}
    return manifest(demo_spec(), NAMESPACE, NAME, labels=labels, annotations=annotations)


def demo_photos() -> list[Path]:
    """The person's photos, in the order of their names."""
    return sorted(PERSON.glob("*.jpg"))
