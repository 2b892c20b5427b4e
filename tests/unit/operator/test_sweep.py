"""The sweep takes what belongs to nobody, and nothing else: decisions with properties, then rounds over fakes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from areas import area
from profile_contract.artifacts import (
    kept_mark,
    orphaned_mark,
    prior_area,
    purgeable_mark,
    request_prefix,
    stage_prefix,
    uploads_area,
)
from profile_contract.stages.table import Stage
from profile_operator.config import SweepConfig
from profile_operator.decide.sweep import (
    LivingRequest,
    Swept,
    Waste,
    old_versions,
    sweep,
    sweep_class_pictures,
    sweep_uploads,
    unfinished_uploads,
)
from profile_runtime.store.port import StoredVersion, UnfinishedUpload
from properties import examples

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONFIG = SweepConfig(after_days=7, superseded_days=14)
PREFIX = request_prefix(area(), "minji")
QUICK = examples(100)


def days(count: float) -> datetime:
    """So many days ago."""
    return NOW - timedelta(days=count)


def stored(key: str, age: float | None, **fields: object) -> StoredVersion:
    modified = None if age is None else days(age)
    return StoredVersion(key=key, version="", bytes=3, modified=modified, **fields)  # type: ignore[arg-type]


def run_of(stage: Stage, digest: str, age: float | None, *files: str) -> list[StoredVersion]:
    prefix = stage_prefix(area(), "minji", stage, digest)
    return [stored(prefix + file, age) for file in files or ("report.json", "a.png")]


MAY_GO = stored(purgeable_mark(PREFIX), 100)


def keys(swept: Swept, why: Waste) -> list[str]:
    return [entry.key for entry in swept.waste.get(why, ())]


# --- what a request made -----------------------------------------------------------------------------------------


def test_what_an_unknown_request_left_is_marked_first_and_goes_when_the_mark_is_old() -> None:
    made = [*run_of(Stage.TRAIN, "aa", 100), MAY_GO]
    assert sweep(PREFIX, made, None, NOW, CONFIG) == Swept(marks=(orphaned_mark(PREFIX),))
    young = [*made, stored(orphaned_mark(PREFIX), 6.9)]
    assert sweep(PREFIX, young, None, NOW, CONFIG) == Swept()
    old = [*made, stored(orphaned_mark(PREFIX), 7.1)]
    swept = sweep(PREFIX, old, None, NOW, CONFIG)
    files = [entry.key for entry in made[:-1]]
    assert keys(swept, Waste.ORPHANED) == [*files, orphaned_mark(PREFIX), purgeable_mark(PREFIX)]


def test_what_nobody_knows_to_be_purgeable_stays_for_ever() -> None:
    """Its request may have said Retain, and gone while the store was away."""
    made = run_of(Stage.TRAIN, "aa", 1000)
    assert sweep(PREFIX, made, None, NOW, CONFIG) == Swept()
    marked = [*made, stored(orphaned_mark(PREFIX), 1000)]
    assert sweep(PREFIX, marked, None, NOW, CONFIG) == Swept(unmarks=(orphaned_mark(PREFIX),))


def test_what_a_request_says_to_keep_is_not_purgeable() -> None:
    made = [*run_of(Stage.TRAIN, "aa", 1), stored(kept_mark(PREFIX), 1), MAY_GO]
    swept = sweep(PREFIX, made, LivingRequest(kept=True), NOW, CONFIG)
    assert swept == Swept(unmarks=(purgeable_mark(PREFIX),))


def test_what_is_marked_as_kept_stays_for_ever() -> None:
    made = [*run_of(Stage.TRAIN, "aa", 1000), stored(kept_mark(PREFIX), 1000), MAY_GO]
    made.append(stored(orphaned_mark(PREFIX), 1000))
    assert sweep(PREFIX, made, None, NOW, CONFIG) == Swept(unmarks=(orphaned_mark(PREFIX),))


@pytest.mark.parametrize("age", [6.9, None])
def test_one_young_object_keeps_all_that_is_orphaned(age: float | None) -> None:
    made = [*run_of(Stage.TRAIN, "aa", 100), *run_of(Stage.FINISH, "bb", age), MAY_GO]
    made.append(stored(orphaned_mark(PREFIX), 100))
    assert sweep(PREFIX, made, None, NOW, CONFIG) == Swept()


def test_a_request_that_came_back_is_marked_no_more() -> None:
    made = [*run_of(Stage.TRAIN, "aa", 100), stored(orphaned_mark(PREFIX), 100)]
    assert sweep(PREFIX, made, LivingRequest(), NOW, CONFIG) == Swept(unmarks=(orphaned_mark(PREFIX),))


def test_the_mark_of_what_is_kept_follows_the_spec() -> None:
    made = run_of(Stage.TRAIN, "aa", 1)
    assert sweep(PREFIX, made, LivingRequest(kept=True), NOW, CONFIG) == Swept(marks=(kept_mark(PREFIX),))
    marked = [*made, stored(kept_mark(PREFIX), 1)]
    assert sweep(PREFIX, marked, LivingRequest(kept=True), NOW, CONFIG) == Swept()
    assert sweep(PREFIX, marked, LivingRequest(), NOW, CONFIG) == Swept(unmarks=(kept_mark(PREFIX),))


def test_superseded_runs_go_when_the_new_ones_have_been_ready_for_long() -> None:
    made = [*run_of(Stage.TRAIN, "old", 30), *run_of(Stage.TRAIN, "new", 15)]
    for since, goes in ((15, True), (13, False), (None, False)):
        ready = None if since is None else days(since)
        swept = sweep(PREFIX, made, LivingRequest(digests=frozenset({"new"}), ready_since=ready), NOW, CONFIG)
        assert keys(swept, Waste.SUPERSEDED) == ([entry.key for entry in made[:2]] if goes else [])
    unknown = LivingRequest(digests=None, ready_since=days(100))
    assert sweep(PREFIX, made, unknown, NOW, CONFIG) == Swept()


def test_files_that_had_their_time_go_and_their_reports_stay() -> None:
    made = run_of(Stage.TRAIN, "aa", 3, "report.json", "adapter.safetensors", "checkpoints/1.pt")
    folder = stage_prefix(area(), "minji", Stage.TRAIN, "aa")
    living = LivingRequest(digests=frozenset({"aa"}), ready_since=days(1), expired=frozenset({folder}))
    swept = sweep(PREFIX, [*made, *run_of(Stage.GENERATE, "cc", 90)], living, NOW, CONFIG)
    assert keys(swept, Waste.EXPIRED) == [f"{folder}adapter.safetensors", f"{folder}checkpoints/1.pt"]


ENTRIES = st.builds(
    lambda stage, digest, file, age: stored(f"{stage_prefix(area(), 'minji', stage, digest)}{file}", age),
    st.sampled_from(list(Stage)),
    st.sampled_from(["aa", "bb", "cc"]),
    st.sampled_from(["report.json", "x.png", "checkpoints/1"]),
    st.none() | st.floats(0, 60),
)
REQUESTS = st.none() | st.builds(
    LivingRequest,
    kept=st.booleans(),
    digests=st.none() | st.frozensets(st.sampled_from(["aa", "bb", "cc"])),
    ready_since=st.none() | st.floats(0, 60).map(days),
)
MARKS = [mark(PREFIX) for mark in (kept_mark, orphaned_mark, purgeable_mark)]
MARKED = st.lists(st.tuples(st.sampled_from(MARKS), st.floats(0, 60)), max_size=3)


@QUICK
@given(st.lists(ENTRIES, max_size=12, unique_by=lambda entry: entry.key), REQUESTS, MARKED)
def test_nothing_goes_that_is_referred_to_or_young_or_kept(
    entries: list[StoredVersion], request: LivingRequest | None, marked: list[tuple[str, float]]
) -> None:
    listing = sorted([*entries, *(stored(key, age) for key, age in dict(marked).items())], key=lambda entry: entry.key)
    swept = sweep(PREFIX, listing, request, NOW, CONFIG)
    gone = [entry for waste in swept.waste.values() for entry in waste]
    assert len({entry.key for entry in gone}) == len(gone)
    for entry in gone:
        assert entry in listing
        assert entry.modified is not None
        assert NOW - entry.modified > CONFIG.pause
        if request is not None:
            digest = entry.key.split("/")[4]
            assert request.digests is not None
            assert digest not in request.digests
            assert request.ready_since is not None
    if request is None and (kept_mark(PREFIX) in dict(marked) or purgeable_mark(PREFIX) not in dict(marked)):
        assert gone == []


# --- what people sent, versions, uploads in parts ----------------------------------------------------------------

USED = f"{uploads_area(area())}minji/"


def test_photos_that_no_request_names_go_when_the_platform_says_so() -> None:
    listing = [stored(f"{uploads_area(area())}left/1.jpg", 31), stored(f"{USED}1.jpg", 31)]
    assert sweep_uploads(listing, [USED], NOW, CONFIG) == Swept()
    swept = sweep_uploads(listing, [USED], NOW, CONFIG, timedelta(days=30))
    assert keys(swept, Waste.UPLOAD) == [f"{uploads_area(area())}left/1.jpg"]
    assert sweep_uploads(listing, [USED], NOW, CONFIG, timedelta(days=32)) == Swept()


@QUICK
@given(
    st.lists(st.tuples(st.sampled_from(["minji", "minji2", "a/b", "a"]), st.none() | st.floats(0, 60)), max_size=8),
    st.lists(st.sampled_from(["minji", "a", "a/b", "left"]), max_size=3),
    st.integers(1, 40),
)
def test_no_photo_of_any_request_goes(photos: list[tuple[str, float | None]], used: list[str], expiry: int) -> None:
    base = uploads_area(area())
    listing = [stored(f"{base}{folder}/{number}.jpg", age) for number, (folder, age) in enumerate(photos)]
    prefixes = [f"{base}{folder}/" for folder in used]
    swept = sweep_uploads(listing, prefixes, NOW, CONFIG, timedelta(days=expiry))
    for entry in swept.waste.get(Waste.UPLOAD, ()):
        assert not any(entry.key.startswith(prefix) for prefix in prefixes)
        assert entry.modified is not None
        assert NOW - entry.modified > max(timedelta(days=expiry), CONFIG.pause)


def test_class_pictures_go_when_they_are_old_and_sooner_where_their_namespace_is_gone() -> None:
    base = prior_area(area())
    listing = [stored(f"{base}aa/{age}.png", age) for age in (1.0, 6.9, 7.1, 13.9, 14.1, None)]
    assert keys(sweep_class_pictures(listing, NOW, CONFIG), Waste.CLASS_PICTURE) == [f"{base}aa/14.1.png"]
    gone = keys(sweep_class_pictures(listing, NOW, CONFIG, gone=True), Waste.CLASS_PICTURE)
    assert gone == [f"{base}aa/{age}.png" for age in (7.1, 13.9, 14.1)]
    replaced = [version("k", 2, 8, latest=True), version("k", 1, 100)]
    assert [entry.version for entry in sweep_class_pictures(replaced, NOW, CONFIG).waste[Waste.VERSION]] == ["v1"]
    patient = CONFIG.model_copy(update={"after_days": 30})
    assert sweep_class_pictures(listing, NOW, patient) == Swept()


def version(key: str, number: int, age: float, *, latest: bool = False, marker: bool = False) -> StoredVersion:
    return StoredVersion(key=key, version=f"v{number}", bytes=3, modified=days(age), latest=latest, marker=marker)


def test_a_version_is_as_old_as_what_replaced_it() -> None:
    listing = [version("k", 3, 1, latest=True), version("k", 2, 8), version("k", 1, 100)]
    assert [entry.version for entry in old_versions(listing, NOW, CONFIG)] == ["v1"]


def test_a_marker_goes_after_all_that_it_hides() -> None:
    hidden = [version("k", 2, 8, latest=True, marker=True), version("k", 1, 100), version("l", 1, 1, latest=True)]
    assert [entry.version for entry in old_versions(hidden, NOW, CONFIG)] == ["v1"]
    alone = [hidden[0], hidden[2]]
    assert [entry.version for entry in old_versions(alone, NOW, CONFIG)] == ["v2"]
    assert old_versions([version("k", 2, 6, latest=True, marker=True)], NOW, CONFIG) == []


def test_a_key_of_which_the_latest_is_not_listed_is_left_alone() -> None:
    cut = [version("k", 2, 50), version("k", 1, 100)]
    assert old_versions(cut, NOW, CONFIG) == []


@QUICK
@given(st.lists(st.lists(st.tuples(st.floats(0, 60), st.booleans()), min_size=1, max_size=5), max_size=4))
def test_no_object_that_can_be_read_goes_with_old_versions_and_none_comes_back(
    histories: list[list[tuple[float, bool]]],
) -> None:
    listing = [
        version(f"k{number}", len(history) - place, age, latest=place == 0, marker=marker)
        for number, history in enumerate(histories)
        for place, (age, marker) in enumerate(sorted(history, key=lambda entry: entry[0]))
    ]
    gone = old_versions(listing, NOW, CONFIG)
    assert not [entry for entry in gone if entry.latest and not entry.marker]
    for entry in gone:
        behind = [other for other in listing if other.key == entry.key and other is not entry]
        assert not entry.latest or behind == []


def test_only_old_uploads_in_parts_of_our_areas_are_aborted() -> None:
    ours, young = UnfinishedUpload("hr/uploads/a.jpg", "1", days(8)), UnfinishedUpload("hr/uploads/b.jpg", "2", days(6))
    foreign, ageless = UnfinishedUpload("it/uploads/a", "3", days(99)), UnfinishedUpload("hr/uploads/c", "4", None)
    assert unfinished_uploads([ours, young, foreign, ageless], ["hr/uploads/"], NOW, CONFIG) == [ours]
