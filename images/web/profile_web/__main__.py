"""The program: `python -m profile_web` serves the page."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import uvicorn

from profile_contract.store import StoreError

from . import metrics
from .app import make_app
from .config import ConfigError, read_config

log = logging.getLogger("profile_web")

# Streams of open pages would hold the end up for ever.
SHUTDOWN_SECONDS = 3


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_web", description="The page of Profile Studio.")
    default = Path(os.environ.get("PROFILE_WEB_CONFIG", "/config/config.yaml"))
    parser.add_argument("--config", type=Path, default=default)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        config = read_config(arguments.config)
        app = make_app(config, os.environ)
    except (ConfigError, StoreError) as error:
        log.error("%s", error)
        return 2
    metrics.serve()
    # Access lines would name people and what they look at.
    uvicorn.run(
        app, host="0.0.0.0", port=config.port, access_log=False, log_config=None,  # noqa: S104 - a container's own
        timeout_graceful_shutdown=SHUTDOWN_SECONDS, server_header=False,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
