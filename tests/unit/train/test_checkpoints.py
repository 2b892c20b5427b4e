"""Checkpoints of a training: going on from them, which is delivered, what is not believed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_draw.finite import NotFinite
from profile_runtime.store.folder import FolderStore
from profile_train.checkpoints import LIKENESS, MANIFEST, OPTIMISER, WEIGHTS, Checkpoints, Manifest, Saved
from profile_train.judge import Judgement
from profile_train.loop import Trained
from profile_train.optimising import Optimisation
from profile_train.stage import delivered, notes_of
from tiny_base import CHANNELS, WEIGHT, tiny_base
from tiny_training import PARAMETERS, PREFIX, Tripping, train

# --- one bad step ------------------------------------------------------------------------------------------------


def interrupted(answer: torch.Tensor) -> torch.Tensor:
    raise KeyboardInterrupt


# --- checkpoints -------------------------------------------------------------------------------------------------


def test_a_training_that_was_cut_ends_as_one_that_was_not(checkpoints: Checkpoints, store: FolderStore) -> None:
    train(tiny_base(), checkpoints)
    cut = Checkpoints(store, "cut/", "settings")
    with pytest.raises(KeyboardInterrupt):
        train(tiny_base(answer=Tripping(interrupted, 4)), cut)
    trained = train(tiny_base(), cut)
    assert trained.resumed_from == 2
    assert store.read(trained.checkpoints[-1].prefix + WEIGHTS) == store.read(
        checkpoints.complete()[-1].prefix + WEIGHTS
    )


def test_the_latest_optimiser_stays_until_training_ends(checkpoints: Checkpoints, store: FolderStore) -> None:
    train(tiny_base(), checkpoints)
    kept = [o.key for o in store.list(PREFIX) if o.key.endswith(OPTIMISER)]
    assert kept == [f"{PREFIX}checkpoints/settings/step-000006/{OPTIMISER}"]


def test_no_checkpoint_stays_when_training_is_done(checkpoints: Checkpoints, store: FolderStore) -> None:
    train(tiny_base(), checkpoints)
    # Of an attempt that memory did not suffice for.
    train(tiny_base(), Checkpoints(store, PREFIX, "larger"))
    store.write(f"{PREFIX}adapter.safetensors", b"adapter")
    checkpoints.finish()
    assert [entry.key for entry in store.list(PREFIX)] == [f"{PREFIX}adapter.safetensors"]


def test_a_checkpoint_of_the_first_half_is_not_judged(checkpoints: Checkpoints) -> None:
    judged: list[float] = []

    def likeness() -> float:
        judged.append(50.0 - len(judged))
        return judged[-1]

    trained = train(tiny_base(), checkpoints, likeness=likeness, steps=12)
    assert [saved.likeness for saved in trained.checkpoints] == [None, None, 50.0, 49.0, 48.0, 47.0]
    assert delivered(checkpoints, trained.checkpoints)[0].step == 6


def test_what_portraits_were_worth_is_kept_with_their_checkpoint(checkpoints: Checkpoints) -> None:
    train(tiny_base(), checkpoints)
    checkpoints.score(saved_at(checkpoints, 4), Judgement(-3.25, copies=2))
    assert (saved_at(checkpoints, 4).likeness, saved_at(checkpoints, 4).copies) == (-3.25, 2)
    assert (saved_at(checkpoints, 6).likeness, saved_at(checkpoints, 6).copies) == (None, 0)


def saved_at(checkpoints: Checkpoints, step: int) -> Saved:
    return next(saved for saved in checkpoints.complete() if saved.step == step)


def rewritten(checkpoints: Checkpoints, store: FolderStore, step: int, content: bytes, *, sealed: bool) -> None:
    """Other weights at a checkpoint; `sealed`: with their sha256 in the manifest."""
    import hashlib

    saved = saved_at(checkpoints, step)
    store.write(saved.prefix + WEIGHTS, content)
    if sealed:
        manifest = Manifest.model_validate_json(store.read(saved.prefix + MANIFEST))
        digests = {**manifest.sha256, WEIGHTS: hashlib.sha256(content).hexdigest()}
        changed = manifest.model_copy(update={"sha256": digests})
        store.write(saved.prefix + MANIFEST, changed.to_json().encode())


@pytest.mark.parametrize(
    ("content", "sealed"),
    [
        (save({WEIGHT: torch.full((CHANNELS, 1, 1), float("nan"))}), True),
        (save({WEIGHT: torch.full((CHANNELS, 1, 1), float("inf"))}), True),
        (save({WEIGHT: torch.ones(CHANNELS, 1, 1)}), False),
        (b"no tensors at all", True),
    ],
)
def test_a_checkpoint_that_is_not_sound_is_neither_resumed_nor_delivered(
    checkpoints: Checkpoints, store: FolderStore, content: bytes, sealed: bool
) -> None:
    likeness = iter([30.0, 50.0])
    trained = train(tiny_base(), checkpoints, likeness=lambda: next(likeness))
    rewritten(checkpoints, store, 6, content, sealed=sealed)
    assert delivered(checkpoints, trained.checkpoints)[0].step == 4, "the best of those that are sound"
    again = train(tiny_base(), checkpoints, likeness=lambda: 1.0)
    assert again.resumed_from == 0, "step 4 has no optimiser any more: training begins anew"
    assert checkpoints.weights(saved_at(checkpoints, 6)) is not None


def test_nothing_sound_is_nothing_to_deliver(checkpoints: Checkpoints, store: FolderStore) -> None:
    trained = train(tiny_base(), checkpoints)
    for step in (2, 4, 6):
        rewritten(checkpoints, store, step, b"", sealed=True)
    with pytest.raises(BadInput, match="no checkpoint") as caught:
        delivered(checkpoints, trained.checkpoints)
    assert caught.value.reason == Reason.TRAINING_DIVERGED


def test_weights_that_are_not_finite_are_not_written(checkpoints: Checkpoints, store: FolderStore) -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, float("nan")]))
    with pytest.raises(NotFinite, match=WEIGHT):
        checkpoints.save(2, Optimisation({WEIGHT: weight}, PARAMETERS), 0.1)
    assert store.list(PREFIX) == []


def test_weights_that_are_not_finite_after_a_step_are_a_divergence(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = torch.optim.AdamW.step, 0

    def step(self: torch.optim.AdamW, closure: object = None) -> None:
        nonlocal count
        count += 1
        real(self)
        if count == 4:
            self.param_groups[0]["params"][0].data[0] = float("nan")

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    trained = train(tiny_base(), checkpoints)
    assert trained.redrawn
    assert [saved.redrawn for saved in trained.checkpoints] == [0, 1, 1]


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b'{"step": 4}', b'{"step": 99, "loss": 0.1, "sha256": {}}', b'{"step":-1,"loss":1,"sha256":{}}',
     b'{"step": 4, "loss": NaN, "sha256": {}}'],
)  # fmt: skip
def test_a_manifest_that_is_none_is_left_alone(checkpoints: Checkpoints, store: FolderStore, manifest: bytes) -> None:
    train(tiny_base(), checkpoints)
    store.write(saved_at(checkpoints, 4).prefix + MANIFEST, manifest)
    assert [saved.step for saved in checkpoints.complete()] == [2, 6]


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        (b'{"likeness": 71.5}', 71.5),
        (b'{"likeness": null}', None),
        (b'{"likeness": NaN}', None),
        (b'{"likeness": "71.5"}', None),
        (b'{"likeness": 71.5, "copies": -1}', None),
        (b"71.5", None),
        (b"[]", None),
        (b"{", None),
    ],
)
def test_a_likeness_is_a_number_or_none(
    checkpoints: Checkpoints, store: FolderStore, text: bytes, figure: float | None
) -> None:
    train(tiny_base(), checkpoints)
    store.write(saved_at(checkpoints, 4).prefix + "likeness.json", text)
    assert saved_at(checkpoints, 4).likeness == figure


def test_the_checkpoint_most_like_the_person_is_delivered(checkpoints: Checkpoints) -> None:
    likeness = iter([71.0, 66.0])
    trained = train(tiny_base(), checkpoints, likeness=lambda: next(likeness))
    chosen, weights = delivered(checkpoints, trained.checkpoints)
    assert (chosen.step, chosen.likeness) == (4, 71.0)
    assert torch.equal(weights[WEIGHT], load(checkpoints._read(chosen, WEIGHTS))[WEIGHT])


def test_what_was_unusual_is_told() -> None:
    chosen = Saved(100, "", 0.1, 60.0)
    assert notes_of(Trained([], 0, 0.0), [], chosen) == []
    assert notes_of(Trained([], 0, 0.0, skipped=3, redrawn=True), [(832, 1216)], replace(chosen, copies=2)) == [
        "when the checkpoint was judged, 2 portraits show a training photo again: it has learnt photos by heart; "
        "add photos of other moments, or set fewer training.steps",
        "3 steps were skipped, because the gradient was not finite",
        "training diverged once and went on from its last good checkpoint with other noise",
        "only one photo has the shape 832x1216, so it was trained on in batches of its own",
    ]


@pytest.mark.parametrize("name", [WEIGHTS, OPTIMISER])
def test_a_checkpoint_of_another_shape_is_not_spread_over_the_weights(
    checkpoints: Checkpoints, store: FolderStore, name: str
) -> None:
    train(tiny_base(), checkpoints)
    kept = checkpoints.complete()[-1]
    weights = {key: torch.nn.Parameter(value) for key, value in load(store.read(kept.prefix + WEIGHTS)).items()}
    optimisation = Optimisation(weights, PARAMETERS)
    files = {WEIGHTS: {key: value.detach() for key, value in weights.items()}, OPTIMISER: optimisation.states}

    def write(changed: dict[str, dict[str, torch.Tensor]]) -> None:
        contents = {file: save(tensors) for file, tensors in changed.items()}
        for file, content in contents.items():
            store.write(kept.prefix + file, content)
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
        text = Manifest(step=kept.step, loss=kept.loss, sha256=digests).to_json()
        store.write(kept.prefix + MANIFEST, text.encode())

    write(files)
    assert checkpoints.restore(kept, optimisation)
    small = {key: torch.ones(1) * 7 for key in files[name]}
    write({**files, name: small})
    before = {key: weight.detach().clone() for key, weight in weights.items()}
    assert not checkpoints.restore(kept, optimisation)
    assert all(torch.equal(weight, before[key]) for key, weight in weights.items())


def test_a_likeness_that_is_nested_without_end_is_none(checkpoints: Checkpoints, store: FolderStore) -> None:
    train(tiny_base(), checkpoints)
    store.write(checkpoints.complete()[-1].prefix + LIKENESS, b"[" * 100_000)
    assert checkpoints.complete()[-1].likeness is None
