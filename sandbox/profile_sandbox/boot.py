"""What the outside tells the supervisor when it starts it: folders to bind, ports to relay. Passed as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from . import layout


@dataclass(frozen=True)
class Forward:
    """Where a forwarded port leads: a Service (its first port, or `port`); an address where the namespace is empty."""

    service: str
    namespace: str = ""
    port: int = 0


@dataclass(frozen=True)
class Boot:
    """`binds`: place inside -> path on the machine, `forwards`: name -> inherited socket's number."""

    binds: Mapping[str, str]
    forwards: Mapping[str, int]

    def to_json(self) -> str:
        """The form in which it travels."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Boot:
        """The reverse of `to_json`."""
        document = json.loads(text)
        return cls(binds=document["binds"], forwards=document["forwards"])


# What can be reached from the machine, whether it is there yet or not.
FORWARDS: dict[str, Forward] = {
    "api": Forward("127.0.0.1", port=layout.API_PORT),
    "minio": Forward("minio", layout.SERVICES_NAMESPACE, 9000),
    "postgres": Forward("postgres", layout.SERVICES_NAMESPACE, 5432),
    "prometheus": Forward("prometheus", layout.SERVICES_NAMESPACE, 9090),
    "redis": Forward("redis", layout.SERVICES_NAMESPACE, 6379),
    "operator": Forward("profile-studio-operator", layout.PRODUCT_NAMESPACE),
    "predictor": Forward("profile-predictor-predictor", layout.PRODUCT_NAMESPACE),
    "web": Forward("profile-studio-web", layout.PRODUCT_NAMESPACE),
}
