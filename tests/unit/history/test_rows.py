"""Rows that reports become, and reports as they are found again in a store."""

from __future__ import annotations

from pathlib import Path

from areas import NAMESPACE_UID, area
from history_world import AREA, KEY, document, reports, store_of
from profile_contract.areas import area_of
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_history.rebuild import RebuildScope, stored_reports
from profile_history.record import record_of
from profile_history.reports import reports_named
from profile_history.rows import rows_of


def test_a_request_becomes_rows() -> None:
    rows = rows_of(KEY, [(report.digest, report) for report in reports().values()])
    assert sorted((row[2], row[3], row[4]) for row in rows.stages) == [
        ("finish", "d4", ""), ("generate", "d3", "warm"), ("preprocess", "d1", ""), ("train", "d2", ""),
    ]  # fmt: skip
    assert [(row[3], row[4], row[5]) for row in rows.verdicts] == [
        ("0.jpg", True, "Accepted"), ("1.jpg", False, "Blurred"),
    ]  # fmt: skip
    assert rows.likeness == [("hr", "minji", "d4", "warm", 7, 0.6, 50, True, "")]
    assert {(row[2], row[4]) for row in rows.artifacts} == {
        ("train", f"{AREA}adapter/d2/adapter.safetensors"),
        ("generate", f"{AREA}candidates/d3/000007.png"),
    }


def test_the_store_tells_all_of_a_request_and_nothing_else(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.write("hr.1a2b3c4d-5e6f/uploads/minji/report.json", b"{}")
    store.write("hr.1a2b3c4d-5e6f/requests/minji/dataset/broken/report.json", b"{")
    store.write("hr.1a2b3c4d-5e6f/requests/minji/dataset/d1/deeper/report.json", b"{}")
    store.write("Hr/requests/minji/dataset/d1/report.json", b"{}")
    store.write("hr/requests/minji/dataset/d1/report.json", store.read(f"{AREA}dataset/d1/report.json"))
    ((key, areas),) = stored_reports(store).items()
    assert key == KEY
    assert set(areas) == {area()}
    assert {digest: report.stage for digest, report in areas[area()]} == {
        "d1": Stage.PREPROCESS, "d2": Stage.TRAIN, "d3": Stage.GENERATE, "d4": Stage.FINISH,
    }  # fmt: skip


def test_namespaces_that_are_named_are_alone_looked_into(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    campus = f"{area('campus')}requests/minji/"
    report = store.read(f"{AREA}adapter/d2/report.json").replace(AREA.encode(), campus.encode())
    store.write(f"{campus}adapter/d2/report.json", report)
    assert set(stored_reports(store)) == {KEY, Key("campus", "minji")}
    assert set(stored_reports(store, RebuildScope(["campus"]))) == {Key("campus", "minji")}


def test_what_another_installation_keeps_in_the_bucket_is_not_looked_at(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    other = f"{area_of('hr', NAMESPACE_UID, 'profile/b/')}requests/minji/"
    report = store.read(f"{AREA}adapter/d2/report.json").replace(AREA.encode(), other.encode())
    store.write(f"{other}adapter/d2/report.json", report)
    (areas,) = stored_reports(store).values()
    assert set(areas) == {area()}
    (areas,) = stored_reports(store, RebuildScope(["hr"], "profile/b/")).values()
    assert set(areas) == {area_of("hr", NAMESPACE_UID, "profile/b/")}
    assert stored_reports(store, RebuildScope((), "profile/")) == {}


def test_a_status_that_tells_another_namespaces_area_names_no_reports(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    for told in ("", "hr/", area("finance"), f"{area()}requests/", "../hr.1a2b3c4d-5e6f/"):
        record = record_of(document(area=told))
        assert record.area is None
        assert reports_named(store, record, ()) == []


def test_a_status_names_its_reports_and_the_candidates_lie_beside_them(tmp_path: Path) -> None:
    store, record = store_of(tmp_path), record_of(document())
    assert {digest for digest, _ in reports_named(store, record, ())} == {"d1", "d2", "d3", "d4"}
    # Digests of another time are not named, but for candidates, of which a status holds but one for all styles.
    store.write(f"{AREA}adapter/d9/report.json", store.read(f"{AREA}adapter/d2/report.json"))
    assert {digest for digest, _ in reports_named(store, record, ())} == {"d1", "d2", "d3", "d4"}


def test_what_is_written_down_is_not_read_again(tmp_path: Path) -> None:
    store, record = store_of(tmp_path), record_of(document())
    written = {(Stage.PREPROCESS, "d1"), (Stage.TRAIN, "d2")}
    assert {digest for digest, _ in reports_named(store, record, written)} == {"d3", "d4"}
    assert reports_named(store, record, {*written, (Stage.FINISH, "d4")}) == []


def test_a_stage_that_has_not_ended_and_a_digest_that_is_none_are_left_out(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    running = document(stages={"preprocess": {"digest": "d1"}, "train": {"digest": "d7"}, "finish": {"digest": "../x"}})
    assert {digest for digest, _ in reports_named(store, record_of(running), ())} == {"d1"}
