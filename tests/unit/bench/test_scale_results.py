"""What the benchmark of scale keeps of a run that is cut off, and what it says of it on the page."""

from pathlib import Path

import pytest

from figures import Figures
from scale import page
from scale.crowd import Crowd, Rest, Start
from scale.results import Results
from scale.throughput import Throughput

CROWD = Crowd(
    10_000, 500, 10_000, 7, Start(12.3, 0, 4), Rest(0.01, 120), Rest(0.04, 140), 0.2, 0.6, Start(14.0, 9, 1500), 180
)


def throughput(
    engine: str, *, size: int = 250, seconds: float = 100.0, finished: int = 250, everything: float = 100.0
) -> Throughput:
    return Throughput(engine, size, seconds, finished, 8.8, 153, 9.84, 17, {"kwok": 7.2}, everything)


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "out" / "scale.json"
    results = Results.read(file)
    for taken in (throughput("argo"), CROWD):
        results.add(taken)
    again = Results.read(file)
    assert (again.throughput("argo", 250), again.crowd(10_000, 500)) == (throughput("argo"), CROWD)
    assert again.throughput("argo", 500) is None
    assert again.throughput("product", 250) is None
    assert again.crowd(10_000, 0) is None


def test_the_page_says_how_many_times_as_fast_the_product_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    Figures(tmp_path / "page.md").add("Sandbox", "warm start", "19 s")
    rows = [
        throughput("argo", seconds=100.0),
        throughput("argo-tuned", seconds=60.0),
        throughput("product", seconds=40.0),
        throughput("jobs", seconds=20.0, everything=75.0),
    ]
    page.write_section(Results(tmp_path / "none", rows, [CROWD]))
    text = (tmp_path / "page.md").read_text()
    assert "| warm start | 19 s |" in text
    assert "| 250 at once: ratio | 2.50 x its defaults, 1.50 x tuned |" in text
    assert "| 250 at once: Profile Studio | 6.25 /s | 250 in 40 s; CPU 35 ms each, 400 ms with" in text
    assert "| 250 at once: its Jobs alone | 12.50 /s | 250 in 20 s; CPU 300 ms with" in text
    assert "2 x; the Jobs alone take 0.75 of the CPU time" in text
    assert "| 10000 settled: start | 12 s | until nothing is left to be done; 0 API writes, 4 reads of the" in text
    assert "| 10000 settled, 500 active: picked up | 0.60 s |" in text
    assert "| sizes not run | 500, 1000, 2000 |" in text


def test_without_the_product_there_is_no_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.write_section(Results(tmp_path / "none", [throughput("argo", finished=200)]))
    text = (tmp_path / "page.md").read_text()
    assert "ratio" not in text
    assert "| 250 at once: Argo Workflows | 2.00 /s | 200 in 100 s;" in text
