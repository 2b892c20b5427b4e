"""One person before the camera: their meshes are made once, then moved for each photo."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import bpy
import cv2
import numpy as np
from numpy.typing import NDArray

from profile_workshop.people import lighting, spectacles, stage, textures
from profile_workshop.people.assets import Assets, Floats
from profile_workshop.people.body import RenderedBody, rotation
from profile_workshop.people.identity import Person
from profile_workshop.people.shot import Shot
from profile_workshop.people.stage import Quality, Surface

SKIN = Surface(roughness=0.48, specular=0.34)
FINE_SKIN = Surface(roughness=0.48, specular=0.34, under_skin=0.7, pores=True)
EYE = Surface(roughness=0.12, specular=0.5, see_through=True, coat=0.6)
TEETH = Surface(roughness=0.25, specular=0.5, see_through=True)
TONGUE = Surface(roughness=0.35, specular=0.5)
BROW = Surface(roughness=0.6, specular=0.2, see_through=True)
HAIR = Surface(roughness=0.42, specular=0.35, see_through=True)
CLOTH = Surface(roughness=0.85, specular=0.2, see_through=True, sheen=0.2)
FRAME = Surface(roughness=0.25, specular=0.5)
# Eyes turn no further than this; beyond, people turn the head.
EYES_ASIDE, EYES_UP = 26.0, 12.0
# Vertices of the neck begin this far below the head's bone (decimetres): they belong to the frame's head.
BELOW_HEAD = 0.3


@dataclass(frozen=True)
class Rendering:
    """A person without a background."""

    rgba: NDArray[np.uint8]
    """(size, size, 4) sRGB with straight alpha."""
    landmarks: Floats
    """(5, 2) pixels: right eye, left eye, nose, right and left corner of the mouth (the person's own sides)."""
    head_box: tuple[float, float, float, float]
    """x, y, width, height in pixels: the skull without hair, chin and neck's beginning included."""
    wear_colour: tuple[float, float, float]
    """Mean colour of the clothes, linear RGB."""


class Studio:
    """Photographs people; a context manager, since Blender hands pictures over in a file."""

    def __init__(self, assets: Assets, quality: Quality) -> None:
        self._assets = assets
        self._quality = quality
        self._body = RenderedBody(assets)
        self._masks = textures.Masks(assets)
        self._folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)  # noqa: PTH112, S108
        self._output = str(Path(self._folder.name) / "picture.png")
        self._person: Person | None = None
        self._shape: Floats = assets.vertices
        self._things: dict[str, bpy.types.Object] = {}
        self._glasses: bpy.types.Object | None = None

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def invite(self, person: Person) -> None:
        """Make a person's meshes and materials; what the scene held before is gone."""
        stage.open_scene(self._quality, self._output)
        self._things = {}
        self._glasses = None
        self._person = person
        self._shape = self._body.shape(person)
        self._add_head(person)
        for wear in sorted(set(person.wardrobe)):
            self._add_clothes(wear)

    def photograph(self, shot: Shot) -> Rendering:
        """Raises RuntimeError where nobody was invited."""
        if self._person is None:
            raise RuntimeError("invite a person before you photograph")
        stage.remove_by_kind("LIGHT", "CAMERA")
        if self._glasses is not None:
            bpy.data.objects.remove(self._glasses)
            self._glasses = None
        vertices = self._shape.copy()
        for unit, strength in shot.units.items():
            self._body.morph(vertices, f"unit/{unit}", strength)
        matrices = self._body.pose(self._shape, shot)
        posed = self._body.posed(vertices, matrices)
        self._move(shot, vertices, matrices, posed)
        wear_colour = self._dress(shot)
        self._put_on_glasses(self._person, shot, vertices, matrices)
        head = posed[self._head_vertices(vertices)]
        camera = stage.aim_camera(shot, head)
        middle = stage.to_blender((head.max(axis=0, keepdims=True) + head.min(axis=0, keepdims=True)) / 2)[0]
        lighting.set_up(shot, (float(middle[0]), float(middle[1]), float(middle[2])))
        bpy.ops.render.render(write_still=True)
        return Rendering(
            rgba=self._read(),
            landmarks=stage.seen_at(camera, self._five_points(posed), self._quality.size),
            head_box=_box(stage.seen_at(camera, head[::7], self._quality.size)),
            wear_colour=wear_colour,
        )

    def _add_head(self, person: Person) -> None:
        assets, quality = self._assets, self._quality
        skin = stage.image("skin", textures.skin(assets, self._masks, person, quality.skin_texture))
        self._skin = stage.material("skin", FINE_SKIN if quality.fine else SKIN, skin)
        iris = next(
            path for path in assets.proxies["eyes/HighPolyEyes"].textures if path.name == f"{person.eye}_eye.png"
        )
        self._add_proxy("eyes/HighPolyEyes", EYE, textures.read(iris, 512))
        brow = 0.9 if person.hair_colour in ("black", "darkbrown") else 0.55
        self._add_hair(f"eyebrows/{person.brow}", BROW, person.hair_colour, person.hair_strength * brow)
        self._add_hair(f"eyelashes/{person.lash}", BROW, "black", 1.0)
        if f"hair/{person.hair}" in assets.proxies:
            self._add_hair(f"hair/{person.hair}", HAIR, person.hair_colour, person.hair_strength)
        teeth, tongue = assets.proxies["teeth/Teeth_Base"], assets.proxies["tongue/tongue01"]
        self._add_proxy("teeth/Teeth_Base", TEETH, textures.read(teeth.textures[0], 256))
        self._add_proxy("tongue/tongue01", TONGUE, textures.read(tongue.textures[0], 256))

    def _add_hair(self, name: str, surface: Surface, colour: str, strength: float) -> None:
        path = self._assets.proxies[name].textures[0]
        self._add_proxy(name, surface, textures.hair(path, colour, strength, 1024 if self._quality.fine else 512))
        stage.hide_from_bounces(self._things[name], shadow=name.startswith("hair/"))

    def _add_proxy(self, name: str, surface: Surface, texture: textures.Texture | None, smooth: int = 0) -> None:
        proxy = self._assets.proxies[name]
        picture = None if texture is None else stage.image(name, texture)
        self._things[name] = stage.mesh(
            name,
            len(proxy.anchors),
            proxy.polygons,
            uvs=proxy.uvs,
            surface=stage.material(name, surface, picture),
            smooth=smooth,
        )

    def _add_clothes(self, wear: str) -> None:
        """Clothes, and the body without the skin that they hide."""
        name = f"clothes/{wear}"
        fine = self._quality.fine
        self._add_proxy(name, CLOTH, None, smooth=1 if fine else 0)
        proxy = self._assets.proxies[name]
        hidden = np.zeros(len(self._assets.vertices))
        hidden[: len(proxy.hides)] = proxy.hides[: len(hidden)]
        body = self._assets.body
        # Faces all of whose corners are hidden go, and so do the legs.
        seen = (body.of_corners(hidden) < 1) & (body.of_corners(self._assets.vertices[:, 1]) > 1.2)
        self._things[f"body/{wear}"] = stage.mesh(
            f"body/{wear}",
            len(self._assets.vertices),
            body.only(seen),
            uvs=self._assets.uvs,
            surface=self._skin,
            smooth=1 if fine else 0,
        )

    def _move(self, shot: Shot, vertices: Floats, matrices: Floats, posed: Floats) -> None:
        mouth_open = shot.units.get("jawOpen", 0.0) > 0.01 or shot.mood == "grin"
        for name, thing in self._things.items():
            kind, item = name.split("/")
            thing.hide_render = (kind in ("clothes", "body") and item != shot.wear) or (
                kind in ("teeth", "tongue") and not mouth_open
            )
            if thing.hide_render:
                continue
            if kind == "body":
                stage.place(thing, posed)
                continue
            proxy = self._assets.proxies[name]
            places = self._body.hung(vertices, proxy)
            if kind == "eyes":
                self._turn_eyes(places, shot, vertices)
            stage.place(thing, self._body.posed_proxy(places, proxy, matrices))

    def _turn_eyes(self, places: Floats, shot: Shot, vertices: Floats) -> None:
        towards = (-0.9 * (shot.yaw + shot.body), -0.8 * shot.pitch) if shot.looks_at_camera else (0.0, 0.0)
        aside = float(np.clip(towards[0] + shot.gaze[0], -EYES_ASIDE, EYES_ASIDE))
        up = float(np.clip(towards[1] + shot.gaze[1], -EYES_UP, EYES_UP))
        turn = rotation("y", aside) @ rotation("x", up)
        left = places[:, 0] > 0
        for eye, own in zip(self._body.eyes, (left, ~left), strict=True):
            middle = vertices[eye].mean(axis=0)
            places[own] = (places[own] - middle) @ turn.T + middle

    def _dress(self, shot: Shot) -> tuple[float, float, float]:
        """Dye the clothes of this shot; returns their mean colour."""
        name = f"clothes/{shot.wear}"
        texture = textures.cloth(self._assets.proxies[name].textures[0], shot, self._quality.cloth_texture)
        slots = self._things[name].data.materials
        for picture in [picture for picture in bpy.data.images if picture.name.startswith("dyed")]:
            bpy.data.images.remove(picture)
        old = slots[0]
        slots[0] = stage.material("dyed", CLOTH, stage.image("dyed", texture))
        bpy.data.materials.remove(old)
        red, green, blue = (float(value) for value in texture[texture[..., 3] > 0.5][:, :3].mean(axis=0))
        return red, green, blue

    def _put_on_glasses(self, person: Person, shot: Shot, vertices: Floats, matrices: Floats) -> None:
        if not shot.glasses:
            return
        left, right = (vertices[eye].mean(axis=0) for eye in self._body.eyes)
        ear = np.abs(vertices[self._ears()]) * [1, 1, 1]
        front = float(vertices[self._nasion(), 2].max())
        places, faces = spectacles.frames((left, right), ear.mean(axis=0), front, person.glasses_shape)
        surface = stage.material("frame", FRAME, None, person.glasses_colour)
        thing = stage.mesh("glasses", len(places), faces, uvs=None, surface=surface, smooth=0)
        stage.place(thing, self._body.posed_with_head(places, matrices))
        self._glasses = thing

    def _ears(self) -> NDArray[np.int64]:
        x, y, z = self._assets.vertices[self._body.visible].T
        ears: NDArray[np.int64] = self._body.visible[
            (np.abs(x) > 0.72) & (y > 6.9) & (y < 7.5) & (np.abs(z - 0.2) < 0.45)
        ].astype(np.int64)
        return ears

    def _nasion(self) -> NDArray[np.int64]:
        x, y, z = self._assets.vertices[self._body.visible].T
        nasion: NDArray[np.int64] = self._body.visible[(np.abs(x) < 0.08) & (y > 7.1) & (y < 7.35) & (z > 0.8)].astype(
            np.int64
        )
        return nasion

    def _head_vertices(self, vertices: Floats) -> NDArray[np.int64]:
        above = self._body.joint(vertices, "head")[1] - BELOW_HEAD
        visible = self._body.visible.astype(np.int64)
        head: NDArray[np.int64] = visible[vertices[visible, 1] > above]
        return head

    def _five_points(self, posed: Floats) -> Floats:
        left, right = (posed[eye].mean(axis=0) for eye in self._body.eyes)
        marks = self._body.landmarks
        return np.stack([right, left, posed[marks.nose], posed[marks.right_mouth], posed[marks.left_mouth]])

    def _read(self) -> NDArray[np.uint8]:
        pixels = cv2.imread(self._output, cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise RuntimeError(f"Blender wrote no picture to {self._output}")
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA), np.uint8)


def _box(points: Floats) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)
