"""The page of the rehearsal: plans, seconds and dollars are calculated, and as it says."""

from __future__ import annotations

import pytest

from profile_rehearsal.gpus import FLOAT32_SHARE, GPUS, REACHED, Accelerator, Asked, Work, expected
from profile_rehearsal.page import CARDS, Counts, RehearsedStage, page, plan_for
from profile_train.memory import ROW_GIB

WORK = Work(row=12.0, row_twice=16.0, encode=5.0, decode=10.0, unet=6.0, control=2.0)
PERSON = Asked(photos=2, crops=3, steps=10, batch=4, portraits=3, drawing_steps=20, control_share=0.5)
CARD = Accelerator("one", teraflops=100 / REACHED, gigabytes=24, dollars=3.6)


def test_seconds_and_dollars_are_flops_by_the_rate() -> None:
    told = expected(CARD, WORK, PERSON, checkpointing=False)
    assert told.training == pytest.approx((10 * 4 * 12 + 2 * 3 * 5 / FLOAT32_SHARE) / 100)
    assert told.drawing == pytest.approx(3 * (2 * 20 * (6 + 0.5 * 2) + 10) / 100)
    assert told.dollars == pytest.approx((told.training + told.drawing) / 1000)


def test_calculating_activations_twice_costs_what_was_counted() -> None:
    kept, twice = (expected(CARD, WORK, PERSON, checkpointing=way) for way in (False, True))
    assert twice.training - kept.training == pytest.approx(10 * 4 * 4 / 100)
    assert twice.drawing == kept.drawing


def test_every_card_of_the_table_has_a_plan_at_full_resolution() -> None:
    assert {plan_for(card).resolution for card in CARDS} == {1024}
    rows = [plan_for(card).rows for card in CARDS if not plan_for(card).checkpointing]
    assert rows == sorted(rows)


def test_the_page_shows_stages_cards_and_the_sums() -> None:
    stages = [RehearsedStage("train", 61.4, 11.26, "loss 1.00")]
    text = page(stages, Counts(ROW_GIB, WORK, {"encode": 3.0, "decode": 2.0}), "2 cores of a processor")
    assert "| train | 61 | 11.3 | loss 1.00 |" in text
    assert all(f"| {gpu.name} |" in text for gpu in GPUS)
    assert "calculated, not measured" in text
    person = Asked()
    rows, pictures = person.steps * person.batch, person.photos * person.crops
    assert f"({rows} x 12.00 + {pictures} x 5.00 / {FLOAT32_SHARE}) / rate" in text
    assert f"= {rows * 12 + pictures * 5 / FLOAT32_SHARE:.0f} TFLOP / rate" in text
    assert "Not rehearsed yet" in page([], None, "a machine")
