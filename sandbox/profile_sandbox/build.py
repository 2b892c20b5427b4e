"""Compiles the cluster's programs, once, from the Go modules pinned in `sandbox/modules`, into the user's cache.

A program that is there is not compiled again, and Go's own cache keeps what was compiled of the others, so an
interrupted run goes on where it stopped. A lock lets two clones share the work. Python's standard library is all
this needs, so it may run while the environment is being installed.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from . import go, programs
from .paths import cache_root, pins_key
from .process import SandboxError
from .programs import Module, Program

MANIFESTS = "kserve-manifests"
# File in KServe's module -> its name in the cache. The manager starts only where the API server knows all five
# kinds. The product's own get the full schema, so that a wrong field in a manifest is found here; the others
# KServe's minimal one.
KSERVE_FILES = {
    **{
        f"config/crd/{variant}/serving.kserve.io_{name}.yaml": f"crd-{name}.yaml"
        for variant, names in (
            ("full", ("inferenceservices", "servingruntimes", "clusterservingruntimes")),
            ("minimal", ("inferencegraphs", "trainedmodels")),
        )
        for name in names
    },
    "config/configmap/inferenceservice.yaml": "config.yaml",
    "config/webhook/manifests.yaml": "webhooks.yaml",
}
# On two cores.
CLUSTER_MINUTES = 12
TELL_EVERY_SECONDS = 10.0
Say = Callable[[str], None]


def programs_folder() -> Path:
    """Where this clone's pins put their binaries."""
    return cache_root() / "bin" / pins_key()


def manifests_folder() -> Path:
    """KServe's manifests, copied out of its module, so that the module may be cleaned away."""
    return programs_folder() / MANIFESTS


def missing(folder: Path, modules: Sequence[Module] = programs.MODULES) -> list[Program]:
    """Programs that are not there yet, in the order of compiling."""
    every = [program for module in modules for program in module.programs]
    return [program for program in every if not (folder / program.name).exists()]


def ensure_programs(say: Say) -> Path:
    """Compile what is missing and return the folder of all programs.

    Raises SandboxError without a Go tool-chain, or when a compile fails.
    """
    folder = programs_folder()
    if not missing(folder) and manifests_folder().exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / f"{folder.name}.lock", say):
        _take_found(folder, say)
        compile_missing(folder, programs.MODULES, CLUSTER_MINUTES, say)
        if not manifests_folder().exists():
            _take_kserve_manifests(manifests_folder())
    return folder


def compile_missing(folder: Path, modules: Sequence[Module], minutes: int, say: Say) -> None:
    """Compile what is missing, module by module, while the sources of later ones are fetched."""
    wanted = missing(folder, modules)
    if not wanted:
        return
    compiler, begin = go.find(), time.monotonic()
    names = f"{len(wanted)} programs" if len(wanted) > 1 else wanted[0].name
    say(f"compiling {names} from Go modules, once for this machine; two cores need some {minutes} minutes")
    todo = [(module, [item for item in module.programs if item in wanted]) for module in modules]
    todo = [(module, items) for module, items in todo if items]
    downloads = [_download(compiler, module, items) for module, items in todo[1:]]
    done = 0
    try:
        for module, items in todo:
            title = f"[{done + 1}-{done + len(items)} of {len(wanted)}] {module.folder.name}"
            _compile(compiler, module, items, folder, partial(_say_titled, say, title))
            done += len(items)
    finally:
        for download in downloads:
            download.kill()
            download.wait()
    say(f"compiled {names} in {_clock(begin)}; the next start needs none of that")


def _say_titled(say: Say, title: str, text: str) -> None:
    say(f"{title}: {text}")


