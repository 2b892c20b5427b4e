"""Looks on the real cluster: read by the predictor, drawn with by a request, refused where they may not be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from product import Learned, Object, Request, Space, named_styles, wait_for
from profile_draw.layer_sizes import look_reader
from profile_models.folders import models_folder
from profile_models.random_sdxl import NAME
from profile_sandbox import SandboxError

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
PEOPLE = Path(__file__).parents[2] / "models" / "people"
CAST = sorted(folder.name for folder in PEOPLE.iterdir() if folder.is_dir())
LAYER = "up_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q"
KOHYA = "lora_unet_output_blocks_1_1_transformer_blocks_0_attn1_to_q"


def look(rank: int = 2) -> bytes:
    """A look of one layer, as kohya's trainer saves it."""
    size, random = look_reader(models_folder(), NAME, 64).sizes[LAYER], torch.Generator().manual_seed(3)
    tensors = {
        f"{KOHYA}.lora_down.weight": torch.randn(rank, size.inputs, generator=random),
        f"{KOHYA}.lora_up.weight": torch.randn(size.outputs, rank, generator=random),
    }
    content: bytes = save(tensors, {"ss_base_model_version": "sdxl_base_v1-0"})
    return content


def named(kind: str, name: str, space: Space, spec: Object) -> str:
    metadata = {"name": name} | ({} if kind.startswith("Cluster") else {"namespace": space.name})
    return json.dumps({"apiVersion": "profilestudio.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


def adapter(space: Space, name: str, content: bytes, sha256: str = "") -> None:
    """A StyleAdapter of a namespace, and its file."""
    space.store.write(f"{space.area}looks/{name}.safetensors", content)
    digest = sha256 or hashlib.sha256(content).hexdigest()
    file = {"key": f"looks/{name}.safetensors", "sha256": digest, "licence": "a test's own"}
    space.kubectl.apply(named("StyleAdapter", name, space, {"file": file}))


def ready(space: Space, name: str) -> Callable[[], Object]:
    """What is told of a StyleAdapter, once it is."""

    def told() -> Object:
        status: Object = space.kubectl.get("-n", space.name, "styleadapter", name).get("status") or {}
        return status if status.get("conditions") else {}

    return told


def learner(space: Space, prefix: str = "uploads/looks/golden/") -> None:
    """A StyleAdapter that learns a look from the pictures of a namespace."""
    spec = {
        "photos": {"prefix": prefix, "licence": "rendered people, CC0"},
        "words": "golden rim light",
        "training": {"rank": 2, "steps": 2},
    }
    space.kubectl.apply(named("StyleAdapter", "golden", space, spec))


def conditions(space: Space, name: str) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition of a StyleAdapter."""
    return {row["type"]: (row["status"], row["reason"]) for row in ready(space, name)().get("conditions", ())}


def look_jobs(space: Space) -> dict[str, str]:
    """Name and UID of each Job by which a look is learnt."""
    items = space.kubectl.get("-n", space.name, "jobs", "-l", "profilestudio.io/style-adapter")["items"]
    return {job["metadata"]["name"]: job["metadata"]["uid"] for job in items}


def stalled(request: Request) -> bool:
    """Whether a request waits for a person."""
    condition = request.condition("Stalled")
    return condition is not None and condition.status == "True"


def style(*adapters: Object) -> Object:
    return {"title": {"en": "Worn"}, "prompt": "photo of {subject}", "adapters": list(adapters)}


RIM: Object = {"name": "rim", "kind": "StyleAdapter", "weightPercent": 80}


def test_a_look_is_learnt_and_one_of_a_single_person_is_refused(space: Space) -> None:
    space.upload([PEOPLE / CAST[0] / f"{number:02d}.jpg" for number in range(12)], "uploads/looks/golden/")
    learner(space)
    wait_for(lambda: conditions(space, "golden").get("Ready") == ("False", "Refused"), 240, "one person is refused")
    assert conditions(space, "golden")["Preprocessed"] == ("False", "TooFewPeople")
    message = ready(space, "golden")()["conditions"][0]["message"]
    assert "a look must not be a person" in message

    for person in CAST[:6]:
        for number in range(2):
            picture = (PEOPLE / person / f"{number:02d}.jpg").read_bytes()
            space.store.write(f"{space.area}uploads/looks/crowd/{person}-{number}.jpg", picture)
    learner(space, "uploads/looks/crowd/")
    wait_for(lambda: conditions(space, "golden").get("Ready") == ("True", "Fits"), 300, "the look is learnt")
    assert set(conditions(space, "golden").values()) == {("True", "Fits"), ("True", "Succeeded")}
    status = ready(space, "golden")()
    learnt = status["learnt"]
    assert learnt["people"] >= 3
    assert (learnt["network"], learnt["thresholdPercent"]) == ("SFace", 55)
    assert [row["weightPercent"] for row in learnt["weights"]] == [40, 60, 80]
    assert hashlib.sha256(space.store.read(space.area + learnt["adapter"])).hexdigest() == status["digest"]
    assert space.store.read(space.area + learnt["sheet"])[:3] == b"\xff\xd8\xff"

    # Made anew under its name it finds what was learnt, and runs nothing.
    space.kubectl.run("-n", space.name, "delete", "styleadapter", "golden")
    wait_for(lambda: not look_jobs(space), 60, "its Jobs went with it")
    learner(space, "uploads/looks/crowd/")
    wait_for(lambda: conditions(space, "golden").get("Ready") == ("True", "Fits"), 60, "the look is there again")
    assert look_jobs(space) == {}
    assert ready(space, "golden")()["digest"] == status["digest"]


def test_a_style_of_the_cluster_names_no_namespaces_look(space: Space) -> None:
    with pytest.raises(SandboxError, match="draws with ClusterStyleAdapters alone"):
        space.kubectl.apply(named("ClusterProfileStyle", "worn-by-all", space, style(RIM)))


def test_a_look_is_read_and_drawn_with_and_others_do_not_wait_for_one_that_is_not_there(
    space: Space, learned: Learned
) -> None:
    adapter(space, "large", look(rank=65))
    adapter(space, "other", look(), sha256="0" * 64)
    large = wait_for(ready(space, "large"), 120, "the large look is judged")["conditions"][0]
    assert (large["status"], large["reason"]) == ("False", "Refused")
    assert "rank 65" in large["message"]
    other = wait_for(ready(space, "other"), 120, "the other look is judged")["conditions"][0]
    assert "its sha256 differs" in other["message"]

    space.kubectl.apply(named("ProfileStyle", "worn", space, style(RIM)))
    space.take_over(learned)
    request = space.request(styles=[*named_styles("studio-warm"), {"name": "worn", "kind": "ProfileStyle"}])
    waiting = request.wait("Stalled", reason="StyleAdapterNotReady", seconds=120)
    assert "pstyle/worn: there is no StyleAdapter rim" in waiting.message
    wait_for(lambda: [key for key in space.made() if key.endswith("000001.png")], 120, "the other style is drawn")

    adapter(space, "rim", look())
    status = wait_for(ready(space, "rim"), 120, "the look is judged")
    assert (status["layers"], status["rank"]) == (1, 2)
    wait_for(lambda: not stalled(request), 60, "the request goes on")
    request.wait()
    styles = {portrait.style for portrait in request.status.portraits}
    assert styles == {"studio-warm", "worn"}
    resolved = json.loads(space.store.read(f"{space.area}requests/person/resolved.json"))
    looks = {drawn["key"]: drawn.get("looks") for drawn in resolved["generate"]["styles"]}
    key = f"{space.area}looks/rim.safetensors"
    assert looks == {"studio-warm": None, "team_worn": [{"key": key, "sha256": hashlib.sha256(look()).hexdigest()}]}
