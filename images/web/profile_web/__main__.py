"""The program: `python -m profile_web` serves the page."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

import uvicorn

from profile_runtime.configuration import ConfigError, read_config
from profile_runtime.logging import configure
from profile_runtime.store.port import StoreError

from . import metrics
from .app import make_app
from .config import WebConfig

log = logging.getLogger("profile_web")

VARIABLE = "PROFILE_WEB_CONFIG"
# Streams of open pages would hold the end up for ever.
SHUTDOWN_SECONDS = 3


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_web", description="The page of Profile Studio.")
    default = Path(os.environ.get(VARIABLE, "/config/config.yaml"))
    parser.add_argument("--config", type=Path, default=default)
    arguments = parser.parse_args()
    configure()
    try:
        config = read_config(arguments.config, WebConfig, VARIABLE)
        app = make_app(config, os.environ)
    except (ConfigError, StoreError, ValueError) as error:
        log.error("%s", error)
        return 2
    metrics.serve()
    # Access lines would name people and what they look at.
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            # The faster reader, httptools, takes headers without end into memory.
            http="h11",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            server_header=False,
        )
    )
    server.run(sockets=[listening_socket(config.port)])
    return 0


def listening_socket(port: int) -> socket.socket:
    """A socket that takes connections by IPv6 and IPv4, or by IPv4 alone where the machine has no IPv6."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)
        except OSError as error:
            log.info("IPv4 alone: %s", error.strerror)
    return socket.create_server(("0.0.0.0", port), backlog=2048)  # noqa: S104 - a container's own


if __name__ == "__main__":
    sys.exit(main())
