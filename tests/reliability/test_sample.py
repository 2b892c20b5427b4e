"""A few of the trials of `make reliability`: who dies, and what others do, changes nothing of what is made."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from reliability.effects import Ending
from reliability.outages import kinds_upgraded, secret_replaced
from reliability.stand import Stand, stand
from reliability.trials import crash, line_of, undisturbed

pytestmark = pytest.mark.timeout(300)
# One of each kind that begins something, or tells it: record, Job, status, predictor, report, end.
WANTED = {
    f"{what}, {ending}"
    for what, ending in (
        ("Object written to the store", Ending.AFTER),
        ("Job created", Ending.AFTER),
        ("Status written", Ending.BEFORE),
        ("Predictor called", Ending.AFTER),
        ("Secret created", Ending.AFTER),
        ("Objects deleted in the store", Ending.AFTER),
    )
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Everything but an operator."""
    with stand(tmp_path_factory.mktemp("reliability")) as running:
        yield running


def test_an_operator_that_dies_changes_nothing_of_what_is_made(running: Stand) -> None:
    expected, effects = undisturbed(running)
    # From the end: of several of a kind the first.
    numbers = range(len(effects), 0, -1)
    points = {f"{line_of(effects, number)}, {ending}": (number, ending) for number in numbers for ending in Ending}
    chosen = [points[name] for name in sorted(WANTED)]

    def attempt(point: tuple[int, Ending]) -> str:
        return crash(*point)(running, expected)

    with ThreadPoolExecutor(len(chosen)) as threads:
        lines = list(threads.map(attempt, chosen))
    assert len(lines) == len(WANTED)
    assert [line for line in lines if "not reached" in line] == []


def test_an_upgrade_of_the_kinds_under_way_changes_nothing(running: Stand) -> None:
    expected, _ = undisturbed(running)
    kinds_upgraded("train")(running, expected)


def test_a_secret_that_somebody_replaced_is_made_anew(running: Stand) -> None:
    expected, _ = undisturbed(running)
    secret_replaced("train")(running, expected)
