"""The whole chain on a real cluster: one person's photos in, portraits out, and what a change runs again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest
from PIL import Image

from product import Product, Request, Space, named_styles, pictures_in, wait_for
from profile_contract.artifacts import request_prefix
from profile_contract.generation import AdapterGrant, GenerationItem, GenerationOrder, GenerationResult
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.picture_size import PictureSize
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import RequestRef, StageReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_runtime.store.port import Store
from profile_runtime.store.s3 import open_s3

pytestmark = [pytest.mark.cluster, pytest.mark.e2e, pytest.mark.timeout(900)]
PERSON = "p00060"
NAME = "minji"
CUTS = [LayoutName.SQUARE, LayoutName.EMPLOYEE_CARD, LayoutName.ID_SIZE]
SPEC: dict[str, Any] = {
    "subject": {"noun": "woman"},
    "photos": {"prefix": "uploads/minji/"},
    "portraits": 2,
    "candidates": 3,
    "seed": 7,
    "layouts": list(CUTS),
    # The base model is random here and draws nobody: with a floor nothing would be delivered, rightly.
    "minimumLikeness": 0,
    "training": {"steps": 20, "rank": 8},
}


@dataclass(frozen=True)
class Delivered:
    """A request that is ready, as it was when it became so."""

    space: Space
    request: Request
    styles: tuple[str, str]
    status: ProfileRequestStatus
    jobs: dict[str, str]

    def report(self, stage: Stage) -> Any:
        """The report of a stage, from the store."""
        types: dict[Stage, type[StageReport]] = {
            Stage.PREPROCESS: PreprocessReport,
            Stage.TRAIN: TrainReport,
            Stage.FINISH: FinishReport,
        }
        folder = {Stage.PREPROCESS: "dataset", Stage.TRAIN: "adapter", Stage.FINISH: "portraits"}[stage]
        assert self.status.stages is not None
        digest = getattr(self.status.stages, stage.value).digest
        key = f"{request_prefix(self.space.area, NAME)}{folder}/{digest}/report.json"
        return types[stage].model_validate_json(self.space.store.read(key))

    def generated(self) -> dict[str, GenerateReport]:
        """The report of each style's candidates."""
        keys = [key for key in self.space.made(NAME) if "/candidates/" in key and key.endswith("/report.json")]
        reports = [GenerateReport.model_validate_json(self.space.store.read(key)) for key in keys]
        return {report.style: report for report in reports}


def own_style(product: Product, name: str, like: str) -> None:
    """A copy of a style, to be changed freely."""
    document = product.kubectl.get("cpstyle", like)
    product.kubectl.apply(json.dumps({**document, "metadata": {"name": name}}))


@pytest.fixture(scope="module")
def delivered(product: Product, people: Path) -> Iterator[Delivered]:
    """One person's request with a warm and a cool style, taken to its end."""
    with product.space() as space:
        styles = (f"{space.name}-warm", f"{space.name}-cool")
        try:
            for style, like in zip(styles, ("studio-warm", "studio-cool"), strict=True):
                own_style(product, style, like)
            space.upload(pictures_in(people / PERSON), "uploads/minji/")
            request = space.request(NAME, styles=named_styles(*styles), **SPEC)
            request.wait("Ready", seconds=600)
            yield Delivered(space, request, styles, request.status, request.job_uids())
        finally:
            product.kubectl.run("delete", "cpstyle", *styles, "--ignore-not-found")


# --- what is delivered -------------------------------------------------------------------------------------------


def test_every_portrait_is_there_in_every_layout_at_its_exact_size(delivered: Delivered) -> None:
    portraits = delivered.status.portraits
    assert [(found.style, found.rank) for found in portraits] == [
        (style, rank) for style in delivered.styles for rank in (1, 2)
    ]
    for portrait in portraits:
        assert picture(delivered.space.store, portrait.key).shape == (128, 128, 3)
        assert set(portrait.layouts) == set(CUTS)
        for name, key in portrait.layouts.items():
            layout, data = LAYOUTS[name], delivered.space.store.read(key)
            with Image.open(BytesIO(data)) as image:
                assert image.size == (layout.width, layout.height)
                assert tuple(round(float(one)) for one in image.info["dpi"]) == (layout.dpi, layout.dpi)
            assert len(data) <= layout.max_kilobytes * 1000
            assert b"trainedAlgorithmicMedia" in data


def test_the_report_says_what_it_measured(delivered: Delivered) -> None:
    report = delivered.report(Stage.FINISH)
    assert delivered.status.likeness_report
    written = json.loads(delivered.space.store.read(delivered.status.likeness_report))
    assert written
    # The person's own photos are alike: SFace's cosine of one person lies above a half.
    assert 0.5 < report.ceiling <= 1
    assert report.references >= 1
    assert len(report.scores) == 2 * SPEC["candidates"]
    assert sum(score.delivered for score in report.scores) == len(delivered.status.portraits)
    for portrait in delivered.status.portraits:
        score = next(s for s in report.scores if (s.style, s.seed) == (portrait.style, portrait.seed))
        assert portrait.likeness == (score.likeness or 0)
    assert {tone.style: tone.tone for tone in report.tones} == dict(
        zip(delivered.styles, ("Warm", "Cool"), strict=True)
    )
    # One neutral twin a style.
    assert all(tone.pairs == 1 for tone in report.tones)


