"""The reports that stages leave, made up from their orders."""

from __future__ import annotations

from profile_contract.framing import JOINTS, Skeleton
from profile_contract.photos import PhotoReason
from profile_contract.stages.finish import FinishOrder, FinishReport, Portrait
from profile_contract.stages.order import FileRef, StageReport
from profile_contract.stages.preprocess import (
    DatasetImage,
    DatasetPose,
    PhotoVerdict,
    PreprocessOrder,
    PreprocessReport,
)
from profile_contract.stages.train import TrainOrder, TrainReport


def report_for(order: PreprocessOrder | TrainOrder | FinishOrder, at: str) -> StageReport:
    """The report that a stage leaves."""
    common = {"digest": order.digest, "started_at": at, "finished_at": at, "seconds": 10.0}
    if isinstance(order, PreprocessOrder):
        return dataset_report(order, common)
    if isinstance(order, TrainOrder):
        adapter = FileRef(key=order.output + "adapter.safetensors", sha256="a" * 64, bytes=3)
        return TrainReport.model_validate({**common, "adapter": adapter, "steps": 40, "chosen_step": 40})
    portraits = [
        Portrait(style=style.style, seed=7, rank=1, key=f"{order.output}{style.style}.png", likeness=50 + rank)
        for rank, style in enumerate(order.styles)
        if style.candidates
    ]
    sheet, preview = order.output + "contact-sheet.jpg", order.parameters.preview
    return FinishReport.model_validate({**common, "portraits": portraits, "contact_sheet": sheet, "preview": preview})


def skeleton(aside: float) -> Skeleton:
    """A nose alone, so far to the right."""
    return ((aside, 0.25), *[None] * (JOINTS - 1))


def dataset_report(order: PreprocessOrder, common: dict[str, object]) -> PreprocessReport:
    verdicts = [PhotoVerdict(name=p.name, accepted=True, reason=PhotoReason.ACCEPTED) for p in order.photos]
    names_of_poses = ("frontal", "photo-0", "photo-1")
    poses = [DatasetPose(name=n, joints=skeleton(0.1 * at)) for at, n in enumerate(names_of_poses)]
    images = [
        DatasetImage(
            photo=p.name,
            image=f"{order.output}{p.name}",
            mask=f"{order.output}{p.name}.mask.png",
            joints=skeleton(0.5),
            caption="{subject}",
            width=64,
            height=64,
            face_box=(0, 0, 1, 1),
        )
        for p in order.photos
    ]
    return PreprocessReport.model_validate({**common, "verdicts": verdicts, "poses": poses, "images": images})
