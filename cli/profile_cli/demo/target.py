"""Which cluster the demo runs on: this clone's sandbox, or one of the user's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profile_cli.errors import CommandError
from profile_cli.terminal import Terminal
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import S3Store, open_s3
from profile_runtime.yaml_file import BadYaml, read_yaml
from profile_sandbox.paths import CLONE
from profile_sandbox.process import SandboxError

STATE = CLONE / ".sandbox"


@dataclass(frozen=True)
class Target:
    """A cluster: its kubeconfig, the chart's values for it, its store as this machine reaches it, namespaces that the
    chart wants to be there, the page's address where it has one, and which of the chart's own values files come first.
    """

    kubeconfig: Path
    helm: str
    values: Mapping[str, Any]
    store_url: str
    store_environment: Mapping[str, str]
    logs: str
    namespaces: tuple[str, ...] = ()
    page: str = ""
    presets: tuple[str, ...] = ("values-cpu.yaml",)

    @property
    def history(self) -> bool:
        """Whether what requests made is written into a database."""
        return bool(self.values.get("database", {}).get("existingSecret"))

    @property
    def store_prefix(self) -> str:
        """What the installation's keys begin with."""
        return str(self.values.get("store", {}).get("prefix", ""))

    def store(self) -> S3Store:
        """The store. Raises CommandError."""
        try:
            return open_s3(self.store_url, self.store_environment)
        except (StoreError, ValueError) as error:
            raise CommandError(f"the store {self.store_url} cannot be opened: {error}") from error


def sandbox_values(store_address: str, page_training: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The chart's values for a sandbox whose store is reached at HOST:PORT, see `web_values`."""
    from profile_sandbox.values import chart_values, web_values

    return {**chart_values(), **web_values(store_address, page_training)}


def sandbox_target(state: Path, terminal: Terminal, *, page_training: Mapping[str, int] | None = None) -> Target:
    """Bring this clone's sandbox up. Raises CommandError with everything that is missing on this machine.

    `page_training` is what requests of the page say about training; the presets decide where nothing is said.
    """
    # Its certificates need the extra `sandbox`; all other commands do without.
    from profile_sandbox import Sandbox, passwords, services
    from profile_sandbox.values import PAGE_NAMESPACE

    sandbox = Sandbox(state, terminal.say)
    try:
        sandbox.up()
        address, secret = sandbox.address("minio"), sandbox.passwords
    except SandboxError as error:
        raise CommandError(f"{error}\nLogs: {sandbox.state.logs}") from error
    return Target(
        kubeconfig=sandbox.kubeconfig,
        helm=str(sandbox.helm),
        values=sandbox_values(address, page_training),
        store_url=f"s3://{services.BUCKET}?endpoint={address}&secure=false&region={services.REGION}",
        store_environment={
            "AWS_ACCESS_KEY_ID": passwords.STORE_OPERATOR_USER,
            "AWS_SECRET_ACCESS_KEY": secret.store_operator,
        },
        logs=f"logs of the cluster's parts: {sandbox.state.logs}",
        namespaces=(PAGE_NAMESPACE,),
        page=f"http://{sandbox.address('web')}/",
    )


def own_target(kubeconfig: Path, values: Path | None, store_url: str) -> Target:
    """A cluster of the user's, with KServe in it. Raises CommandError for what is missing."""
    if not kubeconfig.is_file():
        raise CommandError(f"{kubeconfig} does not exist: give --kubeconfig a kubeconfig file")
    if values is None or not store_url:
        raise CommandError(
            "on your own cluster the demo needs --values FILE (store, images: charts/profile-studio/values.yaml tells "
            "what) and --store s3://BUCKET?endpoint=HOST:PORT as this machine reaches it, with AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in the environment. For a cluster made here leave KUBECONFIG unset."
        )
    try:
        document = read_yaml(values) or {}
    except BadYaml as error:
        raise CommandError(f"the values file {values} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CommandError(f"{values} is not a file of the chart's values")
    from profile_sandbox import build

    # The sandbox's own helm serves where none is installed.
    helm = shutil.which("helm") or str(build.programs_folder() / "helm")
    return Target(kubeconfig, helm, document, store_url, os.environ, "")


def chosen_kubeconfig(given: Path | None, state: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The user's own kubeconfig, or None where the sandbox is meant (also when KUBECONFIG names the sandbox)."""
    path = given or (Path(environment["KUBECONFIG"]) if environment.get("KUBECONFIG") else None)
    if path is None or path.resolve() == (state / "kubeconfig").resolve():
        return None
    return path
