"""What is to be generated for a request: candidates by seed, their prompts and poses. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.artifacts import candidate_key
from profile_contract.names import Mode, Stage, Tone
from profile_contract.orders import FileRef, PoseMap, PreprocessReport, RequestRef, TrainReport
from profile_contract.request import ProfileRequestSpec
from profile_contract.style import POSE_FROM_PHOTOS, ProfileStyleSpec

from .chain import Chain, train_parameters
from .config import OperatorConfig


@dataclass(frozen=True)
class PlannedCandidate:
    """One picture to make. `initial_image` is a key, empty where the style draws from noise."""

    seed: int
    key: str
    prompt: str
    twin: bool
    pose_name: str = ""
    pose_key: str = ""
    initial_image: str = ""


@dataclass(frozen=True)
class StyleWork:
    """The candidates of one style, all under one prefix."""

    name: str
    spec: ProfileStyleSpec
    digest: str
    prefix: str
    candidates: tuple[PlannedCandidate, ...]


@dataclass(frozen=True)
class GenerationWork:
    """All that generation has to do for a request. Two works with the same digest are the same work."""

    request: RequestRef
    digest: str
    adapter: FileRef
    styles: tuple[StyleWork, ...]

    @property
    def total(self) -> int:
        """Pictures in all."""
        return sum(len(style.candidates) for style in self.styles)


class UnknownPose(Exception):
    """A style asks for a preset pose that preprocessing did not draw."""


def generation_work(
    request: RequestRef,
    spec: ProfileRequestSpec,
    chain: Chain,
    *,
    styles: dict[str, ProfileStyleSpec],
    dataset: PreprocessReport,
    adapter: TrainReport,
    config: OperatorConfig,
) -> GenerationWork:
    """The work for all styles of a request. Raises UnknownPose, or ValueError for a report without adapter."""
    if adapter.adapter is None:
        raise ValueError("the training report names no adapter")
    parameters = train_parameters(spec, config)
    subject = f"{parameters.token} {parameters.noun}"
    work = []
    for name in spec.styles:
        prefix = chain.prefix(Stage.GENERATE, chain.styles[name])
        candidates = _candidates(spec, name, styles[name], prefix, dataset, subject=subject)
        work.append(StyleWork(name, styles[name], chain.styles[name], prefix, candidates))
    return GenerationWork(request=request, digest=chain.generate, adapter=adapter.adapter, styles=tuple(work))


def _candidates(
    spec: ProfileRequestSpec,
    name: str,
    style: ProfileStyleSpec,
    prefix: str,
    dataset: PreprocessReport,
    *,
    subject: str,
) -> tuple[PlannedCandidate, ...]:
    poses = _poses(name, style, dataset)
    images = dataset.training_images if style.mode == Mode.IMAGE_TO_IMAGE else []

    def planned(index: int, *, twin: bool) -> PlannedCandidate:
        seed = spec.seed + index
        pose = poses[index % len(poses)] if poses else None
        return PlannedCandidate(
            seed=seed,
            key=candidate_key(prefix, seed, twin=twin),
            prompt=style.prompt_for(subject, neutral=twin),
            twin=twin,
            pose_name=pose.name if pose else "",
            pose_key=pose.key if pose else "",
            initial_image=images[index % len(images)].image if images else "",
        )

    candidates = [planned(index, twin=False) for index in range(spec.candidates)]
    # The tone is measured against one neutral picture with the same seed and pose.
    twins = [] if style.tone == Tone.NEUTRAL else [planned(0, twin=True)]
    return (*candidates[:1], *twins, *candidates[1:])


def _poses(name: str, style: ProfileStyleSpec, dataset: PreprocessReport) -> list[PoseMap]:
    """The pose maps that a style's candidates take in turn."""
    if style.pose == POSE_FROM_PHOTOS:
        return [pose for pose in dataset.poses if pose.name.startswith("photo-")]
    found = [pose for pose in dataset.poses if pose.name == style.pose]
    if not found:
        known = ", ".join(pose.name for pose in dataset.poses if not pose.name.startswith("photo-")) or "none"
        raise UnknownPose(f"style {name} asks for the pose {style.pose!r}; presets that exist: {known}")
    return found
