"""A sheet of pictures of a checkpoint, always of the same seeds, prompts and pose maps, and what the networks see."""

from __future__ import annotations

from pathlib import Path

import cv2
import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image

from profile_contract.style import TONE_WORDS, Tone
from profile_vision import FaceReader
from profile_vision.pixels import RGB, to_bgr
from profile_vision.poses import draw as draw_pose
from profile_vision.poses import preset_joints
from profile_workshop.studio_mini import checkpoint, prepare, words
from profile_workshop.studio_mini.compose import FRAMING, SIZE
from profile_workshop.studio_mini.export import pipeline
from profile_workshop.studio_mini.home import Home

COLUMNS = 8
STEPS = 20
GUIDANCE = 3.0
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


def draw_sheet(home: Home, state_file: Path, styles: Path, target: Path) -> None:
    """Write the sheet, and print its figures. Raises FileNotFoundError without a checkpoint."""
    torch.set_num_threads(1)
    state = checkpoint.load(state_file)
    if state is None:
        raise FileNotFoundError(f"{state_file} is missing; run the stage 'unet' first")
    whole, controlnet = pipeline(state, AutoencoderKL.from_pretrained(home.delivered_vae), home.merges)
    posed = diffusers.StableDiffusionXLControlNetPipeline(**whole.components, controlnet=controlnet)  # type: ignore[attr-defined]
    posed.set_progress_bar_config(disable=True)
    joints = _joints(home)
    maps = [draw_pose(pose, SIZE, SIZE) for pose in joints]
    texts, _ = words.style_texts(styles)
    studio = next(text for text in texts if "beauty dish" in text)
    rows = [np.stack(maps)]
    for tone in (Tone.NEUTRAL, Tone.WARM, Tone.COOL):
        prompts = [studio.replace("{tone}", TONE_WORDS[tone]).replace("{subject}", subject) for subject in SUBJECTS]
        rows.append(_drawn(posed, prompts, maps))
    plain = [f"studio portrait photo of {subject}, facing the camera" for subject in SUBJECTS]
    rows.append(_drawn(whole, plain, None))
    _write(target, rows)
    print(f"samples: step {state['step']}: {_figures(home, rows[1:4], joints)} -> {target}", flush=True)


def _joints(home: Home) -> list[NDArray[np.float32]]:
    """The three presets, and poses of people who were prepared."""
    known = prepare.load(home.prepared, pictures=False).joints
    rows = np.random.default_rng(9).integers(0, len(known), COLUMNS - 3)
    return [*(preset_joints(yaw, SIZE, FRAMING) for yaw in (0.0, -35.0, 35.0)), *(known[row] for row in rows)]


def _drawn(whole: object, prompts: list[str], maps: list[RGB] | None) -> NDArray[np.uint8]:
    given = {} if maps is None else {"image": [Image.fromarray(pose) for pose in maps]}
    pictures = whole(  # type: ignore[operator]
        prompts,
        generator=[torch.Generator().manual_seed(seed) for seed in range(len(prompts))],
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        height=SIZE,
        width=SIZE,
        output_type="np",
        **given,
    ).images
    return (np.clip(pictures, 0, 1) * 255).round().astype(np.uint8)


def _write(target: Path, rows: list[NDArray[np.uint8]]) -> None:
    sheet = np.vstack([np.hstack(list(row)) for row in rows])
    larger = cv2.resize(sheet, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(target), cv2.cvtColor(np.asarray(larger, np.uint8), cv2.COLOR_RGB2BGR))


def _figures(home: Home, rows: list[NDArray[np.uint8]], joints: list[NDArray[np.float32]]) -> str:
    reader = FaceReader(home.vision)
    faced, errors = 0, []
    for row in rows:
        for picture, pose in zip(row, joints, strict=True):
            faces = reader.find(to_bgr(RGB(picture)))
            faced += len(faces) == 1
            if len(faces) == 1:
                errors.append(float(np.linalg.norm(faces[0].points[2] - pose[0, :2])))
    shift = [float(cv2.cvtColor(row.reshape(-1, 1, 3), cv2.COLOR_RGB2LAB)[..., 2].mean()) for row in rows]
    count = sum(len(row) for row in rows)
    nose = f"nose off by {np.mean(errors):.1f} px" if errors else "no nose"
    return (
        f"one face in {faced} of {count}, {nose}, b* warm {shift[1] - shift[0]:+.1f}, cool {shift[2] - shift[0]:+.1f}"
    )
