"""Session policies: what temporary credentials may read, write and list."""

from __future__ import annotations

from profile_contract.keys import _shown
from profile_contract.model import canonical_json

# These have a meaning in a policy's resource: with them in a prefix the policy would grant more than it says.
UNSAFE_IN_POLICY = frozenset("*?$\\")


# S3's and MinIO's limit on a session policy.
LONGEST_POLICY = 2048


def prefix_policy(bucket: str, *, read: tuple[str, ...], write: tuple[str, ...], listed: tuple[str, ...] = ()) -> str:
    """A session policy as JSON: read, write and list below these prefixes, and nothing else.

    Raises ValueError for a prefix that is empty, does not end with '/' or holds what a policy would read as a
    pattern, and for a policy of more than 2,048 characters.
    """
    for prefix in (*read, *write, *listed):
        if UNSAFE_IN_POLICY & set(prefix):
            raise ValueError("a prefix must not hold any of * ? $ \\")
        if not prefix.endswith("/") or prefix == "/":
            raise ValueError(f"the prefix {_shown(prefix)} must end with '/'")
    statements: list[dict[str, object]] = []
    if listed:
        where = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in listed]}}
        place = [f"arn:aws:s3:::{bucket}"]
        statements.append({"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": place, "Condition": where})
    if read:
        statements.append({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": _objects(bucket, read)})
    if write:
        statements.append({"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": _objects(bucket, write)})
    policy = canonical_json({"Version": "2012-10-17", "Statement": statements})
    if len(policy) > LONGEST_POLICY:
        raise ValueError(f"the credentials' policy has {len(policy)} characters, the store takes {LONGEST_POLICY}")
    return policy


def _objects(bucket: str, prefixes: tuple[str, ...]) -> list[str]:
    return [f"arn:aws:s3:::{bucket}/{prefix}*" for prefix in prefixes]
