"""Portraits from photos on this machine, without a cluster: preprocess, train, generate and finish in one process.

What was made stays in the output folder: a second run with layouts that show as much of the person only finishes, one
with another style, or with layouts that show more or less, generates and finishes.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2

from profile_cli import tables
from profile_cli.errors import CommandError
from profile_cli.nouns import ANYBODY, NOUNS, with_noun
from profile_cli.photos import captions_beside, find_photos
from profile_cli.request_options import add_request_options, asked_for, with_source
from profile_cli.results import PORTRAITS, PREVIEWS, Results, deliver
from profile_cli.styles import known_styles, load_styles
from profile_cli.terminal import Terminal
from profile_cli.upload import upload
from profile_contract.artifacts import ADAPTER, ADAPTER_WEBUI, CONTACT_SHEET, LIKENESS_REPORT
from profile_contract.layouts import LayoutName
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.preprocess import Captions, PreprocessReport
from profile_models.folders import models_folder
from profile_runtime.logging import configure
from profile_runtime.store.folder import FolderStore

from .alone import alone_in
from .hub import models_from_hub
from .looks import brought, check_looks, look_files
from .other_networks import OtherNetworks
from .runner import InputRefused, Run
from .settings import AREA, Choice, InstalledModels, choose_with, platform, request_spec
from .values import read_values
from .webui_lines import WEBUI_LINES, webui_text, write_lines

WORK = ".profile-studio"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    layouts = ", ".join(LayoutName)
    command = commands.add_parser(
        "run", help="portraits from photos on this machine, without a cluster", description=__doc__
    )
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="photos of one person, or folders")
    command.add_argument("--out", type=Path, required=True, help="folder for the results and the work")
    command.add_argument(
        "--style", action="append", dest="styles", metavar="STYLE",
        help=f"one of {', '.join(known_styles())}, or a style's YAML file; may be repeated (studio-warm)",
    )  # fmt: skip
    command.add_argument(
        "--look", action="append", dest="looks", default=[], metavar="NAME=FILE",
        help="the file of an adapter that a style draws with, by the name that the style gives it; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--noun", choices=NOUNS,
        help=f"who is in the photos; the right word gives better portraits (default: a terminal asks, else {ANYBODY})",
    )  # fmt: skip
    command.add_argument(
        "--layouts", default=LayoutName.SQUARE.value, metavar="A,B", help=f"cuts (default: %(default)s): {layouts}"
    )
    add_delivery_to(command)
    add_request_options(command, folder=True)
    command.add_argument("--minimum-photos", type=int, help="how many photos must be usable (default: 5)")
    add_models_to(command.add_argument_group("training and models"))
    command.set_defaults(run=run)


def add_delivery_to(command: argparse.ArgumentParser) -> None:
    """The options that say what is done to pictures before anybody is given them."""
    command.add_argument(
        "--signature", type=Path, metavar="FOLDER",
        help="sign portraits (content credentials, C2PA) with the tls.key and tls.crt in this folder",
    )  # fmt: skip
    command.add_argument(
        "--upscaler", default="", metavar="MODEL",
        help="the network that enlarges the candidates of styles that want it (upscale): a folder below the models",
    )  # fmt: skip
    command.add_argument(
        "--safety-checker", default="", metavar="MODEL",
        help="what holds back pictures that nobody should be given: a folder below the models folder (default: none)",
    )  # fmt: skip


def add_models_to(group: argparse._ArgumentGroup) -> None:
    """The options that choose models, and how is trained and drawn with them."""
    group.add_argument("--models", type=Path, help="models folder (default: $PROFILE_MODELS, else the user's cache)")
    group.add_argument(
        "--base-model", metavar="MODEL",
        help="a folder below the models folder, in diffusers' SDXL layout, or a model hub's OWNER/NAME[@REVISION], "
        "which is downloaded once, after asking",
    )  # fmt: skip
    group.add_argument(
        "--control-model", metavar="MODEL", help="the base model's pose ControlNet, likewise; empty for none"
    )
    group.add_argument("--download", action="store_true", help="download models without asking")
    group.add_argument("--resolution", type=int, help="pixels (default: what the base model was made for)")
    group.add_argument("--rank", type=int, help="the adapter's rank (default: the model's recipe, else 32)")
    group.add_argument(
        "--steps", type=int, help="training steps (default: the model's recipe, else 80 per photo, 500 to 900)"
    )
    group.add_argument("--sampler-steps", type=int, help="steps to draw a candidate in (default: as the style says)")
    add_values_to(group)


def add_values_to(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """The option that takes a cluster's settings."""
    group.add_argument(
        "--values", action="append", type=Path, default=[], metavar="FILE",
        help="a values file of the chart: use its recipe, training, preprocess and generation; may be repeated, later "
        "files win. Options win over files, and files over the model's recipe.yaml",
    )  # fmt: skip


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the stages and put the results into the folder. Raises CommandError."""
    photos = find_photos(arguments.photos)
    styles = load_styles(arguments.styles or ["studio-warm"])
    looks = look_files(arguments.looks, styles)
    choice = _choice(arguments)
    spec = with_source(request_spec(choice, list(styles)), photos)
    folder = (arguments.models or models_folder()).resolve()
    values = read_values(arguments.values)
    base, control = models_from_hub(
        folder, choice.base_model, choice.control_model, terminal, agreed=arguments.download
    )
    models = choose_with(folder, replace(choice, base_model=base, control_model=control), values)
    prepare(models, terminal)
    settings = platform(choice, models, accelerated=accelerated(), values=values)
    networks = OtherNetworks(arguments.upscaler, arguments.safety_checker)
    networks.check(folder, styles)
    check_looks(folder, models.base, settings.train_parameters(spec).rank, looks)
    signature = arguments.signature.resolve() if arguments.signature else None
    signer = signer_of(signature)
    # Whoever has no model, or has mistyped an option, is not asked first.
    spec = spec if arguments.noun else with_noun(spec, terminal, terminal.say)
    toy = models.recipe.toy
    if toy:
        terminal.say(toy)
    out: Path = arguments.out.resolve()
    with _work_store(out) as store:
        written = captions_beside(photos) if settings.preprocess.captions is Captions.WRITTEN else {}
        sent = upload(store, {**photos, **written}, AREA, spec.photos.prefix)
        terminal.say(photos.sentence)
        captions = f" with {len(written)} captions" if written else ""
        named = ", ".join(styles)
        terminal.say(f"{len(photos)} photos{captions} ({sent} new), styles {named}, base model {models.base}")
        job = Run(
            store, folder, spec, styles, settings, terminal, brought(store, AREA, looks),
            signature=signature, signer=signer, networks=networks,
        )  # fmt: skip
        _show(_delivered(job, out), out, terminal)
    if toy:
        terminal.say(toy)
    return 0


def _delivered(job: Run, out: Path) -> Results:
    """Run the stages, and write what came of them into the folder. Raises CommandError."""
    try:
        results = job.results()
    except InputRefused as refused:
        _show_refusal(refused, job.terminal)
        raise
    deliver(job.store, results, out)
    training = job.platform.train_parameters(job.spec)
    subject, size = f"{training.token} {training.noun}", job.platform.picture_for(job.spec)
    write_lines(out / WEBUI_LINES, webui_text(job.styles, subject, size, job.spec.seed))
    return results


def signer_of(signature: Path | None) -> str:
    """Who signs with the key and certificates in a folder, which are tried; nobody where there is none.

    Raises CommandError: who learns at the end of a training that a key does not fit has waited for nothing.
    """
    if signature is None:
        return ""
    from profile_finish.signature import Signature, Unusable

    try:
        return Signature.read(signature).name
    except Unusable as error:
        raise CommandError(f"{error.reason}: {error.message}") from error


def _choice(arguments: argparse.Namespace) -> Choice:
    """What the arguments say."""
    layouts = [name.strip() for name in arguments.layouts.split(",") if name.strip()]
    return replace(
        model_choice(arguments),
        noun=arguments.noun or ANYBODY,
        layouts=layouts,
        asked=asked_for(arguments),
        minimum_photos=arguments.minimum_photos,
    )


def model_choice(arguments: argparse.Namespace) -> Choice:
    """What they say of models and training alone."""
    return Choice(
        noun=ANYBODY,
        layouts=[LayoutName.SQUARE],
        asked={},
        minimum_photos=None,
        rank=arguments.rank,
        steps=arguments.steps,
        sampler_steps=arguments.sampler_steps,
        resolution=arguments.resolution,
        base_model=arguments.base_model,
        control_model=arguments.control_model,
    )


def prepare(models: InstalledModels, terminal: Terminal) -> None:
    """Keep libraries quiet and off the network: the terminal shows our own progress. Tell whose recipe is taken."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Read by OpenCV as it is loaded, which it may be already.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    configure(level=logging.WARNING, line="%(name)s: %(message)s")
    if models.remark:
        terminal.say(models.remark)


