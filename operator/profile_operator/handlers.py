"""What kopf tells us: something changed. Handlers only name the request to look at.

They are `on.event` handlers: kopf then writes nothing of its own into our objects (no annotations, no finalizer), and
every write of the operator goes through `apply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from profile_contract import GROUP, VERSION
from profile_contract.resource import CLUSTER_STYLES, REQUESTS, STYLES, Key
from profile_contract.style_ref import OWN, keys_of

from . import names
from .operator_app import OperatorApp

# Several events of one change (a Job's pods, our own writes) come within this time and are looked at once.
GATHER_SECONDS = 0.1


def register(registry: kopf.OperatorRegistry, app: OperatorApp) -> None:
    """Hang the handlers into a registry."""
    _register_life(registry, app)
    _register_watches(registry, app)


def _register_life(registry: kopf.OperatorRegistry, app: OperatorApp) -> None:

    @kopf.on.startup(registry=registry, id="start")
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await app.answer_probes()
        await app.start()

    @kopf.on.login(registry=registry, id="login")
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.cleanup(registry=registry, id="stop")
    async def stop(**_: Any) -> None:
        await app.stop()


def _register_watches(registry: kopf.OperatorRegistry, app: OperatorApp) -> None:
    @kopf.index(GROUP, VERSION, REQUESTS, registry=registry, id="requests_by_style")
    def requests_by_style(*, namespace: str | None, name: str, spec: kopf.Spec, **_: Any) -> dict[str, Key]:
        return {style: Key(namespace or "", name) for style in keys_of(spec.get("styles") or ())}

    @kopf.on.event(GROUP, VERSION, REQUESTS, registry=registry)
    async def request_changed(*, namespace: str | None, name: str, **_: Any) -> None:
        app.queue.add(Key(namespace or "", name), GATHER_SECONDS)

    @kopf.on.event("batch", "v1", "jobs", labels={names.LABEL_REQUEST: kopf.PRESENT}, registry=registry)
    async def job_changed(*, namespace: str | None, labels: Mapping[str, str], **_: Any) -> None:
        app.queue.add(Key(namespace or "", labels[names.LABEL_REQUEST]), GATHER_SECONDS)

    @kopf.on.event(GROUP, VERSION, CLUSTER_STYLES, registry=registry)
    async def cluster_style_changed(*, name: str, **kwargs: Any) -> None:
        index: kopf.Index[str, Key] = kwargs["requests_by_style"]
        for key in index.get(name, ()):
            app.queue.add(key, GATHER_SECONDS)

    @kopf.on.event(GROUP, VERSION, STYLES, registry=registry)
    async def style_changed(*, namespace: str | None, name: str, **kwargs: Any) -> None:
        index: kopf.Index[str, Key] = kwargs["requests_by_style"]
        for key in index.get(OWN + name, ()):
            if key.namespace == namespace:
                app.queue.add(key, GATHER_SECONDS)


def configure(settings: kopf.OperatorSettings) -> None:
    """kopf's settings. Names are fixed before the first release: changing them later loses state in the cluster."""
    settings.persistence.finalizer = f"{GROUP}/kopf"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = 300
    # Only our Jobs travel over the wire.
    settings.watching.label_selectors["batch", "jobs"] = names.LABEL_REQUEST
