"""Models of a hub: what is taken of a repository, how it comes, and what is said when it does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_server import COMMIT, Hub, hub_server
from profile_models import hub as hub_module
from profile_models.hub import HubError, Origin, begun, bring, bring_settings, left_to_bring, offer_of, origin_of, size
from profile_models.hub_files import HubFile, HubName, NoModel, hub_name, model_files
from profile_runtime.weights import check_model
from properties import examples

SDXL = HubName("acme", "xl")
# The repository of SDXL 1.0 as it lies on its hub, by names.
_LISTED = """
.gitattributes 01.png LICENSE.md README.md model_index.json pipeline.png sd_xl_base_1.0.safetensors
sd_xl_base_1.0_0.9vae.safetensors sd_xl_offset_example-lora_1.0.safetensors scheduler/scheduler_config.json
text_encoder/config.json text_encoder/flax_model.msgpack text_encoder/model.fp16.safetensors text_encoder/model.onnx
text_encoder/model.safetensors text_encoder/openvino_model.bin text_encoder/openvino_model.xml
text_encoder_2/config.json text_encoder_2/flax_model.msgpack text_encoder_2/model.fp16.safetensors
text_encoder_2/model.onnx text_encoder_2/model.onnx_data text_encoder_2/model.safetensors
tokenizer/merges.txt tokenizer/special_tokens_map.json tokenizer/tokenizer_config.json tokenizer/vocab.json
tokenizer_2/merges.txt tokenizer_2/special_tokens_map.json tokenizer_2/tokenizer_config.json tokenizer_2/vocab.json
unet/config.json unet/diffusion_flax_model.msgpack unet/diffusion_pytorch_model.fp16.safetensors
unet/diffusion_pytorch_model.safetensors unet/model.onnx unet/model.onnx_data unet/openvino_model.bin
vae/config.json vae/diffusion_flax_model.msgpack vae/diffusion_pytorch_model.fp16.safetensors
vae/diffusion_pytorch_model.safetensors vae_1_0/config.json vae_1_0/diffusion_pytorch_model.fp16.safetensors
vae_decoder/config.json vae_decoder/model.onnx vae_encoder/config.json vae_encoder/model.onnx
"""
_TAKEN = """
LICENSE.md model_index.json scheduler/scheduler_config.json text_encoder/config.json
text_encoder/model.fp16.safetensors text_encoder_2/config.json text_encoder_2/model.fp16.safetensors
tokenizer/merges.txt tokenizer/special_tokens_map.json tokenizer/tokenizer_config.json tokenizer/vocab.json
tokenizer_2/merges.txt tokenizer_2/special_tokens_map.json tokenizer_2/tokenizer_config.json tokenizer_2/vocab.json
unet/config.json unet/diffusion_pytorch_model.fp16.safetensors vae/config.json
vae/diffusion_pytorch_model.fp16.safetensors
"""
LISTED, TAKEN = _LISTED.split(), _TAKEN.split()


def _taken(names: list[str]) -> list[str]:
    return sorted(file.path for file in model_files(HubFile(name, 1) for name in names))


def test_of_sdxls_repository_one_copy_in_half_precision_is_taken() -> None:
    assert _taken(LISTED) == sorted(TAKEN)


def test_where_the_unet_has_no_half_precision_everything_is_taken_in_full() -> None:
    names = [name for name in LISTED if name != "unet/diffusion_pytorch_model.fp16.safetensors"]
    weights = [name for name in _taken(names) if name.endswith(".safetensors")]
    assert weights == [
        "text_encoder/model.safetensors", "text_encoder_2/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
    ]  # fmt: skip


def test_of_a_controlnets_repository_the_network_alone_is_taken() -> None:
    names = ["README.md", "config.json", "000.png", "diffusion_pytorch_model.safetensors",
             "diffusion_pytorch_model_promax.safetensors", "diffusion_pytorch_model_twins.safetensors"]  # fmt: skip
    assert _taken(names) == ["config.json", "diffusion_pytorch_model.safetensors"]


def test_weights_in_shards_come_with_their_index_unless_they_are_there_in_one_file() -> None:
    shards = [f"diffusion_pytorch_model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    index = "diffusion_pytorch_model.safetensors.index.json"
    assert _taken(["config.json", *shards, index]) == sorted(["config.json", *shards, index])
    whole = "diffusion_pytorch_model.safetensors"
    assert _taken(["config.json", *shards, index, whole]) == ["config.json", whole]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["config.json", "diffusion_pytorch_model.bin"], "it holds its weights as pickles alone"),
        (["README.md"], "it holds no weights in safetensors"),
        (["model_index.json", "unet/config.json", "vae/x"], "it holds no text_encoder"),
        (["model_index.json", "unet/model.ckpt", "vae/a", "text_encoder/b"], "unet holds its weights as pickles"),
    ],
)
def test_what_cannot_be_loaded_is_refused(names: list[str], why: str) -> None:
    with pytest.raises(NoModel, match=why):
        _taken(names)


@given(st.text(alphabet="ab/.-_@~ \\", max_size=20))
@examples(100)
def test_no_name_leads_out_of_the_models_folder(text: str) -> None:
    name = hub_name(text)
    if name is not None:
        assert name.name not in ("", ".", "..")
        assert not set(name.name) & set("/\\ ")


def test_names_are_told_from_folders() -> None:
    assert hub_name("acme/xl") == SDXL
    assert hub_name("acme/xl@fp16") == HubName("acme", "xl", "fp16")
    assert [hub_name(text) for text in ("xl", "/models/xl", "a/b/c", "a/..", "../b", "")] == [None] * 6


@given(st.lists(st.sampled_from(["../x.json", "unet/../../y.json", "unet//z.json", "unet/a\nb.json", "/etc/p.json"])))
@examples(50)
def test_files_that_lead_elsewhere_are_never_taken(strange: list[str]) -> None:
    assert _taken([*LISTED, *strange]) == sorted(TAKEN)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)
    # Between its attempts the library waits.
    monkeypatch.setattr("time.sleep", lambda _: None)
    with hub_server() as hub:
        hub.repositories["acme/xl"] = {name: f"{name} ".encode() * 400 for name in LISTED}
        hub.repositories["acme/xl"]["vae/config.json"] = b"{}"
        yield hub


def _brought(hub: Hub, models: Path) -> Path:
    return bring(offer_of(SDXL, hub.url), models, lambda _: None, hub.url)


def test_a_model_comes_whole_and_is_pinned_and_listed(hub: Hub, tmp_path: Path) -> None:
    offer = offer_of(SDXL, hub.url)
    assert (offer.commit, offer.licence) == (COMMIT, "openrail++")
    assert offer.bytes == sum(len(hub.repositories["acme/xl"][name]) for name in TAKEN)
    came: list[int] = []
    folder = bring(offer, tmp_path, came.append, hub.url)
    assert folder == tmp_path / "xl"
    for name in TAKEN:
        assert (folder / name).read_bytes() == hub.repositories["acme/xl"][name]
    assert sorted(path for path, _ in hub.asked) == sorted(TAKEN)
    assert sum(came) == offer.bytes
    assert origin_of(folder) == Origin("acme/xl", COMMIT)
    assert check_model(tmp_path, "xl")
    # Nothing else is left behind.
    assert sorted(path.name for path in (tmp_path / ".unfinished").iterdir()) == []


def test_the_settings_come_first_and_are_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    offer = offer_of(SDXL, hub.url)
    assert (bring_settings(offer, tmp_path, hub.url) / "unet" / "config.json").is_file()
    assert left_to_bring(offer, tmp_path) == 0


def test_a_file_that_was_cut_goes_on_in_another_process(hub: Hub, tmp_path: Path) -> None:
    large = "unet/diffusion_pytorch_model.fp16.safetensors"
    offer = offer_of(SDXL, hub.url)
    part = begun(offer, tmp_path) / f"{large}.part"
    part.parent.mkdir(parents=True)
    whole = hub.repositories["acme/xl"][large]
    part.write_bytes(whole[:1000])
    assert left_to_bring(offer, tmp_path) == offer.bytes - 1000
    assert (_brought(hub, tmp_path) / large).read_bytes() == whole
    assert (large, "bytes=1000-") in [(path, asked[:11]) for path, asked in hub.asked]


def test_a_line_that_is_cut_is_taken_up_where_it_was(hub: Hub, tmp_path: Path) -> None:
    large = "text_encoder/model.fp16.safetensors"
    hub.cut[large] = 500
    assert (_brought(hub, tmp_path) / large).read_bytes() == hub.repositories["acme/xl"][large]
    assert [asked for path, asked in hub.asked if path == large] == ["", "bytes=500-"]


def test_a_server_that_knows_no_ranges_sends_all_anew(hub: Hub, tmp_path: Path) -> None:
    large = "unet/diffusion_pytorch_model.fp16.safetensors"
    hub.ignores_ranges = True
    part = begun(offer_of(SDXL, hub.url), tmp_path) / f"{large}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    assert (_brought(hub, tmp_path) / large).read_bytes() == hub.repositories["acme/xl"][large]


@pytest.mark.parametrize("path", ["unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json"])
def test_a_file_that_is_another_is_deleted_and_nothing_stands(hub: Hub, tmp_path: Path, path: str) -> None:
    hub.damaged[path] = b"y" * len(hub.repositories["acme/xl"][path])
    with pytest.raises(HubError, match=r"came damaged or changed .*: the same command fetches it again"):
        _brought(hub, tmp_path)
    assert not (tmp_path / "xl").exists()
    assert not list(tmp_path.rglob("*.part"))
    del hub.damaged[path]
    assert (_brought(hub, tmp_path) / path).read_bytes() == hub.repositories["acme/xl"][path]


def test_what_the_hub_refuses_is_said(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"^the hub knows no model acme/none, or shows it to its owners alone$"):
        offer_of(HubName("acme", "none"), hub.url)
    with pytest.raises(HubError, match=r"^acme/xl has no revision v9$"):
        offer_of(HubName("acme", "xl", "v9"), hub.url)
    hub.gated.add("acme/xl")
    with pytest.raises(HubError, match=r"^acme/xl is given only to those who agreed to its licence"):
        offer_of(SDXL, hub.url)
    hub.status = 503
    with pytest.raises(HubError, match=r"^the hub answered 503 for acme/xl: try again later$"):
        offer_of(SDXL, hub.url)
    hub.repositories["acme/old"], hub.status = {"config.json": b"{}", "model.bin": b"1"}, 0
    with pytest.raises(HubError, match=r"^acme/old cannot be used: it holds its weights as pickles alone"):
        offer_of(HubName("acme", "old"), hub.url)


def test_without_a_network_what_came_is_kept(hub: Hub, tmp_path: Path) -> None:
    offer = offer_of(SDXL, hub.url)
    bring_settings(offer, tmp_path, hub.url)
    (begun(offer, tmp_path) / "unet" / "diffusion_pytorch_model.fp16.safetensors").unlink()
    with pytest.raises(HubError, match=r"the hub cannot be reached .*: what came so far is kept"):
        bring(offer, tmp_path, lambda _: None, "http://127.0.0.1:9")
    assert (begun(offer, tmp_path) / "unet" / "config.json").is_file()
    with pytest.raises(HubError, match="the hub cannot be reached"):
        offer_of(SDXL, "http://127.0.0.1:9")


def test_nobody_is_asked_where_the_environment_forbids_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="and HF_HUB_OFFLINE forbids to fetch it"):
        offer_of(SDXL, hub.url)


def test_a_disk_that_is_too_small_is_said_before_anything_comes(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(HubError, match=rf"^acme/xl takes 0?1 MB, and {tmp_path} has 1 MB left$"):
        bring(offer_of(SDXL, hub.url), tmp_path, lambda _: None, hub.url)
    assert hub.asked == []


def test_sizes_are_for_people() -> None:
    assert [size(count) for count in (1, 12_300_000, 7_060_000_000)] == ["1 MB", "12 MB", "7.1 GB"]
    assert hub_module.SMALL < 10_000_000
