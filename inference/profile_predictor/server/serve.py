"""Start: load the engine, then open the port. So a server that answers is a server that can draw."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

from kserve import ModelServer
from kserve.model_server import app

from profile_predictor.engine import Engine

from .grants import StoreGrants
from .hang_up import HangUp
from .model import PredictorModel
from .settings import Settings

log = logging.getLogger(__name__)

WATCH_SECONDS = 2.0


def serve(settings: Settings) -> None:
    """Serve until asked to stop. Raises what `Engine.load` raises."""
    if not settings.hosts:
        log.warning("PROFILE_STORE_HOSTS is empty: every grant will be refused")
    engine = Engine.load(settings.engine)
    model = PredictorModel(settings, engine, StoreGrants(settings.hosts, settings.store_seconds))
    app.add_middleware(HangUp)
    threading.Thread(target=_watch, args=(model,), name="watch", daemon=True).start()
    # One process: the adapters' slots and the queue are its own.
    server = ModelServer(http_port=settings.port, workers=1, enable_grpc=False, grace_period=settings.grace_seconds)
    # Every probe would be three lines; orders are logged by the model.
    for noisy in ("kserve.trace", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        server.start([model])
    finally:
        model.close()


def _watch(model: PredictorModel) -> None:
    """A lost accelerator comes back only with a new process: end this one, and the kubelet starts it."""
    while not model.broken:
        time.sleep(WATCH_SECONDS)
    log.critical("ending: the accelerator is lost")
    os.kill(os.getpid(), signal.SIGTERM)
