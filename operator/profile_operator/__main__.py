"""The program: `python -m profile_operator` runs the operator."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import kopf

from profile_runtime.configuration import ConfigError, read_config
from profile_runtime.kubernetes.errors import ApiError
from profile_runtime.logging import configure
from profile_runtime.store.port import StoreError

from .config import OperatorConfig, Secrets
from .handlers import register
from .operator_app import OperatorApp

log = logging.getLogger("profile_operator")

VARIABLE = "PROFILE_CONFIG"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_operator", description="The operator of Profile Studio.")
    parser.add_argument("command", nargs="?", choices=["run"], default="run")
    parser.add_argument("--config", type=Path, default=Path(os.environ.get(VARIABLE, "/etc/profile/config.yaml")))
    parser.add_argument("--verbose", action="store_true", help="log more")
    arguments = parser.parse_args()
    configure(level=logging.DEBUG if arguments.verbose else logging.INFO)
    try:
        return _run(read_config(arguments.config, OperatorConfig, VARIABLE), Secrets.from_environment())
    except (ConfigError, StoreError, ApiError) as error:
        log.error("%s", error)
        return 2


def _run(config: OperatorConfig, secrets: Secrets) -> int:
    registry, app = kopf.OperatorRegistry(), OperatorApp(config, secrets)
    register(registry, app)
    # Which process works is decided by a Lease, not by kopf's peering.
    kopf.run(registry=registry, standalone=True, clusterwide=True, stop_flag=app.ended)
    return 1 if app.ended.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