def test_a_contact_sheet_shows_photos_beside_portraits(delivered: Delivered) -> None:
    assert delivered.status.contact_sheet
    sheet = picture(delivered.space.store, delivered.status.contact_sheet)
    assert min(sheet.shape[:2]) > 300
    assert sheet.std() > 20


def test_styles_get_the_same_seeds(delivered: Delivered) -> None:
    seeds = {
        style: sorted(one.seed for one in report.candidates if not one.twin)
        for style, report in delivered.generated().items()
    }
    assert seeds == {style: [7, 8, 9] for style in delivered.styles}


# --- what a person sees ------------------------------------------------------------------------------------------


def test_columns_tell_the_story(delivered: Delivered) -> None:
    kubectl = delivered.space.kubectl
    lines = kubectl.run("-n", delivered.space.name, "get", "preq", "-o", "wide").splitlines()
    assert lines[0].split()[:5] == ["NAME", "READY", "STAGE", "PROGRESS", "LIKENESS"]
    row = lines[1].split()
    assert row[:4] == [NAME, "True", "Done", "100%"]
    accepted = delivered.status.photos.accepted if delivered.status.photos else 0
    assert f"{accepted}/12" in row
    assert "Succeeded" in row


def test_wait_and_describe(delivered: Delivered) -> None:
    kubectl, namespace = delivered.space.kubectl, delivered.space.name
    kubectl.run("-n", namespace, "wait", "--for=condition=Ready", f"preq/{NAME}", "--timeout=5s")
    text = kubectl.run("-n", namespace, "describe", "preq", NAME)
    for kind in ("Ready", "Preprocessed", "Trained", "Generated", "Finished", "Reconciling", "Stalled"):
        assert kind in text
    reasons = [event["reason"] for event in delivered.request.events()]
    assert reasons.count("Succeeded") >= 4, reasons
    assert not [event for event in delivered.request.events() if event["type"] == "Warning"]
    for secret in ("X-Amz-Signature", "AWS_", "Traceback"):
        assert secret not in text


def test_one_job_a_stage_and_one_pod_a_job(delivered: Delivered) -> None:
    stages = [job["metadata"]["labels"]["profilestudio.io/stage"] for job in delivered.request.jobs()]
    assert sorted(stages) == ["finish", "preprocess", "train"]
    assert not any(job["status"].get("failed") for job in delivered.request.ended_jobs())


