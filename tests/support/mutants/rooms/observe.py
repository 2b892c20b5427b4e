"""Bugs that the tests of observe must see."""

MUTANTS = (
    (
        "Q01",
        "operator/profile_operator/workqueue.py",
        "pause = min(FIRST_BACKOFF_SECONDS * 2 ** (failures - 1), LONGEST_BACKOFF_SECONDS)",
        "pause = FIRST_BACKOFF_SECONDS * 2 ** (failures - 1)",
        "back-off without limit",
    ),
    (
        "Q02",
        "operator/profile_operator/workqueue.py",
        ("        self._failures.pop(key, None)\n        return again"),
        "        return again",
        "failures never forgotten",
    ),
    (
        "Q04",
        "operator/profile_operator/generate/runner.py",
        ("        if style.prefix + REPORT in present:\n            return []"),
        ("        if False:\n            return []"),
        "a style with a report is drawn again where pictures are gone",
    ),
    (
        "B01",
        "operator/profile_operator/observe/observer.py",
        "asked = pinned is None or looks_anew(pinned, spec.photos, head.retry)",
        "asked = True",
        "photos are listed anew in every cycle, whatever the revision",
    ),
    (
        "B02",
        "operator/profile_operator/observe/observer.py",
        "jobs=tuple([await self._with_reason(job, chain, reports) for job in jobs]),",
        "jobs=jobs,",
        "what a failed pod said is never read",
    ),
    (
        "B03",
        "operator/profile_operator/observe/observer.py",
        ("            if not job.finished and job.digest == chain.of(job.stage):\n                return await"),
        ("            if job.finished and job.digest == chain.of(job.stage):\n                return await"),
        "progress of the running stage is never read",
    ),
    (
        "B04",
        "operator/profile_operator/reconcile.py",
        "            return 0.2",
        "            return None",
        "after a 409 nobody looks again until the resync",
    ),
)
