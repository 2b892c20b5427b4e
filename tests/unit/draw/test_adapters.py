"""Adapter files as strangers make them: refused with a sentence, or finite and drawn with as they say."""

from __future__ import annotations

import hashlib
import json
import math
import time
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from predictor_world import BASE, LAYERS, RANK, adapter, tensors
from profile_contract.generation import AdapterGrant
from profile_draw.adapters.adapter_file import read_adapter
from profile_draw.adapters.header import MOST_METADATA_BYTES
from profile_draw.adapters.weights import AdapterWeights, LayerSize
from profile_predictor.engine import Denied, Fetched, Refused, Unavailable, adapter_store
from profile_predictor.engine.adapter_store import AdapterStore
from profile_predictor.engine.evictions import Evictions
from properties import examples

SIZES = {name: LayerSize(*size) for name, size in LAYERS.items()}
FIRST = "attn.to_q"


def read(content: bytes, dtype: torch.dtype = torch.float32) -> AdapterWeights:
    return read_adapter(content, "digest", SIZES, RANK, dtype, base_model=BASE)


def scale(content: bytes, layer: str = FIRST) -> float:
    return read(content).layers[layer].scale


def said(document: Any, **more: str) -> dict[str, str]:
    """Metadata in which diffusers says this of the adapter."""
    return {"lora_adapter_metadata": document if isinstance(document, str) else json.dumps(document), **more}


def with_header(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def changed(key: str, value: torch.Tensor) -> bytes:
    content: bytes = save({**tensors(1), key: value})
    return content


# --- what a good file says ---


def test_weights_are_read_as_they_stand() -> None:
    found = read(adapter(1))
    assert found.layers.keys() == LAYERS.keys()
    for name, weights in found.layers.items():
        assert torch.equal(weights.down, tensors(1)[f"unet.{name}.lora_A.weight"])
        assert torch.equal(weights.up, tensors(1)[f"unet.{name}.lora_B.weight"])
        assert weights.scale == 1.0


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({}, 1.0),
        ({"unet.lora_alpha": 8}, 2.0),
        ({"unet.lora_alpha": 8, "unet.use_rslora": True}, 4.0),
        ({"unet.lora_alpha": 8, "unet.use_rslora": None, "unet.use_dora": None}, 2.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_q": 2}}, 0.5),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"attn.to_q": 2, "o_q": 1}}, 0.5),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_k": 2}}, 2.0),
        ({"unet.r": 4, "unet.target_modules": ["to_q"], "unet.later": {"deep": [1]}, "text_encoder.x": 1}, 1.0),
    ],
)
def test_the_scale_is_alpha_by_rank(document: dict[str, Any], wanted: float) -> None:
    """Rank 4; rank-stabilised LoRA divides by its root."""
    assert scale(adapter(1, rank=4, metadata=said(document))) == pytest.approx(wanted)


