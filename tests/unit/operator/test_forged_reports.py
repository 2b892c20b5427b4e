"""Reports that name another's files: each is refused and told, and nothing foreign is ordered, signed or shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from real_operator import RealOperator, real_operator

FOREIGN = "finance.1a2b3c4d-5e6f/uploads/ceo/IMG_0001.jpg"
LAYOUT = {"layout": "square", "key": FOREIGN, "width": 1, "height": 1, "bytes": 1}
SCORE = {"style": "warm", "seed": 7, "key": FOREIGN, "faces": 1}
# By stage: a field of its report that leads to a file.
FIELDS: list[tuple[str, list[str | int], object]] = [
    ("preprocess", ["images", 0, "image"], FOREIGN),
    ("preprocess", ["images", 0, "mask"], FOREIGN),
    ("preprocess", ["images", 0, "pose"], FOREIGN),
    ("preprocess", ["poses", 0, "key"], FOREIGN),
    ("train", ["adapter", "key"], FOREIGN),
    ("train", ["adapterWebui"], {"key": FOREIGN, "sha256": "a" * 64, "bytes": 3}),
    ("train", ["checkpoints"], [{"step": 1, "key": f"{FOREIGN}/", "loss": 0.1}]),
    ("generate", ["candidates", 0, "key"], FOREIGN),
    ("finish", ["portraits", 0, "key"], FOREIGN),
    ("finish", ["portraits", 0, "layouts"], [LAYOUT]),
    ("finish", ["scores"], [SCORE]),
    ("finish", ["contactSheet"], FOREIGN),
    ("finish", ["printSheet"], FOREIGN),
    ("finish", ["likenessReport"], FOREIGN),
]
FOLDERS = {"preprocess": "dataset", "train": "adapter", "generate": "candidates", "finish": "portraits"}


async def work(operator: RealOperator, until: str) -> None:
    """Run every stage up to this one, whose report is the last thing that happens."""
    for stage in FOLDERS:
        await operator.cycle()
        if stage == "generate":
            operator.generate()
        else:
            operator.finish(stage)
        if stage == until:
            return


def forge(operator: RealOperator, stage: str, path: list[str | int], value: object) -> None:
    """Set what stands at a path in the report that the stage has just left."""
    folder = f"/{FOLDERS[stage]}/"
    key = next(key for key in operator.store.objects if folder in key and key.endswith("report.json"))
    report = json.loads(operator.store.objects[key])
    place: Any = report
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    operator.store.objects[key] = json.dumps(report).encode()


@pytest.mark.parametrize(("stage", "path", "value"), FIELDS)
async def test_a_report_that_names_anothers_file_is_refused_and_leads_nowhere(
    stage: str, path: list[str | int], value: object
) -> None:
    async with real_operator() as operator:
        await work(operator, stage)
        forge(operator, stage, path, value)
        jobs, drawn = set(operator.jobs), operator.beside.work
        for _ in range(3):
            await operator.cycle()
        assert operator.condition("Stalled")[:2] == ("True", "InvalidOrder")
        assert f"the key '{FOREIGN}" in operator.condition("Stalled")[2]
        assert set(operator.jobs) == jobs
        assert operator.beside.work == drawn
        assert operator.status.portraits == []
        # What may be read or written is said by the policies of credentials; what is ordered, by the Jobs.
        assert "finance" not in json.dumps([policy for policy, _ in operator.tokens.asked])
        assert "finance" not in json.dumps(list(operator.jobs.values()))
        assert operator.status.contact_sheet != FOREIGN
        assert FOREIGN not in (operator.status.print_sheet, operator.status.likeness_report)


@pytest.mark.parametrize("stage", ["preprocess", "train", "finish"])
async def test_whoever_follows_the_advice_has_the_stage_run_again(stage: str) -> None:
    path, value = next((path, value) for name, path, value in FIELDS if name == stage)
    async with real_operator() as operator:
        await work(operator, stage)
        forge(operator, stage, path, value)
        await operator.cycle()
        advice = operator.condition("Stalled")[2]
        assert "somebody changed what a stage left in the store" in advice
        assert "Set the annotation profilestudio.io/retry to a new value to try again." in advice
        forged = operator.job(stage)["metadata"]["uid"]
        operator.annotate("profilestudio.io/retry", "1")
        for _ in range(3):
            await operator.cycle()
        assert operator.job(stage)["metadata"]["uid"] != forged
        operator.finish(stage)
        await operator.cycle()
        assert operator.condition("Stalled")[0] == "False"
