"""The training loop on a base of four numbers: the rate, bad steps, divergence, going on from checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.order import RequestRef
from profile_contract.stages.table import Stage
from profile_contract.stages.train import AdapterLayers, TrainParameters
from profile_draw.finite import NotFinite
from profile_runtime.progress import Silent, StageProgress
from profile_runtime.store.folder import FolderStore
from profile_train import loop
from profile_train.checkpoints import LIKENESS, MANIFEST, MOMENTS, OPTIMISER, WEIGHTS, Checkpoints, Manifest, Saved
from profile_train.judge import Judgement
from profile_train.loop import Fallback, Trained, noise_seed
from profile_train.memory import FreeMemory, Ladder, NetworkSizes, Precision, plans_of
from profile_train.settings import Settings, settings_of
from profile_train.stage import delivered, notes_of
from tiny_base import CHANNELS, WEIGHT, Call, TinyBase, example, tiny_base

PARAMETERS = TrainParameters(
    base_model="tiny", rank=1, steps=6, batch=2, learning_rate=0.1, checkpoint_steps=2, min_snr_gamma=0.0
)
EXAMPLES = [example(number) for number in range(4)]
PREFIX = "hr.1a2b3c4d-5e6f/requests/minji/adapter/one/"


class Tripping:
    """A UNet's answer that is spoilt at some of its calls, counted from 1 over all attempts."""

    def __init__(self, spoil: Callable[[torch.Tensor], torch.Tensor], *at: int) -> None:
        self.spoil, self.at, self.count = spoil, at, 0

    def __call__(self, call: Call) -> torch.Tensor:
        self.count += 1
        answer = torch.zeros_like(call.noisy)
        return self.spoil(answer) if self.count in self.at else answer


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def checkpoints(store: FolderStore) -> Checkpoints:
    return Checkpoints(store, PREFIX, "settings")


def ladder(settings: Settings) -> Ladder:
    """A CPU's plans, of which everything fits."""
    return Ladder(plans_of(settings, [Precision.FLOAT32]), NetworkSizes(), FreeMemory(None, accelerated=False))


def train(
    base: TinyBase,
    checkpoints: Checkpoints,
    *,
    likeness: Callable[[], float | None] = lambda: None,
    **changed: object,
) -> Trained:
    parameters = PARAMETERS.model_copy(update=changed)
    progress = StageProgress(RequestRef(namespace="hr", name="minji"), Stage.TRAIN, "one", Silent())
    settings: Settings = settings_of(parameters, 4)
    return loop.train(
        base,
        EXAMPLES,
        parameters,
        settings,
        memory=Fallback(ladder(settings), recut=lambda _: EXAMPLES),
        checkpoints=checkpoints,
        progress=progress,
        judge=lambda: Judgement(likeness()),
    )


def bad_gradient(monkeypatch: pytest.MonkeyPatch, *at: int) -> None:
    """At these steps, counted from 1, one number of the gradient is infinite."""
    real, count = torch.nn.utils.clip_grad_norm_, 0

    def clip(weights: Iterable[torch.nn.Parameter], norm: float) -> torch.Tensor:
        nonlocal count
        count += 1
        weights = list(weights)
        if count in at and weights[0].grad is not None:
            weights[0].grad.view(-1)[0] = float("inf")
        return real(weights, norm)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)


# --- the rate ----------------------------------------------------------------------------------------------------


