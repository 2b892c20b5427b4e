"""The command `demo`."""

from __future__ import annotations

import argparse
import os
import sys
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from profile_cli import tables, watch
from profile_cli.errors import CommandError
from profile_cli.observed import ObservedRequest
from profile_cli.results import PORTRAITS, Results, deliver, read_results
from profile_cli.terminal import Terminal, duration
from profile_cli.upload import upload
from profile_contract.artifacts import ADAPTER, ADAPTER_WEBUI, CONTACT_SHEET, LIKENESS_REPORT
from profile_contract.conditions import ConditionType
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.table import Stage
from profile_contract.toys import toy_notice
from profile_sandbox import build

from . import release
from .cluster import DemoCluster
from .request import NAME, NAMESPACE, WHY_NO_FLOOR, demo_manifest, demo_photos, demo_spec
from .target import STATE, Target, chosen_kubeconfig, own_target, sandbox_target

OUT = Path("out") / "demo"
LIMIT_SECONDS = 1800
DELETION_SECONDS = 120
# The tests make do with a random model; people want to see faces.
PRESETS = ("values-cpu.yaml", "values-studio-mini.yaml")
STAGE_COLUMNS = ("stage", "#in the cluster", "#seconds at work", "#peak memory")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    command = commands.add_parser(
        "demo",
        help="a real cluster on this machine, the product in it, and one person's portraits",
        description=__doc__,
    )
    command.add_argument("--out", type=Path, default=OUT, help="where the results go (default: %(default)s)")
    command.add_argument("--fresh", action="store_true", help="delete the demo's request first: everything runs again")
    command.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds for the request (%(default)s)")
    command.add_argument("--state", type=Path, default=STATE, help="the sandbox's state folder")
    own = command.add_argument_group("on a cluster of your own (with KServe)")
    own.add_argument("--kubeconfig", type=Path, help="default: $KUBECONFIG")
    own.add_argument(
        "--values",
        type=Path,
        default=Path(os.environ["PROFILE_VALUES"]) if os.environ.get("PROFILE_VALUES") else None,
        help="values of charts/profile-studio for it (default: $PROFILE_VALUES)",
    )
    own.add_argument("--store", default=os.environ.get("PROFILE_STORE", ""), help="the store's URL from this machine")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """From nothing to portraits on disk. Raises CommandError that says where to look."""
    spec, photos = demo_spec(), demo_photos()
    if not photos:
        raise CommandError("the demo's person is missing: models/people holds the photos, run from a whole clone")
    target = replace(_target(arguments, terminal), presets=PRESETS)
    try:
        return _run(target, spec, photos, arguments, terminal)
    except CommandError as error:
        raise CommandError(f"{error}\n\n{_where_to_look(target)}") from error


def _run(
    target: Target, spec: ProfileRequestSpec, photos: list[Path], arguments: argparse.Namespace, terminal: Terminal
) -> int:
    cluster, store = DemoCluster(target.kubeconfig), target.store()
    terminal.heading("2. The product, by its Helm chart")
    release.install(target, terminal)
    release.wait_ready(cluster, terminal, page=bool(target.page), history=target.history)
    terminal.heading(f"3. The request {NAMESPACE}/{NAME}: {', '.join(style.shown for style in spec.styles)}")
    cluster.ensure_namespace(NAMESPACE)
    _clear(cluster, terminal, fresh=arguments.fresh)
    area = cluster.area(NAMESPACE, target.store_prefix)
    sent = upload(store, {photo.name: photo for photo in photos}, area, spec.photos.prefix)
    terminal.say(f"{len(photos)} photos of a rendered person stand under {area}{spec.photos.prefix} ({sent} new)")
    terminal.say(WHY_NO_FLOOR)
    cluster.apply_request(demo_manifest())
    begin = time.monotonic()
    view = watch.follow(cluster, NAMESPACE, NAME, arguments.limit, terminal)
    terminal.say(f"the request is ready after {duration(time.monotonic() - begin)}")
    results = read_results(store, area, NAME, watch.digests(view))
    deliver(store, results, arguments.out)
    _tell(target, results, view, arguments.out.resolve(), terminal)
    return 0


def _target(arguments: argparse.Namespace, terminal: Terminal) -> Target:
    kubeconfig = chosen_kubeconfig(arguments.kubeconfig, arguments.state)
    if kubeconfig is not None:
        terminal.heading(f"1. The cluster of {kubeconfig}")
        return own_target(kubeconfig, arguments.values, arguments.store)
    terminal.heading("1. A real Kubernetes on this machine")
    return sandbox_target(arguments.state, terminal)


