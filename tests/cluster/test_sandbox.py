"""The sandbox is a real cluster: pods run restricted, KServe serves, services answer, and nothing stays behind."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.credentials import AssumeRoleProvider
from minio.error import S3Error

from profile_sandbox import Sandbox, SandboxError, cgroups, passwords, services

pytestmark = pytest.mark.cluster
NAMESPACE = "sandbox-trial"
PYTHON = "localhost/profile-sandbox/python:dev"
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Where the cluster's programs have fixed folders.
ROOTS = ("/run", "/opt", "/usr/libexec", "/var/lib", "/var/log")
SERVER = """
import kserve
class Echo(kserve.Model):
    def __init__(self):
        super().__init__("echo")
        self.ready = True
    async def predict(self, payload, headers=None):
        return {"predictions": payload["instances"]}
kserve.ModelServer(workers=1).start([Echo()])
"""


@pytest.fixture(scope="module")
def namespace(sandbox: Sandbox) -> Iterator[str]:
    """A namespace under the restricted Pod Security Standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    sandbox.kubectl.apply(json.dumps(manifest))
    yield NAMESPACE
    sandbox.kubectl.run("delete", "namespace", NAMESPACE, "--wait=false")


def container(name: str, program: str) -> dict[str, object]:
    return {
        "name": name,
        "image": PYTHON,
        "imagePullPolicy": "Never",
        "command": ["python", "-c", program],
        "securityContext": RESTRICTED,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }


def job(name: str, program: str) -> str:
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container("main", program)],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    metadata = {"name": name, "namespace": NAMESPACE}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def test_every_part_is_ready(sandbox: Sandbox) -> None:
    assert {row.phase for row in sandbox.status()} == {"ready", "done"}
    (node,) = sandbox.kubectl.get("nodes")["items"]
    conditions = {row["type"]: row["status"] for row in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert conditions["DiskPressure"] == "False"


def test_a_restricted_job_imports_torch_and_reaches_services_by_name(sandbox: Sandbox, namespace: str) -> None:
    program = (
        "import os, torch, profile_contract, urllib.request as u\n"
        "print(torch.__version__, os.getuid(), os.path.isdir('/models'))\n"
        "print(u.urlopen('http://minio.profile-services.svc:9000/minio/health/ready', timeout=5).status)\n"
        "try: open('/usr/mark', 'w')\n"
        "except OSError as error: print(error.strerror)\n"
    )
    sandbox.kubectl.apply(job("torch", program))
    sandbox.kubectl.run("wait", "-n", namespace, "--for=condition=Complete", "job/torch", "--timeout=120s")
    version, uid, models, status, refused = sandbox.kubectl.run("logs", "-n", namespace, "job/torch").split(maxsplit=4)
    assert version.startswith("2.")
    assert (uid, models, status) == ("65532", "True", "200")
    assert refused.strip() == "Read-only file system"


def test_pod_security_refuses_what_is_not_restricted(sandbox: Sandbox, namespace: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose", "namespace": namespace},
        "spec": {"containers": [{"name": "main", "image": PYTHON}]},
    }
    with pytest.raises(SandboxError, match='violates PodSecurity "restricted'):
        sandbox.kubectl.apply(json.dumps(pod))


def test_kserve_serves_in_standard_mode(sandbox: Sandbox, namespace: str) -> None:
    server = {
        **container("kserve-container", SERVER),
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/v2/models/echo/ready", "port": 8080}, "periodSeconds": 1},
    }
    predictor = {"minReplicas": 1, "containers": [server], "volumes": [{"name": "tmp", "emptyDir": {}}]}
    metadata = {
        "name": "echo",
        "namespace": namespace,
        "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
    }
    manifest = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": metadata}
    sandbox.kubectl.apply(json.dumps({**manifest, "spec": {"predictor": predictor}}))
    sandbox.kubectl.run("wait", "-n", namespace, "--for=condition=Ready", "inferenceservice/echo", "--timeout=120s")
    program = (
        "import json, urllib.request as u\n"
        "body, kind = json.dumps({'instances': [4]}).encode(), {'Content-Type': 'application/json'}\n"
        "request = u.Request('http://echo-predictor/v1/models/echo:predict', body, kind)\n"
        "print(u.urlopen(request, timeout=10).read().decode())\n"
    )
    sandbox.kubectl.apply(job("ask", program))
    sandbox.kubectl.run("wait", "-n", namespace, "--for=condition=Complete", "job/ask", "--timeout=60s")
    assert json.loads(sandbox.kubectl.run("logs", "-n", namespace, "job/ask")) == {"predictions": [4]}


def test_kserve_checks_what_it_is_given(sandbox: Sandbox, namespace: str) -> None:
    metadata = {"name": "wrong", "namespace": namespace}
    manifest = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": metadata}
    spec = {"predictor": {"minReplicas": 3, "maxReplicas": 1, "containers": [container("kserve-container", "pass")]}}
    with pytest.raises(SandboxError, match=r"inferenceservice\.kserve-webhook-server"):
        sandbox.kubectl.apply(json.dumps({**manifest, "spec": spec}))


def test_the_operators_store_user_may_hand_out_less_than_he_has(sandbox: Sandbox) -> None:
    address, secret = sandbox.address("minio"), sandbox.passwords
    prefix = f"arn:aws:s3:::{services.BUCKET}/sandbox-trial/"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [f"{prefix}*"]}],
    }
    provider = AssumeRoleProvider(
        sts_endpoint=f"http://{address}",
        access_key=passwords.STORE_OPERATOR_USER,
        secret_key=secret.store_operator,
        policy=json.dumps(policy),
        region=services.REGION,
    )
    store = Minio(address, credentials=provider, secure=False, region=services.REGION)
    key = "sandbox-trial/hello"
    store.put_object(bucket_name=services.BUCKET, object_name=key, data=io.BytesIO(b"hello"), length=5)
    assert store.get_object(bucket_name=services.BUCKET, object_name=key).read() == b"hello"
    with pytest.raises(S3Error, match="Access Denied"):
        store.put_object(bucket_name=services.BUCKET, object_name="other/hello", data=io.BytesIO(b"hello"), length=5)


