"""Bugs that the tests of listers, election and the round must see."""

MUTANTS = (
    (
        "SC01",
        "operator/profile_operator/clients/lister.py",
        "        return int(version) > int(other)",
        "        return version > other",
        "versions are compared as texts: 1000 is older than 999",
    ),
    (
        "SC02",
        "operator/profile_operator/election.py",
        "self._seen, self._works_until = record, began + WORK_SECONDS",
        "self._seen, self._works_until = record, self._clock() + WORK_SECONDS",
        "the leader counts from when a slow renewal ended: two may work",
    ),
    (
        "SC03",
        "operator/profile_operator/election.py",
        "        return now - self._seen_at >= max(record.seconds, LEASE_SECONDS)",
        "        return now - self._seen_at >= RETRY_SECONDS",
        "a lease is taken from whoever still works",
    ),
    (
        "SC04",
        "operator/profile_operator/clients/watched.py",
        "        return entry.compared == compared_with(platform, self.style_digests(key.namespace, entry.styles))",
        "        return True",
        "a changed platform or style is never looked at",
    ),
    (
        "LW01",
        "operator/profile_operator/long_waits.py",
        "self._since[wait] = before.get(wait, now)",
        "self._since[wait] = now",
        "nobody is ever seen to wait for long",
    ),
    (
        "LW02",
        "operator/profile_operator/clients/entries.py",
        "return max((failure.attempt for failure in failures if failure.reason in HEALING), default=0)",
        "return max((failure.attempt for failure in failures), default=0)",
        "an input that fails again and again is an alert for the platform team",
    ),
)
