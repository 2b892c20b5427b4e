"""merge: a look is merged into its base model, which is written to the store as a folder of its own."""

from __future__ import annotations

import hashlib
import json

import torch

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.recipe import RECIPE, BadRecipe, Recipe, recipe_of
from profile_contract.stages.train import LookMerge, MergedModel, TrainOrder, TrainReport
from profile_draw.errors import Refused
from profile_draw.layer_sizes import look_reader
from profile_draw.merged_model import merged_files
from profile_runtime.context import StageContext
from profile_runtime.recipes import merged_recipe, read_recipe
from profile_runtime.weights import SUMS, WeightsError, check_model, sums_text

# Of an adapter that this trainer makes.
GREATEST_RANK = 128


def merge(order: TrainOrder, wanted: LookMerge, context: StageContext) -> TrainReport:
    """Write the base model with the look merged in, file by file: no more than one is held at a time.

    Raises BadInput for a base model or a look that is missing, is not the one meant, or cannot be merged; StoreError.
    """
    name, store, prefix = order.parameters.base_model, context.store, f"{order.output}{wanted.name}/"
    base = context.models / name
    if not base.is_dir():
        raise BadInput(Reason.MODEL_NOT_FOUND, f"the models folder holds no {name}: the platform team must provide it")
    content = store.read(wanted.adapter.key)
    if hashlib.sha256(content).hexdigest() != wanted.adapter.sha256:
        text = f"{wanted.adapter.key} is not the look that was learnt: somebody changed it; delete it, and it is learnt"
        raise BadInput(Reason.REFUSED, f"{text} again")
    written, digests = 0, dict[str, str]()
    # What an order before left half written is none of this model's.
    store.delete(prefix)
    try:
        check_model(context.models, name)
        look = look_reader(context.models, name, GREATEST_RANK).read(content, wanted.adapter.sha256, torch.float32)
        line = f"{order.request.name} at {wanted.weight_percent} %, sha256 {wanted.adapter.sha256}"
        texts = {RECIPE: merged_recipe(name, [line], _recipe(order, wanted, context), wanted.licence)}
        for file, source in merged_files(base, [(look, wanted.weight_percent / 100)], texts):
            data = source if isinstance(source, bytes) else source.read_bytes()
            store.write(prefix + file, data)
            digests[file], written = hashlib.sha256(data).hexdigest(), written + len(data)
    except (Refused, WeightsError, BadRecipe, ValueError) as error:
        raise BadInput(Reason.REFUSED, f"{name} and the look cannot be merged: {error}") from error
    sums = sums_text(digests).encode()
    # Last of all: a folder without it is not whole.
    store.write(prefix + SUMS, sums)
    model = MergedModel(
        name=wanted.name,
        weight_percent=wanted.weight_percent,
        bytes=written + len(sums),
        sums=hashlib.sha256(sums).hexdigest(),
    )
    text = f"{wanted.name}: {name} with the look at {wanted.weight_percent} %, {len(digests) + 1} files"
    return TrainReport(digest=order.digest, message=text, base_model=name, merged=model)


def _recipe(order: TrainOrder, wanted: LookMerge, context: StageContext) -> Recipe:
    """The base model's own recipe, else the platform's. Raises BadRecipe."""
    own = read_recipe(context.models / order.parameters.base_model)
    return own or recipe_of(json.loads(wanted.recipe) if wanted.recipe else None, "the platform's recipe")
