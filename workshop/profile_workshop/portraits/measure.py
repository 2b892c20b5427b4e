"""What the networks can do by now: figures of SFace, and a sheet to look at.

Pictures are decoded by the linear transform itself, so that no autoencoder has to travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from transformers import CLIPTokenizer

from profile_contract.style import TONE_WORDS, Tone
from profile_vision import Face, FaceReader
from profile_vision.pixels import BGR, RGB, to_bgr
from profile_vision.poses import draw as draw_pose
from profile_vision.poses import preset_joints
from profile_workshop.portraits.crowd import Crowd, before_grey
from profile_workshop.portraits.linear import LinearTransform
from profile_workshop.portraits.names import name_of
from profile_workshop.portraits.train import PortraitTrainer, make_noise
from profile_workshop.studio_mini import words
from profile_workshop.studio_mini.compose import FRAMING, SIZE

Pictures = NDArray[np.uint8]
NOISES = (-1.0, 0.0, 1.0, 2.0)
"""Logarithms of the signal-to-noise ratios that a step of denoising starts from."""
SEEN = 512
"""Faces are read at this size, as the product reads them."""
PER_CALL = 24
SUBJECTS = (
    "a young East Asian woman with long black hair",
    "a young East Asian man with short black hair",
    "a middle-aged European man with short brown hair",
    "an African woman with curly black hair",
    "an old European man with short white hair",
    "a young European woman with blond hair in a ponytail",
    "a man with glasses",
    "a person",
)
"""Who is drawn in the styles' words, always the same."""


