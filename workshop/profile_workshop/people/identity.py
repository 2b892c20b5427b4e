"""Who a person is: everything that stays the same in all of their photos, drawn from one seed.

Even seeds are women, odd seeds men.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

ANCESTRIES = ("caucasian", "asian", "african")
# Who comes in which order, so that any range of seeds is mixed.
MAIN_ANCESTRY = ("asian", "caucasian", "asian", "african", "caucasian", "asian", "mixed")
FACE_SHAPES = ("diamond", "invertedtriangular", "oval", "rectangular", "round", "square", "triangular")

HAIR_COLOURS = {
    "black": (0.012, 0.010, 0.010),
    "darkbrown": (0.035, 0.020, 0.013),
    "brown": (0.080, 0.042, 0.022),
    "lightbrown": (0.16, 0.090, 0.045),
    "blond": (0.42, 0.28, 0.13),
    "red": (0.22, 0.065, 0.022),
    "grey": (0.36, 0.35, 0.34),
    "white": (0.62, 0.61, 0.59),
}
"""Linear RGB, 0 to 1."""


@dataclass(frozen=True)
class Trait:
    """A pair of opposite morphs: `folder`/`name`-`less` and -`more`, with the spread of its strength."""

    folder: str
    name: str
    spread: float
    less: str = "decr"
    more: str = "incr"
    paired: bool = False
    """Whether the left and the right side have a morph each."""

    def morphs(self, strength: float) -> dict[str, float]:
        """Morph names and strengths for -1 (all less) to 1 (all more)."""
        end = self.more if strength > 0 else self.less
        sides = ("l-", "r-") if self.paired else ("",)
        return {f"{self.folder}/{side}{self.name}-{end}": abs(strength) for side in sides}


def _traits(
    folder: str, names: str, spread: float, less: str = "decr", more: str = "incr", *, paired: bool = False
) -> list[Trait]:
    return [Trait(folder, name, spread, less, more, paired) for name in names.split()]


TRAITS: tuple[Trait, ...] = tuple(
    _traits("head", "head-scale-depth head-scale-horiz head-scale-vert head-back-scale-depth", 0.45)
    + _traits("head", "head-fat", 0.5)
    + _traits("head", "head-angle", 0.5, "in", "out")
    + _traits(
        "nose",
        "nose-scale-depth nose-scale-horiz nose-scale-vert nose-width1 nose-width2 nose-width3 nose-volume "
        "nose-point-width nose-flaring nose-hump nose-greek nose-nostrils-width nose-septumangle",
        0.65,
    )
    + _traits("nose", "nose-curve", 0.65, "concave", "convex")
    + _traits("nose", "nose-base nose-point nose-trans nose-nostrils-angle", 0.55, "down", "up")
    + _traits(
        "mouth",
        "mouth-scale-horiz mouth-scale-vert mouth-lowerlip-height mouth-lowerlip-width mouth-upperlip-height "
        "mouth-upperlip-width mouth-upperlip-volume mouth-lowerlip-volume mouth-cupidsbow mouth-philtrum-volume",
        0.65,
    )
    + _traits("mouth", "mouth-angles mouth-trans", 0.4, "down", "up")
    + _traits("chin", "chin-bones chin-height chin-jaw-drop chin-prognathism chin-prominent chin-width chin-cleft", 0.6)
    + _traits("cheek", "cheek-bones cheek-inner cheek-volume", 0.6, paired=True)
    + _traits("cheek", "cheek-trans", 0.5, "down", "up", paired=True)
    + _traits("forehead", "forehead-nubian forehead-scale-vert forehead-temple", 0.5)
    + _traits("forehead", "forehead-trans", 0.4, "backward", "forward")
    + _traits("eyebrows", "eyebrows-angle eyebrows-trans", 0.55, "down", "up")
    + _traits("eyebrows", "eyebrows-trans", 0.4, "backward", "forward")
    + _traits("eyes", "eye-height1 eye-height2 eye-height3 eye-scale eye-bag", 0.5, paired=True)
    + _traits("eyes", "eye-trans", 0.55, "in", "out", paired=True)
    + _traits("eyes", "eye-push1 eye-push2", 0.4, "in", "out", paired=True)
    + _traits("eyes", "eye-corner1 eye-corner2 eye-trans eye-eyefold", 0.5, "down", "up", paired=True)
    + _traits("ears", "ear-scale ear-wing ear-lobe", 0.6, paired=True)
    + _traits("neck", "neck-scale-horiz neck-scale-depth neck-scale-vert neck-double", 0.4)
)

ASYMMETRIES = (
    "brown-1", "brown-2", "eye-1", "eye-3", "eye-5", "jaw-1", "mouth-1", "mouth-2", "nose-1", "nose-2", "cheek-1",
    "ear-1", "temple-1",
)  # fmt: skip
# The base mesh looks stern: opener eyes, and for women higher brows, a lighter jaw, corners of the mouth a little up.
OPENER = {"eyes/l-eye-scale-incr": 0.22, "eyes/r-eye-scale-incr": 0.22}
SOFTER = {
    "eyebrows/eyebrows-trans-up": 0.30,
    "chin/chin-width-decr": 0.2,
    "nose/nose-scale-horiz-decr": 0.15,
    "mouth/mouth-angles-up": 0.15,
}

WARDROBE = {
    "female": (
        "female_casualsuit01",
        "female_casualsuit02",
        "female_elegantsuit01",
        "female_sportsuit01",
        "male_casualsuit04",
    ),
    "male": (*(f"male_casualsuit{number:02d}" for number in range(1, 7)), "male_elegantsuit01", "male_worksuit01"),
}
SUITS = {"female": "female_elegantsuit01", "male": "male_elegantsuit01"}


GLASSES_COLOURS = np.array([[0.01, 0.01, 0.01], [0.05, 0.02, 0.01], [0.3, 0.3, 0.32], [0.02, 0.03, 0.08]])
"""Linear RGB."""


@dataclass(frozen=True)
class Person:
    seed: int
    gender: str
    """`female` or `male`."""
    maleness: float
    age: float
    """Years, 19 to 78."""
    ancestry: str
    """The main one, or `mixed`."""
    ancestry_shares: dict[str, float]
    muscle: float
    weight: float
    morphs: dict[str, float]
    skin_seed: int
    tint: tuple[float, float, float]
    brightness: float
    hair: str
    """A proxy of `hair/`, or `crop` or `bald`, which need none."""
    hair_colour: str
    hair_strength: float
    eye: str
    brow: str
    lash: str
    beard: float
    makeup: float
    wears_glasses: bool
    glasses_shape: tuple[float, float, float, float]
    """Half width and half height of a lens, squareness, radius of the frame; in decimetres."""
    glasses_colour: tuple[float, float, float]
    wardrobe: tuple[str, str, str]


def person(seed: int) -> Person:
    """The person of a seed: always the same one."""
    draw = np.random.default_rng([771, seed])
    gender = "female" if seed % 2 == 0 else "male"
    lean = float(draw.uniform(0.0, 0.07))
    decade = draw.choice(3, p=[0.48, 0.32, 0.20])
    age = float(draw.uniform(*((20, 34), (34, 52), (52, 74))[decade]))
    ancestry, shares = _ancestry(seed, draw)
    hair_colour = _hair_colour(shares, age, draw)
    return Person(
        seed=seed,
        gender=gender,
        maleness=lean if gender == "female" else 1 - lean,
        age=age,
        ancestry=ancestry,
        ancestry_shares=shares,
        muscle=float(np.clip(draw.normal(0.5, 0.15), 0, 1)),
        weight=float(np.clip(draw.normal(0.48, 0.18), 0.05, 1)),
        morphs=_morphs(gender, age, shares, draw),
        skin_seed=int(draw.integers(1 << 30)),
        tint=_three(np.clip(draw.normal([1, 1, 1], [0.05, 0.035, 0.045]), 0.85, 1.12)),
        brightness=float(draw.uniform(0.84, 1.06)),
        hair=_hair(gender, age, shares, draw),
        hair_colour=hair_colour,
        hair_strength=float(draw.uniform(0.75, 1.3)),
        eye=_eye(shares, draw),
        brow=f"eyebrow{draw.integers(1, 13):03d}",
        lash=_word(draw, "eyelashes02 eyelashes03 eyelashes04 Eyelashes01"),
        beard=_beard(gender, shares, draw),
        makeup=float(draw.choice([0, 0.3, 0.7])) if gender == "female" else 0.0,
        wears_glasses=bool(draw.random() < 0.25),
        glasses_shape=(
            float(draw.uniform(0.26, 0.33)),
            float(draw.uniform(0.19, 0.28)),
            float(draw.uniform(2.2, 6)),
            float(draw.uniform(0.008, 0.017)),
        ),
        glasses_colour=_three(draw.choice(GLASSES_COLOURS)),
        wardrobe=_wardrobe(gender, draw),
    )


def _three(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _word(draw: Generator, words: str) -> str:
    return str(draw.choice(words.split()))


def _ancestry(seed: int, draw: Generator) -> tuple[str, dict[str, float]]:
    main = MAIN_ANCESTRY[(seed // 2) % len(MAIN_ANCESTRY)]
    if main == "mixed":
        shares = draw.dirichlet([1.5, 1.5, 1.5])
    else:
        shares = draw.dirichlet([0.5, 0.5, 0.5]) * 0.2
        shares[ANCESTRIES.index(main)] += 0.8
    return main, {name: float(share) for name, share in zip(ANCESTRIES, shares, strict=True)}


def _morphs(gender: str, age: float, shares: dict[str, float], draw: Generator) -> dict[str, float]:
    strengths: dict[str, float] = {}

    def add(more: dict[str, float]) -> None:
        for name, strength in more.items():
            strengths[name] = strengths.get(name, 0.0) + strength

    reach = 0.68 if gender == "female" else 0.78
    for trait in TRAITS:
        add(trait.morphs(float(np.clip(draw.normal(0, 0.5), -1, 1)) * trait.spread * reach))
    add(OPENER)
    if gender == "female":
        add(SOFTER)
    for shape in draw.choice(FACE_SHAPES, 2, replace=False):
        add({f"head/head-{shape}": float(draw.uniform(0, 0.5))})
    if shares["asian"] > 0.5:
        fold = float(draw.uniform(0.15, 0.55))
        add({"eyes/l-eye-epicanthus-in": fold, "eyes/r-eye-epicanthus-in": fold})
    # Nobody is symmetric.
    for name in draw.choice(ASYMMETRIES, 5, replace=False):
        add({f"asym/asym-{name}-{_word(draw, 'l r')}": float(draw.uniform(0.05, 0.35))})
    if age > 45:
        add({"head/head-age-incr": float(np.clip((age - 45) / 45, 0, 0.7))})
    return strengths


def _dark(shares: dict[str, float]) -> bool:
    return shares["african"] > 0.45 or shares["asian"] > 0.55


def _hair_colour(shares: dict[str, float], age: float, draw: Generator) -> str:
    if age > 56 and draw.random() < 0.75:
        return _word(draw, "grey white grey")
    if _dark(shares):
        return _word(draw, "black black darkbrown black darkbrown")
    return _word(draw, "black darkbrown brown brown lightbrown blond red")


def _hair(gender: str, age: float, shares: dict[str, float], draw: Generator) -> str:
    african = shares["african"] > 0.5
    if gender == "female":
        if age > 58:
            return _word(draw, "short02 ponytail01 short04")
        return _word(
            draw, "afro01 ponytail01 Braid01 afro01" if african else "long01 ponytail01 Braid01 long01 short04"
        )
    if african:
        return _word(draw, "afro01 short01 crop crop bald")
    return _word(
        draw, "short02 short01 crop short04 bald" if age > 50 else "short01 short02 short04 short02 short04 crop"
    )


def _eye(shares: dict[str, float], draw: Generator) -> str:
    return _word(
        draw, "brown brown brownlight" if _dark(shares) else "brown brownlight blue bluegreen green grey deepblue"
    )


def _beard(gender: str, shares: dict[str, float], draw: Generator) -> float:
    strength = float(draw.choice([0, 0, draw.uniform(0.2, 0.5), draw.uniform(0.6, 1)]))
    if gender == "female":
        return 0.0
    return 0.4 * strength if shares["asian"] > 0.5 else strength


def _wardrobe(gender: str, draw: Generator) -> tuple[str, str, str]:
    first, second = (str(item) for item in draw.choice(WARDROBE[gender], 2, replace=False))
    return first, second, SUITS[gender]
