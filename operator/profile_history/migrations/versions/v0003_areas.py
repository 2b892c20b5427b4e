"""Where in the bucket a request's artifacts lie: in the area of its namespace."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE requests ADD COLUMN area text NOT NULL DEFAULT ''")
