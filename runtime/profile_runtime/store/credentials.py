"""Links to single objects, signed by credentials that can reach one prefix and nothing else.

A presigned link does what its signer may do: signed by an account of the whole bucket, a link that writes one object
also copies any other one there (`x-amz-copy-source`). So every link is signed by temporary credentials of the store
(STS AssumeRole) under a session policy: those of reading links may read below the prefix, those of writing links may
write below it and read nothing at all.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from profile_contract.keys import check_below
from profile_runtime.network import network_trouble

from .policy import prefix_policy
from .port import StoreError
from .s3 import S3Store, StoreUrl, open_s3, pool_for

if TYPE_CHECKING:
    from minio.credentials import Credentials

# What STS gives at least.
SHORTEST_SESSION_SECONDS = 900
# Links of the same prefix share a session for this long.
SHARED_SECONDS = 600
MOST_PREFIXES = 1024

Right = Literal["read", "write"]


@dataclass(frozen=True)
class Session:
    """Temporary credentials, and when they end (UTC)."""

    access_key: str
    secret_key: str
    token: str
    ends: datetime

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the store's clients read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
        }


class Sessions(Protocol):
    """Who gives temporary credentials under a policy, and takes them back. Raises StoreError."""

    def issue(self, policy: str, seconds: int, tag: str = "") -> Session:
        """Credentials; what was issued under a tag can be revoked together."""

    def revoke(self, tag: str) -> bool:
        """End all credentials of this tag before their time; False where the store cannot."""


class StsSessions:
    """The store's own token service (STS AssumeRole): MinIO has it at the endpoint of the store itself."""

    def __init__(self, url: str, env: Mapping[str, str] = os.environ) -> None:
        self._url = StoreUrl.parse(url)
        self._account = env.get("AWS_ACCESS_KEY_ID", ""), env.get("AWS_SECRET_ACCESS_KEY", "")
        self._http = pool_for(self._url, read_seconds=20)

    def issue(self, policy: str, seconds: int, tag: str = "") -> Session:
        """Credentials under a session policy, for at least 900 seconds. Raises StoreError."""
        # The client's own AssumeRoleProvider takes an hour for the least, which is longer than most links live.
        try:
            body, headers = self._request(policy, seconds, tag)
            response = self._http.request("POST", self._url.origin, body=body, headers=headers)
            if response.status != 200:
                raise StoreError(f"the store gave no temporary credentials: STS answered {response.status}")
            return _session(response.data)
        except StoreError:
            raise
        except Exception as error:  # the client raises what it met: urllib3's errors, ValueError, XML errors
            raise StoreError(f"the store gave no temporary credentials: {network_trouble(error)}") from error

    def revoke(self, tag: str) -> bool:
        """End all credentials that this account issued under the tag (MinIO's revoke-tokens, for one's own sessions).

        False where the store knows no such thing. One MinIO server obeys at once, the others of a cluster as soon as
        they read the accounts anew. Raises StoreError where the store does not answer.
        """
        query = urlencode({"tokenRevokeType": tag})
        url = f"{self._url.origin}/minio/admin/v3/revoke-tokens/builtin?{query}"
        try:
            response = self._http.request("POST", url, headers=self._signed_for_s3(url))
        except Exception as error:  # urllib3's errors are many
            raise StoreError(f"the store cannot be reached: {network_trouble(error)}") from error
        return response.status in (200, 204)

    def _signed_for_s3(self, url: str) -> dict[str, str]:
        from minio.credentials import Credentials
        from minio.signer import sign_v4_s3
        from minio.time import to_amz_date

        now, empty = datetime.now(UTC), hashlib.sha256(b"").hexdigest()
        signed: dict[str, str] = sign_v4_s3(
            method="POST",
            url=urlsplit(url),
            region=self._url.region,
            headers={"Host": self._url.host, "X-Amz-Date": to_amz_date(now), "X-Amz-Content-Sha256": empty},
            credentials=Credentials(access_key=self._account[0], secret_key=self._account[1]),
            content_sha256=empty,
            date=now,
        )
        return signed

    def _request(self, policy: str, seconds: int, tag: str) -> tuple[str, dict[str, str]]:
        """Body and signed headers of the call."""
        from minio.credentials import Credentials
        from minio.signer import sign_v4_sts
        from minio.time import to_amz_date

        body = urlencode(
            {
                "Action": "AssumeRole",
                "Version": "2011-06-15",
                "DurationSeconds": str(max(seconds, SHORTEST_SESSION_SECONDS)),
                "Policy": policy,
                **({"TokenRevokeType": tag} if tag else {}),
            }
        )
        now = datetime.now(UTC)
        account: Credentials = Credentials(access_key=self._account[0], secret_key=self._account[1])
        headers: dict[str, str] = sign_v4_sts(
            method="POST",
            url=urlsplit(self._url.origin),
            region=self._url.region,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Host": self._url.host,
                "X-Amz-Date": to_amz_date(now),
            },
            credentials=account,
            content_sha256=hashlib.sha256(body.encode()).hexdigest(),
            date=now,
        )
        return body, headers