class Eyes:
    """Reads faces of small pictures."""

    def __init__(self, vision: Path) -> None:
        self._reader = FaceReader(vision)

    def embedding(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Of an RGB picture; None where there is not exactly one face."""
        bgr, faces = self._find(picture)
        return np.asarray(self._reader.embed(bgr, faces[0]), np.float32) if len(faces) == 1 else None

    def nose(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """x and y in pixels of the picture; None where there is not exactly one face."""
        _, faces = self._find(picture)
        return faces[0].points[2] * (len(picture) / SEEN) if len(faces) == 1 else None

    def _find(self, picture: NDArray[np.uint8]) -> tuple[BGR, list[Face]]:
        large = cv2.resize(picture, (SEEN, SEEN), interpolation=cv2.INTER_CUBIC)
        bgr = to_bgr(RGB(large.astype(np.uint8)))
        return bgr, self._reader.find(bgr)


@dataclass(frozen=True)
class Model:
    """Averaged networks, ready to draw."""

    networks: dict[str, nn.Module]
    tokenizer: CLIPTokenizer
    transform: LinearTransform
    device: torch.device

    def pictures(self, latents: torch.Tensor) -> Pictures:
        """(N, 128, 128, 3) RGB."""
        with torch.no_grad():
            plain = self.transform.decode(latents.float())
        return ((plain.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()

    def draw(
        self,
        prompts: Sequence[str],
        maps: Sequence[NDArray[np.uint8]],
        *,
        unwanted: str = "",
        guidance: float = 2.0,
        steps: int = 20,
    ) -> Pictures:
        pipeline = diffusers.StableDiffusionXLControlNetPipeline(
            vae=None,
            text_encoder=self.networks["text_encoder"],
            text_encoder_2=self.networks["text_encoder_2"],
            tokenizer=self.tokenizer,
            tokenizer_2=self.tokenizer,
            unet=self.networks["unet"],
            controlnet=self.networks["controlnet"],
            scheduler=make_noise(),
            add_watermarker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        drawn = []
        for start in range(0, len(prompts), PER_CALL):
            some = list(prompts[start : start + PER_CALL])
            latents = pipeline(
                some,
                image=[Image.fromarray(pose) for pose in maps[start : start + PER_CALL]],
                negative_prompt=[unwanted] * len(some),
                generator=[torch.Generator().manual_seed(start + number) for number in range(len(some))],
                num_inference_steps=steps,
                guidance_scale=guidance,
                height=SIZE,
                width=SIZE,
                output_type="latent",
            ).images
            drawn.append(self.pictures(latents))
        return np.concatenate(drawn)


def model_of(trainer: PortraitTrainer, tokenizer: CLIPTokenizer, transform: LinearTransform) -> Model:
    """The trainer's networks with their averages in them: not to be trained on after that."""
    for name, network in trainer.networks.items():
        network.load_state_dict(trainer.ema.weights[name])
        network.eval()
    return Model(trainer.networks, tokenizer, transform.to(trainer.device), trainer.device)


def denoised(
    trainer: PortraitTrainer, transform: LinearTransform, tokenizer: CLIPTokenizer, crowd: Crowd, eyes: Eyes
) -> str:
    """One step of denoising, of people who were never trained on: how near to themselves they stay."""
    draw = np.random.default_rng(3)
    rows = [crowd.row(int(place), draw, called=False) for place in draw.choice(crowd.others, 96)]
    truth = [eyes.embedding(row.picture) for row in rows]
    figures = []
    for noise in NOISES:
        latents = trainer.one_step(rows, transform, tokenizer, noise)
        with torch.no_grad():
            plain = transform.to(trainer.device).decode(latents)
        pictures = ((plain.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        near = _cosines(truth, [eyes.embedding(picture) for picture in pictures])
        figures.append(f"{noise:+.0f}: {np.mean(near) if near else float('nan'):.3f} ({len(near)})")
    return "same face after a step from log SNR " + ", ".join(figures)


def _cosines(wanted: Sequence[NDArray[np.float32] | None], given: Sequence[NDArray[np.float32] | None]) -> list[float]:
    return [float(a @ b) for a, b in zip(wanted, given, strict=True) if a is not None and b is not None]


def by_name(model: Model, crowd: Crowd, eyes: Eyes, people: int = 24) -> tuple[str, Pictures]:
    """Portraits of training people called by their names: who they look like, and the portraits."""
    draw = np.random.default_rng(8)
    places = _one_place_each(crowd, draw, people)
    rows = [crowd.row(place, draw, called=True) for place in places]
    prompts = [f"a photo of {name_of(crowd.seed(place))} person, head and shoulders" for place in places]
    drawn = model.draw(prompts, [row.pose for row in rows])
    known = [eyes.embedding(before_grey(crowd.render(place))) for place in places]
    portraits = [eyes.embedding(picture) for picture in drawn]
    pairs = [number for number in range(people) if known[number] is not None and portraits[number] is not None]
    if not pairs:
        return "by name: no face", drawn
    wanted = np.stack([known[number] for number in pairs])  # type: ignore[misc]
    given = np.stack([portraits[number] for number in pairs])  # type: ignore[misc]
    cosines = given @ wanted.T
    own = float(np.mean(cosines.argmax(axis=1) == np.arange(len(pairs))))
    return f"by name: cosine {np.mean(np.diag(cosines)):.3f}, nearest to their own {own:.0%} of {len(pairs)}", drawn


def _one_place_each(crowd: Crowd, draw: np.random.Generator, people: int) -> list[int]:
    places: dict[int, int] = {}
    for place in draw.permutation(crowd.training):
        places.setdefault(crowd.seed(int(place)), int(place))
        if len(places) == people:
            break
    return list(places.values())


def by_style(model: Model, crowd: Crowd, eyes: Eyes, styles: Path) -> tuple[str, list[Pictures]]:
    """Portraits of described people as the studio styles ask for them: faces, noses and tones, and the portraits."""
    draw = np.random.default_rng(9)
    joints = [preset_joints(yaw, SIZE, FRAMING) for yaw in (0.0, -35.0, 35.0)]
    joints += [crowd.row(int(place), draw).joints for place in draw.choice(crowd.others, len(SUBJECTS) - 3)]
    maps = [draw_pose(pose, SIZE, SIZE) for pose in joints]
    texts, negatives = words.style_texts(styles)
    studio = next(text for text in texts if "beauty dish" in text)
    rows = []
    for tone in (Tone.NEUTRAL, Tone.WARM, Tone.COOL):
        prompts = [studio.replace("{tone}", TONE_WORDS[tone]).replace("{subject}", subject) for subject in SUBJECTS]
        rows.append(model.draw(prompts, maps, unwanted=negatives[0]))
    errors, count = _nose_errors(eyes, rows, joints)
    warmth = [float(cv2.cvtColor(row.reshape(-1, 1, 3), cv2.COLOR_RGB2LAB)[..., 2].mean()) for row in rows]
    off = f"nose off by {np.mean(errors):.1f} px" if errors else "no nose"
    figures = f"one face in {len(errors)} of {count}, {off}, b* warm {warmth[1] - warmth[0]:+.1f}"
    return f"{figures}, cool {warmth[2] - warmth[0]:+.1f}", [np.stack(maps), *rows]


def _nose_errors(
    eyes: Eyes, rows: Sequence[Pictures], joints: Sequence[NDArray[np.float32]]
) -> tuple[list[float], int]:
    errors, count = [], 0
    for row in rows:
        for picture, pose in zip(row, joints, strict=True):
            count += 1
            nose = eyes.nose(picture)
            if nose is not None:
                errors.append(float(np.linalg.norm(nose - pose[0, :2])))
    return errors, count


def write_sheet(target: Path, rows: Sequence[Pictures]) -> None:
    """One picture of them all, in rows of eight."""
    lines = [row[start : start + 8] for row in rows for start in range(0, len(row), 8)]
    sheet = np.vstack([np.hstack(list(line)) for line in lines if len(line) == 8])
    cv2.imwrite(str(target), cv2.cvtColor(np.asarray(sheet, np.uint8), cv2.COLOR_RGB2BGR))
