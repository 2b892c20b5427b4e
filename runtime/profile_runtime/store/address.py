"""Where a store is: endpoint, bucket and region, and the URL that names them to `store.opening`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from pydantic import Field

from profile_contract.areas import LONGEST_STORE_PREFIX, STORE_PREFIX
from profile_contract.model import Contract

_HOST = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\])"

Endpoint = Annotated[
    str,
    Field(
        pattern=rf"^{_HOST}:[0-9]{{1,5}}$",
        description="HOST:PORT, without a scheme; an IPv6 address stands in brackets.",
    ),
]
Bucket = Annotated[str, Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]+$")]


StorePrefix = Annotated[
    str,
    Field(
        max_length=LONGEST_STORE_PREFIX,
        pattern=STORE_PREFIX,
        description="What this installation's keys begin with, such as profile/cluster-a/: two clusters can share a "
        "bucket. Folders of small letters, digits, - and _, each with a / behind it.",
    ),
]


class StoreAddress(Contract):
    """A bucket of an S3 store, and what the keys in it begin with."""

    endpoint: Endpoint
    bucket: Bucket
    region: str = Field(default="us-east-1", min_length=1)
    secure: bool = Field(default=True, description="TLS.")
    prefix: StorePrefix = ""

    def url_at(self, endpoint: str, *, secure: bool) -> str:
        """The bucket's URL, with the store reached at `endpoint`."""
        query = {"endpoint": endpoint, "secure": str(secure).lower(), "region": self.region}
        return f"s3://{self.bucket}?{urlencode(query, safe=':')}"