def _session(data: bytes) -> Session:
    """The credentials in an AssumeRole answer. Raises ValueError where one is missing."""
    values = {element.tag.rpartition("}")[2]: element.text or "" for element in ElementTree.fromstring(data).iter()}  # noqa: S314 - from the store that gives us credentials
    wanted = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    if not all(values.get(name) for name in wanted):
        raise ValueError("the answer holds no credentials")
    ends = datetime.fromisoformat(values["Expiration"])
    return Session(
        access_key=values["AccessKeyId"],
        secret_key=values["SecretAccessKey"],
        token=values["SessionToken"],
        ends=ends if ends.tzinfo else ends.replace(tzinfo=UTC),
    )


class PrefixSigner:
    """Signs links to the objects below one prefix. Its sessions are kept and renewed; threads may share it.

    Every method raises ForeignKey for a key that is not below the prefix, and StoreError where the store gives no
    credentials (a store without STS gives none, so there are no links to it).
    """

    def __init__(self, prefix: str, url: str, sessions: Sessions, tag: str = "") -> None:
        """`url` is the store as whoever uses the links reaches it. Raises ValueError for an unsafe prefix."""
        self.prefix, self._url, self._sessions, self._tag = prefix, url, sessions, tag
        self._bucket = StoreUrl.parse(url).bucket
        self._policies: dict[Right, str] = {
            "read": prefix_policy(self._bucket, read=(prefix,), write=()),
            "write": prefix_policy(self._bucket, read=(), write=(prefix,)),
        }
        self._signing: dict[Right, tuple[Session, S3Store]] = {}
        self._lock = threading.Lock()

    def get(self, key: str, seconds: int, *, save_as: str = "") -> str:
        """A link that reads this object for so many seconds; no browser or proxy keeps what it gives.

        With `save_as` browsers save the object under that name instead of showing it.
        """
        check_below(self.prefix, key)
        return self._store("read", seconds).presign_get(key, seconds, save_as=save_as)

    def put(self, key: str, seconds: int) -> str:
        """A link that writes this object for so many seconds."""
        check_below(self.prefix, key)
        return self._store("write", seconds).presign_put(key, seconds)

    def form(self, key: str, seconds: int, *, content_type: str, fewest_bytes: int, most_bytes: int) -> dict[str, str]:
        """All fields of a form that writes this object, of this type and of so many bytes; the file comes last."""
        from minio.datatypes import PostPolicy

        check_below(self.prefix, key)
        policy = PostPolicy(self._bucket, datetime.now(UTC) + timedelta(seconds=seconds))
        policy.add_equals_condition("key", key)
        policy.add_equals_condition("Content-Type", content_type)
        policy.add_content_length_range_condition(fewest_bytes, most_bytes)
        signed = self._store("write", seconds).presign_form(policy)
        return {"key": key, "Content-Type": content_type, **signed}

    def _store(self, right: Right, seconds: int) -> S3Store:
        """A client that signs for this right with credentials that outlast the link."""
        with self._lock:
            standing = self._signing.get(right)
            if standing is not None and standing[0].ends - datetime.now(UTC) > timedelta(seconds=seconds):
                return standing[1]
            session = self._sessions.issue(self._policies[right], seconds + SHARED_SECONDS, self._tag)
            store = open_s3(self._url, session.environment)
            self._signing[right] = session, store
            return store


class Signers:
    """The signers of many prefixes, the least used forgotten first."""

    def __init__(self, url: str, sessions: Sessions) -> None:
        """`url` is the store as whoever uses the links reaches it; `sessions` may ask it elsewhere."""
        self._url, self._sessions = url, sessions
        self._signers: OrderedDict[tuple[str, str], PrefixSigner] = OrderedDict()
        self._lock = threading.Lock()

    def below(self, prefix: str, tag: str = "") -> PrefixSigner:
        """The signer of a prefix that ends with '/'. Raises ValueError for one that no policy can say safely.

        What it signs ends when the tag is revoked.
        """
        with self._lock:
            known = self._signers.pop((prefix, tag), None)
            signer = known or PrefixSigner(prefix, self._url, self._sessions, tag)
            self._signers[prefix, tag] = signer
            while len(self._signers) > MOST_PREFIXES:
                self._signers.popitem(last=False)
            return signer

    def forget(self, prefix: str) -> None:
        """What lay there is gone: sign nothing more with the sessions that stand."""
        with self._lock:
            for known in [known for known in self._signers if known[0] == prefix]:
                del self._signers[known]
