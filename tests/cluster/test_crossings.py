"""What strangers try, on the real cluster with the real store: each attempt, and what it got (docs/hardening.md)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from hardening import Attempts
from page_on_cluster import as_, page_on
from page_stand import free_port, served
from product import Learned, Product, Ready, Space, wait_for
from profile_cli.demo.target import Target
from profile_contract.areas import area_of
from profile_contract.artifacts import REPORT
from profile_contract.stages.table import Stage
from profile_operator.names import credentials_secret
from profile_runtime.store.credentials import Signers, StsSessions
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import open_s3
from profile_sandbox import Sandbox, SandboxError, services
from profile_web import purges

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
OPERATOR = "app.kubernetes.io/component=operator"
PREDICTOR = "serving.kserve.io/inferenceservice=profile-predictor"
MODEL = "/v2/models/profile-predictor"
# One call to the predictor from another pod: method, path, bytes of body; prints status, seconds and the answer's head.
CALL = """
import json, sys, time, httpx2
method, path, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
began = time.monotonic()
url = "http://profile-predictor-predictor.profile-system.svc" + path
try:
    answer = httpx2.request(method, url, content=b"[" * size, headers={"Content-Type": "application/json"}, timeout=60)
    status, text = answer.status_code, answer.text[:200]
except httpx2.TransportError as error:  # a server that refuses a body may close the connection under it
    status, text = 0, type(error).__name__
