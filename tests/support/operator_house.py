"""The request, its styles and the operator's configuration that tests begin with."""

from __future__ import annotations

from datetime import UTC, datetime

from areas import area
from profile_contract.request import Photos, ProfileRequestSpec
from profile_contract.resource import Key
from profile_contract.stages.preprocess import (
    PhotoRef,
    PreprocessParameters,
)
from profile_contract.stages.train import TrainParameters
from profile_contract.style import ProfileStyleSpec, Title, Tone
from profile_operator.config import OperatorConfig, StoreConfig
from profile_operator.job_settings import JobsConfig, StageJob

KEY = Key("hr", "minji")

AREA = area("hr")

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


CONFIG = OperatorConfig(
    store=StoreConfig(endpoint="minio:9000", bucket="profiles", secure=False),
    jobs=JobsConfig(
        preprocess=StageJob(image="preprocess"),
        train=StageJob(image="train", gpus=1),
        finish=StageJob(image="finish"),
    ),
    training=TrainParameters(base_model="sdxl"),
    preprocess=PreprocessParameters(maximum_photos=12),
    revocation_seconds=0,
)

SPEC = ProfileRequestSpec(
    photos=Photos(prefix="uploads/minji/"), styles=["warm", "plain"], portraits=1, candidates=2, seed=7
)

STYLES = {
    "warm": ProfileStyleSpec(title=Title(en="Warm"), tone=Tone.WARM, prompt="{subject}, {tone}"),
    "plain": ProfileStyleSpec(title=Title(en="Plain"), prompt="photo of {subject}"),
}


def photo(name: str, etag: str = "e") -> PhotoRef:
    return PhotoRef(name=name, key=f"hr.1a2b3c4d-5e6f/uploads/minji/{name}", bytes=10, etag=etag)
