"""SheetPerson: who is drawn in a sheet, with what was learnt of them and what they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_cli.run.command import WORK
from profile_cli.run.settings import AREA, NAME
from profile_contract.artifacts import ORDER, REPORT, folder_of, stage_folder
from profile_contract.framing import Skeleton
from profile_contract.sources import PhotoSource, sources_of
from profile_contract.stages.order import FileRef
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainParameters, TrainReport
from profile_contract.style import ProfileStyleSpec
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoreError
from profile_vision.poses import presets


@dataclass(frozen=True)
class SheetPerson:
    """Who is drawn: `words` as prompts name them, `name` as people do; and where somebody was trained, what was left.

    `store`: in which the keys of adapter and dataset lie.
    """

    words: str
    name: str = ""
    adapter: FileRef | None = None
    store: FolderStore | None = None
    dataset: PreprocessReport | None = None
    parameters: TrainParameters | None = None

    @property
    def poses(self) -> dict[str, Skeleton]:
        """Skeletons relative to the head, by name: of the person's photos first, then the presets."""
        own = self.dataset.poses if self.dataset is not None else []
        return {pose.name: pose.joints for pose in own if pose.joints is not None} | presets()

    def source(self, style: ProfileStyleSpec) -> PhotoSource | None:
        """The photo that a style is drawn over; None for one that begins as noise. Raises CommandError."""
        if not style.drawn_over:
            return None
        sources = sources_of(style, None, self.dataset) if self.dataset is not None else []
        if not sources:
            raise CommandError("a style of the mode ImageToImage is drawn over a person's photo: name them by --person")
        return sources[0]


def learned_person(folder: Path) -> SheetPerson:
    """The person of a folder that `profile-studio run` or `evaluate` left, as they were last trained.

    Raises CommandError where nobody was trained there, or what was left cannot be read.
    """
    store = FolderStore(folder / WORK if (folder / WORK).is_dir() else folder)
    trainings = stage_folder(AREA, NAME, Stage.TRAIN)
    try:
        reports = [entry.key for entry in store.list(trainings) if entry.key.endswith(f"/{REPORT}")]
        if not reports:
            raise CommandError(
                f"nobody was trained in {folder}: name the --out folder of `profile-studio run`, or out/people/NAME of "
                "`profile-studio evaluate`"
            )
        newest = max(reports, key=lambda key: (store.root / key).stat().st_mtime_ns)
        report = TrainReport.model_validate_json(store.read(newest))
        order = TrainOrder.model_validate_json(store.read(folder_of(newest) + ORDER))
        dataset = PreprocessReport.model_validate_json(store.read(order.dataset))
    except (StoreError, ValidationError, OSError) as error:
        raise CommandError(f"what was trained in {folder} cannot be read: {str(error)[:300]}") from error
    if report.adapter is None:
        raise CommandError(f"the training in {folder} left no adapter: {report.reason or report.outcome}")
    words = f"{order.parameters.token} {order.parameters.noun}"
    return SheetPerson(words, folder.resolve().name, report.adapter, store, dataset, order.parameters)
