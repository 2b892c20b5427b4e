"""A real Kubernetes on one machine, to try and test with.

`build` and `doctor` need nothing but Python's standard library: a compile can begin while packages are installed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import add_ons, build, doctor
from .boot import FORWARDS
from .process import SandboxError

if TYPE_CHECKING:
    from .cluster import Sandbox

CLONE_STATE = Path(".sandbox")


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 with a message when not."""
    arguments = _parser().parse_args(argv)
    begin = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begin:6.1f} s] {text}", flush=True)

    try:
        if arguments.command == "build":
            _build(arguments, say)
            return 0
        if arguments.command == "doctor":
            return _doctor()
        from .cluster import Sandbox

        commands = {"up": _up, "down": _down, "status": _status, "env": _env, "values": _values, "logs": _logs}
        return commands[arguments.command](Sandbox(arguments.state, say), arguments)
    except SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; `up` goes on where it stopped, `down` removes what there is", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m profile_sandbox", description=__doc__)
    parser.add_argument("--state", type=Path, default=CLONE_STATE, help="state folder (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    compiling = commands.add_parser("build", help="compile the cluster's programs, once for this machine")
    compiling.add_argument("--flux", action="store_true", help="and Flux's controllers, which a test asks for")
    compiling.add_argument(
        "--checks",
        action="store_true",
        help="and kubeconform, kube-score, krew and actionlint, for tests of chart, plug-in and workflows",
    )
    compiling.add_argument(
        "--scale", action="store_true", help="and kwok and Argo Workflows' controller, for the benchmark of scale"
    )
    compiling.add_argument("--kueue", action="store_true", help="and Kueue's controller, which a test asks for")
    compiling.add_argument(
        "--actions", action="store_true", help="actionlint and nothing else: it needs no packages of the machine"
    )
    commands.add_parser("up", help="start it, or finish starting it, and wait until everything is ready")
    commands.add_parser("down", help="end it and leave nothing but its logs")
    commands.add_parser("status", help="how every part stands, and why one died")
    commands.add_parser("doctor", help="what this machine lacks, and how to get it")
    commands.add_parser("env", help="KUBECONFIG, addresses, and the store's account, for `eval`")
    commands.add_parser("values", help="the Helm values for charts/profile-studio in this sandbox")
    logs = commands.add_parser("logs", help="a part's log")
    logs.add_argument("name", help="a part, as `status` names it, or `supervisor`")
    return parser


def _build(arguments: argparse.Namespace, say: build.Say) -> None:
    """Compile the cluster's programs and what was asked for besides, or actionlint alone."""
    if arguments.actions:
        add_ons.ACTIONS.ensure(say)
        return
    build.ensure_programs(say)
    asked = (
        (arguments.flux, (add_ons.FLUX,)),
        (arguments.checks, (add_ons.CHECKS, add_ons.KREW, add_ons.ACTIONS)),
        (arguments.scale, (add_ons.KWOK, add_ons.ARGO)),
        (arguments.kueue, (add_ons.KUEUE,)),
    )
    for add_on in (add_on for wanted, of in asked if wanted for add_on in of):
        add_on.ensure(say)


def _up(sandbox: Sandbox, _: argparse.Namespace) -> int:
    sandbox.up()
    print(f'The sandbox is up. Next: eval "$(python -m profile_sandbox --state {sandbox.state.root} env)"')
    return 0


def _down(sandbox: Sandbox, _: argparse.Namespace) -> int:
    sandbox.down()
    print("The sandbox is down.")
    return 0


def _status(sandbox: Sandbox, _: argparse.Namespace) -> int:
    rows = sandbox.status()
    if not rows:
        ended = ": it ended without `down`; its logs are there, and `up` starts a new one" if sandbox.died else ""
        print(f"no sandbox stands at {sandbox.state.root}{ended}")
        return 1
    for row in rows:
        code = "" if row.code is None else f"exit code {row.code}"
        print(f"{row.name:20} {row.phase:10} {row.seconds:7.1f} s  {code}".rstrip())
        for line in row.log:
            print(f"    {line}")
    print(f"memory of everything in it: {sandbox.memory_megabytes()} MB")
    return 0 if all(row.phase in ("ready", "done") for row in rows) else 1


def _doctor() -> int:
    findings = doctor.examine()
    print(doctor.report(findings) if findings else "nothing is missing")
    return 1 if findings else 0


def _env(sandbox: Sandbox, _: argparse.Namespace) -> int:
    from . import passwords, services

    addresses = {name: sandbox.address(name) for name in FORWARDS}
    print(f"export KUBECONFIG={shlex.quote(str(sandbox.kubeconfig))}")
    print(f"export PATH={shlex.quote(str(build.programs_folder()))}:$PATH")
    for name, address in addresses.items():
        scheme = {"api": "https", "postgres": "postgresql", "redis": "redis"}.get(name, "http")
        print(f"export SANDBOX_{name.upper()}={scheme}://{address}")
    # What `kubectl profile` wants to know of the store.
    url = f"s3://{services.BUCKET}?endpoint={addresses['minio']}&secure=false&region={services.REGION}"
    print(f"export PROFILE_STORE={shlex.quote(url)}")
    print(f"export AWS_ACCESS_KEY_ID={passwords.STORE_OPERATOR_USER}")
    print(f"export AWS_SECRET_ACCESS_KEY={shlex.quote(sandbox.passwords.store_operator)}")
    return 0


def _values(_: Sandbox, __: argparse.Namespace) -> int:
    import yaml

    from .values import chart_values

    print(yaml.safe_dump(chart_values(), sort_keys=False), end="")
    return 0


def _logs(sandbox: Sandbox, arguments: argparse.Namespace) -> int:
    print(sandbox.log(arguments.name), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
