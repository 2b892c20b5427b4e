"""The program: `python -m profile_history` writes down what happens, `... rebuild` writes the database anew."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys

import psycopg2

from profile_runtime.configuration import ConfigError
from profile_runtime.kubernetes.aio import AsyncApi, connect
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.logging import configure
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import open_s3

from .cluster import Requests
from .database import Database
from .probes import ProbeServer
from .rebuild import RebuildScope, rebuild
from .record import RequestRecord
from .recorder import Recorder
from .settings import HistorySettings
from .watcher import Watcher

log = logging.getLogger("profile_history")

API_SECONDS = 30.0


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_history", description="The history of Profile Studio.")
    parser.add_argument("command", nargs="?", choices=["run", "rebuild"], default="run")
    parser.add_argument("--verbose", action="store_true", help="log more")
    arguments = parser.parse_args()
    configure(level=logging.DEBUG if arguments.verbose else logging.INFO)
    # It tells of every look at the database's version.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        settings = HistorySettings.from_environment()
        if arguments.command == "rebuild":
            return _rebuild(settings)
        return asyncio.run(_run(settings))
    except (ConfigError, StoreError, ApiError) as error:
        log.error("%s", error)
    except psycopg2.Error as error:
        log.error("the database refused or could not be reached: %s", type(error).__name__)
    return 2


async def _run(settings: HistorySettings) -> int:
    """Watch and write until somebody ends it."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    recorder = Recorder(Database(settings.database.get_secret_value()), open_s3(settings.store, settings.account))
    api = AsyncApi(await connect(), seconds=API_SECONDS)
    namespaces = settings.namespaces or ("",)
    watchers = [Watcher(Requests(api, namespace), recorder, settings.resync_seconds) for namespace in namespaces]
    tasks = [asyncio.create_task(task) for task in (recorder.work(), *(watcher.watch() for watcher in watchers))]
    probes = ProbeServer(settings.port, lambda: not any(task.done() for task in tasks))
    try:
        await asyncio.wait([asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
        return 0 if stop.is_set() else 1
    finally:
        probes.shutdown()
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("what should go on for ever has ended", exc_info=ended)
        await api.close()


def _rebuild(settings: HistorySettings) -> int:
    store = open_s3(settings.store, settings.account)
    records = asyncio.run(_records(settings.namespaces))
    scope = RebuildScope(settings.namespaces, settings.store_prefix)
    count = rebuild(store, Database(settings.database.get_secret_value()), records, scope)
    log.info("the history of %d requests was written anew", count)
    return 0


async def _records(namespaces: tuple[str, ...]) -> list[RequestRecord]:
    """The cluster's requests. Raises ApiError: without them the content would not be the same."""
    api = AsyncApi(await connect(), seconds=API_SECONDS)
    try:
        lists = [await Requests(api, namespace).listed() for namespace in namespaces or ("",)]
        return [record for records, _ in lists for record in records]
    finally:
        await api.close()


if __name__ == "__main__":
    sys.exit(main())
