"""Bugs that the tests of cli must see."""

MUTANTS = (
    (
        "L01",
        "cli/profile_cli/results.py",
        ("        if old.is_relative_to(root):\n"),
        ("        if True:\n"),
        "a forged .delivered.json deletes files outside of the folder",
    ),
    (
        "L02",
        "cli/profile_cli/plugin/looks.py",
        'return 0 if last.get("ready") else 1',
        "return 0",
        "watch -o json ends with 0 when it stalled",
    ),
    (
        "L03",
        "cli/profile_cli/plugin/commands.py",
        "return 1 if any(finding.well is False for finding in findings) else 0",
        "return 0",
        "doctor ends with 0 whatever is missing",
    ),
    (
        "L04",
        "cli/profile_cli/upload.py",
        ("        store.remove(there.keys(sorted(there.tags.keys() - photos.keys())))\n"),
        "",
        "upload leaves photos that are gone",
    ),
    (
        "L05",
        "cli/profile_cli/plugin/spec.py",
        '"photos": {"prefix": own_prefix(arguments.name)},',
        '"photos": {"prefix": "uploads/photos/"},',
        "all requests share one prefix",
    ),
    (
        "L06",
        "cli/profile_cli/plugin/spec.py",
        '("minimumLikeness", "minimum_likeness")):',
        "):",
        "--minimum-likeness ignored",
    ),
    (
        "L07",
        "cli/profile_cli/plugin/deletion.py",
        ("    if arguments.wait:\n        _wait_until_gone"),
        ("    if False:\n        _wait_until_gone"),
        "delete --wait does not wait, and says it is gone",
    ),
)