def accelerated() -> bool:
    """Whether there is a GPU that torch can use."""
    import torch

    return bool(torch.cuda.is_available())


@contextmanager
def _work_store(out: Path) -> Iterator[FolderStore]:
    """The store in a folder, which nobody else works in meanwhile. Raises CommandError."""
    try:
        (out / WORK).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{out} cannot be used for the results: {error.strerror}") from error
    with alone_in(out / WORK):
        yield FolderStore(out / WORK)


def _show_refusal(refused: InputRefused, terminal: Terminal) -> None:
    """The figures behind a refusal: verdicts of the photos, or what was measured on the candidates."""
    report = refused.report
    if isinstance(report, PreprocessReport) and report.verdicts:
        _show_photos(report, terminal)
    if isinstance(report, FinishReport) and report.scores:
        terminal.table("Candidates", tables.CANDIDATE_COLUMNS, tables.candidate_rows(report))


def _show_photos(report: PreprocessReport, terminal: Terminal) -> None:
    terminal.table("Photos", tables.PHOTO_COLUMNS, tables.photo_rows(report.verdicts))
    for line in tables.warning_lines(report.warnings):
        terminal.say(line)


def _show(results: Results, out: Path, terminal: Terminal) -> None:
    """The results as tables, and where the files are."""
    finish = results.finish
    _show_photos(results.preprocess, terminal)
    terminal.table("Candidates", tables.CANDIDATE_COLUMNS, tables.candidate_rows(finish))
    what, folder = ("Previews", PREVIEWS) if finish.preview else ("Portraits", PORTRAITS)
    terminal.table(what, tables.PORTRAIT_COLUMNS, tables.portrait_rows(finish))
    terminal.table("Tone against neutral twins", tables.TONE_COLUMNS, tables.tone_rows(finish.tones))
    terminal.heading("Where things are")
    terminal.plain(f"  {what.lower()} and layouts {' ' if finish.preview else ''} {out / folder}/")
    if results.train.adapter is not None:
        terminal.plain(
            f"  adapter                {out / ADAPTER} (for WebUI: {ADAPTER_WEBUI}, and what to type: {WEBUI_LINES})"
        )
    terminal.plain(f"  likeness report        {out / LIKENESS_REPORT}")
    terminal.plain(f"  contact sheet          {out / CONTACT_SHEET}")
    signed = f"by {finish.signed_by}, as content credentials (C2PA)" if finish.signed_by else "by nobody (--signature)"
    terminal.plain(f"  signed                 {signed}")
    terminal.say("done")
