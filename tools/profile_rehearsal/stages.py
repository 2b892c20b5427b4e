"""The rehearsal's stages. Each runs in a process of its own, so that its memory is its own."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from profile_contract.areas import area_of
from profile_contract.artifacts import REPORT, candidate_key, stage_prefix
from profile_contract.candidates import Wanted, generation_order, planned_candidates
from profile_contract.generation import ORDER_TENSOR, GenerationOrder, GenerationResult
from profile_contract.layouts import LayoutName
from profile_contract.picture_size import PictureSize
from profile_contract.stages.finish import FinishOrder, FinishParameters, StyleCandidates
from profile_contract.stages.generate import Candidate
from profile_contract.stages.order import FileRef, RequestRef, StageReport
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessParameters, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainParameters, TrainReport
from profile_contract.style import ProfileStyleSpec, Sampler, Title
from profile_models.folders import models_folder
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train.memory import GIB, FreeMemory

from .networks import NetworkSize, make
from .page import FREE_SHARE, REHEARSED_GIB

AREA = area_of("hr", "00000000-0000-0000-0000-000000000000")
REQUEST = RequestRef(namespace="hr", name="rehearsal")
MODEL_NAME = "profile-predictor"
STEPS = 2
STYLE = ProfileStyleSpec(
    title=Title(en="Rehearsal", ko="리허설"),
    prompt="studio portrait of {subject}, grey backdrop",
    sampler=Sampler(steps=STEPS),
)


@dataclass(frozen=True)
class Rehearsal:
    """What is rehearsed where: networks of a size in `models`, people's photos, and a store in `work`.

    `memory`: what training is planned by; None: what is free here. `steps`: of training and of drawing.
    """

    size: NetworkSize
    models: Path
    work: Path
    photos: tuple[Path, ...]
    batch: int
    memory: FreeMemory | None = FreeMemory(round(FREE_SHARE * REHEARSED_GIB * GIB), accelerated=True)
    steps: int = STEPS

    @property
    def store(self) -> FolderStore:
        """Where the stages read and write."""
        return FolderStore(self.work / "store")

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height of a portrait: 896 x 1152 at full size."""
        return self.size.native * 7 // 8, self.size.native * 9 // 8

    def prefix(self, stage: Stage) -> str:
        """Where a stage writes."""
        return stage_prefix(AREA, REQUEST.name, stage, "rehearsal")


def weights(rehearsal: Rehearsal) -> str:
    """Make the networks, unless they are there."""
    make(rehearsal.models, rehearsal.size)
    vision = rehearsal.models / "vision"
    if not vision.exists():
        vision.symlink_to(models_folder() / "vision")
    folders = (rehearsal.models / rehearsal.size.name, rehearsal.models / rehearsal.size.control_name)
    files = [path for folder in folders for path in folder.rglob("*.safetensors")]
    return f"{sum(path.stat().st_size for path in files) / 1e9:.1f} GB in {len(files)} files of half precision"


def preprocess(rehearsal: Rehearsal) -> str:
    """Photos to a dataset."""
    from profile_preprocess.stage import run

    photos = []
    for path in rehearsal.photos:
        key = f"{AREA}uploads/{path.name}"
        rehearsal.store.write(key, path.read_bytes())
        photos.append(PhotoRef(name=path.name, key=key, bytes=path.stat().st_size, etag=path.name))
    order = PreprocessOrder(
        request=REQUEST,
        digest="rehearsal",
        output=rehearsal.prefix(Stage.PREPROCESS),
        photos=photos,
        parameters=PreprocessParameters(resolution=rehearsal.size.native, minimum_photos=3),
    )
    report = _done(run_stage(run, order, Stage.PREPROCESS, rehearsal.store, models=rehearsal.models))
    assert isinstance(report, PreprocessReport)  # noqa: S101
    sizes = sorted({f"{image.width} x {image.height}" for image in report.images})
    return f"{report.message}; crops of {', '.join(sizes)}"


def train(rehearsal: Rehearsal) -> str:
    """A few steps by the plan of a card of 24 GB, or of what is free here."""
    report = trained(rehearsal)
    assert report.adapter is not None  # noqa: S101
    assert report.adapter_webui is not None  # noqa: S101
    names = sorted(load(rehearsal.store.read(report.adapter.key)))
    plan = "; ".join(report.changes) or "the whole batch at once"
    loss = report.checkpoints[-1].loss
    return (
        f"batch {rehearsal.batch}: {plan}; {report.seconds_per_step:.0f} s a step, loss {loss:.2f}; adapter of "
        f"{report.adapter.bytes / 1e6:.0f} MB, {len(names)} tensors (`{names[0]}` ...), its twin "
        f"{report.adapter_webui.bytes / 1e6:.0f} MB (`{min(load(rehearsal.store.read(report.adapter_webui.key)))}` ...)"
    )


