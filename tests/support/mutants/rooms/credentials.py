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
        "ends = min(ends, until)",
        "ends = until",
        "credentials: the last stage's end counts, not the first",
    ),
    (
        "C03",
        "operator/profile_operator/credentials.py",
        "issued.ends - now >= deadline + _MARGIN",
        "issued.ends - now >= _MARGIN",
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
        'any(p in ("", ".", "..") for p in parts[:-1])',
        'any(p in ("", ".") for p in parts[:-1])',
        "uploads prefix: '..' allowed",
    ),
)
