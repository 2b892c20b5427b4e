"""`python -m mutants [ID or room...]`: plant each bug, and tell which are seen by tests that need no cluster.

First the test that saw a bug the last time is asked (`seen_by.json`), and the tests of its module; only for what these
do not see is it measured which tests reach which lines. A verdict is written as soon as it is known: what was cut goes
on where it was, as long as no source has changed. Ends with 1 when fewer than the wanted share is seen, or when one is
seen by no test of `make test` at all.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import queue
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from profile_models.folders import cache_folder

from .mutant import ROOT, Mutant, all_mutants
from .reach import digest, measure, near
from .trial import Copy, Verdict

# Outside of the clone: what looks through the whole tree must not meet it twice. Each clone has its own.
PLACE = cache_folder() / "mutants" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
VERDICTS = PLACE / "verdicts.json"
# Which test saw a bug the last time, by the bug's id; committed, so that others begin with it.
SEEN_BY = ROOT / "tests" / "support" / "mutants" / "seen_by.json"
WANTED_PERCENT = 95
# From so many on, compiling everything first costs less than compiling some of it for each.
MANY = 20


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("which", nargs="*", help="ids or rooms; all of them otherwise")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried side by side")
    parser.add_argument("--anew", action="store_true", help="also those whose verdict stands for these very sources")
    parser.add_argument("--elsewhere", action="store_true", help="run the tests that the list names instead")
    parser.add_argument("--near", action="store_true", help="no more than what is soon told; the rest has no verdict")
    arguments = parser.parse_args()
    mutants = [m for m in all_mutants() if not arguments.which or {m.id, m.room} & set(arguments.which)]
    unfit = [mutant.id for mutant in mutants if not mutant.fits()]
    if unfit:
        print(f"the sources have changed; write anew, with the same meaning: {', '.join(unfit)}")
        return 1
    if arguments.elsewhere:
        return _seen_elsewhere([mutant for mutant in mutants if mutant.elsewhere])
    copies = [Copy.make(PLACE / str(number)) for number in range(arguments.jobs)]
    sources = (path for path in copies[0].root.rglob("*") if ".venv" not in path.parts and path.name != SEEN_BY.name)
    tree = digest(path for path in sources if path.is_file())
    verdicts = [] if arguments.anew else _known(mutants, tree)

    def note(verdict: Verdict) -> None:
        verdicts.append(verdict)
        _write([verdict], tree)

    seen_by = json.loads(SEEN_BY.read_text()) if SEEN_BY.is_file() else {}
    rest = _without(mutants, verdicts)
    if len(rest) >= MANY:
        copies[0].compile()
        for copy in copies[1:]:
            copy.take_compiled(copies[0])
    _each(rest, copies, lambda copy, bug: copy.glance(bug, seen_by.get(bug.id, ""), near(copy.root, bug)), note)
    rest = [] if arguments.near else _without(mutants, verdicts)
    reach = measure(copies[0].root, copies[0].environment, rest, PLACE / "reach")
    _each(rest, copies, lambda copy, bug: copy.try_out(bug, reach.tests(bug), reach.files(bug)), note)
    verdicts = _without_broken_tests(verdicts, copies[0])
    for copy in copies:
        copy.warm.end()
    _write(verdicts, tree)
    without = _without(mutants, verdicts)
    if without:
        print(f"no verdict yet: {', '.join(mutant.id for mutant in without)}")
    return _tell(verdicts)


def _without(mutants: list[Mutant], verdicts: list[Verdict]) -> list[Mutant]:
    """Those that have no verdict yet."""
    tried = {verdict.mutant.id for verdict in verdicts}
    return [mutant for mutant in mutants if mutant.id not in tried]


def _each(
    mutants: list[Mutant],
    copies: list[Copy],
    look: Callable[[Copy, Mutant], Verdict | None],
    note: Callable[[Verdict], None],
) -> None:
    """Look at each bug in a copy that is free; what is said of it is told and noted at once."""
    free: queue.Queue[Copy] = queue.Queue()
    for copy in copies:
        free.put(copy)

    def attempt(mutant: Mutant) -> Verdict | None:
        copy = free.get()
        try:
            return look(copy, mutant)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as threads:
        tried = {threads.submit(attempt, mutant): mutant for mutant in mutants}
        # As they end: one that takes long keeps no verdict of the others from being written.
        for number, trial in enumerate(as_completed(tried), 1):
            mutant, verdict = tried[trial], trial.result()
            if verdict is None:
                said = "not seen by the tests that are near"
            else:
                said = f"seen by {verdict.by}" if verdict.killed else f"NOT SEEN ({verdict.by or verdict.tests} tests)"
                note(verdict)
            print(f"[{number}/{len(mutants)}] {mutant.id} {mutant.what}: {said}", flush=True)


def _seen_elsewhere(mutants: list[Mutant]) -> int:
    """Try the mutants that only slower tests see, each with the tests that the list names."""
    copy = Copy.make(PLACE / "elsewhere")
    verdicts = []
    for mutant in mutants:
        verdict = copy.try_out(mutant, mutant.elsewhere.split(" ")[:1])
        print(f"{mutant.id} {mutant.what}: {verdict.by or 'NOT SEEN'}", flush=True)
        verdicts.append(verdict)
    return 0 if all(verdict.killed for verdict in verdicts) else 1


def _without_broken_tests(verdicts: list[Verdict], copy: Copy) -> list[Verdict]:
    """A test that fails without any bug has seen none. All are asked at once, without the one that fails, again."""
    asked = sorted({verdict.by for verdict in verdicts if "::" in verdict.by})
    broken = set()
    while asked and (failed := copy.first_that_fails(asked)):
        broken |= {failed} & set(asked) or set(asked)
        asked = [test for test in asked if test not in broken]
    return [
        replace(verdict, killed=False, by=f"{verdict.by}, which fails anyway") if verdict.by in broken else verdict
        for verdict in verdicts
    ]


def _known(mutants: list[Mutant], tree: str) -> list[Verdict]:
    """The verdicts of a run that was cut, over the same files."""
    rows = {row["id"]: row for row in (json.loads(VERDICTS.read_text()) if VERDICTS.is_file() else [])}
    return [
        Verdict(mutant, killed=row["killed"], by=row["by"], tests=0)
        for mutant in mutants
        if (row := rows.get(mutant.id)) is not None and row.get("tree") == tree
    ]


def _write(verdicts: list[Verdict], tree: str) -> None:
    """Note them, and who saw them; what was not tried this time keeps its former verdict."""
    rows = {row["id"]: row for row in (json.loads(VERDICTS.read_text()) if VERDICTS.is_file() else [])}
    for v in verdicts:
        rows[v.mutant.id] = {"id": v.mutant.id, "room": v.mutant.room, "killed": v.killed, "by": v.by, "tree": tree}
    VERDICTS.write_text(json.dumps(list(rows.values()), indent=1))
    seen = json.loads(SEEN_BY.read_text()) if SEEN_BY.is_file() else {}
    seen |= {v.mutant.id: v.by for v in verdicts if v.killed and "::" in v.by}
    listed = {mutant.id for mutant in all_mutants()}
    SEEN_BY.write_text(json.dumps({bug: seen[bug] for bug in sorted(seen) if bug in listed}, indent=1) + "\n")


def _tell(verdicts: list[Verdict]) -> int:
    """The table by room, the survivors, and how to end."""
    by_room = itertools.groupby(sorted(verdicts, key=lambda v: v.mutant.room), key=lambda v: v.mutant.room)
    for room, group in by_room:
        of_room = list(group)
        print(f"{room:14} {sum(v.killed for v in of_room):4} of {len(of_room)}")
    survivors = [verdict for verdict in verdicts if not verdict.killed]
    unseen = [verdict.mutant.id for verdict in survivors if not verdict.mutant.elsewhere]
    for verdict in survivors:
        print(
            f"survives: {verdict.mutant.id} {verdict.mutant.what}; elsewhere: {verdict.mutant.elsewhere or 'nothing'}"
        )
    percent = 100 * (len(verdicts) - len(survivors)) / max(1, len(verdicts))
    print(f"{len(verdicts)} mutants, {percent:.0f} % seen without a cluster, {len(unseen)} seen by nothing")
    return 1 if unseen or percent < WANTED_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main())
