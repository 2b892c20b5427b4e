"""Histories: steps that people and machines take, drawn by hypothesis, while a request works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .kube import Document, core_path, jobs_path
from .life import Fault, Life
from .results import HISTORIES
from .stand import Stand
from .trials import Trial, life_in

COUNT = 16
LONGEST = 7
Step = tuple[str, int]

STEPS = (
    "look on",
    "edit portraits",
    "edit candidates",
    "ask for one style",
    "ask for both styles",
    "delete a Job",
    "delete a Secret",
    "suspend",
    "go on",
    "retry",
    "kill the operator",
    "predictor away",
    "predictor back",
    "image missing",
    "image there",
)


def histories() -> Iterator[Trial]:
    """As many as COUNT, the same in every run."""
    drawn: list[list[Step]] = []

    @settings(
        max_examples=COUNT * 3,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 25)), min_size=3, max_size=LONGEST))
    def draw(steps: list[Step]) -> None:
        drawn.append(steps)

    draw()
    # The longest say the most.
    longest = sorted(drawn, key=len, reverse=True)[:COUNT]
    for number, steps in enumerate(longest, 1):
        yield Trial(HISTORIES, f"{len(steps)} steps", f"history {number}", _history(steps))


def _history(steps: list[Step]) -> Callable[[Stand, Document], str]:
    def run(stand: Stand, _: Document) -> str:
        with life_in(stand) as life:
            stand.operator(life.space)
            life.create()
            done = []
            try:
                for name, tenths in steps:
                    time.sleep(tenths / 10)
                    life.watch()
                    done.append(f"{name} after {tenths / 10:.1f} s")
                    _take(life, name)
                _calm_down(life)
                life.until_ready()
                _check(life)
                life.delete()
                life.until_gone()
                life.check_gone()
                life.check_log()
            except Fault as fault:
                raise Fault(f"{fault} [{'; '.join(done)}]") from None
        return ""

    return run


def _take(life: Life, step: str) -> None:
    """One step."""
    space, stand = life.space, life.stand

    def delete_job() -> None:
        for job in life.jobs[-1:]:
            life.kube.delete(jobs_path(space.namespace, job["metadata"]["name"]))

    def delete_secret() -> None:
        for name in life.secrets[-1:]:
            life.kube.delete(core_path(space.namespace, "secrets", name))

    def kill() -> None:
        space.operators[-1].kill()
        stand.operator(space)

    steps: dict[str, Callable[[], object]] = {
        "look on": lambda: None,
        "edit portraits": lambda: life.patch(portraits=2),
        "edit candidates": lambda: life.patch(candidates=4),
        "ask for one style": lambda: life.patch(styles=[{"name": "plain"}]),
        "ask for both styles": lambda: life.patch(styles=[{"name": "warm"}, {"name": "plain"}]),
        "delete a Job": delete_job,
        "delete a Secret": delete_secret,
        "suspend": lambda: life.patch(suspend=True),
        "go on": lambda: life.patch(suspend=False),
        "retry": lambda: life.annotate("retry", str(time.monotonic_ns())),
        "kill the operator": kill,
        "predictor away": lambda: stand.drawer.away.add(space.namespace),
        "predictor back": lambda: stand.drawer.away.discard(space.namespace),
        "image missing": lambda: stand.node.without_image.add(space.namespace),
        "image there": lambda: stand.node.without_image.discard(space.namespace),
    }
    steps[step]()


def _calm_down(life: Life) -> None:
    """Everything is there, and the request may go on."""
    life.stand.heal(life.space)
    life.patch(suspend=False)


def _check(life: Life) -> None:
    """What must hold of every history. Raises Fault."""
    status, objects = life.status, life.objects()
    keys = [portrait["key"] for portrait in status.get("portraits", [])]
    missing = [key for key in keys if key.removeprefix(life.space.area) not in objects]
    if not keys or missing:
        raise Fault(f"the status tells portraits that are not in the store: {missing or 'none'}")
    if not status.get("adapter") or status["adapter"].removeprefix(life.space.area) not in objects:
        raise Fault("the status tells an adapter that is not in the store")
    area = life.space.area
    twice = {key: n for key, n in life.stand.drawer.drawn.items() if key.startswith(area) and n > 2}
    if twice:
        raise Fault(f"drawn more than twice: {twice}")
