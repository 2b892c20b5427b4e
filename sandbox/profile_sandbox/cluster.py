"""The sandbox as an object: start it, stop it, ask where things are."""

from __future__ import annotations

import contextlib
import fcntl
import json
import platform
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from . import (
    build,
    cgroups,
    doctor,
    flux,
    images,
    kserve,
    kubernetes_config,
    kueue,
    layout,
    memory,
    paths,
    process,
    relay,
    runtime,
    services,
)
from .boot import FORWARDS, Boot
from .kubectl import Kubectl
from .passwords import Passwords
from .paths import State
from .process import SandboxError
from .units import import_images

Say = Callable[[str], None]
START_SECONDS = 180.0
LOG_LINES = 15


@dataclass(frozen=True)
class Record:
    """What stands in the state folder while the sandbox stands."""

    pid: int
    birth: float
    ports: dict[str, int]


@dataclass(frozen=True)
class UnitStatus:
    """How a unit stands: its phase, exit code if it ended, and its log's last lines if it failed."""

    name: str
    phase: str
    code: int | None
    seconds: float
    log: tuple[str, ...] = ()


class Sandbox:
    """A one-machine Kubernetes cluster below a state folder.

        with Sandbox(Path(".sandbox")) as sandbox:
            sandbox.kubectl.run("get", "nodes")

    Entering brings it up (or takes the one that stands), leaving takes it down.
    """

    def __init__(self, state: Path | str = ".sandbox", say: Say = lambda _: None) -> None:
        self.state = State(Path(state).resolve())
        self._say = say

    # Where things are

    @property
    def running(self) -> bool:
        """Whether its processes are there."""
        record = self._record()
        return record is not None and process.alive(record.pid, record.birth)

    @property
    def died(self) -> bool:
        """Whether it was started and ended without `down`."""
        return self._record() is not None and not self.running

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, good on this machine."""
        return self.state.kubeconfig

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as the administrator."""
        return Kubectl(self.kubeconfig)

    @property
    def helm(self) -> Path:
        """The program helm; give it `kubeconfig`."""
        return build.programs_folder() / "helm"

    @property
    def passwords(self) -> Passwords:
        """The services' logins."""
        return Passwords.load(self.state.secrets)

    def address(self, name: str) -> str:
        """host:port on this machine that leads to `name`, one of `boot.FORWARDS`. Raises SandboxError if it is down."""
        record = self._record()
        if record is None or not self.running:
            raise SandboxError(f"no sandbox stands at {self.state.root}; start it with `python -m profile_sandbox up`")
        return f"127.0.0.1:{record.ports[name]}"

    def memory_megabytes(self) -> int:
        """Memory of everything that runs in the sandbox. Raises SandboxError if it is down."""
        record = self._record()
        if record is None:
            raise SandboxError(f"no sandbox stands at {self.state.root}")
        return memory.resident_megabytes(record.pid)

    def run_inside(self, argv: list[str]) -> str:
        """Output of a program run in the sandbox's namespaces (its network, its mounts)."""
        record = self._record()
        if record is None:
            raise SandboxError(f"no sandbox stands at {self.state.root}")
        return process.run_inside(record.pid, argv).stdout

    # Up and down

    def __enter__(self) -> Sandbox:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Bring it up until everything in it is ready. Raises SandboxError that says what is wrong."""
        doctor.require()
        build.ensure_programs(self._say)
        with self._locked():
            if self.running:
                self._say("it stands already")
                self._refresh_images()
            else:
                self._clean()
                self._prepare_and_start()
            self._wait_for_units()
            self._wait_for_pods()

    def down(self) -> None:
        """End it, and remove everything but its logs."""
        if not self.state.root.exists():
            return
        with self._locked():
            record = self._record()
            if record is not None:
                process.end(record.pid, record.birth)
            self._clean()

    def _prepare_and_start(self) -> None:
        """Write what the parts read, open the forwarded ports, start the supervisor and record it."""
        self._say("preparing certificates, configuration and images")
        for folder in (self.state.logs, self.state.config, self.state.run):
            folder.mkdir(parents=True, exist_ok=True)
        for log in self.state.logs.glob("*.log"):
            log.unlink()
        listeners = {name: relay.listen() for name in FORWARDS}
        ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
        self._write_configuration(ports["api"])
        cgroups.create(self._cgroup)
        boot = Boot(self._binds(), {name: listener.fileno() for name, listener in listeners.items()})
        scratch = self.state.run / "scratch"
        scratch.mkdir()
        pid = process.start(boot, scratch, self.state.logs / "supervisor.log")
        for listener in listeners.values():
            listener.close()
        self.state.record.write_text(json.dumps(asdict(Record(pid, process.birth(pid), ports))))
        self._say("starting")

    def _write_configuration(self, api_port: int) -> None:
        """Write certificates, passwords, configuration, images and manifests below the state folder."""
        config = self.state.config
        outside = kubernetes_config.write_certificates(self.state.pki, api_port)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(outside)
        passwords = Passwords.random()
        passwords.save(self.state.secrets)
        texts = {
            "kubelet.yaml": kubernetes_config.kubelet_config(f"/{self._cgroup}"),
            "kube-proxy.yaml": kubernetes_config.proxy_config(),
            "proxy-access.yaml": kubernetes_config.proxy_access(),
            "Corefile": kubernetes_config.corefile(),
            "containerd.toml": runtime.containerd_config(images.PAUSE),
            "base-spec.json": runtime.base_spec({**runtime.machine_mounts(), **runtime.product_mounts()}),
            "cni/10-pods.conflist": runtime.pod_network(),
        }
        for name, text in texts.items():
            (config / name).parent.mkdir(exist_ok=True)
            (config / name).write_text(text)
        self._write_images()
        authority = (self.state.pki / "ca.crt").read_bytes()
        kserve.write_manifests(build.manifests_folder(), config / "kserve", config / "kserve-webhooks.yaml", authority)
        services.write_manifests(paths.SERVICES, config / "services", passwords)

    def _binds(self) -> dict[str, str]:
        """Place in the sandbox -> the folder or file of the machine that is seen there."""
        models = paths.models_folder()
        models.mkdir(parents=True, exist_ok=True)
        return {
            layout.STATE: str(self.state.root),
            layout.SOURCE: str(paths.CLONE),
            layout.SITE: str(paths.site_packages()),
            layout.BASE_PYTHON: str(paths.base_python()),
            layout.MODELS: str(models),
            layout.PROGRAMS: str(build.programs_folder()),
        }

    # Images

    def _write_images(self) -> bool:
        """Write the archive of all images; False if it was there already, the same."""
        project = tomllib.loads((paths.CLONE / "pyproject.toml").read_text())
        folders: list[str] = project["tool"]["hatch"]["build"]["dev-mode-dirs"]
        pause = (build.programs_folder() / "pause").read_bytes()
        every = [images.pause_image(), images.helper_image(), *images.product_images(paths.IMAGES)]
        add_ons = {flux.IMAGE: flux.container_folder(), kueue.IMAGE: kueue.container_folder()}
        every += images.service_images({**services.programs(), **add_ons})
        content = images.archive(every, images.layer(pause, folders), platform.machine())
        target = self.state.config / "images.tar"
        if target.exists() and target.read_bytes() == content:
            return False
        target.write_bytes(content)
        return True

    def _refresh_images(self) -> None:
        if self._write_images():
            self._say("importing changed images")
            self.run_inside(list(import_images()))

    # Waiting and telling

    def status(self) -> list[UnitStatus]:
        """Every unit, in the order in which they are defined; empty if the sandbox is down."""
        if not self.running:
            return []
        with contextlib.suppress(OSError, ValueError):
            rows = json.loads(self.state.status.read_text())
            return [
                UnitStatus(name, row["phase"], row["code"], row["at"], self._tail(name, row["phase"]))
                for name, row in rows.items()
            ]
        return []

    def _tail(self, name: str, phase: str) -> tuple[str, ...]:
        if phase != "failed":
            return ()
        return tuple(self.log(name).splitlines()[-LOG_LINES:])

    def log(self, name: str) -> str:
        """A unit's log; `supervisor` for the sandbox's own. Raises SandboxError for an unknown name."""
        path = self.state.logs / f"{name}.log"
        if not path.exists():
            known = ", ".join(sorted(file.stem for file in self.state.logs.glob("*.log"))) or "none yet"
            raise SandboxError(f"no log {name!r}; there are: {known}")
        return path.read_text(errors="replace")

    def _wait_for_units(self) -> None:
        """Return when every unit is ready or done. Raises SandboxError for one that failed, and for none in time."""
        announced = {row.name for row in self.status() if row.phase in ("ready", "done")}
        deadline = time.monotonic() + START_SECONDS
        while True:
            rows = self.status()
            for row in rows:
                if row.phase in ("ready", "done") and row.name not in announced:
                    announced.add(row.name)
                    self._say(f"{row.name} is {row.phase} ({row.seconds:.1f} s)")
            failed = [row for row in rows if row.phase == "failed"]
            if failed:
                raise SandboxError(_describe(failed[0]))
            if rows and len(announced) == len(rows):
                return
            if not self.running:
                raise SandboxError("the sandbox ended at its start:\n" + self.log("supervisor"))
            if time.monotonic() > deadline:
                waiting = ", ".join(row.name for row in rows if row.name not in announced)
                raise SandboxError(f"not ready after {START_SECONDS:.0f} s: {waiting}; see `logs NAME`")
            time.sleep(0.1)

    def _wait_for_pods(self) -> None:
        """Return when node and services are ready, and the store has its bucket and users."""
        kubectl = self.kubectl
        kubectl.run("wait", "--for=condition=Ready", f"node/{layout.NODE_NAME}", "--timeout=60s")
        self._say("node is Ready")
        names = [f"deployment/{name}" for name in services.NAMES]
        namespace = f"--namespace={layout.SERVICES_NAMESPACE}"
        kubectl.run("wait", namespace, "--for=condition=Available", *names, "--timeout=120s")
        services.prepare_store(self.address("minio"), self.passwords)
        self._say("services are Ready: " + ", ".join(services.NAMES))

    # The state folder

    @property
    def _cgroup(self) -> str:
        return f"profile-sandbox-{self.state.id}"

    def _record(self) -> Record | None:
        try:
            return Record(**json.loads(self.state.record.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _clean(self) -> None:
        """Remove everything but the logs."""
        cgroups.remove(self._cgroup)
        state = self.state
        for folder in (state.run, state.pki, state.config):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (state.record, state.status, state.secrets, state.kubeconfig):
            file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.state.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _describe(row: UnitStatus) -> str:
    lines = "\n".join(f"  {line}" for line in row.log)
    return f"{row.name} ended with exit code {row.code}; the last lines of its log:\n{lines}"