print(json.dumps([status, time.monotonic() - began, text]))
"""
PHOTO = b"no picture, and large enough to be taken for one" * 40
# Of a namespace that had the same name once.
OLD_UID = "1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
VISITOR = "visitor@example.com"
LIMITS = {"most_photos": 8, "drafts": 3, "streams": 3}
MEMORY = "print(next(l.split()[1] for l in open('/proc/1/status') if l.startswith('VmRSS')))"


@pytest.fixture(scope="module")
def attempts() -> Iterator[Attempts]:
    kept = Attempts()
    yield kept
    kept.write("crossings")


def in_pod(product: Product, label: str, *arguments: str) -> str:
    """What Python says in a pod of the release."""
    namespace = product.release_namespace
    pods = product.kubectl.get("-n", namespace, "pods", "-l", label, "--field-selector=status.phase=Running")["items"]
    return product.kubectl.run("-n", namespace, "exec", pods[0]["metadata"]["name"], "--", "python", *arguments)


def call(product: Product, method: str, path: str, size: int = 2) -> tuple[int, float, str]:
    """Status (0: the connection was closed), seconds and answer of a call to the predictor."""
    status, seconds, text = json.loads(in_pod(product, OPERATOR, "-c", CALL, method, path, str(size)))
    return status, seconds, text


def predictor_megabytes(product: Product) -> float:
    return int(in_pod(product, PREDICTOR, "-c", MEMORY)) / 1024


# --- the predictor's doors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/repository/models/profile-predictor/unload"),
        ("POST", "/v2/repository/models/profile-predictor/load"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v1/models/profile-predictor:predict"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/metrics"),
    ],
)
def test_doors_that_nobody_meant_to_open_are_none(product: Product, attempts: Attempts, method: str, path: str) -> None:
    status, _, _ = call(product, method, path)
    assert status == 404
    assert call(product, "GET", f"{MODEL}/ready")[0] == 200
    attempts.note(f"`{method} {path}` at the predictor", f"{status}; it stays ready")


@pytest.mark.parametrize("path", ["/v1/models/profile-predictor:predict", f"{MODEL}/infer"])
def test_a_large_body_does_not_fill_the_predictor(product: Product, attempts: Attempts, path: str) -> None:
    before = predictor_megabytes(product)
    status, seconds, text = call(product, "POST", path, 57_000_000)
    grown = predictor_megabytes(product) - before
    assert status in (0, 404, 413), text
    assert seconds < 30
    assert grown < 150
    assert call(product, "GET", f"{MODEL}/ready")[0] == 200
    attempts.note(
        f"57 MB to `{path}`", f"{status or 'the connection is closed'} after {seconds:.1f} s; {grown:+.0f} MB of memory"
    )


def test_the_predictor_is_asked_from_within_the_cluster_alone(product: Product, attempts: Attempts) -> None:
    service = product.kubectl.get("-n", product.release_namespace, "isvc", "profile-predictor")
    assert service["metadata"]["labels"]["networking.kserve.io/visibility"] == "cluster-local"
    attempts.note("a way to the predictor from outside", "none is made: it is marked as local to the cluster")


# --- the store -----------------------------------------------------------------------------------------------------


def test_a_link_that_writes_copies_nobodys_photo(ready: Ready, target: Target, attempts: Attempts) -> None:
    space = ready.space
    foreign = f"{area_of(space.name, OLD_UID)}uploads/ceo/IMG_0001.jpg"
    key = f"{space.area}requests/person/candidates/aaaa/000001.png"
    space.store.write(foreign, b"somebody else's face")
    try:
        sessions = StsSessions(target.store_url, target.store_environment)
        link = Signers(target.store_url, sessions).below(f"{space.area}requests/person/").put(key, 60)
        copied = httpx2.put(link, headers={"x-amz-copy-source": f"/{services.BUCKET}/{foreign}"})
        assert copied.status_code == 403
        assert space.store.stat(key) is None
        assert httpx2.put(link, content=b"drawn").status_code == 200
    finally:
        space.store.delete(foreign)
        space.store.delete(key)
    attempts.note(
        "a photo of another namespace, copied by a link that may write", "403; the link writes its own object"
    )


def test_a_report_that_names_anothers_files_is_not_believed(
    product: Product, learned: Learned, attempts: Attempts
) -> None:
    with product.space() as space:
        space.take_over(learned)
        (key,) = [key for key in space.made() if "/adapter/" in key and key.endswith(f"/{REPORT}")]
        report = json.loads(space.store.read(key))
        report["adapter"]["key"] = f"{learned.space.area}requests/learned/adapter/x/adapter.safetensors"
        space.store.write(key, json.dumps(report).encode())
        request = space.request(subject={"noun": "woman"})
        condition = request.wait("Ready", status="False", reason="InvalidOrder", seconds=120)
        assert request.status.portraits == []
        assert request.jobs() == []
    attempts.note(
        "a report that names another request's adapter", f"{condition.reason}; nothing is signed, read or shown"
    )


def test_a_namespace_made_anew_under_an_old_name_sees_nothing_of_the_old_one(
    product: Product, learned: Learned, attempts: Attempts
) -> None:
    with product.space() as space:
        space.take_over(learned)
        kept = space.store.list(space.area)
        space.kubectl.run("delete", "namespace", space.name)
        space.kubectl.run("create", "namespace", space.name)
        anew = Space(space.kubectl, space.store, space.name)
        condition = anew.request(subject={"noun": "woman"}).wait("Stalled", reason="NoPhotos", seconds=60)
        assert anew.area != space.area
        assert anew.area in condition.message
        assert space.store.list(space.area) == kept != []
        assert anew.made() == []
    attempts.note("a namespace made anew under the name of one that left photos and an adapter", "`NoPhotos`")


def test_more_photos_than_are_taken_stop_the_listing(product: Product, attempts: Attempts) -> None:
    with product.space() as space:
        for number in range(60):
            space.store.write(f"{space.area}uploads/person/{number:03}.jpg", b"x")
        request = space.request()
        condition = request.wait("Stalled", reason="TooManyPhotos", seconds=60)
    attempts.note("60 objects where 20 photos are taken", f"{condition.reason}, after 21 were listed")


@pytest.mark.parametrize("prefix", ["uploads/./x/", "uploads/../x/", "uploads/a'b/", "uploads/a*/", "uploads/.hidden/"])
def test_a_prefix_that_leads_elsewhere_is_refused(ready: Ready, attempts: Attempts, prefix: str) -> None:
    with pytest.raises(SandboxError, match=r"photos\.prefix"):
        ready.space.request("elsewhere", photos={"prefix": prefix})
    attempts.note(f"photos under `{prefix}`", "refused by the API server, with what is wrong")


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page_answers_to_its_own_names_and_script(sandbox: Sandbox, product: Product, attempts: Attempts) -> None:
    address = f"http://{sandbox.address('web')}"
    rebound = httpx2.get(f"{address}/api/session", headers={"Host": "evil.example"})
    assert rebound.status_code in (400, 403, 421)
    forged = httpx2.post(f"{address}/api/requests", json={})
    assert forged.status_code == 403
    huge = httpx2.post(f"{address}/api/requests", content=b"[" * 15_000_000, headers={"X-Profile-Studio": "page"})
    assert huge.status_code == 413
    attempts.note("the page under another site's name", f"{rebound.status_code}")
    attempts.note("a form of another site", f"{forged.status_code}")
    attempts.note("15 MB where a few lines are expected", f"{huge.status_code}, unread")


@pytest.fixture
def visitor(
    sandbox: Sandbox, target: Target, product: Product, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx2.Client]:
    """A visitor of a page that is the cluster's and the store's, by HTTP; what is deleted is soon emptied again."""
    monkeypatch.setenv("KUBECONFIG", str(target.kubeconfig))
    monkeypatch.setattr(purges, "AGAIN_SECONDS", (2.0, 4.0))
    monkeypatch.setattr(purges, "LOOK_SECONDS", 0.5)
    port = free_port()
    with (
        product.space() as space,
        served(page_on(sandbox, space.name, [VISITOR], **LIMITS), port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=as_(VISITOR), timeout=20) as client,
    ):
        yield client


def asked(visitor: httpx2.Client, draft: str, number: int = 0) -> httpx2.Response:
    """The answer to a wish for a form that sends one photo."""
    photo = {"name": f"{number}.jpg", "type": "image/jpeg", "bytes": len(PHOTO)}
    return visitor.post("/api/uploads", json={"draft": draft, "photos": [photo]})


def sent(form: dict[str, Any]) -> int:
    """The store's answer to a photo that comes by a form."""
    files = {"file": ("photo.jpg", PHOTO, "image/jpeg")}
    return httpx2.post(form["url"], data=form["fields"], files=files, timeout=20).status_code


