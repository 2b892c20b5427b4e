"""One folder that trains on a machine with torch, but without this repository and without a network.

    run.sh         unpacks the rest and runs any stage
    src/           the packages that training needs
    wheels/        what such a machine lacks: diffusers, pydantic and what they need
    vision/        YuNet and SFace, which judge
    styles/        the styles' prompts
    model/         transform, vocabulary, and the state to go on from where there is one
    people/        NAME.webp, a person's renders one above another, and people.jsonl, what is true and was seen of them

Renders are packed with a little loss: a third of their size. More people than fit in one load travel in several: a
load adds its people to those who are there.
"""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from profile_workshop.portraits.home import PortraitsHome
from profile_workshop.studio_mini import checkpoint

PACKAGES = (
    "profile_contract",
    "profile_draw",
    "profile_models",
    "profile_preprocess",
    "profile_runtime",
    "profile_train",
    "profile_vision",
    "profile_workshop",
)
VISION = ("yunet.onnx", "sface.onnx")
QUALITY, ALPHA_QUALITY = 90, 90
PIECE = 15 * 2**20
"""Bytes of a piece of the result: what is lent gives back files of at most 16 MiB."""
RESULT = "averages"


def pack(home: PortraitsHome, out: Path, *, styles: Path, wheels: Path | None, people: range) -> int:
    """Write the folder anew; bytes that it takes. `people` are places in the list of those who were looked at.

    Raises FileNotFoundError for what was not prepared, FileExistsError for a folder that is no bundle.
    """
    if out.exists() and not (out / "run.sh").is_file():
        raise FileExistsError(f"{out} is there and is no bundle: name another folder")
    shutil.rmtree(out, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(_source(package), out / "src" / package, ignore=shutil.ignore_patterns("__pycache__"))
    (out / "vision").mkdir()
    for name in VISION:
        shutil.copy(home.vision / name, out / "vision" / name)
    shutil.copytree(styles, out / "styles")
    (out / "model").mkdir()
    for file in (home.transform, home.merges):
        shutil.copy(file, out / "model" / file.name)
    if wheels is not None:
        shutil.copytree(wheels, out / "wheels")
    _pack_people(home, out / "people", people)
    shutil.copy(Path(__file__).with_name("bundle.sh"), out / "run.sh")
    return sum(file.stat().st_size for file in out.rglob("*") if file.is_file())


def _source(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {package} is not installed here")
    return Path(spec.submodule_search_locations[0])


def _pack_people(home: PortraitsHome, folder: Path, people: range) -> None:
    folder.mkdir()
    looks = sorted(home.looks.glob("p*.npz"))
    with (folder / "people.jsonl").open("w", encoding="utf-8") as lines:
        for path in looks[people.start : people.stop]:
            with np.load(home.renders / path.name) as content, np.load(path) as seen:
                (folder / f"{path.stem}.webp").write_bytes(squeezed(content["pictures"]))
                person = {
                    "name": path.stem,
                    "facts": json.loads(str(content["facts"])),
                    "joints": _rounded(seen["joints"]),
                    "faces": _rounded(seen["faces"]),
                }
            lines.write(json.dumps(person) + "\n")


def _rounded(values: NDArray[np.float32]) -> list[Any]:
    """To a fiftieth of a pixel."""
    rounded: list[Any] = np.round(values.astype(float), 2).tolist()
    return rounded


def squeezed(pictures: NDArray[np.uint8]) -> bytes:
    """Pictures (K, S, S, 4) one above another as WebP."""
    strip = Image.fromarray(pictures.reshape(-1, *pictures.shape[2:]))
    content = io.BytesIO()
    strip.save(content, "WEBP", quality=QUALITY, alpha_quality=ALPHA_QUALITY, method=4)
    return content.getvalue()


def unsqueezed(content: bytes) -> NDArray[np.uint8]:
    strip = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    return strip.reshape(-1, strip.shape[1], strip.shape[1], 4)


def unpack(bundle: Path, home: PortraitsHome) -> int:
    """Put everything where the stages look for it; how many people are new. Whoever is there already stays."""
    for folder in (home.root, home.renders, home.looks, home.vision):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (bundle / "vision").iterdir():
        _copy_once(file, home.vision / file.name)
    for file in (bundle / "model").iterdir():
        _copy_once(file, home.root / file.name)
    with (bundle / "people" / "people.jsonl").open(encoding="utf-8") as lines:
        return _unpack_people(bundle / "people", home, lines)


def _copy_once(source: Path, target: Path) -> None:
    """A state that has gone on must not be taken back to where it was packed."""
    if not target.exists():
        shutil.copy(source, target)


def _unpack_people(folder: Path, home: PortraitsHome, lines: Iterable[str]) -> int:
    unpacked = 0
    for line in lines:
        person = json.loads(line)
        name = f"{person['name']}.npz"
        if (home.looks / name).exists():
            continue
        pictures = unsqueezed((folder / f"{person['name']}.webp").read_bytes())
        _write(home.renders / name, pictures=pictures, facts=np.array(json.dumps(person["facts"])))
        _write(
            home.looks / name,
            joints=np.array(person["joints"], np.float32),
            faces=np.array(person["faces"], np.float32),
        )
        unpacked += 1
    return unpacked


def _write(target: Path, **arrays: NDArray[Any]) -> None:
    partial = target.with_name(f".{target.name}")
    # Not compressed: it lives for minutes.
    np.savez(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(target)


def split(state_file: Path, out: Path) -> list[Path]:
    """The averages of a state in half precision, in pieces that are small enough to be given back."""
    state = checkpoint.load(state_file)
    if state is None:
        raise FileNotFoundError(f"{state_file} is missing: nothing was trained yet")
    averages = {
        name: {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
        for name, weights in state["ema"].items()
    }
    content = io.BytesIO()
    torch.save({"ema": averages, **{key: state[key] for key in ("shape", "step", "seen")}}, content)
    out.mkdir(parents=True, exist_ok=True)
    whole = content.getvalue()
    pieces = []
    for number, start in enumerate(range(0, len(whole), PIECE)):
        piece = out / f"{RESULT}.{number:02d}"
        piece.write_bytes(whole[start : start + PIECE])
        pieces.append(piece)
    return pieces


def join(folder: Path, target: Path) -> int:
    """Pieces -> a state that can be drawn from, exported and trained on (its optimiser begins anew); its step.

    Raises FileNotFoundError where there is no piece, FileExistsError where a state stands already.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there: move it away first")
    pieces: Sequence[Path] = sorted(folder.glob(f"{RESULT}.[0-9][0-9]"))
    if not pieces:
        raise FileNotFoundError(f"{folder} holds no {RESULT}.00")
    whole = io.BytesIO(b"".join(piece.read_bytes() for piece in pieces))
    state = torch.load(whole, map_location="cpu", weights_only=True)
    averages = {
        name: {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
        for name, weights in state["ema"].items()
    }
    checkpoint.save(target, {**state, "ema": averages, "networks": averages})
    return int(state["step"])
