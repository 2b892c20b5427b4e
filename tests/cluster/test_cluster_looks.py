"""A look that the platform has learnt for every namespace, on the real cluster: who may, whose its pictures stay, and
a portrait of another namespace that is drawn with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardening import Attempts
from product import Learned, Object, Product, Ready, Space, wait_for
from profile_contract.artifacts import REPORT
from profile_contract.look_ref import LOOKS, shared_looks
from profile_contract.stages.stage import Stage
from profile_operator.names import credentials_secret
from profile_runtime.store.credentials import Signers, StsSessions
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import open_s3
from profile_sandbox import SandboxError
from profile_sandbox.kubectl import Kubectl

if TYPE_CHECKING:
    from profile_cli.demo.target import Target

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
PEOPLE = Path(__file__).parents[2] / "models" / "people"
CAST = sorted(folder.name for folder in PEOPLE.iterdir() if folder.is_dir())[:6]
PICTURES = "uploads/looks/dusk/"
NAME = "dusk"
KIND = "clusterstyleadapters.profilestudio.io"


def manifest(kind: str, name: str, spec: Object, namespace: str = "") -> str:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return json.dumps({"apiVersion": "profilestudio.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


def lesson(prefix: str = PICTURES) -> Object:
    photos = {"prefix": prefix, "licence": "rendered people, CC0"}
    return {"photos": photos, "words": "blue dusk light", "training": {"rank": 2, "steps": 2}}


@pytest.fixture(scope="module")
def attempts() -> Iterator[Attempts]:
    kept = Attempts()
    yield kept
    kept.write("looks")


@pytest.fixture(scope="module")
def home(product: Product) -> Iterator[Space]:
    """The release's own namespace, with the pictures of a look."""
    space = Space(product.kubectl, product.store, product.release_namespace)
    for person in CAST:
        for number in range(2):
            picture = (PEOPLE / person / f"{number:02d}.jpg").read_bytes()
            space.store.write(f"{space.area}{PICTURES}{person}-{number}.jpg", picture)
    yield space
    product.kubectl.run("delete", KIND, NAME, "--ignore-not-found")
    for place in (f"{space.area}{PICTURES}", f"{space.area}looks/shared/", f"looks/learnt/{NAME}/"):
        space.store.delete(place)


@pytest.fixture(scope="module")
def learnt(home: Space) -> Object:
    """The status of the look that was learnt of them."""
    home.kubectl.apply(manifest("ClusterStyleAdapter", NAME, lesson()))

    def done() -> Object:
        status: Object = home.kubectl.get(KIND, NAME).get("status") or {}
        rows = {row["type"]: (row["status"], row["reason"]) for row in status.get("conditions", ())}
        if rows.get("Ready") == ("False", "Refused"):
            pytest.fail(json.dumps(status))
        return status if rows.get("Ready") == ("True", "Fits") else {}

    return wait_for(done, 300, "the look of the cluster is learnt")


def test_it_is_learnt_in_the_releases_own_namespace_and_lies_where_every_namespace_is_drawn_with_it(
    home: Space, learnt: Object
) -> None:
    jobs = home.kubectl.get("-n", home.name, "jobs", "-l", "profilestudio.io/style-adapter=dusk")["items"]
    assert {job["metadata"]["ownerReferences"][0]["kind"] for job in jobs} == {"ClusterStyleAdapter"}
    assert sorted(job["metadata"]["name"].rpartition("-")[0] for job in jobs) == [
        "cluster-look-dusk-preprocess",
        "cluster-look-dusk-train",
    ]
    told = learnt["learnt"]
    assert told["adapter"].startswith("looks/learnt/dusk/adapter/")
    assert [row["weightPercent"] for row in told["weights"]] == [40, 60, 80]
    assert home.store.read(told["sheet"])[:3] == b"\xff\xd8\xff"
    crops = [entry.key for entry in home.store.list(f"{home.area}looks/shared/dusk/dataset/")]
    assert len(crops) > len(CAST)
    # Beside the adapter lies no picture but the sheet, and what is told there names no picture of anybody's.
    made = [entry.key for entry in home.store.list("looks/learnt/dusk/")]
    assert [key for key in made if key.endswith((".jpg", ".png", ".webp"))] == [told["sheet"]]
    assert PICTURES not in home.store.read(told["report"]).decode()


def test_another_namespaces_portraits_are_drawn_with_it(space: Space, learned: Learned, learnt: Object) -> None:
    style = {"title": {"en": "Dusk"}, "prompt": "photo of {subject}, blue dusk light"}
    worn = {**style, "adapters": [{"name": NAME, "weightPercent": 40}]}
    space.kubectl.apply(manifest("ProfileStyle", "dusk", worn, space.name))
    space.take_over(learned)
    request = space.request(subject={"noun": "woman"}, styles=[{"name": "dusk", "kind": "ProfileStyle"}])
    request.wait()
    resolved = json.loads(space.store.read(f"{space.area}requests/person/resolved.json"))
    (drawn,) = resolved["generate"]["styles"]
    assert drawn["looks"] == [{"key": learnt["learnt"]["adapter"], "sha256": learnt["digest"]}]


