"""Prompts of any length: nothing is dropped in silence, and nothing of them is logged."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers.utils.logging
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.generation import GenerationItem, GenerationOrder
from profile_contract.stages.order import RequestRef
from profile_draw.families.family import Family, TextEmbedding
from profile_draw.prompts import MOST_CHUNKS, MOST_KEPT, PromptReader, _chunks, _words
from profile_draw.rows import Row, Shape, shape_of
from profile_models import random_sdxl
from profile_predictor.engine import Engine, EngineConfig, Refused
from properties import examples

LONG = "studio portrait of a woman, " + "bright red studio light, " * 20
WORDS = f"{LONG} wearing a secrethat"


@pytest.fixture(scope="module")
def engine(random_models: Path) -> Iterator[Engine]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Engine.load(EngineConfig(random_models, random_sdxl.NAME, slots=1, maximum_rank=4))
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reader(engine: Engine) -> PromptReader:
    return engine._pipeline._prompts


def order(prompt: str, negative: str = "", **more: Any) -> GenerationOrder:
    return GenerationOrder(
        request=RequestRef(namespace="t", name="n"),
        items=[GenerationItem(seed=1, prompt=prompt, negative_prompt=negative)],
        **{"width": 64, "height": 64, "steps": 1, **more},
    )


class NoFiles:
    def read(self, url: str, limit: int) -> Any:
        raise AssertionError

    def stamp(self, url: str) -> str:
        raise AssertionError


def drawn(engine: Engine, *arguments: Any, **more: Any) -> np.ndarray:
    return engine.generate(order(*arguments, **more), NoFiles())[0].pixels.astype(int)


def test_a_short_prompt_is_read_as_diffusers_reads_it(engine: Engine, reader: PromptReader) -> None:
    text, other = "studio portrait of a woman", ""
    with torch.inference_mode():
        mine = reader.read([text, other], 1)
        theirs, _, their_pooled, _ = engine._pipeline._base.encode_prompt(
            [text, other], do_classifier_free_guidance=False, device="cpu", num_images_per_prompt=1
        )
    assert torch.allclose(mine.tokens, theirs, atol=1e-6)
    assert torch.allclose(mine.pooled, their_pooled, atol=1e-6)


@pytest.mark.parametrize("guidance", [5.0, 1.0])
def test_words_and_embeddings_draw_the_same(engine: Engine, monkeypatch: pytest.MonkeyPatch, guidance: float) -> None:
    """As diffusers reads them; nothing at all, too."""
    shape = shape_of(order("", guidance=guidance), has_pose=False)
    rows = [Row(0, 7, "studio portrait of a woman", negative_prompt="hat"), Row(1, 8, "")]
    pipeline = engine._pipeline
    by_embeddings = pipeline.draw(shape, rows)

    def words(_self: Any, _shape: Shape, given: Sequence[Row]) -> dict[str, list[str]]:
        return {"prompt": [row.prompt for row in given], "negative_prompt": [row.negative_prompt for row in given]}

    monkeypatch.setattr(type(pipeline), "_words", words)
    assert np.abs(by_embeddings.astype(int) - pipeline.draw(shape, rows).astype(int)).max() <= 1


class Counted:
    """A family that counts the chunks that it encodes."""

    def __init__(self, family: Family) -> None:
        self._family, self.read = family, list[int]()
        self.tokenizers, self.text_encoders = family.tokenizers, family.text_encoders

    def encode(self, encoders: Any, ids: Any) -> TextEmbedding:
        self.read.append(len(ids[0]))
        return self._family.encode(encoders, ids)


def test_words_that_many_are_drawn_in_are_read_once(engine: Engine) -> None:
    counted = Counted(engine._pipeline.family)
    reader = PromptReader(counted, engine._pipeline._base)  # type: ignore[arg-type]
    with torch.inference_mode():
        eight = reader.read(["a portrait"] * 7 + ["a hat"], 1)
        assert counted.read == [1, 1]
        again = reader.read(["a hat", "a portrait"], 1)
        assert counted.read == [1, 1]
        assert torch.equal(again.tokens, eight.tokens[[7, 0]])
        assert torch.equal(again.pooled, eight.pooled[[7, 0]])
        longer = reader.read(["a portrait"], 2)
        assert counted.read == [1, 1, 2], "another length is another embedding"
        assert longer.tokens.shape[1] == 2 * eight.tokens.shape[1]


def test_only_so_many_words_are_kept_the_last_used(engine: Engine) -> None:
    counted = Counted(engine._pipeline.family)
    reader = PromptReader(counted, engine._pipeline._base)  # type: ignore[arg-type]
    with torch.inference_mode():
        reader.read(["first", "second"], MOST_KEPT // 2)
        reader.read(["first"], MOST_KEPT // 2)
        reader.read(["third"], 1)
        assert len(counted.read) == 3
        reader.read(["first", "third"], MOST_KEPT // 2)
        assert len(counted.read) == 4, "the first was used last, and stays; the third is another length"
        reader.read(["second"], MOST_KEPT // 2)
        assert len(counted.read) == 5
        assert sum(length for _, length in reader._kept) <= MOST_KEPT
        reader.read(["whole"], 2 * MOST_KEPT)
        assert [text for text, _ in reader._kept] == ["whole"]


def test_the_last_words_of_a_long_prompt_are_drawn(engine: Engine) -> None:
    assert engine._pipeline.chunks(LONG) >= 2
    assert (drawn(engine, LONG) == drawn(engine, LONG)).all()
    assert (drawn(engine, f"{LONG} hat") != drawn(engine, f"{LONG} scarf")).any()
    assert (drawn(engine, "woman", f"{LONG} hat") != drawn(engine, "woman", f"{LONG} scarf")).any()


def test_without_guidance_negative_words_count_for_nothing(engine: Engine) -> None:
    ready = engine.fetch(order("woman", LONG, guidance=1.0), NoFiles())
    assert [piece.shape.chunks for piece in ready.pieces] == [1]
    assert (drawn(engine, "woman", LONG, guidance=1.0) == drawn(engine, "woman", guidance=1.0)).all()


def test_short_and_long_prompts_of_an_order_do_not_change_each_other(engine: Engine) -> None:
    """They are drawn apart; each as it would be alone."""
    both = order("").model_copy(
        update={"items": [GenerationItem(seed=1, prompt=prompt) for prompt in ("woman", LONG, "man")]}
    )
    pieces = engine.fetch(both, NoFiles()).pieces
    assert [[row.index for row in piece.rows] for piece in pieces] == [[0, 2], [1]]
    together = [one.pixels.astype(int) for one in engine.generate(both, NoFiles())]
    for found, prompt in zip(together, ("woman", LONG, "man"), strict=True):
        assert np.abs(found - drawn(engine, prompt)).max() <= 1


def test_what_is_too_long_is_refused_with_the_words_that_would_be_dropped(reader: PromptReader) -> None:
    room = 75 * MOST_CHUNKS
    assert reader.chunks("a " * room) == MOST_CHUNKS
    with pytest.raises(Refused, match="dropped begins with 'hat scarf'"):
        reader.chunks("a " * room + "hat scarf")


@pytest.fixture
def crowded() -> Iterator[None]:
    """Threads take turns all the time, as on a busy server's worst day."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("crowded")
