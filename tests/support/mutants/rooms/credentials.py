"""Bugs that the tests of credentials must see."""

MUTANTS = (
    (
        "C01",
        "operator/profile_operator/policy.py",
        'UNSAFE_CHARACTERS = frozenset("*?$\\\\")',
        'UNSAFE_CHARACTERS = frozenset("*?$")',
        "policy: backslash allowed in prefixes",
    ),
    (
        "C02",
        "operator/profile_operator/credentials.py",
        "last_end = max(ends, standing.last_end) if standing is not None and standing.uid == head.uid else ends",
        "last_end = ends",
        "credentials: the end of what was issued before is forgotten",
    ),
    (
        "C03",
        "operator/profile_operator/credentials.py",
        "standing.ends >= needed",
        "standing.ends >= datetime.now(UTC) + _MARGIN",
        "credentials need not outlast the Job's deadline",
    ),
    (
        "C04",
        "operator/profile_operator/decide/orders.py",
        "Stage.FINISH: (dataset, candidates),",
        'Stage.FINISH: (f"{request_prefix(key.namespace, key.name)}",),',
        "finish may read the whole request (adapter too)",
    ),
    (
        "C05",
        "operator/profile_operator/policy.py",
        "if any(UNSAFE_CHARACTERS & set(prefix) for prefix in prefixes):",
        "if any(UNSAFE_CHARACTERS & set(prefix) for prefix in scope.read):",
        "policy: the output prefix is not checked",
    ),
    (
        "C06",
        "crds/profile_contract/artifacts.py",
        '_PHOTOS_PREFIX.fullmatch(prefix) and ".." not in prefix',
        "True",
        "uploads prefix: '..' allowed",
    ),
)
