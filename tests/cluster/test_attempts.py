"""What whoever holds a stage's credentials, an editor of a namespace or another operator tries, on the real cluster."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import pytest
import redis

from hardening import Attempts
from impersonation import impersonated
from product import Learned, Object, Product, Ready, Request, Space, run, wait_for
from profile_contract.artifacts import REPORT, request_prefix, resolved_key, stage_file, stage_folder
from profile_contract.keys import ForeignKey
from profile_contract.progress import stream_key
from profile_contract.stages.table import Stage
from profile_operator.names import credentials_secret
from profile_runtime.store.credentials import Signers, StsSessions
from profile_runtime.store.policy import prefix_policy
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import S3Store, open_s3
from profile_sandbox import Sandbox, passwords, services
from profile_sandbox.kubectl import find_kubectl
from second_operator import SECOND, running, second_configuration

if TYPE_CHECKING:
    from profile_cli.demo.target import Target

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
ACCOUNT = "system:serviceaccount:profile-system:profile-studio"
INSTALLATION = "profilestudio.io/installation"
KEEPS_OFF_SECONDS = 12
# A field of each report that leads to a file, and the stage that writes it.
FIELDS: dict[str, tuple[Stage, list[str | int]]] = {
    "a crop": (Stage.PREPROCESS, ["images", 0, "image"]),
    "a pose": (Stage.PREPROCESS, ["poses", 0, "key"]),
    "an adapter": (Stage.TRAIN, ["adapter", "key"]),
    "a checkpoint": (Stage.TRAIN, ["checkpoints"]),
    "a candidate": (Stage.GENERATE, ["candidates", 0, "key"]),
    "a portrait": (Stage.FINISH, ["portraits", 0, "key"]),
    "a contact sheet": (Stage.FINISH, ["contactSheet"]),
    "a print sheet": (Stage.FINISH, ["printSheet"]),
}


@pytest.fixture(scope="module")
def attempts() -> Iterator[Attempts]:
    kept = Attempts()
    yield kept
    kept.write("attempts")


def lay(ready: Ready, learned: Learned, space: Space, name: str, until: Stage) -> None:
    """Lay what the ready request made, up to a stage, under another request's name, as if its stages had run."""
    space.upload(learned.photos, f"uploads/{name}/")
    before, after = request_prefix(ready.space.area, ready.request.name), request_prefix(space.area, name)
    for key in ready.space.made(ready.request.name):
        file = stage_file(key)
        if file is None or list(Stage).index(file.stage) > list(Stage).index(until):
            continue
        data = space.store.read(key)
        if key.endswith(".json"):
            data = data.replace(before.encode(), after.encode())
        space.store.write(after + key.removeprefix(before), data)


def forge(space: Space, name: str, stage: Stage, path: list[str | int], value: object) -> None:
    """Set what stands at a path in a report that lies under a request's name, as whoever holds the stage's credentials
    can."""
    folder = stage_folder(space.area, name, stage)
    (key,) = [key for key in space.made(name) if key.startswith(folder) and key.endswith(f"/{REPORT}")]
    report = json.loads(space.store.read(key))
    place: Any = report
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    space.store.write(key, json.dumps(report).encode())


def asked(space: Space, name: str, **spec: Any) -> Request:
    """A request for what was laid under its name."""
    return space.request(name, photos={"prefix": f"uploads/{name}/"}, subject={"noun": "woman"}, **spec)


# --- forged reports --------------------------------------------------------------------------------------------------


def test_no_report_leads_to_a_photo_of_another_namespace(
    product: Product, ready: Ready, learned: Learned, attempts: Attempts
) -> None:
    """All at once: each is a request of its own, and none of them costs a Job."""
    photo = next(entry.key for entry in product.store.list(f"{learned.space.area}uploads/"))
    with product.space() as space:
        laid, requests = {}, {}
        for what, (stage, path) in FIELDS.items():
            name = what.replace(" ", "-")
            lay(ready, learned, space, name, stage)
            value = [{"step": 1, "key": f"{photo}/", "loss": 0.1}] if path == ["checkpoints"] else photo
            forge(space, name, stage, path, value)
            laid[what] = set(space.made(name))
        for what in FIELDS:
            requests[what] = asked(space, what.replace(" ", "-"))
        for what, request in requests.items():
            condition = request.wait("Ready", status="False", reason="InvalidOrder", seconds=120)
            assert "does not lie below" in condition.message
            assert request.jobs() == []
            assert request.status.portraits == []
            # But for the sentence that names it, nothing that anybody reads or signs leads there.
            status = {field: value for field, value in request.document()["status"].items() if field != "conditions"}
            failures = status.get("stages", {})
            for entry in failures.values():
                entry.pop("failure", None)
            assert photo not in json.dumps(status)
            assert {key for key in space.made(request.name) if stage_file(key)} <= laid[what]
            stage = FIELDS[what][0]
            attempts.note(
                f"{what} in the report of {stage.value} that is another namespace's photo",
                f"`{condition.reason}`; nothing runs, is drawn, signed or shown",
            )