def test_an_alpha_in_the_file_wins() -> None:
    content = save({**tensors(1, rank=4), f"unet.{FIRST}.alpha": torch.tensor(2.0)}, said({"unet.lora_alpha": 8}))
    assert (scale(content), scale(content, "attn.to_k")) == (0.5, 2.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types_are_cast(dtype: torch.dtype) -> None:
    found = read(save({key: value.to(dtype) for key, value in tensors(1).items()}))
    assert {weights.down.dtype for weights in found.layers.values()} == {torch.float32}


@pytest.mark.parametrize("base", ["", BASE])
def test_an_adapter_of_this_base_is_served(base: str) -> None:
    assert read(adapter(1, metadata={"base_model": base})).layers


# --- refusals ---


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no"),
        (b"PK\x03\x04" + bytes(100), "safetensors"),
        ((2**63).to_bytes(8, "little") + b"{}", "not a safetensors file"),
        ((10**6).to_bytes(8, "little") + b"{}", "not a safetensors file"),
        (adapter(1)[:-1], "not a safetensors file"),
        (adapter(1) + b"x", "not a safetensors file"),
        (with_header(b"{"), "no JSON"),
        (with_header(b"[1]"), "no JSON object"),
        (with_header(b"null"), "no JSON object"),
        (with_header(b"\xff\xfe"), "no JSON"),
        (with_header(b"[" * 60_000), "no JSON"),
        (with_header({"x": 1}), "type"),
        (with_header({"x": {"dtype": ["F32"]}}), "type"),
        (with_header({"__metadata__": [1]}), "no texts by name"),
        (with_header({"__metadata__": "x"}), "no texts by name"),
        (with_header({"__metadata__": {"a": 1}}), "no texts by name"),
        (with_header({"__metadata__": {"a": {"b": "c"}}}), "no texts by name"),
        (with_header(b'{"x":' + b" " * (1 << 20) + b"1}"), "header has"),
        (adapter(1, metadata={"x": "y" * (MOST_METADATA_BYTES + 1)}), "header has|metadata have"),
        (adapter(1, metadata=said("{" + "}" * 10)), "JSON"),
        (adapter(1, metadata=said("[" * 30_000)), "JSON"),
        (adapter(1, metadata=said([1, 2])), "no JSON object"),
        (adapter(1, metadata=said("null")), "no JSON object"),
        (adapter(1, metadata=said("7")), "no JSON object"),
        (adapter(1, metadata=said({"unet.alpha_pattern": ["x"]})), "alpha_pattern"),
        (adapter(1, metadata=said({"unet.alpha_pattern": {"to_q": "x"}})), "alpha_pattern"),
        (adapter(1, metadata=said({"unet.alpha_pattern": {"nowhere": -1}})), "alpha_pattern"),
        (adapter(1, metadata=said({"unet.lora_alpha": [4]})), "lora_alpha"),
        (adapter(1, metadata=said('{"unet.lora_alpha": NaN}')), "lora_alpha"),
        (adapter(1, metadata=said('{"unet.lora_alpha": 1e400}')), "lora_alpha"),
        (adapter(1, metadata=said('{"unet.lora_alpha": 1' + "0" * 400 + "}")), "lora_alpha"),
        (adapter(1, metadata=said('{"unet.lora_alpha": 1' + "0" * 5000 + "}")), "JSON|lora_alpha"),
        (adapter(1, metadata=said({"unet.lora_alpha": 1e300})), "lora_alpha"),
        (adapter(1, metadata=said({"unet.lora_alpha": 0})), "lora_alpha"),
        (adapter(1, metadata=said({"unet.lora_alpha": -4})), "lora_alpha"),
        (adapter(1, metadata=said({"unet.use_dora": True})), "DoRA"),
        (adapter(1, metadata=said({"unet.use_dora": {"a": 1}})), "use_dora"),
        (adapter(1, metadata={"base_model": "another-base-xl"}), "another-base-xl.*'tiny' is served"),
        (changed(f"unet.{FIRST}.alpha", torch.tensor(float("nan"))), "alpha"),
        (changed(f"unet.{FIRST}.alpha", torch.tensor(float("inf"))), "alpha"),
        (changed(f"unet.{FIRST}.alpha", torch.tensor(0.0)), "alpha"),
        (changed(f"unet.{FIRST}.alpha", torch.ones(2)), "no plain LoRA"),
        (changed(f"unet.{FIRST}.alpha", torch.tensor(4)), "I64"),
        (changed("unet.nowhere.alpha", torch.tensor(4.0)), "nowhere"),
        (changed("text_encoder.x.lora_A.weight", torch.ones(2, 2)), "only the UNet"),
        (changed(f"unet.{FIRST}.hada_w1_a", torch.ones(2, 2)), "no plain LoRA"),
        (changed("unet.conv.lora_A.weight", torch.ones(2, 2)), "not served here"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.ones(2, 4, 1, 1)), "no matrices"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.ones(0, 4)), "fit"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.ones(2, 9)), "another base model"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.ones(2, 4, dtype=torch.int32)), "I32"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.ones(2, 4, dtype=torch.bool)), "BOOL"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.ones(2, 4).to(torch.float8_e4m3fn)), "F8_E4M3"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.full((2, 4), float("nan"))), "not finite"),
        (changed(f"unet.{FIRST}.lora_A.weight", torch.full((2, 4), -float("inf"))), "not finite"),
        (changed(f"unet.{FIRST}.lora_B.weight", torch.full((3, 2), float("nan"))), "not finite"),
        (changed(f"unet.{FIRST}.lora.down.weight", torch.ones(2, 4)), "twice"),
        (changed(f"unet.{FIRST}.lora.up.weight", torch.ones(3, 2)), "twice"),
        (adapter(1, size=1e30), "so large"),
        (adapter(1, rank=RANK + 1), "rank 5"),
        (save({key: value for key, value in tensors(1).items() if "to_q" not in key}), "lacks 1 of 2"),
        (save({key: value for key, value in tensors(1).items() if "to_q.lora_B" not in key}), "only one of two"),
        (save({f"unet.layer{number}.lora_A.weight": torch.ones(1, 1) for number in range(4)}), "not served here"),
    ],
)
def test_unfit_files_are_refused_with_what_is_wrong(content: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        read(content)


def test_what_is_finite_in_the_file_must_be_finite_as_it_is_used() -> None:
    """1e30 fits into float32 and not into float16."""
    content = changed(f"unet.{FIRST}.lora_A.weight", torch.full((2, 4), 1e30))
    assert read(content).layers
    with pytest.raises(Refused, match="not finite"):
        read(content, torch.float16)
    strong = save(tensors(1, size=200.0), said({"unet.lora_alpha": 1e5}))
    assert read(strong).layers
    with pytest.raises(Refused, match="so large"):
        read(strong, torch.float16)


def test_a_surprise_of_a_library_is_a_refusal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(content: bytes) -> None:
        raise MemoryError("a surprise")

    monkeypatch.setattr("profile_draw.adapters.adapter_file.load", surprise)
    with pytest.raises(Refused, match="damaged") as refused:
        read(adapter(1))
    assert "surprise" not in str(refused.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_SAID = st.dictionaries(
    st.sampled_from([f"unet.{key}" for key in ("r", "lora_alpha", "alpha_pattern", "use_dora", "use_rslora")]),
    _JSON | st.dictionaries(st.sampled_from(["to_q", "attn.to_k"]), _JSON, max_size=2),
)
_ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F16", "BF16", "F64", "F8_E4M3", "I64", "BOOL"]) | _JSON,
        "shape": st.lists(st.integers(-1, 2**64), max_size=3) | _JSON,
        "data_offsets": st.lists(st.integers(-1, 2**64), max_size=3) | _JSON,
    },
)
_NAMES = st.sampled_from([*tensors(1), "__metadata__", f"unet.{FIRST}.alpha", "x"])


