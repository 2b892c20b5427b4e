"""python -m profile_workshop studio-mini prepare | vae | decoder | unet | samples | export"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import distributed
from torch.multiprocessing.spawn import spawn

from profile_models.folders import models_folder
from profile_models.tokenizer import make_tokenizer
from profile_workshop.studio_mini import decoder, export, prepare, samples, vae, words
from profile_workshop.studio_mini.batches import Batches, load_latents
from profile_workshop.studio_mini.home import Home
from profile_workshop.studio_mini.muon import Team
from profile_workshop.studio_mini.product_words import TOKEN, product_texts
from profile_workshop.studio_mini.prompts import RARE_WORDS
from profile_workshop.studio_mini.train import Schedule, Trainer

ROWS = 24
"""Of a batch, in each process."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("studio-mini", help="the small trained model: its stages, each resumable")
    parser.add_argument("stage", choices=["prepare", "vae", "decoder", "unet", "samples", "export"])
    parser.add_argument("--steps", type=int, default=30_000, help="of vae, decoder or unet, in all")
    parser.add_argument("--cooling", type=int, default=3_000, help="last steps of unet, with a falling rate")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="of unet, a core each")
    parser.add_argument("--styles", type=Path, default=_styles(), help="ProfileStyles whose prompts it must know")
    parser.add_argument("--cooled", action="store_true", help="samples, export: of the cooled state")
    parser.add_argument("--out", type=Path, default=None, help="samples: a picture; export: the models folder")
    parser.set_defaults(run=run)


def _styles() -> Path:
    return Path(__file__).parents[3] / "charts" / "profile-studio" / "files" / "styles"


def run(arguments: argparse.Namespace) -> None:
    home = Home.of_user()
    if arguments.stage == "prepare":
        torch.set_num_threads(1)
        count = prepare.Preparer(home.vision).prepare(home.renders, home.prepared)
        print(f"studio-mini: {count} more people prepared in {home.prepared}")
    elif arguments.stage == "vae":
        _train_vae(home, arguments.steps)
    elif arguments.stage == "decoder":
        _train_decoder(home, arguments.steps)
    elif arguments.stage == "unet":
        _train_unet(home, arguments)
    elif arguments.stage == "samples":
        state = home.cooled_state if arguments.cooled else home.unet_state
        samples.draw_sheet(home, state, arguments.styles, arguments.out or home.root / "samples.png")
    else:
        state = home.cooled_state if arguments.cooled else home.unet_state
        export.export(state, home.delivered_vae, home.merges, arguments.out or models_folder())


def _train_vae(home: Home, steps: int) -> None:
    features = vae.Features(home.vision / "yolo11n-pose.pt")
    trained = vae.train(prepare.load(home.prepared), home.vae_state, features, steps=steps)
    _set_scale(trained, home)
    trained.save_pretrained(home.vae)


def _train_decoder(home: Home, steps: int) -> None:
    trainer = decoder.DecoderTrainer(prepare.load(home.prepared), AutoencoderKL.from_pretrained(home.vae), home.vision)
    trainer.run(home.decoder_state, steps=steps).save_pretrained(home.delivered_vae)


def _set_scale(trained: AutoencoderKL, home: Home) -> None:
    """SDXL's code multiplies latents by the scaling factor to give them unit size."""
    some = prepare.load(home.prepared).pictures[:512]
    trained.register_to_config(scaling_factor=float(1 / vae.encode(trained, some).std()))


def _train_unet(home: Home, arguments: argparse.Namespace) -> None:
    """Once for all processes: latents and vocabulary; then a process a core."""
    encoder = AutoencoderKL.from_pretrained(home.vae)
    latents = home.latents(vae.digest(home.vae))
    vae.encode_all(encoder, home.prepared, latents)
    prompts, unwanted = words.style_texts(arguments.styles)
    if not home.merges.is_file():
        known = prepare.load(home.prepared, pictures=False).prompts
        said = product_texts(f"{TOKEN} person")
        # Texts of the product stand for many: each is said rarely here and always there.
        home.merges.write_text(words.learn_merges([*known, *(50 * [*prompts, *unwanted, *said, *RARE_WORDS])]))
    schedule = Schedule(arguments.steps, arguments.cooling)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as meeting:
        given = (arguments.processes, home, latents, unwanted, schedule, f"file://{meeting}/processes")
        spawn(_train_process, args=given, nprocs=arguments.processes)


def _train_process(  # noqa: PLR0917  (torch hands them over in a row)
    process: int, processes: int, home: Home, latents: Path, unwanted: list[str], schedule: Schedule, meeting: str
) -> None:
    _end_with_parent()
    torch.set_num_threads(1)
    if processes > 1:
        distributed.init_process_group("gloo", init_method=meeting, rank=process, world_size=processes)
    data = prepare.load(home.prepared, pictures=False)
    scale = AutoencoderKL.from_pretrained(home.vae).config.scaling_factor
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = make_tokenizer(Path(scratch), pad_token="<|endoftext|>", merges=home.merges)  # noqa: S106
    batches = Batches(
        data, load_latents(latents, data.names) * scale, tokenizer, unwanted=_unwanted(unwanted), size=ROWS
    )
    trainer = Trainer(tokenizer, batches, Team(process, processes))
    trainer.restore(home.unet_state)
    trainer.run(schedule, home.unet_state, home.cooled_state)


def _end_with_parent() -> None:
    """A training whose parent was killed would go on unseen, and write over the next one's checkpoints."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def _unwanted(negative_prompts: list[str]) -> list[str]:
    """The styles' negative prompts, and shorter ones out of their words."""
    phrases = sorted({phrase for text in negative_prompts for phrase in text.split(", ")})
    # Whole ones above all: they are what guidance moves away from.
    return [*(8 * negative_prompts), *(", ".join(phrases[start::5]) for start in range(5)), *phrases]
