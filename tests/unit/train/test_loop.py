"""The training loop on a base of four numbers: the rate, bad steps, divergence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from safetensors.torch import load

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.train import AdapterLayers
from profile_runtime.store.folder import FolderStore
from profile_train import loop
from profile_train.checkpoints import MANIFEST, WEIGHTS, Checkpoints, Manifest
from profile_train.loop import noise_seed
from profile_train.stage import notes_of
from tiny_base import WEIGHT, Call, TinyBase, tiny_base
from tiny_training import EXAMPLES, PARAMETERS, Tripping, bad_gradient, train

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
