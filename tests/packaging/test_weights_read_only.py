"""Nothing of the product may write the weights: neither its Jobs, nor the predictor, nor the claims of the examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import STYLES_KNOWN, config_of, of_kind, the
from profile_contract.resource import Key
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessParameters
from profile_contract.stages.table import Stage
from profile_operator.act import manifests
from profile_operator.config import OperatorConfig
from profile_operator.decide.plan import CreateJob
from profile_sandbox.paths import CLONE

CLAIM = "weights"
EVERYTHING = (
    *STYLES_KNOWN,
    *("--set", f"models.existingClaim={CLAIM}"),
    *("--set", "web.enabled=true,web.store.publicUrl=https://store.example.com,web.signIn.proxySecret=proxy"),
)
JOBS = (Stage.PREPROCESS, Stage.TRAIN, Stage.FINISH)
MODELS = CLONE / "examples" / "models"


def stage_pod(stage: Stage) -> dict[str, Any]:
    config = OperatorConfig.model_validate(config_of(*EVERYTHING))
    order = PreprocessOrder(
        request=RequestRef(namespace="hr", name="minji", uid="u1"),
        digest="d" * 16,
        output=f"hr.1a2b3c4d-5e6f/requests/minji/dataset/{'d' * 16}/",
        photos=[],
        parameters=PreprocessParameters(),
    )
    job = manifests.job(CreateJob(stage, f"minji-{stage}", order, ()), Key("hr", "minji"), "u1", config, redis=True)
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("stage", JOBS)
def test_a_stage_mounts_the_claim_read_only(stage: Stage) -> None:
    pod = stage_pod(stage)
    (volume,) = (volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume)
    assert volume["persistentVolumeClaim"] == {"claimName": CLAIM, "readOnly": True}
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    mounts = [mount for found in containers for mount in found["volumeMounts"] if mount["name"] == volume["name"]]
    assert mounts == [{"name": volume["name"], "mountPath": "/models", "readOnly": True}]


def test_kserve_is_told_to_mount_the_claim_read_only() -> None:
    service = the("InferenceService", "profile-predictor", *EVERYTHING)
    assert service["spec"]["predictor"]["model"]["storageUri"] == f"pvc://{CLAIM}"
    assert service["metadata"]["annotations"]["storage.kserve.io/readonly"] == "true"
    runtime = the("ServingRuntime", "profile-studio-sdxl", *EVERYTHING)["spec"]
    assert not [volume for volume in runtime["volumes"] if "persistentVolumeClaim" in volume]


def test_no_other_pod_of_the_release_mounts_a_claim() -> None:
    for kind in ("Deployment", "Job", "Pod"):
        for name, found in of_kind(kind, *EVERYTHING).items():
            spec = found["spec"] if kind == "Pod" else found["spec"]["template"]["spec"]
            assert not [volume for volume in spec.get("volumes", []) if "persistentVolumeClaim" in volume], name


def documents(name: str) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all((MODELS / name).read_text())


def by_kind(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """By the namespace that it is for."""
    found = [document for document in documents(name) if document["kind"] == kind]
    return {one["metadata"].get("namespace") or one["spec"]["claimRef"]["namespace"]: one for one in found}


def test_the_examples_claims_can_only_read() -> None:
    volumes, claims = (by_kind("readers.yaml", kind) for kind in ("PersistentVolume", "PersistentVolumeClaim"))
    assert set(volumes) == set(claims) == {"profile-system", "hr"}
    for namespace, claim in claims.items():
        volume = volumes[namespace]
        assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"] == ["ReadOnlyMany"]
        assert volume["spec"]["nfs"]["readOnly"] is True
        assert volume["spec"]["mountOptions"] == ["ro"]
        assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
        assert volume["spec"]["claimRef"] == {"namespace": namespace, "name": claim["metadata"]["name"]}


def test_the_one_claim_that_writes_is_in_nobodys_namespace() -> None:
    claims = by_kind("loader.yaml", "PersistentVolumeClaim")
    assert set(claims) == {"profile-models"}
    (readers,) = {one["spec"]["nfs"]["path"] for one in by_kind("readers.yaml", "PersistentVolume").values()}
    assert by_kind("loader.yaml", "PersistentVolume")["profile-models"]["spec"]["nfs"]["path"] == readers


def test_the_loader_uses_an_image_of_the_pages_release() -> None:
    shown = Path(CLONE / "docs" / "install.md").read_text().split("```yaml\n")[1].split("```")[0]
    images = yaml.safe_load(shown)["images"]
    (pod,) = (document for document in documents("loader.yaml") if document["kind"] == "Pod")
    assert pod["spec"]["containers"][0]["image"] == f"{images['registry']}/operator:{images['tag']}"