def test_the_rate_falls_along_half_a_cosine(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    class Watched(torch.optim.AdamW):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            rates.append(self.param_groups[0]["lr"])
            super().step()

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    train(tiny_base(), checkpoints)
    assert rates == pytest.approx([0.1, 0.0933013, 0.075, 0.05, 0.025, 0.0066987298])


def test_matrices_out_of_the_rank_have_a_rate_of_their_own(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[dict[str, float]] = []
    base = tiny_base()
    base.paired = True
    weights = base.add_adapter(1, PARAMETERS.adapter_layers, 0)
    names = {id(weight): name for name, weight in weights.items()}
    monkeypatch.setattr(base, "add_adapter", lambda *_: dict(reversed(weights.items())))

    class Watched(torch.optim.AdamW):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            rates.append({names[id(w)]: group["lr"] for group in self.param_groups for w in group["params"]})
            super().step()

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    train(base, checkpoints, up_rate=4.0)
    out = WEIGHT.replace("lora_A", "lora_B")
    assert [rate[WEIGHT] for rate in rates] == pytest.approx([0.1, 0.0933013, 0.075, 0.05, 0.025, 0.0066987298])
    assert [rate[out] for rate in rates] == pytest.approx([4 * rate[WEIGHT] for rate in rates])


def test_each_matrix_goes_on_with_its_own_averages(checkpoints: Checkpoints, store: FolderStore) -> None:
    """In whatever order a base names them."""

    class Turned(TinyBase):
        def add_adapter(self, rank: int, layers: AdapterLayers, seed: int) -> dict[str, torch.nn.Parameter]:
            return dict(reversed(super().add_adapter(rank, layers, seed).items()))

    def turned(answer: Callable[[Call], torch.Tensor] | None = None) -> TinyBase:
        return Turned(**vars(tiny_base(answer=answer)) | {"paired": True})

    train(turned(), checkpoints, up_rate=4.0)
    cut = Checkpoints(store, "cut/", "settings")
    with pytest.raises(KeyboardInterrupt):
        train(turned(Tripping(interrupted, 4)), cut, up_rate=4.0)
    train(turned(), cut, up_rate=4.0)
    ends = [load(store.read(c.complete()[-1].prefix + WEIGHTS))[WEIGHT] for c in (checkpoints, cut)]
    assert torch.equal(*ends)


def test_training_moves_the_adapter_towards_the_target(checkpoints: Checkpoints) -> None:
    base = tiny_base("sample")
    mean = torch.stack([e.mean for e in EXAMPLES]).mean(dim=(0, 2, 3))
    before = (base.unet.bias.detach().flatten() - mean).abs().sum()
    train(base, checkpoints, steps=40)
    assert (base.unet.bias.detach().flatten() - mean).abs().sum() < 0.7 * before


# --- one bad step ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_gradient_that_is_not_finite_costs_one_step(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    bad_gradient(monkeypatch, at)
    trained = train(tiny_base(), checkpoints)
    assert (trained.skipped, trained.redrawn) == (1, False)
    assert [saved.step for saved in trained.checkpoints] == [2, 4, 6]
    for saved in trained.checkpoints:
        weights = checkpoints.weights(saved)
        assert weights is not None
        assert bool(torch.isfinite(weights[WEIGHT]).all())
    assert notes_of(trained, [], trained.checkpoints[-1]) == ["1 step was skipped, because the gradient was not finite"]


def test_a_skipped_step_changes_nothing(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    bad_gradient(monkeypatch, 2)
    base = tiny_base()
    train(base, checkpoints, steps=2, checkpoint_steps=1)
    first, second = (checkpoints.weights(saved) for saved in checkpoints.complete())
    assert first is not None
    assert second is not None
    assert torch.equal(first[WEIGHT], second[WEIGHT])


def test_skipped_steps_are_remembered_over_a_restart(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    bad_gradient(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_base(answer=Tripping(interrupted, 4)), checkpoints)
    trained = train(tiny_base(), checkpoints)
    assert (trained.resumed_from, trained.skipped) == (2, 1)


def interrupted(answer: torch.Tensor) -> torch.Tensor:
    raise KeyboardInterrupt


def test_gradients_that_are_never_finite_end_with_advice(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_gradient(monkeypatch, *range(1, 200))
    with pytest.raises(BadInput, match="no gradient was finite in the 6 training steps up to step 6") as caught:
        train(tiny_base(), checkpoints, steps=60)
    assert caught.value.reason == Reason.TRAINING_DIVERGED


def test_a_short_training_without_any_finite_gradient_delivers_nothing(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_gradient(monkeypatch, *range(1, 200))
    with pytest.raises(BadInput, match="no gradient was finite in the 3 training steps"):
        train(tiny_base(), checkpoints)


def test_a_few_bad_steps_are_borne_and_a_row_of_them_is_not() -> None:
    assert [loop.barren_limit(steps) for steps in (1, 2, 6, 40, 100, 560, 5000)] == [1, 2, 3, 4, 10, 20, 20]


# --- divergence --------------------------------------------------------------------------------------------------


def exploding(answer: torch.Tensor) -> torch.Tensor:
    return answer + 1000.0


def nowhere(answer: torch.Tensor) -> torch.Tensor:
    return answer * float("nan")


@pytest.mark.parametrize(
    ("spoil", "at", "back"), [(exploding, 4, 2), (nowhere, 4, 2), (nowhere, 2, 0), (exploding, 6, 4)]
)
def test_a_training_that_diverges_once_goes_on_from_its_last_checkpoint_with_other_noise(
    checkpoints: Checkpoints, spoil: Callable[[torch.Tensor], torch.Tensor], at: int, back: int
) -> None:
    base = tiny_base(answer=Tripping(spoil, at))
    trained = train(base, checkpoints)
    assert trained.redrawn
    assert [saved.step for saved in trained.checkpoints] == [2, 4, 6]
    assert [saved.redrawn for saved in trained.checkpoints] == [int(step > back) for step in (2, 4, 6)]
    noisy = [call.noisy for call in base.unet.calls]
    assert len(noisy) == at + 6 - back
    assert not torch.equal(noisy[at], noisy[back]), "the noise is drawn anew"
    plain = tiny_base()
    train(plain, Checkpoints(checkpoints._store, "elsewhere/", "settings"))
    assert all(torch.equal(call.noisy, seen) for call, seen in zip(plain.unet.calls[:at], noisy, strict=False))


def test_going_back_puts_weights_and_optimiser_back(checkpoints: Checkpoints, store: FolderStore) -> None:
    train(tiny_base(answer=Tripping(exploding, 4)), checkpoints)
    other = Checkpoints(store, "other/", "settings")
    with pytest.raises(KeyboardInterrupt):
        train(tiny_base(answer=Tripping(interrupted, 3)), other)
    manifest = Manifest.model_validate_json(store.read(other.complete()[0].prefix + MANIFEST))
    store.write(other.complete()[0].prefix + MANIFEST, manifest.model_copy(update={"redrawn": 1}).to_json().encode())
    train(tiny_base(), other)
    ends = [load(store.read(c.complete()[-1].prefix + WEIGHTS))[WEIGHT] for c in (checkpoints, other)]
    assert torch.equal(*ends)


@pytest.mark.parametrize("spoil", [exploding, nowhere])
def test_a_training_that_diverges_again_ends_with_advice(
    checkpoints: Checkpoints, spoil: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    with pytest.raises(BadInput, match=r"the training loss became .* at step \d.* training\.seed") as caught:
        train(tiny_base(answer=Tripping(spoil, 4, 6)), checkpoints)
    assert caught.value.reason == Reason.TRAINING_DIVERGED
    assert [saved.step for saved in checkpoints.complete()] == [2]


def test_going_back_is_done_once_over_all_restarts(checkpoints: Checkpoints) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tiny_base(answer=lambda_of(Tripping(exploding, 2), Tripping(interrupted, 5))), checkpoints)
    assert [saved.redrawn for saved in checkpoints.complete()] == [1]
    with pytest.raises(BadInput, match="although training had gone back"):
        train(tiny_base(answer=Tripping(exploding, 1)), checkpoints)


def lambda_of(*answers: Callable[[Call], torch.Tensor]) -> Callable[[Call], torch.Tensor]:
    return lambda call: torch.stack([answer(call) for answer in answers]).sum(dim=0)


@pytest.mark.parametrize(("loss", "sound"), [(24.9, True), (25.0, False), (1000.0, False), (float("nan"), False)])
def test_a_loss_far_above_the_targets_variance_is_none(loss: float, sound: bool) -> None:
    if sound:
        loop._check_loss(loss, 3)
        return
    with pytest.raises(loop.Diverged, match="at step 3"):
        loop._check_loss(loss, 3)


def test_every_step_and_every_redrawing_has_its_own_noise() -> None:
    seeds = [noise_seed(seed, step, redrawn) for seed in (0, 1) for step in range(900) for redrawn in (0, 1)]
    assert len(set(seeds)) == len(seeds)
    assert noise_seed(7, 5, 0) == 7 * 1_000_003 + 5, "a sound training draws what it always drew"
    assert all(0 <= seed < 2**63 for seed in (noise_seed(2**31, 10**6, 3), *seeds))


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
        checkpoints.save(2, {WEIGHT: weight}, torch.optim.AdamW([weight]), 0.1)
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
    optimiser = torch.optim.AdamW(weights.values())
    moments = {
        f"{moment}.{key}": torch.tensor(1.0) if moment == "step" else torch.zeros_like(weight)
        for key, weight in weights.items()
        for moment in MOMENTS
    }
    files = {WEIGHTS: {key: value.detach() for key, value in weights.items()}, OPTIMISER: moments}

    def write(changed: dict[str, dict[str, torch.Tensor]]) -> None:
        contents = {file: save(tensors) for file, tensors in changed.items()}
        for file, content in contents.items():
            store.write(kept.prefix + file, content)
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
        text = Manifest(step=kept.step, loss=kept.loss, sha256=digests).to_json()
        store.write(kept.prefix + MANIFEST, text.encode())

    write(files)
    assert checkpoints.restore(kept, weights, optimiser)
    small = {key: torch.ones(1) * 7 for key in files[name]}
    write({**files, name: small})
    before = {key: weight.detach().clone() for key, weight in weights.items()}
    assert not checkpoints.restore(kept, weights, optimiser)
    assert all(torch.equal(weight, before[key]) for key, weight in weights.items())


def test_a_likeness_that_is_nested_without_end_is_none(checkpoints: Checkpoints, store: FolderStore) -> None:
    train(tiny_base(), checkpoints)
    store.write(checkpoints.complete()[-1].prefix + LIKENESS, b"[" * 100_000)
    assert checkpoints.complete()[-1].likeness is None
