"""Generation without a cluster: the predictor's engine in this process, reading and writing the folder's store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profile_contract.candidates import PlannedCandidate, generation_order
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.generation import MAXIMUM_ITEMS
from profile_contract.look_ref import LookFile
from profile_contract.picture_size import PictureSize
from profile_contract.stages.generate import Candidate, GenerateReport
from profile_contract.stages.order import FileRef, StageOrder
from profile_contract.style import ProfileStyleSpec
from profile_predictor.engine import Denied, EngineError, Fetched, Refused
from profile_runtime.context import StageContext
from profile_runtime.store.port import Store

if TYPE_CHECKING:
    from profile_predictor.engine import Engine


class StoreFiles:
    """The engine's files: the URL of a grant is a key of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, url: str, limit: int) -> Fetched:
        """The object. Raises Denied if it is not there, Refused if it is larger than the limit."""
        stamp = self.stamp(url)
        content = self._store.read(url)
        if len(content) > limit:
            raise Refused(f"{url} has {len(content)} bytes, at most {limit} are read")
        return Fetched(content, stamp)

    def stamp(self, url: str) -> str:
        """Key and tag of the object. Raises Denied if it is not there."""
        entry = self._store.stat(url)
        if entry is None:
            raise Denied(f"{url} is not in the store")
        return f"{url} {entry.etag}"


class KeyGrants:
    """In one process a grant is just the key."""

    def get(self, key: str) -> str:
        """The key to read."""
        return key

    def put(self, key: str) -> str:
        """The key to write."""
        return key


@dataclass(frozen=True)
class StyleDrawing:
    """The stage function `run` for the candidates of one style; those that are in the store are not drawn again."""

    engine: Engine
    name: str
    style: ProfileStyleSpec
    adapter: FileRef | None
    size: PictureSize
    planned: Sequence[PlannedCandidate]
    looks: Sequence[LookFile] = ()

    def run(self, order: StageOrder, context: StageContext) -> GenerateReport:
        """Draw what is missing, in small batches. Raises StoreError, BadInput for an order that the engine refuses."""
        drawn: dict[str, Candidate] = {}
        missing = [candidate for candidate in self.planned if context.store.stat(candidate.key) is None]
        done = len(self.planned) - len(missing)
        for begin in range(0, len(missing), MAXIMUM_ITEMS):
            batch = missing[begin : begin + MAXIMUM_ITEMS]
            drawn |= self._batch(order, batch, context.store)
            done += len(batch)
            context.progress.at(done, len(self.planned))
        return GenerateReport(
            digest=order.digest,
            style=self.name,
            style_spec=self.style,
            candidates=[drawn.get(candidate.key) or candidate.made(self.size) for candidate in self.planned],
        )

    def _batch(self, order: StageOrder, batch: Sequence[PlannedCandidate], store: Store) -> dict[str, Candidate]:
        """Draw some candidates and write them; gives what the report says of each by its key."""
        wanted = generation_order(
            order.request, self.adapter, self.style, batch, size=self.size, grants=KeyGrants(), looks=self.looks
        )
        try:
            drawn = self.engine.generate(wanted, StoreFiles(store))
        except EngineError as error:
            raise BadInput(Reason.PREDICTOR_REFUSED, str(error)) from error
        for picture in drawn:
            store.write(picture.key, picture.png, "image/png")
        return {
            planned.key: planned.made(self.size, picture.sha256, picture.detail, held_back=picture.held_back)
            for planned, picture in zip(batch, drawn, strict=True)
        }
