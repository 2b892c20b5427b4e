"""SheetDrawing: cells of a sheet drawn as the predictor draws, those of one shape together, whatever their adapters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from profile_cli.errors import CommandError
from profile_cli.run.drawing import KeyGrants, StoreFiles
from profile_cli.run.looks import LARGEST_LOOK
from profile_cli.terminal import Tracker
from profile_contract.candidates import PlannedCandidate, generation_order
from profile_contract.framing import Skeleton
from profile_contract.generation import GenerationOrder
from profile_contract.look_ref import LookFile
from profile_contract.model import digest_of
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import FileRef, RequestRef
from profile_contract.style import ProfileStyleSpec
from profile_draw.rows import next_batch
from profile_predictor.engine import EngineError
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import Store

from .cells import NOBODY, Cell, Place, SheetPlan
from .sheet_base import SheetBase
from .sheet_person import SheetPerson

if TYPE_CHECKING:
    from profile_draw.rows import Piece
    from profile_predictor.engine import Engine

REQUEST = RequestRef(namespace="local", name="sheet")
ADAPTERS, SOURCES, PICTURES = "adapters/", "sources/", "cells/"
# Cells whose adapters and poses are in memory at the same time.
AT_ONCE = 32


@dataclass(frozen=True)
class SheetFiles:
    """What a sheet is drawn with, in its own store: adapters of people and of looks by name, and who is drawn."""

    store: FolderStore
    subject: SheetPerson
    adapters: Mapping[str, FileRef]
    looks: Mapping[str, LookFile]

    def orders(
        self, plan: SheetPlan, styles: Mapping[str, ProfileStyleSpec], bases: Mapping[str, SheetBase]
    ) -> dict[str, dict[Place, GenerationOrder]]:
        """The order of every cell by its place, by base model. Raises CommandError, before anything is drawn."""
        orders: dict[str, dict[Place, GenerationOrder]] = {name: {} for name in bases}
        for cell in plan.cells:
            base = bases[cell.setting.base_model]
            orders[base.name][cell.place] = self._order(cell, styles, base.size, posed=bool(base.control))
        return orders

    def _order(
        self, cell: Cell, styles: Mapping[str, ProfileStyleSpec], size: PictureSize, *, posed: bool
    ) -> GenerationOrder:
        """The order for a cell, without its picture's key. `posed`: the base model hears poses. Raises CommandError."""
        setting = cell.setting
        style = setting.styled(styles)
        source = self.subject.source(style)
        if source is not None and self.subject.store is not None:
            content = self.subject.store.read(source.key)
            self.store.write(SOURCES + Path(source.key).name, content)
            source = type(source)(SOURCES + Path(source.key).name, source.head, source.joints)
        planned = PlannedCandidate(
            seed=setting.seed,
            key="",
            prompt=style.prompt_for(self.subject.words),
            twin=False,
            joints=self._pose(setting.pose) if posed and source is None else None,
            source=source,
        )
        return generation_order(
            REQUEST,
            self._adapter(setting.adapter),
            style,
            [planned],
            size=setting.size(size),
            grants=KeyGrants(),
            looks=[self._look(ref.name) for ref in style.adapters or ()],
        )

    def _pose(self, name: str) -> Skeleton:
        poses = self.subject.poses
        if name not in poses:
            raise CommandError(f"there is no pose {name!r}; known: {', '.join(poses)}")
        return poses[name]

    def _adapter(self, name: str) -> FileRef | None:
        if name == NOBODY:
            return None
        if name not in self.adapters:
            known = ", ".join([NOBODY, *self.adapters])
            raise CommandError(f"there is no adapter {name!r}; known: {known}. Give its file by --adapter {name}=FILE")
        return self.adapters[name]

    def _look(self, name: str) -> LookFile:
        if name not in self.looks:
            known = ", ".join(self.looks) or "none"
            raise CommandError(f"there is no look {name!r}; known: {known}. Give its file by --look {name}=FILE")
        return self.looks[name]


def brought(store: Store, path: Path) -> FileRef:
    """An adapter's file in the sheet's store. Raises CommandError."""
    try:
        if path.stat().st_size > LARGEST_LOOK:
            raise CommandError(f"{path} has more than {LARGEST_LOOK >> 30} GiB, which no adapter has")
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"the adapter {path} cannot be read: {error.strerror}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    store.write(f"{ADAPTERS}{sha256}.safetensors", content)
    return FileRef(key=f"{ADAPTERS}{sha256}.safetensors", sha256=sha256, bytes=len(content))


def picture_key(models: Sequence[str], order: GenerationOrder) -> str:
    """Where a cell's picture lies: what it is drawn from says it, so that no cell is drawn twice."""
    return f"{PICTURES}{digest_of([*models, order.document()])}.png"


def draw(engine: Engine, store: Store, orders: Mapping[str, GenerationOrder], tracker: Tracker) -> None:
    """Draw the orders whose pictures are not in the store, by the key of each. Raises CommandError."""
    missing = [key for key in orders if store.stat(key) is None]
    # Those that can share a batch stand together, so that few batches are left half empty.
    missing.sort(key=lambda key: _alike(orders[key]))
    for begin in range(0, len(missing), AT_ONCE):
        try:
            waiting = [
                piece for key in missing[begin : begin + AT_ONCE] for piece in _fetched(engine, store, key, orders[key])
            ]
            done = begin
            while waiting:
                places = next_batch(waiting, engine.config.batch, engine.config.slots)
                batch = [waiting[place] for place in places]
                waiting = [piece for place, piece in enumerate(waiting) if place not in places]
                for picture in (picture for row in engine.detail(batch, engine.draw(batch)) for picture in row):
                    store.write(picture.key, picture.png, "image/png")
                done += len(batch)
                tracker.show(f"{done} of {len(missing)} pictures", 100 * done // len(missing))
        except EngineError as error:
            raise CommandError(f"these pictures cannot be drawn: {error}") from error


def _fetched(engine: Engine, store: Store, key: str, order: GenerationOrder) -> tuple[Piece, ...]:
    """The order's one picture, ready to be drawn, under its key."""
    item = order.items[0].model_copy(update={"key": key})
    return engine.fetch(order.model_copy(update={"items": [item]}), StoreFiles(store)).pieces


def _alike(order: GenerationOrder) -> str:
    """Equal for orders that one batch can draw."""
    return str(
        [order.steps, order.guidance, order.mode, order.strength, order.sampler, order.control_weight, order.width]
    )
