"""The engine on the random SDXL: adapters as in plain diffusers, mixed batches, refusals that leak nothing."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from profile_contract.generation import AdapterGrant, GenerationItem, GenerationOrder, ReadGrant
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import RequestRef
from profile_contract.stages.train import AdapterLayers
from profile_contract.style import Mode
from profile_draw.adapters.weights import AdapterWeights, LayerWeights
from profile_draw.families.sdxl import Sdxl
from profile_draw.rows import Piece
from profile_models import random_sdxl
from profile_predictor.engine import Denied, DrawingQueue, Engine, EngineConfig, Fetched, Refused
from profile_vision.poses import pose_map, presets

pytestmark = pytest.mark.e2e
PROMPT = "studio profile portrait of sks woman"
STEPS = 3
People = dict[str, Path]
Grant = Callable[..., AdapterGrant]
Pose = Callable[[int], Path]


class FolderFiles:
    """Grants are paths. `reads` counts whole files."""

    def __init__(self) -> None:
        self.reads: list[str] = []

    def read(self, url: str, limit: int) -> Fetched:
        stamp = self.stamp(url)
        self.reads.append(url)
        content = Path(url).read_bytes()
        if len(content) > limit:
            raise Refused("too large")
        return Fetched(content, stamp)

    def stamp(self, url: str) -> str:
        if not Path(url).is_file():
            raise Denied("not there")
        return f"{url} {Path(url).stat().st_mtime_ns}"


@pytest.fixture(scope="module")
def engine(random_models: Path) -> Iterator[Engine]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Engine.load(
        EngineConfig(
            random_models, random_sdxl.NAME, random_sdxl.CONTROL_NAME, slots=2, maximum_rank=16, host_cache_megabytes=64
        )
    )
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reference(random_models: Path) -> StableDiffusionXLControlNetPipeline:
    """Plain diffusers."""
    controlnet = ControlNetModel.from_pretrained(random_models / random_sdxl.CONTROL_NAME, local_files_only=True)
    loaded = StableDiffusionXLControlNetPipeline.from_pretrained(
        random_models / random_sdxl.NAME, controlnet=controlnet, local_files_only=True
    )
    loaded.set_progress_bar_config(disable=True)
    return loaded


def order(
    adapter: AdapterGrant | None = None, pose: Path | None = None, seeds: tuple[int, ...] = (1,), **changes: Any
) -> GenerationOrder:
    grant = ReadGrant(url=str(pose)) if pose else None
    items = [GenerationItem(seed=seed, prompt=PROMPT, pose=grant, key=f"{seed}.png") for seed in seeds]
    values: dict[str, Any] = {"items": items, "width": 128, "height": 128, "steps": STEPS}
    return GenerationOrder(request=RequestRef(namespace="team", name="minji"), adapter=adapter, **values | changes)


def draw(engine: Engine, wanted: GenerationOrder) -> np.ndarray:
    """The first picture, HxWx3, 0 to 255."""
    return engine.generate(wanted, FolderFiles())[0].pixels.astype(int)


def draw_plainly(
    reference: StableDiffusionXLControlNetPipeline, adapter: Path, weight: float, pose: Path
) -> np.ndarray:
    """What plain diffusers draws of `order` with one seed."""
    reference.load_lora_weights(str(adapter), adapter_name="it")
    reference.set_adapters(["it"], [weight])
    picture = reference(
        prompt=[PROMPT],
        negative_prompt=[""],
        image=[Image.open(pose)],
        generator=[torch.Generator().manual_seed(1)],
        num_inference_steps=STEPS,
        guidance_scale=5.0,
        controlnet_conditioning_scale=0.8,
        control_guidance_end=0.8,
        width=128,
        height=128,
        output_type="np",
    ).images[0]
    reference.unload_lora_weights()
    return np.asarray((picture * 255).round().astype(int))


def difference(left: np.ndarray, right: np.ndarray) -> float:
    """Mean absolute difference in grey levels of 256."""
    return float(np.abs(left.astype(int) - right.astype(int)).mean())


@pytest.mark.parametrize("layers", [AdapterLayers.TRANSFORMER, AdapterLayers.EVERYTHING])
def test_more_than_attention_is_served_where_it_is_asked_for(
    random_models: Path,
    *,
    reference: StableDiffusionXLControlNetPipeline,
    make_adapter: Callable[..., Path],
    people: People,
    grant: Grant,
    pose: Pose,
    layers: AdapterLayers,
) -> None:
    """As plain diffusers draws it; and an adapter of attention alone is refused there."""
    whole = make_adapter(layers.value, seed=9, target_modules=list(Sdxl().modules(layers)))
    config = EngineConfig(random_models, random_sdxl.NAME, random_sdxl.CONTROL_NAME, slots=1, maximum_rank=8)
    thorough = Engine.load(replace(config, adapter_layers=layers))
    mine = draw(thorough, order(grant(whole), pose(0)))
    theirs = draw_plainly(reference, whole, 1.0, pose(0))
    assert difference(mine, theirs) < 0.01
    assert difference(mine, draw(thorough, order(pose=pose(0)))) > 2
    with pytest.raises(Refused, match="same adapter layers"):
        draw(thorough, order(grant(people["ann"]), pose(0)))


@pytest.mark.parametrize(("person", "weight"), [("ann", 1.0), ("ben", 1.0), ("cem", 1.0), ("dua", 0.6)])
def test_a_slot_draws_what_plain_diffusers_draws(
    engine: Engine,
    *,
    reference: StableDiffusionXLControlNetPipeline,
    people: People,
    grant: Grant,
    pose: Pose,
    person: str,
    weight: float,
) -> None:
    """Either naming, ranks that are filled up with zeros, an alpha that is not the rank, and a weight."""
    mine = draw(engine, order(grant(people[person], weight=weight), pose(0)))
    theirs = draw_plainly(reference, people[person], weight, pose(0))
    assert np.abs(mine - theirs).max() <= 1
    assert difference(mine, theirs) < 0.01
    assert difference(mine, draw(engine, order(pose=pose(0)))) > 2


def test_rows_of_a_batch_do_not_know_each_other(engine: Engine, people: People, grant: Grant, pose: Pose) -> None:
    """Two people and somebody without adapter in one batch: the same pictures as each alone."""
    orders = [
        order(grant(people["ann"]), pose(0), seeds=(1,)),
        order(None, pose(0), seeds=(2,)),
        order(grant(people["ben"]), pose(8), seeds=(3, 4)),
    ]
    alone = [draw(engine, each) for each in orders]
    together = engine.draw([engine.fetch(each, FolderFiles()).pieces[0] for each in orders])
    for single, drawn in zip(alone, together, strict=True):
        assert np.abs(single - drawn[0].pixels.astype(int)).max() <= 1
        assert difference(single, drawn[0].pixels) < 0.01
    assert [len(drawn) for drawn in together] == [1, 1, 2]


def test_the_network_keeps_rows_apart_within_rounding(engine: Engine, people: People, grant: Grant) -> None:
    """The same on the UNet's own output, where no rounding to grey levels hides anything."""
    fetched = [engine.fetch(order(grant(people[name])), FolderFiles()).pieces[0] for name in ("ann", "ben")]
    ann, ben = (piece.rows[0].adapters for piece in fetched)
    unet, bank = engine._pipeline.unet, engine._pipeline.bank
    torch.manual_seed(0)
    latents, text = torch.randn(6, 4, 16, 16), torch.randn(6, 77, 128)
    more = {"text_embeds": torch.randn(6, 64), "time_ids": torch.zeros(6, 6)}

    def run(rows: list[int], adapters: list[Any]) -> torch.Tensor:
        added = {key: value[rows] for key, value in more.items()}
        with torch.inference_mode(), bank.drawing(adapters, guided=True):
            return torch.as_tensor(unet(latents[rows], 500, text[rows], added_cond_kwargs=added).sample)

    chosen = [ann, ben, ()]
    mixed = run([0, 1, 2, 3, 4, 5], chosen)
    singles = [run([row, row + 3], [chosen[row]]) for row in range(3)]
    for row, single in enumerate(singles):
        assert (mixed[[row, row + 3]] - single).abs().max() < 1e-5
    assert (singles[0] - run([0, 3], [()])).abs().max() > 1e-2
    assert (run([0, 3], [ben]) - singles[0]).abs().max() > 1e-2