def _refused_or_finite(content: bytes) -> None:
    try:
        found = read(content)
    except Refused:
        return
    for weights in found.layers.values():
        assert torch.isfinite(weights.down).all()
        assert torch.isfinite(weights.up).all()
        assert math.isfinite(weights.scale)
        assert weights.scale > 0


@examples(150)
@given(st.dictionaries(_NAMES, _ENTRIES | _JSON, max_size=6), st.binary(max_size=64))
def test_whatever_the_header_says_it_is_refused_or_finite(header: dict[str, Any], data: bytes) -> None:
    _refused_or_finite(with_header(header, data))


@examples(150)
@given(_SAID | _JSON, st.text(max_size=8))
def test_whatever_the_metadata_say_it_is_refused_or_finite(document: Any, base: str) -> None:
    _refused_or_finite(adapter(1, metadata=said(document, base_model=base or BASE)))


@examples(100)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
def test_whatever_bytes_are_changed_it_is_refused_or_finite(changes: list[tuple[int, int]]) -> None:
    content = bytearray(adapter(1, metadata=said({"unet.lora_alpha": 4, "unet.alpha_pattern": {"to_q": 2}})))
    for place, value in changes:
        content[place % len(content)] = value
    _refused_or_finite(bytes(content))


# --- the two lower tiers ---


class Files:
    """Files by URL. `reads` and `stamps` say what was asked; `during` is called while a file is read."""

    def __init__(self, **files: bytes) -> None:
        self.files, self.reads, self.stamps = files, list[str](), list[str]()
        self.during: Any = lambda: None

    def read(self, url: str, limit: int) -> Fetched:
        self.reads.append(url)
        self.during()
        return Fetched(self._content(url), self._stamp(url))

    def stamp(self, url: str) -> str:
        self.stamps.append(url)
        self._content(url)
        return self._stamp(url)

    def _stamp(self, url: str) -> str:
        return f"{url} {hashlib.md5(self.files[url], usedforsecurity=False).hexdigest()}"

    def _content(self, url: str) -> bytes:
        if url not in self.files:
            raise Denied("not there")
        return self.files[url]


def grant(content: bytes, url: str = "ann") -> AdapterGrant:
    return AdapterGrant(key=url, url=url, sha256=hashlib.sha256(content).hexdigest())


