"""Rules of a style on a real API server: a second pass that leaves no step is refused where the style is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bare_cluster import bare_cluster
from profile_contract.generation import GenerationItem, GenerationOrder
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import RequestRef
from profile_contract.style import ProfileStyleSpec
from profile_draw.errors import Refused
from profile_draw.rows import check
from profile_sandbox.kubectl import Kubectl
from profile_sandbox.paths import CLONE
from profile_sandbox.process import SandboxError

NO_STEP = "steps times strengthPercent must be at least 100, or no step is left to draw: raise one of them"
# Left out, strengthPercent is 40.
TAKEN: list[dict[str, Any]] = [
    {},
    {"mode": "Never"},
    {"mode": "Always", "strengthPercent": 5},
    {"steps": 3},
    {"steps": 20, "strengthPercent": 5},
    {"steps": 5, "strengthPercent": 20},
    {"steps": 4, "strengthPercent": 25},
    {"steps": 2, "strengthPercent": 50},
    {"steps": 2, "strengthPercent": 95},
    {"steps": 150, "strengthPercent": 95},
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"steps": 2}, NO_STEP),
    ({"steps": 1, "strengthPercent": 95}, NO_STEP),
    ({"steps": 19, "strengthPercent": 5}, NO_STEP),
    ({"steps": 3, "strengthPercent": 33}, NO_STEP),
    ({"steps": 0}, "should be greater than or equal to 1"),
    ({"steps": 151}, "should be less than or equal to 150"),
    ({"strengthPercent": 4}, "should be greater than or equal to 5"),
    ({"strengthPercent": 96}, "should be less than or equal to 95"),
    ({"mode": "Sometimes"}, "Unsupported value"),
    ({"step": 9}, "unknown field"),
]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with bare_cluster(tmp_path_factory.mktemp("cluster")) as kubeconfig:
        kubectl = Kubectl(kubeconfig)
        for kind in ("profilestyles", "clusterprofilestyles"):
            kubectl.apply((CLONE / "crds" / f"{kind}.yaml").read_text())
            kubectl.run("wait", "--for=condition=Established", "--timeout=60s", f"crd/{kind}.profilestudio.io")
        yield kubectl


def spec(detail: dict[str, Any], steps: int = 30) -> dict[str, Any]:
    return {"title": {"en": "Look"}, "prompt": "{subject}", "sampler": {"steps": steps}, "detail": detail}


def written(kubectl: Kubectl, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    """The style as the API server would keep it."""
    document = {
        "apiVersion": "profilestudio.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "look"},
        "spec": spec(detail),
    }
    how = ("create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-")
    kept: dict[str, Any] = json.loads(kubectl.run(*how, stdin=json.dumps(document)))["spec"]
    return kept


def drawn(style: ProfileStyleSpec) -> GenerationOrder:
    """An order for a model whose every face is drawn again."""
    size = PictureSize(64, 64, face_pixels=2000)
    items = [GenerationItem(seed=1, prompt="somebody")]
    request = RequestRef(namespace="hr", name="minji")
    return GenerationOrder(request=request, items=items, width=64, height=64, detail=size.detail(size.of(style)))


@pytest.mark.parametrize("kind", ["ProfileStyle", "ClusterProfileStyle"])
def test_what_is_taken_can_be_drawn_and_what_is_refused_could_not(kubectl: Kubectl, kind: str) -> None:
    for detail in TAKEN:
        kept = written(kubectl, kind, detail)
        assert kept["detail"] == {"mode": "Auto", "strengthPercent": 40} | detail
        check(drawn(ProfileStyleSpec.model_validate(kept)), has_control=False)
    for detail, says in REFUSED:
        with pytest.raises(SandboxError) as refused:
            written(kubectl, kind, detail)
        assert says in str(refused.value), detail
        if says == NO_STEP:
            with pytest.raises(Refused, match="leave no step for the second pass over faces"):
                check(drawn(ProfileStyleSpec.model_validate(spec(detail))), has_control=False)
