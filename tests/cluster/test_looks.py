"""Looks on the real cluster: read by the predictor, drawn with by a request, refused where they may not be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save

from product import Learned, Object, Space, named_styles, wait_for
from profile_draw.layer_sizes import look_reader
from profile_models.folders import models_folder
from profile_models.random_sdxl import NAME
from profile_sandbox import SandboxError

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
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


def style(*adapters: Object) -> Object:
    return {"title": {"en": "Worn"}, "prompt": "photo of {subject}", "adapters": list(adapters)}


RIM: Object = {"name": "rim", "kind": "StyleAdapter", "weightPercent": 80}


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
    request.wait()
    styles = {portrait.style for portrait in request.status.portraits}
    assert styles == {"studio-warm", "worn"}
    resolved = json.loads(space.store.read(f"{space.area}requests/person/resolved.json"))
    looks = {drawn["key"]: drawn.get("looks") for drawn in resolved["generate"]["styles"]}
    key = f"{space.area}looks/rim.safetensors"
    assert looks == {"studio-warm": None, "team_worn": [{"key": key, "sha256": hashlib.sha256(look()).hexdigest()}]}