def test_prompts_are_counted_while_others_are_drawn(engine: Engine, reader: PromptReader) -> None:
    """A tokenizer remembers how it was last asked to cut: what draws asks for it, what counts does not."""

    def draw(_: int) -> int:
        words = engine._pipeline._base.tokenizer(WORDS, padding="max_length", max_length=77, truncation=True)
        return len(words.input_ids)

    with ThreadPoolExecutor(5) as threads:
        counts = threads.map(lambda _: reader.chunks(WORDS), range(600))
        drawn = [draw(number) for number in range(300)]
        assert set(counts) == {3}
    assert set(drawn) == {77}


def test_nothing_is_cut_inside_a_word(reader: PromptReader) -> None:
    """74 short words and a long one: it begins the next chunk."""
    tokenizer = reader._tokenizers[0]
    first, second = _chunks(tokenizer, "a " * 74 + "extraordinarily a")
    assert (len(first), _words(tokenizer, second).split()) == (74, ["extraordinarily", "a"])
    assert next(len(chunk) for chunk in _chunks(tokenizer, "x" * 200)) == 75


@examples(60)
@given(st.text(max_size=400))
def test_no_token_of_any_text_is_lost(reader: PromptReader, text: str) -> None:
    for tokenizer in reader._tokenizers:
        chunks = _chunks(tokenizer, text)
        assert [token for chunk in chunks for token in chunk] == tokenizer(text, truncation=False).input_ids[1:-1]
        assert all(len(chunk) <= 75 for chunk in chunks)
        assert all(chunks) or chunks == [[]]


def test_pictures_that_are_no_numbers_are_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of an adapter that is too strong."""
    pictures = np.full((1, 64, 64, 3), 0.5)
    pictures[0, 9, 9, 1] = np.nan

    def draws(**arguments: Any) -> Any:
        return SimpleNamespace(images=pictures)

    monkeypatch.setattr(type(engine._pipeline), "_way", lambda self, shape: draws)
    with pytest.raises(Refused, match="not finite"):
        drawn(engine, "woman")
    pictures[0, 9, 9, 1] = 1.0
    assert drawn(engine, "woman")[9, 9].tolist() == [128, 255, 128]


def test_no_library_quotes_prompts(engine: Engine, capfd: pytest.CaptureFixture[str], caplog: Any) -> None:
    assert diffusers.utils.logging.get_verbosity() == logging.ERROR
    with caplog.at_level(logging.DEBUG):
        drawn(engine, WORDS)
        # As the pipeline would be called for a prompt that is too long for it.
        with torch.inference_mode():
            engine._pipeline._base.encode_prompt([WORDS], do_classifier_free_guidance=False, device="cpu")
    out, err = capfd.readouterr()
    assert "secrethat" not in out + err + caplog.text
