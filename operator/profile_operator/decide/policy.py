"""The session policies of temporary store credentials: what one Job may read and write, and nothing else. Pure."""

from __future__ import annotations

from profile_contract.model import canonical_json

from .plan import Scope

# S3's and MinIO's limit on a session policy.
MAXIMUM_CHARACTERS = 2048
# These have a meaning in a policy's resource: with them in a prefix the policy would grant more than it says.
UNSAFE_CHARACTERS = frozenset("*?$\\")


def session_policy(bucket: str, scope: Scope) -> str:
    """The policy as JSON: list and read below the scope's prefixes, write below its output alone, and
    add to what it shares.

    Raises ValueError for prefixes that cannot be said safely in a policy, or one that grows over the limit.
    """
    shared = (scope.shared,) if scope.shared else ()
    prefixes = (*scope.read, scope.write, *shared)
    if any(UNSAFE_CHARACTERS & set(prefix) for prefix in prefixes):
        raise ValueError("a prefix must not hold any of * ? $ \\")
    listed = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}"],
        "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}},
    }
    rights: tuple[tuple[list[str], tuple[str, ...]], ...]
    if shared:
        # Each prefix stands in as few statements as can be: of long names there is no room for one more.
        rights = (
            (["s3:GetObject"], scope.read),
            (["s3:GetObject", "s3:PutObject"], (scope.write, *shared)),
            (["s3:DeleteObject", "s3:AbortMultipartUpload"], (scope.write,)),
        )
    else:
        rights = (
            (["s3:GetObject"], prefixes),
            (["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], (scope.write,)),
        )
    allowed = [{"Effect": "Allow", "Action": do, "Resource": _objects(bucket, below)} for do, below in rights]
    policy = canonical_json({"Version": "2012-10-17", "Statement": [listed, *allowed]})
    if len(policy) > MAXIMUM_CHARACTERS:
        raise ValueError(f"the credentials' policy has {len(policy)} characters, the store takes {MAXIMUM_CHARACTERS}")
    return policy


def _objects(bucket: str, prefixes: tuple[str, ...]) -> list[str]:
    return [f"arn:aws:s3:::{bucket}/{prefix}*" for prefix in prefixes]
