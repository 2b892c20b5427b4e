"""An order goes through a container's variable, of which the kubelet expands whatever looks like a reference."""

from __future__ import annotations

import re

import pytest

from operator_world import CONFIG, KEY
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessParameters
from profile_contract.stages.table import Stage
from profile_operator.act import manifests
from profile_operator.decide.plan import CreateJob

AREA = "hr.1a2b3c4d-5e6f/"


def expanded(value: str, known: dict[str, str]) -> str:
    """As the kubelet does it: $$ is a dollar, $(NAME) a variable that stands before this one, if there is one."""

    def meant(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else known.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", meant, value)


@pytest.mark.parametrize(
    "name", ["cash$$.jpg", "$(KUBERNETES_SERVICE_HOST).jpg", "$$(HOME).jpg", "$.jpg", r"\$(A).jpg"]
)
def test_a_stage_reads_the_names_that_strangers_gave(name: str) -> None:
    order = PreprocessOrder(
        request=RequestRef(namespace="hr", name="minji", uid="u1"),
        digest="0123456789abcdef",
        output=f"{AREA}requests/minji/dataset/0123456789abcdef/",
        photos=[PhotoRef(name=name, key=f"{AREA}uploads/minji/{name}", bytes=9, etag="e")],
        parameters=PreprocessParameters(),
    )
    job = manifests.job(CreateJob(Stage.PREPROCESS, "minji-job", order, ()), KEY, "u1", CONFIG, redis=False)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    value = next(item["value"] for item in container["env"] if item["name"] == "PROFILE_ORDER")
    seen = expanded(value, {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOME": "/scratch", "A": '","x":"'})
    assert PreprocessOrder.model_validate_json(seen) == order