def test_a_known_digest_does_not_fetch_another_persons_adapter(
    product: Product, ready: Ready, learned: Learned, attempts: Attempts
) -> None:
    """The predictor holds the adapter of that digest: it drew with it for the other namespace."""
    with product.space() as space:
        lay(ready, learned, space, "thief", Stage.TRAIN)
        (adapter,) = [key for key in space.made("thief") if key.endswith("/adapter.safetensors")]
        space.store.write(adapter, b"nothing that anybody learned" * 100)
        request = asked(space, "thief")
        condition = request.wait("Stalled", seconds=120)
        assert condition.reason == "PredictorRefused"
        assert "sha256 differs" in condition.message
        assert [key for key in space.made("thief") if key.endswith(".png") and "/candidates/" in key] == []
    attempts.note(
        "the digest of another person's adapter, which the predictor holds, with a file of one's own",
        f"`{condition.reason}`: its sha256 differs; nothing is drawn",
    )


def test_a_style_of_another_namespace_draws_nothing(product: Product, space: Space, attempts: Attempts) -> None:
    with product.space() as owner:
        style = {
            "apiVersion": "profilestudio.io/v1alpha1",
            "kind": "ProfileStyle",
            "metadata": {"name": "house-look", "namespace": owner.name},
            "spec": {"title": {"en": "House look"}, "prompt": "photo of {subject}, the unreleased collection"},
        }
        owner.kubectl.apply(json.dumps(style))
        space.store.write(f"{space.area}uploads/person/1.jpg", b"x")
        request = space.request(styles=[{"name": "house-look", "kind": "ProfileStyle"}])
        condition = request.wait("Stalled", reason="StyleNotFound", seconds=60)
        assert "unreleased" not in json.dumps(request.document())
        assert request.jobs() == []
    attempts.note("a style that another namespace has", f"`{condition.reason}`; nothing is begun, nothing told of it")


# --- a stage's credentials -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secret(ready: Ready) -> dict[str, str]:
    """What the finishing Job of the ready request was given."""
    uid = ready.request.document()["metadata"]["uid"]
    name = credentials_secret(ready.request.name, Stage.FINISH, uid)
    kept = ready.space.kubectl.get("-n", ready.space.name, "secret", name)["data"]
    return {variable: base64.b64decode(value).decode() for variable, value in kept.items()}


@pytest.fixture(scope="module")
def stage_store(target: Target, secret: dict[str, str]) -> S3Store:
    """The store as that Job sees it."""
    return open_s3(target.store_url, {name: value for name, value in secret.items() if name.startswith("AWS_")})


def refused(call: Callable[..., object], *arguments: object) -> bool:
    """Whether the store does not do it."""
    try:
        call(*arguments)
    except StoreError:
        return True
    return False


def test_a_stages_credentials_write_its_own_output_alone(
    ready: Ready, stage_store: S3Store, attempts: Attempts
) -> None:
    space, name = ready.space, ready.request.name
    own = next(key for key in space.made(name) if "/portraits/" in key).rpartition("/")[0] + "/"
    stage_store.write(own + "own.txt", b"mine")
    space.store.delete(own + "own.txt")
    reports = [key for key in space.made(name) if key.endswith(f"/{REPORT}") and not key.startswith(own)]
    another = own.replace(own.split("/")[-2], "0" * 16) + REPORT
    for what, key in (
        ("the record of what was resolved", resolved_key(space.area, name)),
        *((f"the report of {file.stage.value}", key) for key in reports if (file := stage_file(key))),
        ("the report of another run of its stage", another),
        ("another request of its namespace", request_prefix(space.area, "sora") + "portraits/a/report.json"),
    ):
        before = space.store.read(key) if space.store.stat(key) else None
        assert refused(stage_store.write, key, b"forged"), key
        assert (space.store.read(key) if space.store.stat(key) else None) == before
        attempts.note(f"a finishing Job's credentials write {what}", "refused")


