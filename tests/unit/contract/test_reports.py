"""Reports are a stranger's until they were read: bounded, strict, and of nothing but their own request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_world import SPEC, World
from profile_contract.layouts import LayoutName
from profile_contract.reports import LONGEST_REPORT, UnsoundReport, read_report
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessReport
from profile_contract.stages.train import TrainReport
from properties import examples

AREA = "hr.1a2b3c4d-5e6f/requests/minji/"
AT = "2026-01-02T03:04:05Z"


def reports() -> dict[type[StageReport], dict[str, Any]]:
    """A sound report of each kind, as JSON."""
    world = World(spec=SPEC.model_copy(update={"layouts": [LayoutName.SQUARE]})).run()
    found: dict[type[StageReport], dict[str, Any]] = {}
    for report in world.store.values():
        found[type(report)] = json.loads(report.to_json())
    return found


REPORTS = reports()


def read(kind: type[StageReport], document: Any) -> StageReport:
    return read_report(kind, json.dumps(document).encode(), AREA)


@pytest.mark.parametrize("kind", [PreprocessReport, TrainReport, GenerateReport, FinishReport])
def test_a_sound_report_reads_as_it_was_written(kind: type[StageReport]) -> None:
    report = kind.model_validate(REPORTS[kind])
    assert read_report(kind, report.to_json().encode(), AREA) == report
    # A newer stage may say more.
    assert read(kind, {**REPORTS[kind], "novelty": {"a": [1, 2]}}) == report


def test_orders_read_as_they_were_written() -> None:
    world = World().run()
    for order in world.orders.values():
        assert type(order).model_validate_json(order.to_json()) == order
    kinds = sorted(type(order).__name__ for order in world.orders.values())
    assert kinds == ["FinishOrder", "PreprocessOrder", "TrainOrder"]


@given(
    name=st.text(min_size=1, max_size=40),
    etag=st.text(max_size=20),
    size=st.integers(0, 2**40),
)
@examples(100)
def test_whatever_photos_are_called_their_order_arrives(name: str, etag: str, size: int) -> None:
    order = next(order for order in World().run().orders.values() if isinstance(order, PreprocessOrder))
    try:
        photo = PhotoRef(name=name, key=f"hr.1a2b3c4d-5e6f/uploads/{name}", bytes=size, etag=etag)
        text = order.model_copy(update={"photos": [photo]}).to_json()
        text.encode()
    except ValueError:
        return
    assert PreprocessOrder.model_validate_json(text).photos[0].bytes == size


FOREIGN = "finance.1a2b3c4d-5e6f/requests/ceo/portraits/x/1.png"
HOSTILE: list[tuple[type[StageReport], list[str | int], Any, str]] = [
    (PreprocessReport, ["images", 0, "image"], FOREIGN, "does not lie below"),
    (PreprocessReport, ["images", 0, "mask"], f"{AREA}../sora/m.png", "'..'"),
    (PreprocessReport, ["images", 0, "pose"], "hr.1a2b3c4d-5e6f/uploads/minji/0.jpg", "does not lie below"),
    (PreprocessReport, ["poses", 1, "key"], f'{AREA}dataset/a".png', "quotes"),
    (PreprocessReport, ["verdicts"], [{}] * 1001, "1001 entries"),
    (PreprocessReport, ["verdicts", 0, "advice"], "x" * 5000, "5000 characters"),
    (PreprocessReport, ["startedAt"], "yesterday", "must be times"),
    (PreprocessReport, ["stage"], "train", "stage"),
    (TrainReport, ["adapter", "key"], FOREIGN, "does not lie below"),
    (TrainReport, ["adapter", "key"], f"{AREA}adapter/a\r\nX-Evil: 1", "control characters"),
    (TrainReport, ["adapter", "sha256"], "zz", "64 hexadecimal digits"),
    (TrainReport, ["adapter"], None, "names no adapter"),
    (TrainReport, ["adapterWebui"], {"key": FOREIGN}, "does not lie below"),
    (TrainReport, ["checkpoints"], [{"step": 1, "key": f"{FOREIGN}/", "loss": 0.1}], "does not lie below"),
    (TrainReport, ["seconds"], -1, "seconds must be from 0"),
    (TrainReport, ["seconds"], 1e11, "seconds must be from 0"),
    (TrainReport, ["gpuCount"], 65, "gpuCount from 0 to 64"),
    (TrainReport, ["gpuCount"], 10**400, "not finite"),
    (GenerateReport, ["candidates", 0, "key"], FOREIGN, "does not lie below"),
    (FinishReport, ["portraits", 0, "key"], FOREIGN, "does not lie below"),
    (FinishReport, ["portraits", 0, "style"], "Kim's", "name of a style"),
    (FinishReport, ["portraits", 0, "rank"], 0, "rank must be at least 1"),
    (FinishReport, ["portraits", 0, "seed"], -1, "seed not negative"),
    (FinishReport, ["contactSheet"], FOREIGN, "does not lie below"),
    (FinishReport, ["printSheet"], AREA, "empty part"),
    (FinishReport, ["likenessReport"], "likeness.json", "does not lie below"),
    (
        FinishReport,
        ["portraits", 0, "layouts"],
        [{"layout": "square", "key": FOREIGN, "width": 1, "height": 1, "bytes": 1}],
        "does not lie below",
    ),
    (FinishReport, ["scores"], [{"style": "warm", "seed": 1, "key": FOREIGN, "faces": 1}], "does not lie below"),
]


@pytest.mark.parametrize(("kind", "path", "value", "sentence"), HOSTILE)
def test_a_hostile_report_is_refused_with_a_sentence(
    kind: type[StageReport], path: list[str | int], value: Any, sentence: str
) -> None:
    document = json.loads(json.dumps(REPORTS[kind]))
    inner = document
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    with pytest.raises(UnsoundReport) as refusal:
        read(kind, document)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"stage": "train"',
        b'{"stage": "train", "digest": "d", "seconds": NaN}',
        b'{"stage": "train", "digest": "d", "seconds": Infinity}',
        b'{"stage": "train", "digest": "d", "seconds": 1e999}',
        b"[" * 100_000,
        b'{"stage": "train", "digest": "d", "changes": ' + b"[" * 50 + b"]" * 50 + b"}",
        b" " * (LONGEST_REPORT + 1),
    ],
    ids=lambda data: data[:20].decode(errors="replace"),
)
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(UnsoundReport):
        read_report(TrainReport, data, AREA)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(kind=st.sampled_from(sorted(REPORTS, key=lambda kind: kind.__name__)), data=st.data())
@examples(200)
def test_whatever_a_stranger_writes_is_refused_or_bounded(kind: type[StageReport], data: st.DataObject) -> None:
    document = json.loads(json.dumps(REPORTS[kind]))
    field = data.draw(st.sampled_from(sorted(document)))
    document[field] = data.draw(json_values)
    try:
        report = read(kind, document)
    except UnsoundReport:
        return
    for key in ("contact_sheet", "print_sheet", "likeness_report"):
        named = getattr(report, key, "")
        assert not named or named.startswith(AREA)
    assert 0 <= report.seconds <= 1e7


@pytest.mark.parametrize(
    "when",
    [
        "2026-99-02T03:04:05Z", "2026-02-30T03:04:05Z", "2026-01-02T24:00:01Z", "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05+99:00", "0000-01-02T03:04:05Z", "0001-01-01T00:00:00+14:00", "2026-01-02T03:04:05Z\n",
        "２０２６-01-02T03:04:05Z",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["startedAt", "finishedAt"])
def test_a_time_that_no_calendar_has_is_none(field: str, when: str) -> None:
    read(FinishReport, {**REPORTS[FinishReport], field: "2026-01-02T03:04:05.123456789+09:00"})
    with pytest.raises(UnsoundReport):
        read(FinishReport, {**REPORTS[FinishReport], field: when})
