"""Models that are named as a hub names them, brought into the models folder after somebody agreed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from profile_cli.errors import CommandError
from profile_cli.terminal import Terminal
from profile_contract.recipe import BadRecipe
from profile_models.hub_files import HubName, hub_name
from profile_models.model_recipe import recipe_for

if TYPE_CHECKING:
    from profile_models.hub import Offer

# The ControlNets that known recipes name, as the hub names them.
COMPANIONS = {"controlnet-openpose-sdxl-1.0": HubName("xinsir", "controlnet-openpose-sdxl-1.0")}


def models_from_hub(
    models: Path, base: str | None, control: str | None, terminal: Terminal, *, agreed: bool
) -> tuple[str | None, str | None]:
    """Base model and ControlNet as folder names below `models`; those that were named OWNER/NAME[@REVISION] are brought
    first, unless they are there, and with a base model the ControlNet of its recipe.

    Somebody at the terminal is told how much it is and asked, unless `agreed`. Raises CommandError.
    """
    names = [(text, hub_name(text)) for text in (base, control) if text is not None]
    wanted = [name for _, name in names if name is not None and not _is_there(models, name)]
    if wanted:
        _bring(models, wanted, terminal, agreed=agreed, with_companion=control is None)
    folders = {text: name.name if name is not None else text for text, name in names}
    return (None if base is None else folders[base]), (None if control is None else folders[control])


def _is_there(models: Path, name: HubName) -> bool:
    """Whether a model is in the models folder. Raises CommandError where another one has its name."""
    from profile_models.hub import origin_of

    folder = models / name.name
    if not folder.is_dir():
        return False
    origin = origin_of(folder)
    # Of what somebody put there themselves, they know what it is.
    if origin is None:
        return True
    if origin.repository != name.repository:
        raise CommandError(
            f"{folder} holds {origin.repository}, not {name.repository}: move it away, or name another --models"
        )
    if name.revision is not None and not origin.commit.startswith(name.revision):
        raise CommandError(
            f"{folder} holds the commit {origin.commit[:12]} of {name.repository}, not {name.revision}: move it away, "
            "or name another --models"
        )
    return True


def _bring(models: Path, wanted: list[HubName], terminal: Terminal, *, agreed: bool, with_companion: bool) -> None:
    """Ask the hub and the person, and bring what is wanted. Raises CommandError."""
    from huggingface_hub import constants

    from profile_models.hub import HubError, bring_settings, left_to_bring, offer_of, size

    try:
        offers = [offer_of(name) for name in wanted]
        for offer in list(offers) if with_companion else ():
            companion = COMPANIONS.get(recipe_for(bring_settings(offer, models)).recipe.control_model)
            if companion is not None and not _is_there(models, companion):
                offers.append(offer_of(companion))
        for offer in offers:
            licence = f", licence {offer.licence}" if offer.licence else ", no licence is named"
            terminal.say(f"{offer.name.repository} at {offer.commit[:12]}: {size(offer.bytes)}{licence}")
        total = size(sum(left_to_bring(offer, models) for offer in offers))
        if not agreed:
            _must_agree(terminal, f"{total} into {models}")
        for offer in offers:
            _fetch(offer, models, terminal)
    except (HubError, BadRecipe) as error:
        raise CommandError(str(error)) from error
    # Whatever is loaded from here on comes from the folder alone.
    constants.HF_HUB_OFFLINE = True


def _must_agree(terminal: Terminal, what: str) -> None:
    """Raises CommandError unless somebody at the terminal says yes."""
    answer = terminal.ask(f"Download {what}? [y/N]")
    if answer is None:
        raise CommandError(f"nobody is here to be asked whether to download {what}: --download says yes")
    if answer.lower() not in ("y", "yes"):
        raise CommandError("nothing was downloaded")


def _fetch(offer: Offer, models: Path, terminal: Terminal) -> None:
    """Bring one model, and show how far it is. Raises HubError."""
    from profile_models.hub import bring, left_to_bring, size

    came = offer.bytes - left_to_bring(offer, models)
    with terminal.tracker(offer.name.repository) as tracker:

        def show(piece: int) -> None:
            nonlocal came
            came += piece
            tracker.show(f"{size(came)} of {size(offer.bytes)}", min(100, 100 * came // max(1, offer.bytes)))

        folder = bring(offer, models, show)
    terminal.say(f"{offer.name.repository} is in {folder}")
