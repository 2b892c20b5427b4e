"""Blender's scene: materials, meshes, lights and the camera. Lengths in metres, z up, people look towards -y."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Quaternion, Vector
from numpy.typing import NDArray

from profile_workshop.people.assets import Floats, Polygons
from profile_workshop.people.shot import Shot
from profile_workshop.people.textures import Texture

DECIMETRE = 0.1
# A two-colour sky needs no more; Cycles' own choice costs 0.8 s a picture.
SKY_MAP = 32


@dataclass(frozen=True)
class Quality:
    size: int
    """Edge of the picture in pixels."""
    samples: int
    """Light paths per pixel."""
    fine: bool
    """Light under the skin, pores, rounded meshes, a slower denoiser: for pictures that are looked at."""
    threads: int = 1

    @property
    def skin_texture(self) -> int:
        return 2048 if self.fine else 512

    @property
    def cloth_texture(self) -> int:
        return 1024 if self.fine else 256


def open_scene(quality: Quality, output: str) -> None:
    """An empty scene that renders with Cycles on the processor into the PNG file `output`."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    _tune(scene.cycles, quality)
    render = scene.render
    render.resolution_x = render.resolution_y = quality.size
    render.resolution_percentage = 100
    render.film_transparent = True
    render.threads_mode = "FIXED"
    render.threads = quality.threads
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    render.image_settings.compression = 0
    render.filepath = output
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.world = bpy.data.worlds.new("sky")


def _tune(cycles: bpy.types.bpy_struct, quality: Quality) -> None:
    cycles.device = "CPU"
    cycles.samples = quality.samples
    cycles.use_adaptive_sampling = quality.fine
    cycles.adaptive_threshold = 0.03
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    # Three lamps need no tree, and faint light no ray: a fifth of the time.
    cycles.use_light_tree = False
    cycles.light_sampling_threshold = 0.1
    if not quality.fine:
        # Half of a small picture's time went into denoising albedo and normals first.
        cycles.denoising_input_passes = "RGB"
        cycles.denoising_prefilter = "NONE"
        cycles.denoising_quality = "FAST"
    cycles.max_bounces = 4 if quality.fine else 2
    cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = 2 if quality.fine else 1
    cycles.transparent_max_bounces = 12 if quality.fine else 8
    cycles.sample_clamp_indirect = 4
    cycles.blur_glossy = 1
    cycles.caustics_reflective = cycles.caustics_refractive = False


def image(name: str, texture: Texture) -> bpy.types.Image:
    """A texture in Blender, which wants the first row below."""
    height, width = texture.shape[:2]
    picture = bpy.data.images.new(name, width, height, alpha=True, float_buffer=True)
    picture.colorspace_settings.name = "Non-Color"
    picture.alpha_mode = "CHANNEL_PACKED"
    picture.pixels.foreach_set(np.ascontiguousarray(texture[::-1]).ravel())
    picture.update()
    return picture


@dataclass(frozen=True)
class Surface:
    """What Blender's Principled BSDF is told."""

    roughness: float
    specular: float
    see_through: bool = False
    coat: float = 0.0
    sheen: float = 0.0
    under_skin: float = 0.0
    pores: bool = False


def material(
    name: str, surface: Surface, texture: bpy.types.Image | None, colour: tuple[float, float, float] | None = None
) -> bpy.types.Material:
    surface_material = bpy.data.materials.new(name)
    surface_material.use_nodes = True
    tree = surface_material.node_tree
    shader = tree.nodes["Principled BSDF"]
    values = {
        "Roughness": surface.roughness,
        "Specular IOR Level": surface.specular,
        "Coat Weight": surface.coat,
        "Coat Roughness": 0.03,
        "Sheen Weight": surface.sheen,
        "Subsurface Weight": surface.under_skin,
        "Subsurface Radius": (1.0, 0.38, 0.22),
        "Subsurface Scale": 0.0045,
    }
    for socket, value in values.items():
        shader.inputs[socket].default_value = value
    if colour is not None:
        shader.inputs["Base Color"].default_value = (*colour, 1.0)
    if texture is not None:
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = texture
        tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
        if surface.see_through:
            tree.links.new(node.outputs["Alpha"], shader.inputs["Alpha"])
    if surface.pores:
        _add_pores(tree, shader, surface.roughness)
    return surface_material


def _add_pores(tree: bpy.types.NodeTree, shader: bpy.types.Node, roughness: float) -> None:
    """Two sizes of bumps, and a shine that varies with them."""
    places = tree.nodes.new("ShaderNodeTexCoord")
    normal: Any = None
    noise: Any = None
    for scale, strength in ((260, 0.18), (900, 0.22)):
        noise = tree.nodes.new("ShaderNodeTexNoise")
        noise.inputs["Scale"].default_value = scale
        noise.inputs["Detail"].default_value = 3
        tree.links.new(places.outputs["UV"], noise.inputs["Vector"])
        bump = tree.nodes.new("ShaderNodeBump")
        bump.inputs["Strength"].default_value = strength
        bump.inputs["Distance"].default_value = 0.0006
        tree.links.new(noise.outputs[0], bump.inputs["Height"])
        if normal is not None:
            tree.links.new(normal, bump.inputs["Normal"])
        normal = bump.outputs[0]
    tree.links.new(normal, shader.inputs["Normal"])
    spread = tree.nodes.new("ShaderNodeMapRange")
    tree.links.new(noise.outputs[0], spread.inputs[0])
    spread.inputs[3].default_value = roughness - 0.08
    spread.inputs[4].default_value = roughness + 0.1
    tree.links.new(spread.outputs[0], shader.inputs["Roughness"])


