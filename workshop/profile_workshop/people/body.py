"""The shape of a person in one photo: morphs, then the bones of neck, head and arms, then what hangs on the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profile_workshop.people.assets import Assets, Floats, Integers, Proxy
from profile_workshop.people.identity import Person
from profile_workshop.people.shot import Shot

BONES = (
    "root", "neck01", "neck02", "neck03", "head", "shoulder01.L", "shoulder01.R", "upperarm01.L", "upperarm01.R",
)  # fmt: skip
HEAD = BONES.index("head")
# How the head's turn is shared out along the neck.
NECK_SHARES = {"neck01": 0.15, "neck02": 0.17, "neck03": 0.20, "head": 0.48}
# Vertices above this height (decimetres) that no bone moves are the head's helpers.
CHIN_HEIGHT = 6.6


@dataclass(frozen=True)
class Landmarks:
    """Vertices of five points, as face detectors name them; right and left are the person's own."""

    right_mouth: int
    left_mouth: int
    nose: int

    @staticmethod
    def of(assets: Assets) -> Landmarks:
        """The corners of the mouth are where a smile pulls most, the tip of the nose where a longer nose grows."""
        return Landmarks(
            right_mouth=_most_moved(assets, "unit/mouthSmileRight"),
            left_mouth=_most_moved(assets, "unit/mouthSmileLeft"),
            nose=_most_moved(assets, "nose/nose-scale-depth-incr"),
        )


def _most_moved(assets: Assets, morph: str) -> int:
    vertices, moves = assets.targets[morph]
    return int(vertices[np.argmax(np.linalg.norm(moves, axis=1))])


class RenderedBody:
    """The base mesh with its bones. All lengths in decimetres, y up, the face towards +z."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._weights = self._bone_weights()
        self.eyes: tuple[Integers, Integers] = (assets.joints["joint-l-eye"], assets.joints["joint-r-eye"])
        self.landmarks = Landmarks.of(assets)
        self.visible = np.unique(assets.body.corners)

    def shape(self, person: Person) -> Floats:
        """The person at rest with no expression: (V, 3)."""
        vertices = self._assets.vertices.copy()
        old = float(np.clip((person.age - 25) / 65, 0, 1))
        genders = {"male": person.maleness, "female": 1 - person.maleness}
        for gender, share in genders.items():
            for age, years in (("young", 1 - old), ("old", old)):
                for ancestry, part in person.ancestry_shares.items():
                    self.morph(vertices, f"macro/{ancestry}-{gender}-{age}", share * years * part)
                for muscle, strong in _three_way("muscle", person.muscle):
                    for weight, heavy in _three_way("weight", person.weight):
                        name = f"macro/universal-{gender}-{age}-{muscle}-{weight}"
                        self.morph(vertices, name, share * years * strong * heavy)
        for name, strength in person.morphs.items():
            self.morph(vertices, name, strength)
        return vertices

    def morph(self, vertices: Floats, name: str, strength: float) -> None:
        """Move `vertices` in place; a morph that the data lack (not all pairs have both ends) moves nothing."""
        target = self._assets.targets.get(name)
        if target is not None and strength:
            vertices[target[0]] += strength * target[1]

    def pose(self, shape: Floats, shot: Shot) -> Floats:
        """A matrix (4, 4) for each bone, from the shape at rest: (BONES, 4, 4)."""
        matrices = {"root": np.eye(4)}
        current = np.eye(4)
        for bone, share in NECK_SHARES.items():
            turn = (
                rotation("y", shot.yaw * share) @ rotation("x", shot.pitch * share) @ rotation("z", shot.roll * share)
            )
            current = current @ _about(turn, self.joint(shape, bone))
            matrices[bone] = current
        for side, sign in (("L", -1), ("R", 1)):
            shoulder, arm = f"shoulder01.{side}", f"upperarm01.{side}"
            matrices[shoulder] = _about(rotation("z", sign * shot.arm * 0.12), self.joint(shape, shoulder))
            matrices[arm] = matrices[shoulder] @ _about(rotation("z", sign * shot.arm * 0.88), self.joint(shape, arm))
        whole = np.eye(4)
        whole[:3, :3] = rotation("y", shot.body)
        posed: Floats = whole @ np.stack([matrices[bone] for bone in BONES])
        return posed

    def posed(self, vertices: Floats, matrices: Floats) -> Floats:
        return _skinned(vertices, self._weights, matrices)

    def hung(self, vertices: Floats, proxy: Proxy) -> Floats:
        """A proxy's vertices on a body that is not posed yet: (P, 3)."""
        on_skin: Floats = (vertices[proxy.anchors] * proxy.weights[:, :, None]).sum(axis=1) + proxy.offsets
        return on_skin

    def posed_proxy(self, places: Floats, proxy: Proxy, matrices: Floats) -> Floats:
        weights = (self._weights[proxy.anchors] * proxy.weights[:, :, None]).sum(axis=1)
        return _skinned(places, weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-6), matrices)

    def posed_with_head(self, places: Floats, matrices: Floats) -> Floats:
        """Points (N, 3) that are fixed to the head."""
        weights = np.zeros((len(places), len(BONES)))
        weights[:, HEAD] = 1
        return _skinned(places, weights, matrices)

    def joint(self, vertices: Floats, bone: str) -> Floats:
        head = self._assets.bones[bone]["head"]
        if head["strategy"] == "CUBE":
            return np.asarray(vertices[self._assets.joints[head["cube_name"]]].mean(axis=0))
        return np.asarray(vertices[head["vertex_indices"]].mean(axis=0))

    def _bone_weights(self) -> Floats:
        """(V, BONES), rows sum to one: bones that are not moved count for the nearest parent that is."""
        weights = np.zeros((len(self._assets.vertices), len(BONES)))
        for bone, (vertices, strengths) in self._assets.bone_weights.items():
            weights[vertices, BONES.index(self._moved(bone))] += strengths
        nobodys = weights.sum(axis=1) < 1e-6
        weights[nobodys, 0] = 1
        of_head = nobodys & (self._assets.vertices[:, 1] > CHIN_HEIGHT)
        weights[of_head] = np.eye(len(BONES))[HEAD]
        normal: Floats = weights / weights.sum(axis=1, keepdims=True)
        return normal

    def _moved(self, bone: str | None) -> str:
        while bone:
            if bone in BONES:
                return bone
            bone = self._assets.bones[bone]["parent"] if bone in self._assets.bones else None
        return "root"


def rotation(axis: str, degrees: float) -> Floats:
    """(3, 3), right-handed."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array(
        {
            "x": [[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]],
            "y": [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]],
            "z": [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]],
        }[axis]
    )


def _about(turn: Floats, point: Floats) -> Floats:
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = point - turn @ point
    return matrix


def _skinned(vertices: Floats, weights: Floats, matrices: Floats) -> Floats:
    """Linear blend skinning."""
    blended = (weights @ matrices[:, :3].reshape(len(matrices), 12)).reshape(-1, 3, 4)
    moved: Floats = np.einsum("nij,nj->ni", blended[:, :, :3], vertices) + blended[:, :, 3]
    return moved


def _three_way(what: str, value: float) -> tuple[tuple[str, float], ...]:
    """MakeHuman's three steps of muscle and weight, mixed for 0 to 1."""
    return (
        (f"min{what}", max(0.0, 1 - 2 * value)),
        (f"average{what}", 1 - abs(2 * value - 1)),
        (f"max{what}", max(0.0, 2 * value - 1)),
    )