def test_a_stages_credentials_see_nothing_else(
    ready: Ready, learned: Learned, stage_store: S3Store, attempts: Attempts
) -> None:
    space, store = ready.space, ready.space.store
    own = next(entry.key for entry in store.list(f"{space.area}uploads/"))
    others = next(entry.key for entry in store.list(f"{learned.space.area}uploads/"))
    for what, key in (("photos of its own namespace", own), ("photos of another namespace", others)):
        assert store.read(key)
        assert refused(stage_store.read, key), key
        attempts.note(f"a finishing Job's credentials read {what}", "refused")
    for what, prefix in (
        ("the whole bucket", ""),
        ("its namespace", space.area),
        ("another namespace", learned.space.area),
        ("its request", request_prefix(space.area, ready.request.name)),
    ):
        assert refused(stage_store.list, prefix), prefix
        attempts.note(f"a finishing Job's credentials list {what}", "refused")


@pytest.fixture(scope="module", params=["operator", "page"])
def account(request: pytest.FixtureRequest, sandbox: Sandbox, target: Target) -> tuple[str, dict[str, str]]:
    """Who signs links, and the account in the store that it signs with."""
    page = {"AWS_ACCESS_KEY_ID": passwords.STORE_WEB_USER, "AWS_SECRET_ACCESS_KEY": sandbox.passwords.store_web}
    return request.param, page if request.param == "page" else dict(target.store_environment)


def test_what_signs_for_one_request_signs_for_no_other(
    ready: Ready, learned: Learned, account: tuple[str, dict[str, str]], target: Target, attempts: Attempts
) -> None:
    who, sessions = account[0], StsSessions(target.store_url, account[1])
    photo = next(entry.key for entry in ready.space.store.list(f"{learned.space.area}uploads/"))
    prefix = request_prefix(ready.space.area, ready.request.name)
    own = next(key for key in ready.space.made() if key.endswith(".png") and "/portraits/" in key)
    signer = Signers(target.store_url, sessions).below(prefix)
    assert httpx2.get(signer.get(own, 60)).status_code == 200
    for key in (photo, f"{prefix}../../../{photo}"):
        with pytest.raises(ForeignKey):
            signer.get(key, 60)
    # And would they sign it, the store would not obey: the session is for the one prefix.
    session = sessions.issue(prefix_policy(services.BUCKET, read=(prefix,), write=()), 900)
    answer = httpx2.get(open_s3(target.store_url, session.environment).presign_get(photo, 60))
    assert answer.status_code == 403
    attempts.note(f"a link of the {who} to another namespace's photo", "not signed; signed all the same, 403")


def test_a_stages_user_of_redis_appends_to_its_own_stream_alone(
    ready: Ready, sandbox: Sandbox, secret: dict[str, str], attempts: Attempts
) -> None:
    given = urlsplit(secret["PROFILE_REDIS"])
    assert sandbox.passwords.redis not in secret["PROFILE_REDIS"]
    place = sandbox.address("redis")
    url = urlunsplit(given._replace(netloc=f"{given.netloc.rpartition('@')[0]}@{place}"))
    stage: Any = redis.Redis.from_url(url)
    own: Any = redis.Redis.from_url(f"redis://:{sandbox.passwords.redis}@{place}{given.path}")
    mine, others = stream_key(ready.space.name, ready.request.name), stream_key("finance", "ceo")
    own.xadd(others, {"event": "theirs"})
    try:
        stage.xadd(mine, {"event": "mine"})
        assert own.xrevrange(mine, count=1)[0][1] == {b"event": b"mine"}
        tried: list[tuple[Any, ...]] = [
            ("XADD", others, "*", "event", "forged"),
            ("XREVRANGE", others, "+", "-"),
            ("XREVRANGE", mine, "+", "-"),
            ("DEL", mine),
            ("KEYS", "*"),
            ("FLUSHALL",),
            ("CONFIG", "GET", "*"),
            ("ACL", "LIST"),
            ("ACL", "SETUSER", "me", "on", "nopass", "+@all", "~*"),
            ("EVAL", "return 1", 0),
        ]
        for command in tried:
            with pytest.raises(redis.exceptions.NoPermissionError):
                stage.execute_command(*command)
        assert [fields for _, fields in own.xrange(others)] == [{b"event": b"theirs"}]
    finally:
        own.delete(others)
        for client in (stage, own):
            client.close()
    attempts.note("a stage's user of Redis reads a stream, its own or another's", "refused")
    attempts.note("a stage's user of Redis writes into another request's stream", "refused; into its own it may")
    attempts.note("a stage's user of Redis sends `FLUSHALL`, `KEYS`, `CONFIG`, `ACL` or `EVAL`", "refused")