def adapter_store_of(limit: int = 1 << 20) -> AdapterStore:
    return AdapterStore(SIZES, RANK, limit, torch.float32, evictions=Evictions(60.0), base_model=BASE)


def test_a_cached_adapter_is_given_for_its_own_grant_alone() -> None:
    ann = adapter(1)
    files, store = Files(ann=ann, copy=ann, ben=adapter(2)), adapter_store_of()
    asked = time.monotonic()
    assert store.get(grant(ann), files, asked)[1] == "store"
    assert store.get(grant(ann), files, asked)[1] == "host"
    assert (files.reads, files.stamps) == (["ann"], ["ann"])
    assert store.get(grant(ann, "copy"), files, asked)[1] == "store"
    with pytest.raises(Refused, match="sha256"):
        store.get(grant(ann, "ben"), files, asked)
    del files.files["ann"]
    with pytest.raises(Denied):
        store.get(grant(ann), files, asked)
    assert store.forget([grant(ann).sha256]) == 0, "what the store no longer gives is not kept"


def test_another_file_at_the_same_place_is_read_again_and_refused() -> None:
    ann = adapter(1)
    files, store = Files(ann=ann), adapter_store_of()
    store.get(grant(ann), files, time.monotonic())
    files.files["ann"] = adapter(2)
    with pytest.raises(Refused, match="sha256"):
        store.get(grant(ann), files, time.monotonic())


def test_an_adapter_of_another_base_is_refused_by_the_engine_too() -> None:
    store = adapter_store_of()
    content = adapter(1, metadata={"base_model": "other"})
    with pytest.raises(Refused, match="'other'"):
        store.get(grant(content), Files(ann=content), time.monotonic())


def test_what_is_evicted_while_it_is_read_is_neither_kept_nor_given() -> None:
    ann = adapter(1)
    files, store = Files(ann=ann), adapter_store_of()
    digest = grant(ann).sha256
    files.during = lambda: store.forget([digest])
    with pytest.raises(Refused, match="deleted while the order waited"):
        store.get(grant(ann), files, time.monotonic())
    assert store.forget([digest]) == 0
    files.during = lambda: None
    assert store.get(grant(ann), files, time.monotonic())[1] == "store", "who asks later is served if the store does"


def test_who_asked_before_an_eviction_gets_nothing_from_the_cache_either() -> None:
    ann = adapter(1)
    files, store = Files(ann=ann), adapter_store_of()
    early = time.monotonic()
    store.forget([grant(ann).sha256])
    store.get(grant(ann), files, time.monotonic())
    with pytest.raises(Refused, match="deleted"):
        store.get(grant(ann), files, early)


def test_evictions_are_remembered_as_long_as_a_grant_lives() -> None:
    now = [100.0]
    evictions = Evictions(60.0, lambda: now[0])
    evictions.add(["ann"])
    assert evictions.since("ann", 100.0)
    assert evictions.since("ann", 99.0)
    assert not evictions.since("ann", 100.5)
    assert not evictions.since("ben", 0.0)
    now[0] = 159.0
    evictions.add(["ben"])
    assert evictions.since("ann", 99.0)
    now[0] = 161.0
    evictions.add(["cem"])
    assert not evictions.since("ann", 99.0), "no grant of that time lives any more"
    assert evictions.since("ben", 99.0)
    now[0] = 200.0
    evictions.add(["ben"])
    assert evictions.since("ben", 180.0), "evicted again"
    evictions.check("ann", 99.0)
    with pytest.raises(Refused):
        evictions.check("ben", 180.0)


def test_the_list_of_evictions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profile_predictor.engine.evictions.MOST_DIGESTS", 3)
    evictions = Evictions(60.0)
    evictions.add(str(number) for number in range(5))
    assert [evictions.since(str(number), 0.0) for number in range(5)] == [False, False, True, True, True]


def test_an_order_does_not_wait_for_ever_for_another_ones_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_store, "PATIENCE_SECONDS", 0.1)
    ann = adapter(1)
    store = adapter_store_of()
    inner = Files(ann=ann)
    outer = Files(ann=ann)

    def meanwhile() -> None:
        with pytest.raises(Unavailable, match="another order"):
            store.get(grant(ann), inner, time.monotonic())

    outer.during = meanwhile
    assert store.get(grant(ann), outer, time.monotonic())[1] == "store"
    assert inner.reads == []
