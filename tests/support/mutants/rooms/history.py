"""Bugs that the tests of the history must see."""

MUTANTS = (
    (
        "Q03",
        "operator/profile_history/recorder.py",
        ("            if self._notes.get(key) is note:\n                del self._notes[key]"),
        ("            if True:\n                del self._notes[key]"),
        "a newer note is lost while an older one is written",
    ),
    (
        "HI01",
        "operator/profile_history/recorder.py",
        "for key in sorted(written.keys() - living):",
        "for key in sorted(living - written.keys()):",
        "who was deleted while nobody looked is kept, and who is new is forgotten",
    ),
    (
        "HI02",
        "operator/profile_history/recorder.py",
        "RETAIN and await asyncio.to_thread(self._stands, key)",
        "RETAIN or await asyncio.to_thread(self._stands, key)",
        "rows of a deleted request stay where anything of it stands, or the other way round",
    ),
    (
        "HI03",
        "operator/profile_history/recorder.py",
        'if written.uid not in ("", record.uid):',
        'if written.uid in ("", record.uid):',
        "a request made anew takes over the rows of the one before",
    ),
    (
        "HI04",
        "operator/profile_history/recorder.py",
        "        elif record.leaves_nothing:\n            self._put(record.key, Note(forget=True))",
        "        elif not record.leaves_nothing:\n            self._put(record.key, Note(forget=True))",
        "rows go with requests that keep their artifacts",
    ),
    (
        "HI05",
        "operator/profile_history/watcher.py",
        "self._resync if compared else min(self._resync, LONGEST_PAUSE_SECONDS)",
        "self._resync",
        "a database that was away at the start is compared an hour later",
    ),
    (
        "HI06",
        "operator/profile_history/watcher.py",
        "                version = change.version\n",
        "",
        "a watch that ends begins where the list was, for ever",
    ),
    (
        "HI07",
        "operator/profile_history/record.py",
        "deleting=head.deleting,",
        "deleting=not head.deleting,",
        "requests that live are forgotten, and those that go are written down",
    ),
)
