"""The page on this machine, without a cluster: portraits of one person at a time, others wait for their turn.

Photos, what was learnt and portraits stay in the output folder; what runs when the command ends goes on when it is
started again.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from profile_cli.errors import CommandError
from profile_cli.numbers import whole
from profile_cli.run.alone import alone_in
from profile_cli.run.command import WORK, accelerated, add_delivery_to, add_models_to, model_choice, prepare, signer_of
from profile_cli.run.hub import models_from_hub
from profile_cli.run.other_networks import OtherNetworks
from profile_cli.run.settings import choose_with, platform
from profile_cli.run.values import read_values
from profile_cli.styles import known_styles, load_styles
from profile_cli.terminal import Terminal
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleRef
from profile_models.folders import models_folder
from profile_runtime.store.folder import FolderStore

if TYPE_CHECKING:
    from .worker import Workplace


LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHUTDOWN_SECONDS = 3
OPEN_NETWORK = "note: whoever reads the traffic of this network can read the token, too: there is no TLS here"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser("serve", help="the page on this machine, without a cluster", description=__doc__)
    command.add_argument("--out", type=Path, required=True, help="folder for photos, portraits and the work")
    command.add_argument(
        "--style", action="append", dest="styles", metavar="STYLE",
        help=f"what the page offers: some of {', '.join(known_styles())}, or styles' YAML files; may be repeated "
        "(default: all of the chart's)",
    )  # fmt: skip
    command.add_argument(
        "--host", default=LOOPBACK[0], metavar="ADDRESS",
        help="address to listen at (default: %(default)s, which this machine alone reaches)",
    )  # fmt: skip
    command.add_argument("--port", type=whole(1, 65535), default=8765, help="port (default: %(default)s)")
    command.add_argument("--token", help="what visitors must have (default: a new one, in the address that is shown)")
    add_delivery_to(command)
    add_models_to(command.add_argument_group("training and models"))
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Serve until interrupted. Raises CommandError."""
    import uvicorn

    from .desk import desk_of

    token = arguments.token or secrets.token_urlsafe(24)
    styles = load_styles(arguments.styles or list(known_styles()))
    workplace = _workplace(arguments, styles, terminal)
    origin = f"http://{_in_address(arguments.host)}:{arguments.port}"
    desk = desk_of(workplace, origin, token, arguments.port)
    config = uvicorn.Config(
        desk.app, host=arguments.host, port=arguments.port, http="h11", access_log=False, log_config=None,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with alone_in(workplace.store.root):
        desk.worker.start()
        terminal.say(f"open {origin}/?token={token}")
        if arguments.host not in LOOPBACK:
            terminal.say(OPEN_NETWORK)
        try:
            server.run()
        except SystemExit as error:
            raise CommandError(f"{origin} cannot be listened at: is the port taken? --port names another") from error
        finally:
            desk.worker.stop()
    return 0


def _workplace(arguments: argparse.Namespace, styles: Mapping[str, ProfileStyleSpec], terminal: Terminal) -> Workplace:
    """What the worker works with. Raises CommandError."""
    from .worker import Workplace

    wanting = sorted(key for key, style in styles.items() if style.adapters)
    if wanting:
        raise CommandError(f"the style {wanting[0]} draws with adapters of its own, which the page here cannot give it")
    folder = (arguments.models or models_folder()).resolve()
    choice, values = model_choice(arguments), read_values(arguments.values)
    base, control = models_from_hub(
        folder, choice.base_model, choice.control_model, terminal, agreed=arguments.download
    )
    models = choose_with(folder, replace(choice, base_model=base, control_model=control), values)
    prepare(models, terminal)
    networks = OtherNetworks(arguments.upscaler, arguments.safety_checker)
    networks.check(folder, styles)
    signature = arguments.signature.resolve() if arguments.signature else None
    signer = signer_of(signature)
    out: Path = arguments.out.resolve()
    try:
        (out / WORK).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{out} cannot be used: {error.strerror}") from error
    return Workplace(
        store=FolderStore(out / WORK),
        models=folder,
        # Every style is the cluster's here: there is one place alone.
        styles={StyleRef(name=StyleRef.of_key(key).name).key: style for key, style in styles.items()},
        platform=platform(choice, models, accelerated=accelerated(), values=values),
        terminal=terminal,
        toy=models.base if models.recipe.toy else "",
        signature=signature,
        signer=signer,
        networks=networks,
    )


def _in_address(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host