# --- who may not ---------------------------------------------------------------------------------------------------


def test_who_edits_a_namespace_makes_none(space: Space, attempts: Attempts) -> None:
    kubectl, editor = space.kubectl, "dusk-editor"
    for role in ("edit", "profile-system-profile-studio-edit"):
        binding = f"{editor}-{role}"
        kubectl.run("-n", space.name, "create", "rolebinding", binding, f"--clusterrole={role}", f"--user={editor}")
    own = manifest("StyleAdapter", "mine", lesson(), space.name)
    apply = ("apply", "-f", "-", f"--as={editor}")
    wait_for(lambda: _done(kubectl, *apply, "--dry-run=server", stdin=own), 20, "an editor makes one of the namespace")
    for what, kind, spec in (
        ("that is learnt from photos", "ClusterStyleAdapter", lesson()),
        ("that draws with a look of one's own", "ClusterProfileStyle", {"title": {"en": "a"}, "prompt": "{subject}"}),
    ):
        with pytest.raises(SandboxError, match="forbidden"):
            kubectl.run(*apply, stdin=manifest(kind, "mine", spec))
        attempts.note(f"a {kind} {what}, by who may edit requests and looks of a namespace", "forbidden")
    for what in ("secrets", "jobs"):
        assert not _done(kubectl, "auth", "can-i", "get", what, "-n", "profile-system", f"--as={editor}")


def _done(kubectl: Kubectl, *arguments: str, stdin: str | None = None) -> bool:
    """Whether kubectl ends well."""
    try:
        kubectl.run(*arguments, stdin=stdin)
    except SandboxError:
        return False
    return True


def test_its_pictures_and_crops_are_read_from_no_other_namespace(
    home: Space, space: Space, learnt: Object, target: Target, attempts: Attempts
) -> None:
    assert learnt["learnt"]["people"] >= 3
    # The same words, said elsewhere, name the namespace's own place, where nothing lies.
    space.kubectl.apply(manifest("StyleAdapter", "copied", lesson(), space.name))
    looks = [entry.key for entry in home.store.list(f"{home.area}looks/shared/dusk/")]
    report = next(key for key in looks if key.endswith(f"/{REPORT}"))
    stolen = {"key": "looks/stolen.safetensors", "sha256": "0" * 64, "licence": "none"}
    space.kubectl.apply(manifest("StyleAdapter", "stolen", {"file": stolen}, space.name))
    for name, reason in (("copied", "Learning"), ("stolen", "NotFound")):
        found = wait_for(lambda name=name: _ready(space, name), 60, "the look is judged")  # type: ignore[misc]
        assert found["reason"] == reason
    assert "there are no pictures" in _ready(space, "copied")["message"]
    attempts.note("a look of another namespace from the same `photos.prefix`", "`NoPhotos`: it is another place")
    for prefix in (f"uploads/../../{home.area}{PICTURES}", f"{home.area}{PICTURES}"):
        with pytest.raises(SandboxError, match=r"photos\.prefix"):
            space.kubectl.apply(manifest("StyleAdapter", "far", lesson(prefix), space.name))
    attempts.note("a `photos.prefix` that leads into the release's own area", "refused by the API server")
    sessions = StsSessions(target.store_url, dict(target.store_environment))
    signer = Signers(target.store_url, sessions).below(shared_looks(""), LOOKS)
    with pytest.raises(ValueError, match="does not lie below"):
        signer.get(report, 60)
    attempts.note("a link of those by which everybody's looks are read, to a crop of one", "not signed")


def test_the_credentials_of_another_namespaces_stage_read_nothing_of_it(
    home: Space, ready: Ready, learnt: Object, target: Target, attempts: Attempts
) -> None:
    uid = ready.request.document()["metadata"]["uid"]
    secret = credentials_secret(ready.request.name, Stage.FINISH, uid)
    kept = home.kubectl.get("-n", ready.space.name, "secret", secret)["data"]
    account = {name: base64.b64decode(value).decode() for name, value in kept.items() if name.startswith("AWS_")}
    stage = open_s3(target.store_url, account)
    picture = f"{home.area}{PICTURES}{CAST[0]}-0.jpg"
    crop = home.store.list(f"{home.area}looks/shared/dusk/dataset/")[0].key
    for what, key in (("a picture", picture), ("a crop", crop), ("the sheet", learnt["learnt"]["sheet"])):
        assert home.store.read(key)
        with pytest.raises(StoreError):
            stage.read(key)
        attempts.note(f"a finishing Job's credentials read {what} of the cluster's look", "refused")


def _ready(space: Space, name: str) -> Object:
    """The condition Ready of a StyleAdapter; empty where none is told yet."""
    status = space.kubectl.get("-n", space.name, "styleadapter", name).get("status") or {}
    return next((row for row in status.get("conditions", ()) if row["type"] == "Ready"), {})
