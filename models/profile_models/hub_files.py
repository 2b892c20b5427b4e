"""Hub files: which of a repository's files are a model that can be loaded, and how large they are. Pure.

A repository holds a model many times over: whole and in parts, in two precisions, as pickles, for other libraries.
Of each network one copy is taken, in half precision where there is one, as safetensors, which cannot run code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

# A repository's owner and name, and the commit, branch or tag that is meant.
_NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,95})/([A-Za-z0-9][\w.-]{0,95})(?:@([A-Za-z0-9][\w./-]{0,127}))?", re.ASCII)
_COMPONENT = re.compile(r"scheduler|unet|vae|(tokenizer|text_encoder)(_\d)?")
_PLAIN_FILE = re.compile(r"[A-Za-z0-9][\w.-]{0,200}", re.ASCII)
_SETTINGS = re.compile(r"(?!.*\.index\.).*\.(json|txt|model)")
# As diffusers and transformers name the networks that they load.
_STEM = r"(?:diffusion_pytorch_model|model)"
_HALF = (
    re.compile(rf"{_STEM}\.fp16\.safetensors"),
    re.compile(rf"{_STEM}(\.fp16-\d+-of-\d+|-\d+-of-\d+\.fp16)\.safetensors|{_STEM}\.safetensors\.index\.fp16\.json"
               rf"|{_STEM}\.fp16\.safetensors\.index\.json"),
)  # fmt: skip
_FULL = (
    re.compile(rf"{_STEM}\.safetensors"),
    re.compile(rf"{_STEM}-\d+-of-\d+\.safetensors|{_STEM}\.safetensors\.index\.json"),
)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_AT_THE_TOP = re.compile(r"model_index\.json|recipe\.yaml|LICEN[CS]E[\w.-]{0,20}", re.ASCII)
NETWORKS = ("unet", "vae", "text_encoder")


class NoModel(ValueError):
    """A repository holds nothing that can be loaded; the message says why."""


@dataclass(frozen=True)
class HubName:
    """`revision`: a commit, branch or tag; None for the newest commit."""

    owner: str
    name: str
    revision: str | None = None

    @property
    def repository(self) -> str:
        """As hubs write it."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class HubFile:
    """`sha256` of large files, else `blob`: git's own digest of the content."""

    path: str
    bytes: int
    sha256: str = ""
    blob: str = ""


def hub_name(text: str) -> HubName | None:
    """OWNER/NAME or OWNER/NAME@REVISION; None for whatever is no such name, as a folder's is not."""
    match = _NAME.fullmatch(text)
    return HubName(match[1], match[2], match[3]) if match and ".." not in text else None


def model_files(files: Iterable[HubFile]) -> list[HubFile]:
    """What is taken of a repository: a base model in diffusers' layout, or a network alone, as a ControlNet is.

    Raises NoModel.
    """
    there = list(files)
    if any(file.path == "model_index.json" for file in there):
        return _pipeline_files(there)
    return _network_files("", there, half=True)


def _pipeline_files(there: Sequence[HubFile]) -> list[HubFile]:
    """Settings, tokenizers and networks of a base model. Which precision is loaded is asked of its UNet, so what the
    UNet has, the text encoders are taken in too, where they have it. Raises NoModel."""
    components = sorted({str(PurePosixPath(file.path).parent) for file in there})
    names = [name for name in components if _COMPONENT.fullmatch(name)]
    missing = [name for name in NETWORKS if name not in names]
    if missing:
        raise NoModel(f"it holds no {', '.join(missing)}, which a base model has")
    unet = _network_files("unet", there, half=True)
    half = any(_matches(file.path, _HALF) for file in unet)
    taken = [file for file in there if _AT_THE_TOP.fullmatch(file.path)]
    for name in names:
        holds_network = name.startswith(NETWORKS)
        taken += _network_files(name, there, half=half) if holds_network else _settings(name, there)
    return taken


def _network_files(folder: str, there: Iterable[HubFile], *, half: bool) -> list[HubFile]:
    """Settings and one copy of the weights in a folder ('' for the top): `half` precision first, or last; in one file
    first. Raises NoModel where there are pickles alone, or no weights."""
    inside = [file for file in there if _folder(file.path) == folder]
    for whole, parts in (_HALF, _FULL) if half else (_FULL, _HALF):
        for form in (whole, parts):
            weights = [file for file in inside if form.fullmatch(PurePosixPath(file.path).name)]
            if any(file.path.endswith(".safetensors") for file in weights):
                return [*_settings(folder, inside), *weights]
    where = folder or "it"
    if any(file.path.endswith(_PICKLES) for file in inside):
        raise NoModel(f"{where} holds its weights as pickles alone, which can run code and are not taken")
    raise NoModel(f"{where} holds no weights in safetensors")


def _settings(folder: str, there: Iterable[HubFile]) -> list[HubFile]:
    """The small files of a folder that loaders read, and a licence at the top."""
    return [
        file
        for file in there
        if _folder(file.path) == folder
        and _PLAIN_FILE.fullmatch(PurePosixPath(file.path).name)
        and (_SETTINGS.fullmatch(PurePosixPath(file.path).name) or (not folder and _AT_THE_TOP.fullmatch(file.path)))
    ]


def _folder(path: str) -> str:
    """The folder that a path names, '' for the top."""
    return path.rpartition("/")[0]


def _matches(path: str, forms: Iterable[re.Pattern[str]]) -> bool:
    return any(form.fullmatch(PurePosixPath(path).name) for form in forms)