def trained(rehearsal: Rehearsal, digest: str = "rehearsal", *, compiles: bool = False) -> TrainReport:
    """What training says of itself; `digest` names its place in the store. Raises RuntimeError where it fails."""
    from profile_train.machine import memory_here
    from profile_train.stage import run_within

    order = TrainOrder(
        request=REQUEST,
        digest=digest,
        output=stage_prefix(AREA, REQUEST.name, Stage.TRAIN, digest),
        dataset=rehearsal.prefix(Stage.PREPROCESS) + REPORT,
        parameters=TrainParameters(
            base_model=rehearsal.size.name,
            resolution=rehearsal.size.native,
            steps=rehearsal.steps,
            batch=rehearsal.batch,
            crops_per_photo=1,
            validation_images=0,
            token="ohwx",  # noqa: S106
        ),
    )

    def run(order: TrainOrder, context: Any) -> TrainReport:
        return run_within(rehearsal.memory or memory_here(), order, context, compiles=compiles)

    report = _done(run_stage(run, order, Stage.TRAIN, rehearsal.store, models=rehearsal.models))
    assert isinstance(report, TrainReport)  # noqa: S101
    return report


def draw(rehearsal: Rehearsal) -> str:
    """Two people in one batch, through the predictor's HTTP door. Raises RuntimeError if it does not answer."""
    store = rehearsal.store
    report = TrainReport.model_validate_json(store.read(rehearsal.prefix(Stage.TRAIN) + REPORT))
    assert report.adapter is not None  # noqa: S101
    second = _another(store, report.adapter)
    with StoreLinks(store) as links, PredictorDoor(rehearsal, links.host) as door:
        # While this small picture is drawn, both people's orders come in: they wait, and share the next batch.
        first = _order(rehearsal, links, report.adapter, seed=0, edge=max(64, rehearsal.size.native // 4))
        orders = [_order(rehearsal, links, adapter, seed) for seed, adapter in enumerate((report.adapter, second), 1)]
        with ThreadPoolExecutor() as pool:
            small = pool.submit(door.drawn, first)
            door.wait_until_drawing()
            results = list(pool.map(door.drawn, orders))
            small.result()
        peak = door.peak_gib
    times = [result.timings.generate / 1000 for result in results]
    together = "in one batch" if times[0] == times[1] else "in batches of their own"
    (rehearsal.work / "drawn.json").write_text(json.dumps([result.items[0].sha256 for result in results]))
    width, height = rehearsal.picture
    return (
        f"peak {peak:.1f} GiB of the predictor; two people {together}, {width} x {height}, {times[0]:.0f} s of drawing"
    )


def finish(rehearsal: Rehearsal) -> str:
    """Candidates to portraits. Those of random weights show nobody, which the report has to say."""
    from profile_finish.stage import run

    digests = json.loads((rehearsal.work / "drawn.json").read_text())
    candidates = [
        Candidate(seed=seed, key=candidate_key(rehearsal.prefix(Stage.GENERATE), seed), sha256=digest)
        for seed, digest in enumerate(digests, start=1)
    ]
    order = FinishOrder(
        request=REQUEST,
        digest="rehearsal",
        output=rehearsal.prefix(Stage.FINISH),
        dataset=rehearsal.prefix(Stage.PREPROCESS) + REPORT,
        styles=[StyleCandidates(style="rehearsal", tone=STYLE.tone, candidates=candidates)],
        parameters=FinishParameters(portraits=1, minimum_likeness=0, layouts=[LayoutName.SQUARE]),
    )
    report = run_stage(run, order, Stage.FINISH, rehearsal.store, models=rehearsal.models)
    return f"{report.outcome}: {report.message}"


STAGES: dict[str, Callable[[Rehearsal], str]] = {
    "weights": weights,
    "preprocess": preprocess,
    "train": train,
    "draw": draw,
    "finish": finish,
}
# GiB that must be free before a stage begins at full size.
NEEDS_GIB = {"weights": 6.0, "preprocess": 1.5, "train": 14.0, "draw": 14.0, "finish": 1.0}


def _done(report: StageReport) -> StageReport:
    """The report of a stage that ended well. Raises RuntimeError with what it says otherwise."""
    if report.outcome != "Done":
        raise RuntimeError(f"{report.reason}: {report.message}")
    return report


def _another(store: FolderStore, adapter: FileRef) -> FileRef:
    """An adapter like this one, of somebody else: its numbers in another order."""
    file = store.read(adapter.key)
    metadata = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])["__metadata__"]
    data = save({name: tensor.flip(0).contiguous() for name, tensor in load(file).items()}, metadata)
    key = f"{AREA}requests/somebody/adapter.safetensors"
    store.write(key, data)
    return FileRef(key=key, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def _order(
    rehearsal: Rehearsal, links: StoreLinks, adapter: FileRef, seed: int, *, edge: int | None = None
) -> GenerationOrder:
    """One portrait; `edge`: instead, a small square of noise."""
    dataset = PreprocessReport.model_validate_json(rehearsal.store.read(rehearsal.prefix(Stage.PREPROCESS) + REPORT))
    width, height = (edge, edge) if edge is not None else rehearsal.picture
    wanted = Wanted("ohwx person", seed, 1)
    planned = planned_candidates("rehearsal", STYLE, rehearsal.prefix(Stage.GENERATE), wanted, dataset)
    return generation_order(
        REQUEST,
        adapter,
        STYLE,
        planned,
        size=PictureSize(width=width, height=height, steps=rehearsal.steps),
        grants=links,
    )


class StoreLinks:
    """The store over HTTP, as presigned links reach one: the grants of an order."""

    def __init__(self, store: FolderStore) -> None:
        class LinkHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                """Silent."""

            def do_GET(self) -> None:
                content = store.read(self.path.split("?")[0].lstrip("/"))
                part = content[:1] if self.headers.get("Range") == "bytes=0-0" else content
                self._answer(206 if part is not content else 200, part, hashlib.sha256(content).hexdigest())

            def do_PUT(self) -> None:
                store.write(self.path.split("?")[0].lstrip("/"), self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(200, b"", "")

            def _answer(self, status: int, content: bytes, tag: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", tag)
                self.end_headers()
                self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), LinkHandler)
        self.host = f"127.0.0.1:{self._server.server_port}"

    def get(self, key: str) -> str:
        """A link to read."""
        return f"http://{self.host}/{key}?X-Amz-Signature=none"

    put = get

    def __enter__(self) -> StoreLinks:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class PredictorDoor:
    """The predictor as a program of its own, and its door."""

    def __init__(self, rehearsal: Rehearsal, store_host: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._address = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._log = rehearsal.work / "predictor.log"
        settings = {
            "PROFILE_MODELS": str(rehearsal.models),
            "PROFILE_BASE_MODEL": rehearsal.size.name,
            "PROFILE_CONTROL_MODEL": rehearsal.size.control_name,
            "PROFILE_DTYPE": "bfloat16",
            "PROFILE_SLOTS": "2",
            "PROFILE_STORE_HOSTS": store_host,
            "PROFILE_GRANT_SECONDS": "86400",
            "PROFILE_PORT": self._address.rpartition(":")[2],
        }
        self._environment = {**os.environ, **settings}

    def __enter__(self) -> PredictorDoor:
        with self._log.open("w") as log:
            self._program = subprocess.Popen(
                [sys.executable, "-m", "profile_predictor"], env=self._environment, stdout=log, stderr=log
            )
        while not self._ready():
            if self._program.poll() is not None:
                raise RuntimeError(f"the predictor ended while it started: {self._log.read_text()[-2000:]}")
            time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._program.terminate()
        self._program.wait()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/v2/health/ready", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_until_drawing(self) -> None:
        """A moment in which the first order reaches the accelerator."""
        time.sleep(1.0)

    def drawn(self, order: GenerationOrder) -> GenerationResult:
        """What the predictor answers to an order. Raises RuntimeError with what it says else."""
        tensor = {"name": ORDER_TENSOR, "shape": [1], "datatype": "BYTES", "data": [order.to_json()]}
        call = urllib.request.Request(  # noqa: S310
            f"{self._address}/v2/models/{MODEL_NAME}/infer",
            data=json.dumps({"inputs": [tensor]}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(call, timeout=6 * 3600) as answer:  # noqa: S310
                document = json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the predictor answers {error.code}: {error.read().decode()[:500]}") from error
        return GenerationResult.model_validate_json(document["outputs"][0]["data"][0])

    @property
    def peak_gib(self) -> float:
        """The most memory that the predictor ever had."""
        lines = Path(f"/proc/{self._program.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / GIB
