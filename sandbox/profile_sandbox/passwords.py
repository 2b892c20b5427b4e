"""The random passwords of a sandbox: made once at each start, kept in the state folder, readable by its owner only."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

STORE_ROOT_USER = "sandbox-root"
STORE_OPERATOR_USER = "operator"
STORE_WEB_USER = "web"
STORE_HISTORY_USER = "history"
DATABASE_USER = "profile"
DATABASE_NAME = "profile"


@dataclass(frozen=True)
class Passwords:
    """One for each login of the services."""

    store_root: str
    store_operator: str
    store_web: str
    store_history: str
    database: str
    redis: str

    @classmethod
    def random(cls) -> Passwords:
        """New ones."""
        return cls(*(secrets.token_urlsafe(24) for _ in range(6)))

    @classmethod
    def load(cls, path: Path) -> Passwords:
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        """Write for the owner only."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))