def to_blender(vertices: Floats) -> NDArray[np.float32]:
    """Decimetres, y up, face to +z -> metres, z up, face to -y."""
    turned = np.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], axis=1)
    return (turned * DECIMETRE).astype(np.float32)


def mesh(
    name: str, count: int, polygons: Polygons, *, uvs: Floats | None, surface: bpy.types.Material, smooth: int
) -> bpy.types.Object:
    """An object of `count` vertices that `place` moves; `smooth` is how often its faces are divided."""
    data = bpy.data.meshes.new(name)
    data.vertices.add(count)
    data.loops.add(len(polygons.corners))
    data.loops.foreach_set("vertex_index", polygons.corners)
    data.polygons.add(len(polygons.sizes))
    data.polygons.foreach_set("loop_start", polygons.starts)
    if uvs is not None:
        layer = data.uv_layers.new(name="uv")
        layer.data.foreach_set("uv", uvs[polygons.uv_corners].astype(np.float32).ravel())
    data.update(calc_edges=True)
    data.polygons.foreach_set("use_smooth", np.ones(len(polygons.sizes), np.bool_))
    data.materials.append(surface)
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    if smooth:
        modifier = thing.modifiers.new("smooth", "SUBSURF")
        modifier.levels = modifier.render_levels = smooth
    return thing


def place(thing: bpy.types.Object, vertices: Floats) -> None:
    """Move a mesh's vertices (decimetres, MakeHuman's axes)."""
    thing.data.vertices.foreach_set("co", to_blender(vertices).ravel())
    thing.data.update()


def hide_from_bounces(thing: bpy.types.Object, *, shadow: bool) -> None:
    """Let only the camera see a thing, and lamps where it throws a `shadow`: see-through cards make bounces dear."""
    thing.visible_diffuse = thing.visible_glossy = False
    thing.visible_shadow = shadow


def remove_by_kind(*kinds: str) -> None:
    for thing in [thing for thing in bpy.data.objects if thing.type in kinds]:
        bpy.data.objects.remove(thing)
    for collection in (bpy.data.lights, bpy.data.cameras):
        for unused in [data for data in collection if not data.users]:
            collection.remove(unused)


def lamp(
    kind: str,
    position: tuple[float, float, float],
    target: tuple[float, float, float],
    *,
    power: float,
    size: float,
    colour: tuple[float, float, float],
) -> None:
    """`power` in watts (W/m² for a SUN), `size` in metres (radians for a SUN), colour in linear RGB."""
    data = bpy.data.lights.new("lamp", kind)
    data.energy = power
    data.color = colour
    if kind == "AREA":
        data.size = size
    else:
        data.angle = size
    thing = bpy.data.objects.new("lamp", data)
    bpy.context.scene.collection.objects.link(thing)
    thing.location = position
    thing.rotation_euler = (Vector(target) - Vector(position)).to_track_quat("-Z", "Y").to_euler()


def sky(above: tuple[float, float, float], below: tuple[float, float, float], strength: float) -> None:
    """Light from everywhere, of one colour from above and another from below."""
    world = bpy.context.scene.world
    world.cycles.sampling_method = "MANUAL"
    world.cycles.sample_map_resolution = SKY_MAP
    world.use_nodes = True
    tree = world.node_tree
    tree.nodes.clear()
    output, background, direction, split, height, mixed = (
        tree.nodes.new(f"ShaderNode{kind}")
        for kind in ("OutputWorld", "Background", "TexCoord", "SeparateXYZ", "MapRange", "Mix")
    )
    mixed.data_type = "RGBA"
    height.inputs[1].default_value, height.inputs[2].default_value = -0.6, 0.6
    mixed.inputs[6].default_value = (*below, 1)
    mixed.inputs[7].default_value = (*above, 1)
    background.inputs[1].default_value = strength
    tree.links.new(direction.outputs["Generated"], split.inputs[0])
    tree.links.new(split.outputs[2], height.inputs[0])
    tree.links.new(height.outputs[0], mixed.inputs[0])
    tree.links.new(mixed.outputs[2], background.inputs[0])
    tree.links.new(background.outputs[0], output.inputs[0])


def aim_camera(shot: Shot, head: Floats) -> bpy.types.Object:
    """A camera that frames a head (its vertices (N, 3) in decimetres) with shoulders below it, as the shot says."""
    lowest, highest = head.min(axis=0), head.max(axis=0)
    middle, height = (lowest + highest) / 2, float(highest[1] - lowest[1])
    frame = height * shot.frame * DECIMETRE
    # A wider frame shows more below the head than above it.
    target = Vector((middle[0] * 0.7, -middle[2], middle[1] - height * (shot.frame - 1.35) * 0.27)) * DECIMETRE
    distance = frame * shot.focal / 36 + DECIMETRE
    tilt = np.radians(shot.camera_pitch)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.lens = shot.focal
    camera.data.sensor_width = 36
    camera.data.clip_start = 0.01
    camera.data.shift_x, camera.data.shift_y = shot.shift
    camera.location = target + Vector((0, -distance * np.cos(tilt), distance * np.sin(tilt)))
    towards = (target - camera.location).to_track_quat("-Z", "Y")
    camera.rotation_euler = (towards @ Quaternion((0, 0, 1), np.radians(shot.camera_roll))).to_euler()
    return camera


def seen_at(camera: bpy.types.Object, places: Floats, size: int) -> Floats:
    """Where points (N, 3; decimetres) appear in the picture: (N, 2) pixels from the upper left corner."""
    scene = bpy.context.scene
    bpy.context.view_layer.update()
    points = [world_to_camera_view(scene, camera, Vector(point.tolist())) for point in to_blender(places)]
    return np.array([[point.x * size, (1 - point.y) * size] for point in points])
