"""StyleKeeper: looks after the status of styles, now and then, and writes what changed."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from profile_contract.resource import Key
from profile_contract.style import DEFAULT_PREDICTOR
from profile_contract.style_ref import OWN
from profile_contract.style_status import StyleStatus
from profile_contract.understood import understood
from profile_operator.clients.entries import StyleEntry, whole
from profile_operator.clients.watched import WatchedKube
from profile_operator.config import OperatorConfig
from profile_operator.decide.installation import another
from profile_operator.decide.style_status import StyleUse, style_status
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.kubernetes.resources import CLUSTER_STYLES_PATH, styles_path

log = logging.getLogger(__name__)

PAUSE_SECONDS = 60.0


class StyleKeeper:
    """One round after another; a style that cannot be looked at keeps what was said of it."""

    def __init__(
        self,
        kube: WatchedKube,
        config: OperatorConfig,
        pause: float = PAUSE_SECONDS,
        serve: Callable[[str, int | None], None] = lambda predictor, replicas: None,
    ) -> None:
        """`serve` is told how many replicas of a predictor answer; None: that cannot be seen."""
        self._kube, self._config, self._pause, self._serve = kube, config, pause, serve

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._pause)

    async def look(self) -> None:
        """One round over all styles."""
        asked, outdated = Counter[Key](), Counter[Key]()
        for entry in self._kube.listed:
            for style in entry.styles:
                place = Key(entry.key.namespace, style.removeprefix(OWN)) if style.startswith(OWN) else Key("", style)
                asked[place] += 1
                outdated[place] += entry.outdated
        pods: dict[str, int | None] = {}
        for style_entry in (*self._kube.listed_cluster_styles, *self._kube.listed_styles):
            try:
                await self._keep(style_entry, asked[style_entry.key], outdated[style_entry.key], pods)
            except ApiError as error:
                log.info("the status of the style %s was not written: %s", style_entry.key, error)

    async def _keep(self, entry: StyleEntry, requests: int, outdated: int, pods: dict[str, int | None]) -> None:
        """Write one style's status if it changed. `pods`: what was seen of predictors in this round."""
        document = whole(entry)
        before, _ = understood(StyleStatus, document.get("status") or {})
        if another(before.installation, self._config):
            return
        predictor = str((document.get("spec") or {}).get("predictor") or DEFAULT_PREDICTOR)
        place = self._config.generation.namespace
        service, _, domain = (urlsplit(self._config.generation.url(predictor)).hostname or "").partition(".")
        elsewhere = domain.split(".")[0] != place
        if not elsewhere and predictor not in pods:
            pods[predictor] = await self._kube.ready_pods(place, service)
            self._serve(predictor, pods[predictor])
        use = StyleUse(predictor, place, elsewhere, pods.get(predictor), requests, outdated)
        generation = int(document["metadata"].get("generation", 0))
        after = style_status(before, generation, use, self._config.installation, datetime.now(UTC))
        if after != before:
            await self._kube.set_style_status(_path(entry), after.document(), entry.version)


def _path(entry: StyleEntry) -> str:
    collection = styles_path(entry.key.namespace) if entry.key.namespace else CLUSTER_STYLES_PATH
    return f"{collection}/{entry.key.name}"