def _download(compiler: str, module: Module, items: Sequence[Program]) -> subprocess.Popen[bytes]:
    """Fetch a later module's sources while an earlier one compiles: to list its packages fetches what they need."""
    return subprocess.Popen(
        [compiler, "list", "-deps", f"-tags={items[0].tags}", *(item.package for item in items)],
        cwd=module.folder,
        env=_environment(cgo=items[0].cgo),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _compile(compiler: str, module: Module, items: Sequence[Program], folder: Path, say: Say) -> None:
    """Compile programs of one module together, and put each in its place when all are there."""
    staging = folder / f".staging-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    command = [
        compiler,
        "build",
        "-v",
        "-trimpath",
        "-mod=readonly",
        "-buildvcs=false",
        "-gcflags=all=-dwarf=false",
        "-pgo=off",
    ]
    command += [f"-ldflags={programs.linker_flags()}", f"-tags={items[0].tags}", "-o", f"{staging}/"]
    command += [item.package for item in items]
    try:
        _run_telling(command, module, cgo=items[0].cgo, say=say)
        for item in items:
            (staging / item.output).replace(folder / item.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _run_telling(command: list[str], module: Module, *, cgo: bool, say: Say) -> None:
    """Run `go build -v`, which names each package as it compiles it, and tell every few seconds how far it is."""
    begin = time.monotonic()
    output = bytearray()
    process = subprocess.Popen(
        command,
        cwd=module.folder,
        env=_environment(cgo=cgo),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    announced = begin
    try:
        while _read_some(process.stdout, output):
            if time.monotonic() - announced >= TELL_EVERY_SECONDS:
                announced = time.monotonic()
                say(f"{_progress(output)}, {_clock(begin)}")
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code:
        tail = "\n".join(output.decode(errors="replace").splitlines()[-15:])
        raise SandboxError(f"go build failed in {module.folder}:\n{tail}")
    say(f"done, {_progress(output)} in {_clock(begin)}")


def _read_some(pipe: IO[bytes], output: bytearray) -> bool:
    """Append what there is within a second; False at the end."""
    readable, _, _ = select.select([pipe], [], [], 1.0)
    if not readable:
        return True
    chunk = os.read(pipe.fileno(), 65536)
    output += chunk
    return bool(chunk)


def _progress(output: bytearray) -> str:
    """What `go build -v` has told so far, counted: packages compiled, or else modules fetched."""
    lines = output.decode(errors="replace").splitlines()
    fetched = sum(line.startswith("go: downloading") for line in lines)
    compiled = sum(not line.startswith(("go: ", "#")) for line in lines)
    return f"{compiled} packages compiled" if compiled else f"{fetched} modules fetched"


def _environment(*, cgo: bool) -> dict[str, str]:
    # A compiler that collects garbage less often is a third faster; the memory is there for some minutes.
    return {**os.environ, "GOGC": "400", "GOWORK": "off", "CGO_ENABLED": str(int(cgo))}


def _take_found(folder: Path, say: Say) -> None:
    """Take programs of the right minor version that the machine has: in KUBEBUILDER_ASSETS, or on the PATH."""
    path = os.pathsep.join([os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")])
    for program in filter(programs.found_elsewhere, missing(folder)):
        installed = shutil.which(program.name, path=path)
        if installed is None:
            continue
        version = subprocess.run([installed, "--version"], capture_output=True, text=True, check=False).stdout
        if programs.minor_version() in version:
            say(f"taking {installed} ({version.strip()})")
            staged = folder / f".{program.name}.part"
            shutil.copy2(installed, staged)
            staged.replace(folder / program.name)


def _take_kserve_manifests(target: Path) -> None:
    module = source_of(programs.CLUSTER, programs.KSERVE_MODULE)
    copy_files({module / source: Path(name) for source, name in KSERVE_FILES.items()}, target)


def source_of(module: Module, wanted: str) -> Path:
    """The folder of a Go module that `module` pins, fetched if it is not there. Raises SandboxError."""
    command = [go.find(), "mod", "download", "-json", wanted]
    environment = _environment(cgo=False)
    answer = subprocess.run(command, cwd=module.folder, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SandboxError(f"the Go module {wanted} was not found: {answer.stderr.strip() or answer.stdout.strip()}")
    return Path(json.loads(answer.stdout)["Dir"])


def copy_files(files: Mapping[Path, Path], target: Path) -> None:
    """Copy source -> place below `target`, which stands once it is whole."""
    staged = target.with_name(f".{target.name}.part")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for source, place in files.items():
        (staged / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, staged / place)
    staged.replace(target)


@contextmanager
def locked(path: Path, say: Say) -> Iterator[None]:
    """Hold a lock among all processes of this machine; `say` it where another has it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another clone is compiling the same programs; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clock(begin: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begin), 60)
    return f"{minutes}:{seconds:02d}"