def test_pose_seed_and_adapter_change_the_picture(engine: Engine, people: People, grant: Grant, pose: Pose) -> None:
    plain = draw(engine, order(pose=pose(0)))
    assert difference(plain, draw(engine, order(pose=pose(0)))) == 0
    assert difference(plain, draw(engine, order(pose=pose(12)))) > 1
    assert difference(plain, draw(engine, order())) > 1
    assert difference(plain, draw(engine, order(pose=pose(0), seeds=(2,)))) > 5
    assert difference(plain, draw(engine, order(grant(people["ann"]), pose(0)))) > 2


@pytest.mark.parametrize("size", [(128, 128), (96, 128)])
def test_joints_draw_what_their_pose_map_draws(engine: Engine, size: tuple[int, int], tmp_path: Path) -> None:
    picture = PictureSize(*size)
    joints, line = picture.placed(presets()["three-quarter-left"]), 40
    Image.fromarray(pose_map(joints, *size, line)).save(tmp_path / "map.png")
    changes: dict[str, Any] = {"width": size[0], "height": size[1], "pose_line_thousandths": line}
    item = order().items[0].model_copy(update={"joints": joints})
    drawn = draw(engine, order(items=[item], **changes))
    assert drawn.shape == (size[1], size[0], 3)
    assert difference(drawn, draw(engine, order(pose=tmp_path / "map.png", **changes))) == 0
    # As wide as it is said.
    assert difference(drawn, draw(engine, order(items=[item], **changes | {"pose_line_thousandths": 16}))) > 0.1


