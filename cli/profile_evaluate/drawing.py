"""Portraits without anybody's adapter, drawn by the predictor's engine and kept in the evaluation's store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from profile_cli.errors import CommandError
from profile_contract.framing import Skeleton
from profile_contract.generation import MAXIMUM_ITEMS, POSE_LINE, GenerationItem, GenerationOrder
from profile_contract.model import digest_of
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import RequestRef
from profile_contract.style import ProfileStyleSpec
from profile_runtime.store.port import Store
from profile_runtime.weights import WeightsError, model_digest

if TYPE_CHECKING:
    from profile_predictor.engine import Engine

REQUEST = RequestRef(namespace="local", name="evaluation")
# Beside each portrait: what it was drawn from.
DIGEST = ".digest"


@dataclass(frozen=True)
class WantedPicture:
    """One portrait: where it goes in the store, and what it is to be. `joints` are relative to the picture."""

    key: str
    seed: int
    prompt: str
    joints: Skeleton | None


def draw_missing(
    engine: Engine, store: Store, style: ProfileStyleSpec, size: PictureSize, wanted: Sequence[WantedPicture]
) -> None:
    """Draw what is not in the store yet, as the style samples; and what stands there from other words, settings or
    weights, of whatever name. Raises CommandError."""
    # With it come seconds of torch, which no other command needs.
    from profile_cli.run.drawing import StoreFiles

    models = drawn_with(engine.config.models, engine.config.base_model, engine.config.control_model)
    digests = {portrait.key: _digest(models, _order(style, size, [portrait])) for portrait in wanted}
    missing = [portrait for portrait in wanted if not _stands(store, portrait.key, digests[portrait.key])]
    for begin in range(0, len(missing), MAXIMUM_ITEMS):
        batch = missing[begin : begin + MAXIMUM_ITEMS]
        for portrait in engine.generate(_order(style, size, batch), StoreFiles(store)):
            store.write(portrait.key, portrait.png, "image/png")
            store.write(portrait.key + DIGEST, digests[portrait.key].encode(), "text/plain")


def drawn_with(models: Path, base: str, control: str) -> tuple[str, ...]:
    """What a picture's digest says of its models (`control` empty: no ControlNet): names and weights, since a model
    that was trained again keeps its name. Raises CommandError."""
    try:
        return (base, control, model_digest(models / base), model_digest(models / control) if control else "")
    except (WeightsError, OSError) as error:
        raise CommandError(f"the models' weights cannot be told from others: {error}") from error


def _digest(models: Sequence[str], order: GenerationOrder) -> str:
    return digest_of([*models, order.document()])


def _stands(store: Store, key: str, digest: str) -> bool:
    """Whether a portrait was drawn so. Its digest is written after it: where that stands, it is whole."""
    return store.stat(key + DIGEST) is not None and store.read(key + DIGEST).decode() == digest


def _order(style: ProfileStyleSpec, size: PictureSize, batch: Sequence[WantedPicture]) -> GenerationOrder:
    """The order to the engine for some portraits in one style; grants are keys."""
    style = size.of(style)
    return GenerationOrder(
        request=REQUEST,
        items=[
            GenerationItem(
                seed=portrait.seed,
                prompt=portrait.prompt,
                negative_prompt=style.negative_prompt,
                joints=portrait.joints,
                key=portrait.key,
            )
            for portrait in batch
        ],
        width=size.width,
        height=size.height,
        steps=style.sampler.steps,
        guidance=style.sampler.guidance_tenths / 10,
        control_weight=style.control_weight_percent / 100,
        control_end=style.control_end_percent / 100,
        sampler=size.sampler_of(style),
        pose_line_thousandths=size.pose_line_thousandths or POSE_LINE,
    )
