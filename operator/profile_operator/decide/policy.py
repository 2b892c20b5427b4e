"""The session policies of temporary store credentials: what one Job may read and write, and nothing else. Pure."""

from __future__ import annotations

from profile_contract.model import canonical_json

from .plan import Scope

# S3's and MinIO's limit on a session policy.
MAXIMUM_CHARACTERS = 2048
# These have a meaning in a policy's resource: with them in a prefix the policy would grant more than it says.
UNSAFE_CHARACTERS = frozenset("*?$\\")


def session_policy(bucket: str, scope: Scope) -> str:
    """The policy as JSON: list and read below the scope's prefixes, write below its output alone.

    Raises ValueError for prefixes that cannot be said safely in a policy, or one that grows over the limit.
    """
    prefixes = (*scope.read, scope.write)
    if any(UNSAFE_CHARACTERS & set(prefix) for prefix in prefixes):
        raise ValueError("a prefix must not hold any of * ? $ \\")
    policy = canonical_json(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket"],
                    "Resource": [f"arn:aws:s3:::{bucket}"],
                    "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}},
                },
                {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": _objects(bucket, prefixes)},
                {
                    "Effect": "Allow",
                    "Action": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                    "Resource": _objects(bucket, (scope.write,)),
                },
            ],
        }
    )
    if len(policy) > MAXIMUM_CHARACTERS:
        raise ValueError(f"the credentials' policy has {len(policy)} characters, the store takes {MAXIMUM_CHARACTERS}")
    return policy


def _objects(bucket: str, prefixes: tuple[str, ...]) -> list[str]:
    return [f"arn:aws:s3:::{bucket}/{prefix}*" for prefix in prefixes]