def test_an_order_may_mix_items_with_and_without_pose(engine: Engine, pose: Pose) -> None:
    with_pose, without = order(pose=pose(0), seeds=(1,)).items[0], order(seeds=(1,)).items[0]
    drawn = engine.generate(order(items=[without, with_pose, without]), FolderFiles())
    assert [one.index for one in drawn] == [0, 1, 2]
    assert difference(drawn[0].pixels, drawn[2].pixels) < 0.01
    assert difference(drawn[0].pixels, drawn[1].pixels) > 1


def test_a_picture_can_be_drawn_over_another(engine: Engine, pose: Pose, tmp_path: Path) -> None:
    """The weaker, the closer to the initial image; with a pose and without."""
    photo = tmp_path / "photo.jpg"
    Image.linear_gradient("L").resize((160, 200)).convert("RGB").save(photo)

    def over(strength: float, pose_file: Path | None, name: Path = photo) -> np.ndarray:
        item = order(pose=pose_file).items[0].model_copy(update={"initial_image": ReadGrant(url=str(name))})
        return draw(engine, order(items=[item], mode=Mode.IMAGE_TO_IMAGE, strength=strength, steps=6))

    upside_down = tmp_path / "other.png"
    Image.open(photo).rotate(180).save(upside_down)
    assert difference(over(0.5, None), over(0.5, None, upside_down)) > 1
    assert difference(over(0.5, None), over(0.5, pose(0))) > 0.3
    assert difference(over(0.2, None), over(0.9, None)) > 1


# --- refusals ---


