"""What kopf does: it starts the operator's work and ends it, and holds the process until then.

Its own watches, retries and timers are not used, see docs/decisions/0012-listers-of-our-own.md.
"""

from __future__ import annotations

import gc
from typing import Any

import kopf

from .operator_app import OperatorApp


def register(registry: kopf.OperatorRegistry, app: OperatorApp) -> None:
    """Hang the handlers into a registry."""

    @kopf.on.startup(registry=registry, id="start")
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await app.answer_probes()
        await app.start()
        collect_seldom()

    @kopf.on.login(registry=registry, id="login")
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.cleanup(registry=registry, id="stop")
    async def stop(**_: Any) -> None:
        await app.stop()


def collect_seldom() -> None:
    """Look for unreachable objects less often, and not among those that a start leaves: they stay until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def configure(settings: kopf.OperatorSettings) -> None:
    """kopf's settings: it writes nothing and looks at nothing."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
