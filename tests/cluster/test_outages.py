"""A service is cut off at the network: a request waits for the store and the predictor, and never for the rest.

Packets to the service's pod are rejected, established connections included; its data stay as they are.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from product import Learned, Request, Space, pictures_in, wait_for
from profile_sandbox import Sandbox, passwords

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
SERVICES = "profile-services"
TABLE = "profile_test_outage"


@contextlib.contextmanager
def cut_off(sandbox: Sandbox, namespace: str, *selectors: str) -> Iterator[None]:
    """Reject everything that pods send to the pods with these labels."""
    addresses = [_address(sandbox, namespace, selector) for selector in selectors]
    sandbox.run_inside(["nft", "add", "table", "ip", TABLE])
    try:
        # Before kube-proxy's own chains have their say.
        chain = "{ type filter hook forward priority -150 ; }"
        sandbox.run_inside(["nft", "add", "chain", "ip", TABLE, "forward", chain])
        for address in addresses:
            rule = ["ip", "daddr", address, "meta", "l4proto", "tcp", "reject", "with", "tcp", "reset"]
            sandbox.run_inside(["nft", "add", "rule", "ip", TABLE, "forward", *rule])
        yield
    finally:
        sandbox.run_inside(["nft", "delete", "table", "ip", TABLE])


def _address(sandbox: Sandbox, namespace: str, selector: str) -> str:
    pods = sandbox.kubectl.get("-n", namespace, "pods", "-l", selector, "--field-selector=status.phase=Running")
    address: str = pods["items"][0]["status"]["podIP"]
    return address


def waits(request: Request, reason: str, seconds: float = 120) -> None:
    """The request says that it waits for the platform, in plain words, and is not stalled."""
    condition = request.wait("Ready", status="False", reason=reason, seconds=seconds)
    assert len(condition.message) < 600
    assert not re.search(r"Traceback|X-Amz|password", condition.message)
    stalled, reconciling = request.condition("Stalled"), request.condition("Reconciling")
    assert stalled is not None
    assert reconciling is not None
    assert (stalled.status, reconciling.status) == ("False", "True")


def test_the_store_is_away_when_a_request_comes(sandbox: Sandbox, space: Space, people: Path) -> None:
    space.upload(pictures_in(people / "p00060"))
    with cut_off(sandbox, SERVICES, "app.kubernetes.io/name=minio"):
        request = space.request()
        waits(request, "StoreUnavailable")
        assert request.jobs() == []
    request.wait("Preprocessed", seconds=180)
    assert len(request.jobs()) <= 2


def test_the_store_is_away_when_requests_go(sandbox: Sandbox, space: Space) -> None:
    """What is to stay needs no store; what is to go is held, until a person lets it go."""
    kept, held = space.request("kept", deletionPolicy="Retain"), space.request("held")
    for request in (kept, held):
        request.wait("Stalled", reason="NoPhotos", seconds=60)
    with cut_off(sandbox, SERVICES, "app.kubernetes.io/name=minio"):
        kept.delete(90)
        space.kubectl.run("-n", space.name, "delete", "preq", held.name, "--wait=false")
        held.wait("Ready", status="False", reason="Deleting", seconds=90)
        space.kubectl.run("-n", space.name, "annotate", "preq", held.name, "profilestudio.io/abandon=true")
        space.kubectl.run("-n", space.name, "wait", "--for=delete", f"preq/{held.name}", "--timeout=120s")
        reasons = [event["reason"] for event in held.events()]
    assert "ArtifactsAbandoned" in reasons


def test_redis_and_postgresql_are_away_all_the_time(sandbox: Sandbox, space: Space, people: Path) -> None:
    """Progress and history are conveniences: the request ends as ever, and history is written later."""
    space.upload(pictures_in(people / "p00060"))
    with cut_off(sandbox, SERVICES, "app.kubernetes.io/name=redis", "app.kubernetes.io/name=postgres"):
        request = space.request()
        request.wait("Ready", seconds=420)
    assert len(request.ended_jobs()) == 3
    wait_for(lambda: history(sandbox, space.name) == ["finish", "generate", "preprocess", "train"], 120, "the history")


def test_the_predictor_is_away_when_candidates_are_due(sandbox: Sandbox, space: Space, learned: Learned) -> None:
    space.take_over(learned)
    with cut_off(sandbox, "profile-system", "serving.kserve.io/inferenceservice=profile-predictor"):
        request = space.request(subject={"noun": "woman"})
        request.wait("Trained", seconds=60)
        waits(request, "PredictorUnavailable")
        assert request.jobs() == []
    request.wait("Ready", seconds=300)
    assert [job["metadata"]["labels"]["profilestudio.io/stage"] for job in request.jobs()] == ["finish"]


def history(sandbox: Sandbox, namespace: str) -> list[str]:
    """The stages that the database knows of this namespace."""
    host, _, port = sandbox.address("postgres").partition(":")
    connection = psycopg2.connect(
        host=host,
        port=port,
        user=passwords.DATABASE_USER,
        dbname=passwords.DATABASE_NAME,
        password=sandbox.passwords.database,
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT stage FROM stages WHERE namespace = %s ORDER BY stage", (namespace,))
            return [row[0] for row in cursor.fetchall()]
    finally:
        connection.close()