def spoiled(kind: str, good: Path, folder: Path) -> Path:
    """A file with something wrong."""
    file = folder / f"{kind}.safetensors"
    weights = load_file(good)
    first = next(iter(weights))
    changes: dict[str, Callable[[], object]] = {
        "text-encoder": lambda: weights.update({"text_encoder." + first.removeprefix("unet."): torch.zeros(8, 8)}),
        "missing-layer": lambda: [weights.pop(key) for key in list(weights) if key.startswith(first[:60])],
        "extra-layer": lambda: weights.update({"unet.conv_in.lora_A.weight": torch.zeros(8, 8)}),
        "dora": lambda: weights.update({first.replace("lora_A.weight", "lora_magnitude_vector"): torch.ones(3)}),
        "half": lambda: weights.pop(first),
        "nan": lambda: weights[first].fill_(float("nan")),
        "shape": lambda: weights.update({first: torch.zeros(8, 3)}),
        "integers": lambda: weights.update({first: weights[first].to(torch.int32)}),
    }
    if kind == "pickle":
        file.write_bytes(pickle.dumps({"unet": 1}))
        return file
    if kind == "truncated":
        file.write_bytes(good.read_bytes()[:-100])
        return file
    changes[kind]()
    save_file(weights, file)
    return file


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("pickle", "safetensors"),
        ("truncated", "safetensors"),
        ("text-encoder", "only the UNet"),
        ("missing-layer", "lacks"),
        ("extra-layer", "not served here"),
        ("dora", "no plain LoRA weight"),
        ("half", "only one of two"),
        ("nan", "not finite"),
        ("shape", "another base model"),
        ("integers", "floating point"),
    ],
)
def test_unfit_adapters_are_refused(
    engine: Engine, *, people: People, grant: Grant, tmp_path: Path, kind: str, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        engine.fetch(order(grant(spoiled(kind, people["ann"], tmp_path))), FolderFiles())


def test_ranks_above_the_slots_are_refused(engine: Engine, make_adapter: Callable[..., Path], grant: Grant) -> None:
    with pytest.raises(Refused, match="rank 32"):
        engine.fetch(order(grant(make_adapter("big", seed=9, rank=32))), FolderFiles())


def test_a_load_that_fails_half_way_leaves_nobodys_adapter(engine: Engine, people: People, grant: Grant) -> None:
    base = draw(engine, order())
    ann = draw(engine, order(grant(people["ann"])))
    draw(engine, order(grant(people["ben"])))
    good = engine.fetch(order(grant(people["cem"])), FolderFiles()).pieces[0]
    (row,) = good.rows
    layers = dict(row.adapters[0][0].layers)
    last = list(layers)[-1]
    layers[last] = LayerWeights(torch.zeros(4, 3), layers[last].up, 1.0)
    with pytest.raises(RuntimeError, match="size of tensor"):
        engine.draw([Piece(good.shape, (replace(row, adapters=((AdapterWeights("broken", layers), 1.0),)),))])
    assert not engine._bank.holds("broken")
    assert not engine._bank.holds(grant(people["ann"]).sha256)
    assert difference(base, draw(engine, order())) == 0
    assert difference(ann, draw(engine, order(grant(people["ann"])))) == 0


def test_a_cached_adapter_needs_its_own_grant(engine: Engine, people: People, grant: Grant, tmp_path: Path) -> None:
    """To know somebody's digest, and to be granted another file, is not enough."""
    ann = grant(people["ann"])
    files = FolderFiles()
    engine.forget([ann.sha256])
    assert engine.fetch(order(ann), files).tier == "store"
    assert engine.fetch(order(ann), files).tier in ("host", "slot")
    assert files.reads == [ann.url]
    with pytest.raises(Refused, match="sha256"):
        engine.fetch(order(ann.model_copy(update={"url": str(people["ben"])})), files)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(people["ann"].read_bytes())
    moved = ann.model_copy(update={"url": str(copy)})
    assert engine.fetch(order(moved), files).tier == "store"
    assert engine.fetch(order(moved), files).tier in ("host", "slot")
    copy.unlink()
    with pytest.raises(Denied):
        engine.fetch(order(moved), files)
    assert engine.forget([ann.sha256]) == 0, "what the store no longer gives is not kept"


def test_what_is_no_picture_is_refused(engine: Engine, pose: Pose, tmp_path: Path) -> None:
    text = tmp_path / "pose.png"
    text.write_text("not a picture")
    with pytest.raises(Refused, match="no readable"):
        engine.fetch(order(pose=text), FolderFiles())
    huge = tmp_path / "huge.png"
    Image.new("1", (9000, 9000)).save(huge)
    with pytest.raises(Refused, match="pixels"):
        engine.fetch(order(pose=huge), FolderFiles())
    named = ReadGrant(url=str(pose(0)), sha256=hashlib.sha256(b"other").hexdigest())
    item = order().items[0].model_copy(update={"pose": named})
    with pytest.raises(Refused, match="sha256"):
        engine.fetch(order(items=[item]), FolderFiles())


# --- the queue ---


def test_people_who_wait_share_a_batch_and_get_their_own_pictures(engine: Engine, people: People, grant: Grant) -> None:
    class Meter:
        def __init__(self) -> None:
            self.batches: list[int] = []

        def drew(self, rows: int, seconds: float) -> None:
            self.batches.append(rows)

    meter = Meter()
    orders = [order(grant(people[name]), seeds=(seed,)) for seed, name in enumerate(("ann", "ben", "ann", "ben"))]
    alone = [draw(engine, each) for each in orders]
    queue = DrawingQueue(engine, places=8, drew=meter.drew)
    ready = [engine.fetch(each, FolderFiles()) for each in orders]
    long = queue.submit(engine.fetch(order(steps=20), FolderFiles()))
    tickets = [queue.submit(each) for each in ready]
    evicted = queue.evict([])
    drawn = [ticket.future.result(timeout=120)[0] for ticket in tickets]
    assert meter.batches == [1, 4]
    assert [difference(mine, theirs.pixels) < 0.01 for mine, theirs in zip(alone, drawn, strict=True)] == [True] * 4
    assert long.future.result()[0].seed == 1
    assert evicted.result() == 0
    queue.close()


def test_eviction_empties_every_tier_and_refuses_who_waits(engine: Engine, people: People, grant: Grant) -> None:
    ann = grant(people["ann"])
    draw(engine, order(ann))
    queue = DrawingQueue(engine, places=8)
    busy = queue.submit(engine.fetch(order(steps=20), FolderFiles()))
    waiting = queue.submit(engine.fetch(order(ann), FolderFiles()))
    assert queue.evict([ann.sha256]).result(timeout=120) == 2
    with pytest.raises(Refused, match="deleted"):
        waiting.future.result(timeout=120)
    assert not engine._bank.holds(ann.sha256)
    assert busy.future.result(timeout=120)[0].seed == 1
    assert queue.evict([ann.sha256]).result(timeout=120) == 0
    assert engine.fetch(order(ann), FolderFiles()).tier == "store"
    queue.close()
