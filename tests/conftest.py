"""What tests on a cluster share. Nothing here runs unless a test asks for it.

The cluster is a sandbox for this clone's tests (the one that stands, else one that is started for them and ended after
them; never the demo's), or the one that KUBECONFIG names: then PROFILE_VALUES names the chart's values for it, and
PROFILE_STORE and AWS_* its store as reached from this machine. PROFILE_SANDBOX_STATE names the state folder of another
sandbox.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from product import Learned, Product, Ready, Space
    from profile_cli.demo.target import Target
    from profile_sandbox import Sandbox
    from profile_sandbox.kubectl import Kubectl

# Before torch is imported: on two cores beside a cluster, threads that spin cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")

CLONE = Path(__file__).resolve().parents[1]
# What the page's requests say about training in tests: the random base model learns nothing, however long.
PAGE_TRAINING = {"steps": 4, "rank": 4}
# Not the demo's: what a test installs must not take a demo's release away from under it.
STATE = Path(os.environ.get("PROFILE_SANDBOX_STATE", CLONE / ".sandbox-tests"))
DEMO_STATE = CLONE / ".sandbox"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, and keep what was imported out of its sight afterwards.

    With PyTorch among them that is a million objects which stay to the end: to look through them again and again took
    an eighth of the unit tests' time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# What may be skipped where everything can be installed: `make test` fails for any other reason to skip.
KNOWN_SKIPS = (
    "KUBECONFIG names another cluster",
    "takes services away",
    "images are built as root",
    "PROFILE_IMAGES=all",
    "PROFILE_BENCH_COLD=1",
    "make test-compile",
)
_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note why a test was skipped."""
    if report.skipped and isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where PROFILE_ALL_TESTS is set, a test that did not run for want of something has failed."""
    unknown = [text for text in _skipped if not any(known in text for known in KNOWN_SKIPS)]
    if os.environ.get("PROFILE_ALL_TESTS") and unknown and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many were skipped, and which of them count as failed."""
    unknown = [text for text in _skipped if not any(known in text for known in KNOWN_SKIPS)]
    if os.environ.get("PROFILE_ALL_TESTS") and unknown:
        terminalreporter.section("skipped for want of something: these count as failed", red=True)
        for text in unknown:
            terminalreporter.line(text)


def _own_kubeconfig() -> Path | None:
    """Somebody's own cluster, where KUBECONFIG names one that is no sandbox of this clone."""
    given = os.environ.get("KUBECONFIG")
    # The demo tells people to export its own.
    sandboxes = {(state / "kubeconfig").resolve() for state in (STATE, DEMO_STATE)}
    return Path(given) if given and Path(given).resolve() not in sandboxes else None


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox; left standing if it stood before."""
    from profile_sandbox import Sandbox

    if _own_kubeconfig() is not None:
        pytest.skip("KUBECONFIG names another cluster; this test is about the sandbox")
    sandbox = Sandbox(STATE, print)
    stood = sandbox.running
    sandbox.up()
    yield sandbox
    if not stood:
        sandbox.down()


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    """The cluster under test: kubeconfig, the chart's values for it, and its store."""
    from profile_cli.demo.target import own_target, sandbox_target
    from profile_cli.terminal import Terminal

    own = _own_kubeconfig()
    if own is not None:
        values = os.environ.get("PROFILE_VALUES")
        return own_target(own, Path(values) if values else None, os.environ.get("PROFILE_STORE", ""))
    request.getfixturevalue("sandbox")
    return sandbox_target(STATE, Terminal(), page_training=PAGE_TRAINING)


@pytest.fixture(scope="session")
def kubectl(target: Target) -> Kubectl:
    """kubectl as the administrator of the cluster under test."""
    from profile_sandbox.kubectl import Kubectl

    return Kubectl(target.kubeconfig)


@pytest.fixture(scope="session")
def product(target: Target, kubectl: Kubectl) -> Product:
    """The product, installed once from its chart: operator, predictor and history are ready."""
    from product import Product
    from profile_cli.demo import release
    from profile_cli.demo.cluster import DemoCluster
    from profile_cli.terminal import Terminal

    terminal = Terminal()
    release.install(target, terminal)
    release.wait_ready(DemoCluster(target.kubeconfig), terminal, page=bool(target.page), history=target.history)
    return Product(kubectl, target.store(), release.NAMESPACE)


@pytest.fixture
def space(product: Product) -> Iterator[Space]:
    """A fresh namespace in the cluster where the product runs."""
    with product.space() as space:
        yield space


@pytest.fixture(scope="session")
def learned(product: Product, people: Path) -> Iterator[Learned]:
    """A person whose dataset and adapter are there, for tests of what comes after: `space.take_over(learned)`."""
    from product import Learned, pictures_in

    photos = pictures_in(people / "p00060")
    with product.space() as space:
        space.upload(photos)
        request = space.request("learned", subject={"noun": "woman"})
        request.wait("Trained", seconds=420)
        request.patch({"suspend": True})
        yield Learned(space, "learned", photos)


@pytest.fixture(scope="session")
def ready(product: Product, learned: Learned) -> Iterator[Ready]:
    """The portraits of that person, as a request named `person` of another namespace; the last of test_crossings
    deletes it."""
    from product import Ready

    with product.space() as space:
        space.take_over(learned)
        request = space.request(subject={"noun": "woman"})
        request.wait("Ready", seconds=300)
        yield Ready(space, request)


@pytest.fixture(scope="session")
def random_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the random SDXL and its ControlNet, made once for all who only read it."""
    from profile_models import random_sdxl

    folder = tmp_path_factory.mktemp("models")
    random_sdxl.make(folder)
    return folder


@pytest.fixture(scope="session")
def people() -> Path:
    """The rendered people of the repository, one folder each."""
    return CLONE / "models" / "people"
