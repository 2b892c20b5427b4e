"""Who is next for a GPU: fair between namespaces, by priority and age within one, and nobody for ever."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.resource import Key
from profile_operator.config import Limits
from profile_operator.decide.turns import Claim, Turn, admitted, in_turn, line_of, rounded
from properties import examples

SPACES = ("art", "hr", "it", "law")
NAMES = st.integers(0, 30).map(lambda number: f"r{number}")
CLAIMS = st.lists(
    st.builds(
        Claim,
        st.builds(Key, st.sampled_from(SPACES), NAMES),
        st.integers(-2, 2),
        st.integers(0, 50).map(float),
    ),
    unique_by=lambda claim: claim.key,
    max_size=30,
)
BUSY = st.dictionaries(st.sampled_from(SPACES), st.integers(0, 4))
BEGUN = st.dictionaries(st.sampled_from(SPACES), st.integers(0, 80).map(float))
LIMITS = st.builds(Limits, st.integers(0, 8), st.integers(0, 4))
FAST = examples(100)


def keys(text: str) -> list[str]:
    return text.split()


def line(claims: list[Claim], busy: dict[str, int] | None = None, begun: dict[str, float] | None = None) -> list[str]:
    return [str(key) for key in line_of(claims, busy or {}, begun or {})]


def claim(key: str, priority: int = 0, since: float = 0.0) -> Claim:
    return Claim(Key(*key.split("/")), priority, since)


# --- the order ---------------------------------------------------------------------------------------------------


def test_within_a_namespace_the_higher_priority_goes_first_then_the_older() -> None:
    claims = [claim("hr/new", 0, 9), claim("hr/old", 0, 1), claim("hr/urgent", 5, 20), claim("hr/low", -5, 0)]
    assert line(claims) == keys("hr/urgent hr/old hr/new hr/low")


def test_namespaces_take_turns_however_many_one_has() -> None:
    claims = [claim(f"hr/{number}", 0, number) for number in range(4)]
    claims += [claim("it/a", 0, 100), claim("it/b", 0, 101)]
    assert line(claims) == keys("hr/0 it/a hr/1 it/b hr/2 hr/3")


def test_the_namespace_with_the_fewest_at_work_is_next() -> None:
    claims = [claim("hr/a", 1000, 0), claim("it/a", -1000, 50), claim("it/b", 0, 60)]
    assert line(claims, {"hr": 2}) == keys("it/b it/a hr/a")


def test_of_equals_the_one_that_was_served_longer_ago_is_next() -> None:
    claims = [claim("hr/a", 0, 1), claim("it/a", 0, 50)]
    assert line(claims) == keys("hr/a it/a")
    assert line(claims, begun={"hr": 90.0, "it": 60.0}) == keys("it/a hr/a")


def test_a_priority_counts_within_its_namespace_alone() -> None:
    assert line([claim("hr/a", 0, 1), claim("it/a", 1000, 2)]) == keys("hr/a it/a")


@FAST
@given(CLAIMS, BUSY, BEGUN)
def test_everybody_stands_in_the_line_once_in_whatever_order_they_are_read(
    claims: list[Claim], busy: dict[str, int], begun: dict[str, float]
) -> None:
    in_line = line_of(claims, busy, begun)
    assert sorted(in_line) == sorted(claim.key for claim in claims)
    assert line_of(claims[::-1], busy, begun) == in_line
    rank = {claim.key: (-claim.priority, claim.since, claim.key) for claim in claims}
    for space in SPACES:
        own = [key for key in in_line if key.namespace == space]
        assert own == sorted(own, key=lambda key: rank[key])


@FAST
@given(CLAIMS, BUSY, BEGUN)
def test_a_namespace_never_gets_two_more_than_another_that_waits(
    claims: list[Claim], busy: dict[str, int], begun: dict[str, float]
) -> None:
    at_work, in_line = Counter(busy), line_of(claims, busy, begun)
    for place, key in enumerate(in_line):
        still = {other.namespace for other in in_line[place:]}
        assert at_work[key.namespace] == min(at_work[space] for space in still)
        at_work[key.namespace] += 1


# --- who begins --------------------------------------------------------------------------------------------------


@FAST
@given(CLAIMS, BUSY, BEGUN, LIMITS)
def test_limits_are_kept_and_nothing_that_may_begin_is_left(
    claims: list[Claim], busy: dict[str, int], begun: dict[str, float], limits: Limits
) -> None:
    in_line = line_of(claims, busy, begun)
    begin = admitted(in_line, busy, limits)
    assert len(set(begin)) == len(begin)
    assert set(begin) <= set(in_line)
    at_work = Counter(busy)
    before = at_work.total()
    at_work.update(key.namespace for key in begin)
    if limits.trainings:
        assert at_work.total() <= max(limits.trainings, before)
    for space in SPACES:
        if limits.per_namespace:
            assert at_work[space] <= max(limits.per_namespace, busy.get(space, 0))
    if not limits.trainings or at_work.total() < limits.trainings:
        left = [key for key in in_line if key not in begin]
        assert all(limits.per_namespace and at_work[key.namespace] >= limits.per_namespace for key in left)


def test_a_namespace_that_is_full_holds_nobody_up() -> None:
    in_line = line_of([claim("hr/a"), claim("it/a", 0, 9)], {"hr": 1, "it": 1}, {})
    assert [str(key) for key in in_line] == keys("hr/a it/a")
    assert admitted(in_line, {"hr": 1}, Limits(3, 1)) == (Key("it", "a"),)


@pytest.mark.parametrize(
    ("limits", "begin"),
    [(Limits(0, 0), 3), (Limits(1, 0), 0), (Limits(2, 0), 1), (Limits(3, 0), 2), (Limits(0, 1), 1), (Limits(3, 2), 2)],
)
def test_trainings_that_run_count(limits: Limits, begin: int) -> None:
    in_line = line_of([claim("hr/a"), claim("hr/b"), claim("it/c")], {"hr": 1}, {})
    assert len(admitted(in_line, {"hr": 1}, limits)) == begin


def test_a_limit_that_was_lowered_stops_nobody_and_begins_nobody() -> None:
    assert admitted((Key("hr", "a"),), {"it": 5}, Limits(3, 0)) == ()
    assert not Limits()
    assert Limits(1, 0)
    assert Limits(0, 1)


@dataclass
class Cluster:
    """Trainings that begin and end, as a random history tells it."""

    limits: Limits
    now: float = 1000.0
    waiting: dict[Key, Claim] = field(default_factory=dict)
    running: dict[Key, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)

    @property
    def busy(self) -> Counter[str]:
        return Counter(key.namespace for key in self.running)

    def step(self) -> None:
        """Whoever may begin does."""
        self.now += 1
        for key in admitted(line_of(self.waiting.values(), self.busy, self.begun), self.busy, self.limits):
            del self.waiting[key]
            self.running[key] = self.now
            self.begun[key.namespace] = self.now
            self.order.append(key)
        assert len(self.running) <= self.limits.trainings

    def end(self, number: int) -> None:
        if self.running:
            self.running.pop(sorted(self.running)[number % len(self.running)])


@FAST
@given(st.integers(1, 4), st.lists(st.integers(0, 3), min_size=40, max_size=40), st.integers(0, 3))
def test_nobody_is_passed_over_for_ever(most: int, ends: list[int], flood: int) -> None:
    """One request of a small namespace against an endless flood of urgent ones from three others."""
    cluster = Cluster(Limits(most, 0))
    for number in range(20):
        for space in SPACES[1:][:flood]:
            cluster.waiting[Key(space, f"first{number}")] = Claim(Key(space, f"first{number}"), 1000, 0.0)
    cluster.step()
    cluster.waiting[Key("art", "small")] = Claim(Key("art", "small"), -1000, cluster.now)
    before = len(cluster.order)
    for number, end in enumerate(ends):
        for space in SPACES[1:][:flood]:
            cluster.waiting[Key(space, f"late{number}")] = Claim(Key(space, f"late{number}"), 1000, 0.0)
        cluster.end(end)
        cluster.step()
        if Key("art", "small") in cluster.order:
            break
    passed = cluster.order[before:].index(Key("art", "small"))
    assert passed <= len(SPACES)


def test_with_one_gpu_namespaces_alternate() -> None:
    cluster = Cluster(Limits(1, 0))
    for number in range(3):
        for space in ("hr", "it"):
            cluster.waiting[Key(space, str(number))] = Claim(Key(space, str(number)), 0, float(number))
    cluster.waiting[Key("law", "0")] = Claim(Key("law", "0"), 0, 500.0)
    for _ in range(7):
        cluster.step()
        cluster.end(0)
    assert [key.namespace for key in cluster.order] == keys("hr it law hr it hr it")


def test_the_same_is_answered_after_a_restart() -> None:
    """Who is next follows from what stands, whoever asks: nothing of the asker comes into it."""
    claims = [claim(f"{space}/{number}", number % 2, number) for space in SPACES for number in range(5)]
    assert line_of(claims, {"hr": 1}, {"it": 7.0}) == line_of(list(reversed(claims)), {"hr": 1}, {"it": 7.0})


def test_in_turn_of_nothing_is_nothing() -> None:
    assert list(in_turn({}, {"hr": 1}, {})) == []


# --- what is told ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "waiting", "text"),
    [
        (0, 0, "waits for a GPU"),
        (1, 1, "waits for a GPU"),
        (1, 2, "first of 2 that wait for a GPU"),
        (3, 41, "third of 41 that wait for a GPU"),
        (10, 50, "tenth of 50 that wait for a GPU"),
        (11, 51, "11th of more than 50 that wait for a GPU"),
        (20, 2000, "20th of more than 1000 that wait for a GPU"),
        (21, 2000, "waits for a GPU, with 20 or more before it"),
        (51, 2000, "waits for a GPU, with 50 or more before it"),
        (1500, 2000, "waits for a GPU, with 1000 or more before it"),
    ],
)
def test_a_place_is_told(place: int, waiting: int, text: str) -> None:
    assert Turn(place=place, waiting=waiting).text == text


def test_of_thousands_that_wait_few_are_told_another_place_when_one_begins() -> None:
    for waiting in (2000, 1999, 1001, 501, 60, 51, 40):
        before = {place - 1: Turn(place=place, waiting=waiting).text for place in range(2, waiting + 1)}
        after = {place: Turn(place=place, waiting=waiting - 1).text for place in range(1, waiting)}
        assert sum(before[place] != after[place] for place in after) <= 20 + 6, waiting


@pytest.mark.parametrize(("number", "lower"), [(1, 1), (3, 2), (9, 5), (10, 10), (49, 20), (50, 50), (999, 500)])
def test_rounded(number: int, lower: int) -> None:
    assert rounded(number) == lower