# --- the adapter and the pose map matter ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Predictor:
    """The InferenceService, asked by hand with grants that the operator would make."""

    address: str
    in_cluster: Any
    store: Store
    delivered: Delivered

    def draw(self, *, adapter: bool, pose: bool) -> np.ndarray:
        """One picture with a fixed seed: RGB uint8 of 128 x 128."""
        trained, dataset = self.delivered.report(Stage.TRAIN), self.delivered.report(Stage.PREPROCESS)
        grant = AdapterGrant(
            key=trained.adapter.key,
            sha256=trained.adapter.sha256,
            url=self.in_cluster.presign_get(trained.adapter.key, 600),
        )
        photo = next(pose for pose in dataset.poses if pose.name.startswith("photo-"))
        joints = PictureSize(128, 128).placed(photo.joints)
        item = GenerationItem(
            seed=11,
            # Never written: no link for it is granted. It tells in whose area the order may read.
            key=f"{request_prefix(self.delivered.space.area, NAME)}candidates/by-hand/000011.png",
            prompt="portrait photograph of sks woman, warm light",
            joints=joints if pose else None,
        )
        order = GenerationOrder(
            request=RequestRef(namespace=self.delivered.space.name, name=NAME),
            adapter=grant if adapter else None,
            items=[item],
            width=128,
            height=128,
            steps=4,
            control_weight=1.0,
            control_end=1.0,
        )
        result = self._ask(order)
        data = np.frombuffer(base64.b64decode(result.items[0].image), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert image is not None
        return image

    def _ask(self, order: GenerationOrder) -> GenerationResult:
        tensor = {"name": "order", "shape": [1], "datatype": "BYTES", "data": [order.to_json()]}
        url = f"{self.address}/v2/models/profile-predictor/infer"
        answer = httpx2.post(url, json={"inputs": [tensor]}, timeout=120)
        assert answer.status_code == 200, answer.text
        return GenerationResult.model_validate_json(answer.json()["outputs"][0]["data"][0])


@pytest.fixture(scope="module")
def predictor(delivered: Delivered, request: pytest.FixtureRequest) -> Predictor:
    """The sandbox's predictor through its forwarded port."""
    from profile_sandbox.values import chart_values

    sandbox, target = request.getfixturevalue("sandbox"), request.getfixturevalue("target")
    store = chart_values()["store"]
    # A grant is signed for the address at which the predictor reaches the store.
    url = f"s3://{store['bucket']}?endpoint={store['endpoint']}&secure=false&region={store['region']}"
    in_cluster = open_s3(url, target.store_environment)
    return Predictor(f"http://{sandbox.address('predictor')}", in_cluster, delivered.space.store, delivered)


def test_the_adapter_changes_the_output(predictor: Predictor) -> None:
    plain, with_adapter = predictor.draw(adapter=False, pose=True), predictor.draw(adapter=True, pose=True)
    again = predictor.draw(adapter=True, pose=True)
    assert difference(with_adapter, again) < 0.5
    assert difference(plain, with_adapter) > 0.5
    # Nobody's adapter stays behind for the next caller.
    assert difference(plain, predictor.draw(adapter=False, pose=True)) < 0.5


def test_the_pose_map_changes_the_output(predictor: Predictor) -> None:
    assert difference(predictor.draw(adapter=True, pose=False), predictor.draw(adapter=True, pose=True)) > 0.5


# --- what a change runs again ----------------------------------------------------------------------------------------


def test_a_changed_style_is_drawn_when_asked_for_and_nothing_is_trained(delivered: Delivered) -> None:
    kubectl, request = delivered.space.kubectl, delivered.request
    warm, cool = delivered.styles
    before = delivered.generated()
    patch = {"spec": {"prompt": "oil painting of {subject} at a window, {tone}"}}
    kubectl.run("patch", "cpstyle", warm, "--type=merge", "-p", json.dumps(patch))
    outdated = request.wait("Outdated", reason="PlatformChanged", seconds=60)
    assert warm in outdated.message
    assert request.job_uids() == delivered.jobs, "what is finished stays as it is"
    request.patch({"styles": [{"name": warm, "refresh": 1}, {"name": cool}]})
    wait_for(lambda: request.status.stages and _digest(request, "generate") != _old(delivered, "generate"), 60, "anew")
    request.wait("Ready", seconds=300)
    request.wait("Outdated", status="False", seconds=30)
    jobs = request.job_uids()
    added = {name for name in jobs if name not in delivered.jobs}
    assert [name.split("-")[1] for name in added] == ["finish"]
    assert {name: jobs[name] for name in delivered.jobs} == delivered.jobs
    after = delivered.generated()
    assert after[cool] == before[cool]
    assert _digest(request, "train") == _old(delivered, "train")
    assert len({found.key for found in request.status.portraits if found.style == warm}) == 2


def test_other_layouts_only_finish(delivered: Delivered) -> None:
    request = delivered.request
    before, generated = request.job_uids(), _digest(request, "generate")
    request.patch({"layouts": ["resume"], "portraits": 1})
    wait_for(lambda: set(request.job_uids()) - set(before), 60, "a new Job")
    request.wait("Ready", seconds=240)
    added = set(request.job_uids()) - set(before)
    assert [name.split("-")[1] for name in added] == ["finish"]
    assert _digest(request, "generate") == generated
    portraits = request.status.portraits
    assert [found.rank for found in portraits] == [1, 1]
    assert all(set(found.layouts) == {LayoutName.RESUME} for found in portraits)


def test_the_same_request_made_again_runs_nothing(delivered: Delivered) -> None:
    request, space = delivered.request, delivered.space
    request.patch({"deletionPolicy": "Retain"})
    request.wait("Ready", seconds=60)
    before, kept = request.status, artifacts(space)
    spec = request.document()["spec"]
    request.delete()
    wait_for(lambda: not request.jobs(), 60, "its Jobs go with it")
    assert artifacts(space) == kept
    again = space.request(NAME, **spec)
    again.wait("Ready", seconds=60)
    assert again.jobs() == []
    assert again.status.portraits == before.portraits
    assert again.status.contact_sheet == before.contact_sheet


def test_deletion_removes_everything_that_was_made(delivered: Delivered) -> None:
    """Last of this module: the request is gone after it."""
    request, space = delivered.request, delivered.space
    request.patch({"deletionPolicy": "Delete"})
    request.wait("Ready", seconds=60)
    assert space.made(NAME)
    request.delete()
    assert space.made(NAME) == []
    uploads = space.store.list(f"{space.area}uploads/")
    assert len(uploads) == 12, "the person's own photos are not the product's to delete"
    wait_for(lambda: not request.jobs() and not request.pods(), 90, "its Jobs and pods go")
    secrets = space.kubectl.get("-n", space.name, "secrets")["items"]
    wait_for(lambda: not secrets or not space.kubectl.get("-n", space.name, "secrets")["items"], 60, "its Secret goes")


def artifacts(space: Space) -> list[str]:
    """The keys of what the request's stages made, without the marks that say whether it may go."""
    return [key for key in space.made(NAME) if "/" in key.removeprefix(request_prefix(space.area, NAME))]


def picture(store: Store, key: str) -> np.ndarray:
    """A picture of the store: BGR uint8."""
    image = cv2.imdecode(np.frombuffer(store.read(key), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, key
    return image


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def _digest(request: Request, stage: str) -> str:
    stages = request.status.stages
    assert stages is not None
    text: str = getattr(stages, stage).digest
    return text


def _old(delivered: Delivered, stage: str) -> str:
    text: str = getattr(delivered.status.stages, stage).digest
    return text