def test_the_database_and_redis_take_their_logins(sandbox: Sandbox) -> None:
    import psycopg2
    import redis

    host, port = sandbox.address("postgres").split(":")
    connection = psycopg2.connect(
        host=host,
        port=int(port),
        user=passwords.DATABASE_USER,
        password=sandbox.passwords.database,
        dbname=passwords.DATABASE_NAME,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == (passwords.DATABASE_NAME,)
    connection.close()
    host, port = sandbox.address("redis").split(":")
    client = redis.Redis(host=host, port=int(port), password=sandbox.passwords.redis)
    assert client.ping() is True
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(host=host, port=int(port)).ping()


def test_prometheus_scrapes_annotated_pods(sandbox: Sandbox) -> None:
    query = f"http://{sandbox.address('prometheus')}/api/v1/query?query=up"
    deadline = time.monotonic() + 60
    rows: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        with urllib.request.urlopen(query, timeout=5) as answer:
            rows = json.load(answer)["data"]["result"]
        if [row for row in rows if row["metric"]["pod"].startswith("minio-") and row["value"][1] == "1"]:
            return
        time.sleep(1)
    raise AssertionError(f"MinIO is no target that is up: {rows}")


def machine() -> dict[str, object]:
    """What a sandbox could leave on a machine."""

    def lines(*argv: str) -> list[str]:
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()

    return {
        "links": lines("ip", "-o", "link"),
        "routes": lines("ip", "route"),
        "namespaces": lines("ip", "netns"),
        "tables": lines("nft", "list", "tables"),
        "mounts": Path("/proc/self/mounts").read_text().splitlines(),
        "settings": [Path("/proc/sys", name).read_text() for name in ("vm/overcommit_memory", "kernel/panic")],
        "folders": sorted(
            str(path) for root in ("/run", "/opt", "/var/lib", "/var/log") for path in Path(root).iterdir()
        ),
    }


def processes_that_name(text: str) -> list[str]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words and str(os.getpid()) != line.parent.name:
            found.append(words)
    return found


def test_a_second_one_stands_beside_and_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    before = machine()
    state = tmp_path / ("a path with spaces, 한글, and more bytes than a Unix socket's address may have " + "x" * 60)
    second = Sandbox(state)
    try:
        second.up()
        assert second.address("api") != sandbox.address("api")
        own = {pod["metadata"]["uid"] for pod in second.kubectl.get("pods", "-A")["items"]}
        others = {pod["metadata"]["uid"] for pod in sandbox.kubectl.get("pods", "-A")["items"]}
        assert own
        assert not own & others
        assert machine() == before
        kill_scheduler(second)
        (failed,) = [row for row in second.status() if row.phase == "failed"]
        assert (failed.name, failed.code) == ("scheduler", -signal.SIGKILL)
        assert failed.log
    finally:
        second.down()
    assert machine() == before
    assert processes_that_name(str(state)) == []
    assert cgroups.leftovers(f"profile-sandbox-{second.state.id}") == []
    assert sorted(path.name for path in state.iterdir()) == ["lock", "logs"]
    assert {row.phase for row in sandbox.status()} == {"ready", "done"}


def kill_scheduler(sandbox: Sandbox) -> None:
    pid = json.loads(sandbox.state.status.read_text())["scheduler"]["pid"]
    sandbox.run_inside(["kill", "-KILL", str(pid)])
    deadline = time.monotonic() + 10
    while all(row.phase != "failed" for row in sandbox.status()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
