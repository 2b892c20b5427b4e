"""The database's shape, one step a file in `versions/`, by Alembic: it keeps account in the database itself, so that
a program of any later version brings any earlier database up to date."""

from __future__ import annotations

from pathlib import Path

import psycopg2
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

FOLDER = Path(__file__).parent
# Two programs at once (the one that watches and `rebuild`): the second waits, and finds nothing left to do.
LOCK = 0x50524F46


class NewerSchema(psycopg2.OperationalError):
    """The database's shape is one that this version does not know: a newer one made it."""


def upgrade(dsn: str, connect_seconds: int, *, to: str = "head") -> None:
    """Bring the database to a version, in one transaction. Raises psycopg2.Error, NewerSchema among them."""
    config = Config()
    # Alembic reads its options as a template.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    engine = create_engine(
        "postgresql+psycopg2://",
        creator=lambda: psycopg2.connect(dsn, connect_timeout=connect_seconds),
        poolclass=NullPool,
    )
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except CommandError as error:
        raise NewerSchema(
            "a newer version brought the database up to date: install that version of the history, or drop the tables"
        ) from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.Error):
            raise error.orig from error
        raise
