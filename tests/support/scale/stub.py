"""The stub: `python -m scale.stub API_URL STORE_URL SOCKET` does what the pods and the predictor would, in no time.

For a stage's pod it leaves a real report of the stage's order and a small file in the store; for a workflow's pod it
leaves the result that Argo's own sidecar would report. Then it says in an annotation that the pod is done. It answers
generation orders on the SOCKET that it inherits, as a predictor does, and holds stages back (`PUT /hold/STAGE`).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import sys
from datetime import UTC, datetime

import aiohttp
from aiohttp import web

from bare_cluster import TOKEN
from profile_contract.generation import (
    EVICT_TENSOR,
    RESULT_TENSOR,
    EvictionResult,
    GeneratedItem,
    GenerationOrder,
    GenerationResult,
    Timings,
)
from profile_contract.stages.finish import FinishOrder
from profile_contract.stages.preprocess import PreprocessOrder
from profile_contract.stages.train import TrainOrder
from profile_runtime.store.s3 import S3Store, open_s3
from stage_reports import report_for

from .api import ClusterApi, Document, Refused
from .engines import STAGE_LABEL
from .stand import DONE

ORDERS: dict[str, type[PreprocessOrder] | type[TrainOrder] | type[FinishOrder]] = {
    "preprocess": PreprocessOrder,
    "train": TrainOrder,
    "finish": FinishOrder,
}
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
NODE_ANNOTATION = "workflows.argoproj.io/node-id"
RESULTS = "/apis/argoproj.io/v1alpha1"
OUTPUTS_LABEL = "workflows.argoproj.io/report-outputs-completed"
# How long a container works: the same for both engines.
WORK_SECONDS = 1.0
# Of a stage, what others are handed or people look at.
FILES = {"train": ("adapter.safetensors",), "preprocess": ("poses/frontal.png",), "finish": ("contact-sheet.jpg",)}
CONTENT = b"as small as a file can be"


class Stub:
    """Works on pods as they begin to run."""

    def __init__(self, api: ClusterApi, store: S3Store) -> None:
        self._api, self._store = api, store
        self._seen: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[str] = set()

    async def follow(self) -> None:
        """For ever: begin what began to run."""
        async for pod in self._api.changes("/api/v1/pods"):
            uid = pod["metadata"]["uid"]
            if pod.get("status", {}).get("phase") == "Running" and uid not in self._seen:
                self._seen.add(uid)
                task = asyncio.create_task(self._work(pod))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _work(self, pod: Document) -> None:
        """One pod, from when it runs until it says that it is done."""
        metadata = pod["metadata"]
        stage = metadata.get("labels", {}).get(STAGE_LABEL, "")
        await asyncio.sleep(WORK_SECONDS)
        if stage in self._held:
            return
        if stage:
            await asyncio.to_thread(self._leave, stage, pod)
        else:
            await self._report(metadata)
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        await self._api.call("PATCH", path, {"metadata": {"annotations": {DONE: "yes"}}})

    def _leave(self, stage: str, pod: Document) -> None:
        """What the stage's program leaves in the store."""
        variables = {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}
        order = ORDERS[stage].model_validate_json(variables["PROFILE_ORDER"])
        for file in FILES[stage]:
            self._store.write(order.output + file, CONTENT)
        report = report_for(order, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._store.write(f"{order.output}report.json", report.to_json().encode())

    async def _report(self, metadata: Document) -> None:
        """What Argo's sidecar reports of a step that has no outputs: without it a step never ends."""
        namespace = metadata["namespace"]
        labels = {WORKFLOW_LABEL: metadata["labels"][WORKFLOW_LABEL], OUTPUTS_LABEL: "true"}
        result = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "WorkflowTaskResult",
            "metadata": {"name": metadata["annotations"][NODE_ANNOTATION], "labels": labels},
        }
        try:
            await self._api.call("POST", f"{RESULTS}/namespaces/{namespace}/workflowtaskresults", result)
        except Refused as refused:
            if refused.code != 409:
                raise

    # --- what is asked over HTTP ---

    async def hold(self, request: web.Request) -> web.Response:
        """A stage's pods run on from now."""
        self._held.add(request.match_info["stage"])
        return web.Response()

    async def answer(self, request: web.Request) -> web.Response:
        """A predictor's answer."""
        tensor = (await request.json())["inputs"][0]
        content = str(tensor["data"][0])
        if tensor["name"] == EVICT_TENSOR:
            text = EvictionResult(evicted=1).to_json()
        else:
            text = (await self._draw(GenerationOrder.model_validate_json(content), request.app[SESSION])).to_json()
        output = {"name": RESULT_TENSOR, "shape": [1], "datatype": "BYTES", "data": [text]}
        return web.json_response({"model_name": "p", "outputs": [output]})

    async def _draw(self, order: GenerationOrder, session: aiohttp.ClientSession) -> GenerationResult:
        """Candidates of a few bytes, written through the order's links."""
        await asyncio.sleep(WORK_SECONDS)
        items = []
        for item in order.items:
            async with session.put(item.put_url, data=CONTENT) as answer:
                answer.raise_for_status()
            digest = hashlib.sha256(CONTENT).hexdigest()
            items.append(GeneratedItem(seed=item.seed, key=item.key, sha256=digest, bytes=len(CONTENT)))
        return GenerationResult(items=items, timings=Timings(generate=100), device="stub")


SESSION = web.AppKey("session", aiohttp.ClientSession)


async def main(api_url: str, store_url: str, listener: str) -> None:
    """Until it is ended."""
    store = open_s3(store_url, os.environ)
    async with ClusterApi(api_url, TOKEN) as api, aiohttp.ClientSession() as session:
        stub, app = Stub(api, store), web.Application(client_max_size=2**24)
        app[SESSION] = session
        app.add_routes([web.put("/hold/{stage}", stub.hold)])
        app.add_routes([web.post("/{path:.*}", stub.answer)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, socket.socket(fileno=int(listener))).start()
        await stub.follow()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