# --- the operator's rights -------------------------------------------------------------------------------------------


def test_the_operator_cannot_read_a_secret_by_any_verb(
    product: Product, ready: Ready, target: Target, attempts: Attempts
) -> None:
    space = ready.space
    name = credentials_secret(ready.request.name, Stage.FINISH, ready.request.document()["metadata"]["uid"])
    for resource, verbs in (("secrets", "get list watch patch update"), ("jobs.batch", "patch update")):
        for verb in verbs.split():
            command = ("auth", "can-i", verb, resource, "-n", space.name, f"--as={ACCOUNT}")
            assert run(target, str(find_kubectl()), *command).stdout.strip() == "no", (verb, resource)
        shown = ", ".join(f"`{verb}`" for verb in verbs.split())
        attempts.note(f"{shown} of {resource.partition('.')[0]} by the operator's account", "refused")
    paths = {
        "secrets": f"/api/v1/namespaces/{space.name}/secrets/{name}",
        "jobs": f"/apis/batch/v1/namespaces/{space.name}/jobs/{next(iter(ready.request.job_uids()), 'any')}",
    }
    with impersonated(target, ACCOUNT) as client:
        for what, path in paths.items():
            answer = client.patch(path, content="{}", headers={"Content-Type": "application/merge-patch+json"})
            assert answer.status_code == 403, answer.text
            assert "AWS_SECRET_ACCESS_KEY" not in answer.text
            attempts.note(f"an empty patch of one of the {what}, which would answer with it", "403")


# --- another operator ------------------------------------------------------------------------------------------------


@pytest.fixture
def second(product: Product, sandbox: Sandbox, space: Space, tmp_path: Path) -> Path:
    """The configuration of another installation, which serves the same namespace."""
    return second_configuration(product, space.name, sandbox.address("minio"), tmp_path)


def test_a_second_operator_keeps_off_and_one_alone_writes(
    target: Target, space: Space, second: Path, attempts: Attempts
) -> None:
    request = space.request()
    request.wait("Stalled", reason="NoPhotos", seconds=60)
    holder = request.status.installation

    def kept_off() -> list[Object]:
        return [event for event in request.events() if event["reason"] == "OtherInstallation"]

    with running(second, target):
        wait_for(kept_off, 40, "the second says that it keeps off")
        version = request.document()["metadata"]["resourceVersion"]
        time.sleep(KEEPS_OFF_SECONDS)
        assert request.document()["metadata"]["resourceVersion"] == version
        assert request.status.installation == holder
        (event,) = kept_off()
        assert SECOND in event["message"]
        assert event.get("count", 1) in (1, None)
        attempts.note(
            "a second operator over the same namespace",
            f"one Event `OtherInstallation`; in {KEEPS_OFF_SECONDS} s and as many of its rounds nothing is written",
        )
        annotate(request, SECOND)
        wait_for(lambda: request.status.installation == SECOND, 30, "the second takes it over")
        time.sleep(3)
        version = request.document()["metadata"]["resourceVersion"]
        time.sleep(KEEPS_OFF_SECONDS)
        assert request.document()["metadata"]["resourceVersion"] == version
        attempts.note("the same, once a person handed the request over", "the second alone writes, the first keeps off")
    annotate(request, holder)
    wait_for(lambda: request.status.installation == holder, 30, "the first takes it back")


def annotate(request: Request, installation: str) -> None:
    """Hand a request over."""
    command = ("annotate", "--overwrite", "preq", request.name, f"{INSTALLATION}={installation}")
    request.kubectl.run("-n", request.namespace, *command)


def test_helm_installs_no_second_release_over_the_first(product: Product, target: Target, attempts: Attempts) -> None:
    chart = str(Path(__file__).resolve().parents[2] / "charts" / "profile-studio")
    words = ("install", "second", chart, "-n", "default", "--dry-run=server", "--set", "predictor.enabled=false")
    refusal = run(target, target.helm, *words)
    assert refusal.returncode != 0
    assert "two operators must not share one" in refusal.stderr
    attempts.note("a second release over the same namespaces", "helm refuses it and names the first")