def first_event(stream: httpx2.Response) -> str:
    """What a stream says first."""
    return next(line for line in stream.iter_lines() if line.startswith("event:"))


def codes(answers: list[httpx2.Response]) -> list[str]:
    """Why answers are refusals; nothing for those that are none."""
    return ["" if answer.status_code == 200 else answer.json()["code"] for answer in answers]


def test_a_flood_of_forms_and_of_drafts_ends(visitor: httpx2.Client, attempts: Attempts) -> None:
    photos, drafts = LIMITS["most_photos"], LIMITS["drafts"]
    forms = codes([asked(visitor, "p-0", number) for number in range(photos + 5)])
    assert forms == [""] * photos + ["too-many-photos"] * 5
    attempts.note(f"{len(forms)} forms for one request's photos", f"{photos} are given, then `too-many-photos`")
    begun = codes([asked(visitor, f"p-{number}") for number in range(1, drafts + 5)])
    assert begun == [""] * (drafts - 1) + ["too-many-drafts"] * 5
    attempts.note(f"{drafts + 5} drafts that nobody ends", f"{drafts} may stand at once, then `too-many-drafts`")


def test_a_flood_of_streams_ends_and_a_late_form_leaves_nothing(
    visitor: httpx2.Client, product: Product, attempts: Attempts
) -> None:
    """One request for both: it is followed as often as may be, and a form for it is used after it was deleted."""
    most = LIMITS["streams"]
    assert sent(asked(visitor, "p-1").json()[0]) in (200, 204)
    late = asked(visitor, "p-1", 1).json()[0]
    made = visitor.post("/api/requests", json={"draft": "p-1", "styles": ["studio-warm"]})
    assert made.status_code == 201, made.text
    with ExitStack() as opened:
        begun = [opened.enter_context(visitor.stream("GET", "/api/requests/p-1/events")) for _ in range(most + 5)]
        # A stream that came too late for the door says so itself, and ends.
        firsts = [first_event(answer) for answer in begun if answer.status_code == 200]
    assert {answer.status_code for answer in begun} <= {200, 429}
    assert firsts.count("event: request") == most
    attempts.note(f"{len(begun)} streams of one visitor", f"{most} are open at once, then `too-many-streams`")
    assert visitor.delete("/api/requests/p-1").status_code == 204
    prefix = late["fields"]["key"].rpartition("/")[0] + "/"
    assert product.store.list(prefix) == []
    # The store lets a form live until it ends, whatever was deleted meanwhile.
    assert sent(late) in (200, 204)
    assert asked(visitor, "p-1", 2).json()["code"] == "request-not-found"
    wait_for(lambda: product.store.list(prefix) == [], 20, "what came late is gone")
    attempts.note(
        "a form that is used after its request was deleted",
        "the store takes the photo; once forms have ended it is deleted, and no other form is given meanwhile",
    )


# --- rights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "verb", "allowed"), [("view", "create", "no"), ("view", "list", "yes"), ("edit", "create", "no")]
)
def test_nobody_is_given_gpu_time_unasked(ready: Ready, attempts: Attempts, role: str, verb: str, allowed: str) -> None:
    kubectl, name = ready.space.kubectl, ready.space.name
    kubectl.run("-n", name, "create", "rolebinding", f"{role}-{verb}", f"--clusterrole={role}", f"--user={role}-{verb}")
    command = ("auth", "can-i", verb, "profilerequests.profilestudio.io", "-n", name, f"--as={role}-{verb}")
    wait_for(lambda: _answer(kubectl, *command) == allowed, 20, f"may {role} {verb}: {allowed}")
    attempts.note(
        f"`{verb}` of requests by the role `{role}` of the namespace", "allowed" if allowed == "yes" else "refused"
    )


def _answer(kubectl: Any, *command: str) -> str:
    """yes or no; kubectl ends with 1 for no."""
    try:
        return str(kubectl.run(*command)).strip()
    except SandboxError:
        return "no"


# --- gone means gone -----------------------------------------------------------------------------------------------


def test_who_kept_a_jobs_credentials_writes_nothing_after_deletion(
    ready: Ready, target: Target, attempts: Attempts
) -> None:
    """Last of this module: its request is gone after it."""
    space, request = ready.space, ready.request
    secret = credentials_secret(request.name, Stage.FINISH, request.document()["metadata"]["uid"])
    kept = space.kubectl.get("-n", space.name, "secret", secret)["data"]
    variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    keys = {name: base64.b64decode(kept[name]).decode() for name in variables}
    copied = open_s3(target.store_url, keys)
    output = next(key for key in space.made() if "/portraits/" in key).rpartition("/")[0] + "/"
    copied.write(output + "early.png", b"early", "image/png")
    began = time.monotonic()
    request.delete(seconds=240)
    seconds = time.monotonic() - began
    with pytest.raises(StoreError):
        copied.write(output + "late.png", b"late", "image/png")
    assert space.made() == []
    attempts.note(
        "a Job's credentials, kept and used after the request was deleted", f"refused; it was gone in {seconds:.0f} s"
    )