def _clear(cluster: DemoCluster, terminal: Terminal, *, fresh: bool) -> None:
    """Delete the request of an earlier demo, where that is wanted or it cannot go on."""
    view = cluster.request(NAMESPACE, NAME)
    if view is None:
        return
    stalled = view.current and view.condition(ConditionType.STALLED)[0]
    if not (fresh or stalled or view.deleting):
        terminal.say("the request of an earlier demo stands: what it made is used again (--fresh makes it anew)")
        return
    terminal.say("deleting the request of an earlier demo, and everything that it made")
    cluster.delete_request(NAMESPACE, NAME)
    deadline = time.monotonic() + DELETION_SECONDS
    while cluster.request(NAMESPACE, NAME) is not None:
        if time.monotonic() > deadline:
            raise CommandError(f"the request was not deleted within {DELETION_SECONDS} s")
        time.sleep(0.3)


def _tell(target: Target, results: Results, view: ObservedRequest, out: Path, terminal: Terminal) -> None:
    """What was found, what was made, where it is, and how to look further."""
    finish = results.finish
    terminal.table("Photos", tables.PHOTO_COLUMNS, tables.photo_rows(results.preprocess.verdicts))
    terminal.table("Portraits", tables.PORTRAIT_COLUMNS, tables.portrait_rows(finish))
    if view.status.toy_model:
        terminal.say(toy_notice(view.status.toy_model))
    terminal.table("Tone against neutral twins", tables.TONE_COLUMNS, tables.tone_rows(finish.tones))
    terminal.table("Stages", STAGE_COLUMNS, _stage_rows(results, view))
    terminal.heading("Where things are")
    terminal.plain(f"  portraits and layouts  {out / PORTRAITS}/")
    terminal.plain(f"  adapter                {out / ADAPTER}")
    terminal.plain(f"  adapter for WebUI      {out / ADAPTER_WEBUI}")
    terminal.plain(f"  likeness report        {out / LIKENESS_REPORT}")
    terminal.plain(f"  contact sheet          {out / CONTACT_SHEET}")
    terminal.heading("To look further")
    terminal.plain(_commands(target))
    terminal.plain()
    terminal.say("done")
    _show_page(target, terminal)


def _show_page(target: Target, terminal: Terminal) -> None:
    """The last words: the page's address, and how all of it is stopped. A browser opens where there is a screen."""
    if target.page:
        terminal.heading(f"The page:  {target.page}")
        terminal.plain("  The demo's portraits are there, and you may ask for portraits of your own.")
    if target.logs:
        terminal.plain("  The cluster stays until `make clean` stops it.")
    if target.page and may_open(os.environ, person=sys.stdout.isatty()):
        webbrowser.open(target.page)


def may_open(environment: Mapping[str, str], *, person: bool) -> bool:
    """Whether a browser may be opened: a person is looking, at a screen that can show one. Pure."""
    return person and any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _stage_rows(results: Results, view: ObservedRequest) -> tables.Rows:
    """In the cluster: from the Job's start to its end. At work: by the stage's own report, for generation drawing."""
    reports = {Stage.PREPROCESS: results.preprocess, Stage.TRAIN: results.train, Stage.FINISH: results.finish}
    rows: tables.Rows = []
    for stage, entry in watch.finished_stages(view).items():
        seconds, report = watch.seconds_between(entry), reports.get(stage)
        drawing = f"{sum(report.seconds for report in results.generate):.1f}"
        at_work = tables.stage_row(stage, report)[1:] if report else (drawing, "")
        rows.append((stage, "" if seconds is None else f"{seconds:.0f} s", *at_work))
    return rows


def _commands(target: Target) -> str:
    return "\n".join(
        [
            f"  export KUBECONFIG={target.kubeconfig} PATH=$PWD/.venv/bin:{build.programs_folder()}:$PATH",
            f"  kubectl get preq --namespace {NAMESPACE} --output wide",
            f"  kubectl describe preq {NAME} --namespace {NAMESPACE}",
            f"  kubectl get jobs,pods --namespace {NAMESPACE}",
            "  kubectl get clusterprofilestyles",
            f"  kubectl get inferenceservices,pods --namespace {release.NAMESPACE}",
        ]
    )


def _where_to_look(target: Target) -> str:
    """Where the logs are, for a demo that failed."""
    lines = [
        "Where to look:",
        f"  export KUBECONFIG={target.kubeconfig} PATH=$PWD/.venv/bin:{build.programs_folder()}:$PATH",
        f"  kubectl describe preq {NAME} --namespace {NAMESPACE}",
        f"  kubectl logs --namespace {release.NAMESPACE} deployment/{release.OPERATOR}",
        f"  kubectl logs --namespace {release.NAMESPACE} deployment/{release.PREDICTOR}-predictor",
        f"  kubectl logs --namespace {NAMESPACE} --all-containers --selector profilestudio.io/request={NAME}",
        f"  kubectl get events --namespace {NAMESPACE}",
    ]
    return "\n".join([*lines, f"  {target.logs}"] if target.logs else lines)
