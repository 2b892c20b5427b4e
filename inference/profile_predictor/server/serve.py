"""Start: load the engine, then open the port. So a server that answers is a server that can draw."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from types import FrameType

import stamina
import uvicorn

from profile_predictor.engine import Engine
from profile_runtime.recipes import recipe_warning

from . import metrics
from .app import PredictorApp
from .grants import StoreGrants
from .model import PredictorModel
from .rpc import RpcServer
from .settings import PredictorSettings

log = logging.getLogger(__name__)

WATCH_SECONDS = 1.0
# A client that takes its answer slowly is waited for so long once nothing is drawn any more.
PARTING_SECONDS = 5.0


def serve(settings: PredictorSettings) -> None:
    """Serve until asked to stop. Raises what `Engine.load` raises."""
    if not settings.store_hosts:
        log.warning("PROFILE_STORE_HOSTS is empty: every grant will be refused")
    if not settings.token:
        log.warning("PROFILE_TOKEN is empty: whoever reaches the port may draw; let a network policy guard it")
    compare_recipes(settings)
    engine = Engine.load(settings.engine)
    if engine.device != "cpu":
        engine.warm_up()
    # What is tried again is told where it is tried, in a sentence.
    stamina.instrumentation.set_on_retry_hooks([])
    grants = StoreGrants(settings.store_hosts, bucket=settings.store_bucket)
    model = PredictorModel(settings, engine, grants)
    if settings.metrics_port:
        metrics.serve(settings.metrics_port)
    server = Server(settings, model)
    # uvicorn raises the signal anew when it has stopped; by then it has been obeyed.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(model,), name="watch", daemon=True).start()
    try:
        server.run()
    finally:
        model.close()


def compare_recipes(settings: PredictorSettings) -> None:
    """Say where the model's folder holds another recipe than the platform is set up by: pictures come all the same."""
    if settings.recipe is None:
        return
    warning = recipe_warning(settings.models / settings.base_model, settings.recipe.digest, settings.recipe)
    if warning:
        log.warning("%s", warning)


class Server(uvicorn.Server):
    """uvicorn with this application. Asked to stop, it finishes what runs, and waits for nobody who is slow."""

    def __init__(self, settings: PredictorSettings, model: PredictorModel) -> None:
        self._model = model
        self._app = PredictorApp(model, settings.token)
        self._rpc = RpcServer(self._app, settings.grpc_port) if settings.grpc_port else None
        self._grace_seconds = settings.grace_seconds
        super().__init__(
            uvicorn.Config(
                self._app,
                # The faster reader, httptools, takes headers without end into memory.
                http="h11",
                # All addresses of either family.
                host="",
                port=settings.port,
                lifespan="off",
                ws="none",
                log_config=None,
                # Every probe would be a line; orders are logged by the model.
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=settings.grace_seconds,
            )
        )
        self._stopped = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open both doors."""
        if self._rpc is not None:
            await self._rpc.start()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close both, once what runs is answered."""
        closing = [super().shutdown(sockets)]
        if self._rpc is not None:
            closing.append(self._rpc.stop(self._grace_seconds, lambda: self.force_exit))
        await asyncio.gather(*closing)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The pod is asked to stop."""
        self._model.stop()
        if not self._stopped.is_set():
            self._stopped.set()
            threading.Thread(target=self._part, name="parting", daemon=True).start()
        super().handle_exit(sig, frame)

    def _part(self) -> None:
        """Once no call is left, give clients a moment to take their answers, and go."""
        while self._app.calls:
            time.sleep(WATCH_SECONDS)
        time.sleep(PARTING_SECONDS)
        self.force_exit = True


def _watch(model: PredictorModel) -> None:
    """A lost accelerator comes back only with a new process: end this one, and the kubelet starts it."""
    while not model.broken:
        time.sleep(WATCH_SECONDS)
    log.critical("ending: the accelerator is lost")
    os.kill(os.getpid(), signal.SIGTERM)
