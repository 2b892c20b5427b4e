"""Before `helm uninstall`: whether requests stand that nobody could finish deleting without the operator.

A request holds a finalizer, so that what was made of somebody's photos goes with it. Once the operator is gone, a
request that is deleted, or its namespace, waits for ever. So nothing is uninstalled while such requests stand, unless
somebody says so.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Collection, Sequence

from profile_contract.resource import FINALIZER, Key
from profile_operator.clients.kubernetes import Kube, ListedRequest
from profile_runtime.kubernetes.aio import connect
from profile_runtime.kubernetes.errors import ApiError, ResourceNotFound

NAMED = 10


def main() -> int:
    """Returns the exit code: 0 where the release may go."""
    parser = argparse.ArgumentParser(prog="profile_operator.release.end", description=__doc__)
    parser.add_argument("--release", required=True, help="NAMESPACE/NAME of the release")
    parser.add_argument("--namespace", action="append", default=[], help="a namespace that it serves; none: all")
    parser.add_argument("--definitions-go", action="store_true", help="the CRDs go with the release, and every request")
    arguments = parser.parse_args()
    try:
        requests = asyncio.run(_requests())
    except ApiError as error:
        print(f"not uninstalled: the requests cannot be listed: {error}", file=sys.stderr)
        return 1
    waiting = left_behind(requests, arguments.namespace, definitions_go=arguments.definitions_go)
    if waiting:
        print(refusal(waiting, arguments.release, definitions_go=arguments.definitions_go), file=sys.stderr)
        return 1
    print("no request stands in the way")
    return 0


async def _requests() -> list[ListedRequest]:
    kube = Kube(await connect())
    try:
        return await kube.listed_requests([])
    except ResourceNotFound:
        # The definitions are gone already, and every request with them.
        return []
    finally:
        await kube.close()


def left_behind(requests: Sequence[ListedRequest], namespaces: Collection[str], *, definitions_go: bool) -> list[Key]:
    """The requests that nobody could finish deleting, by name. Pure.

    `namespaces` are those that the release serves; empty: all. Where the definitions go, every request counts.
    """
    held = (
        request.key
        for request in requests
        if definitions_go
        or ((not namespaces or request.metadata.namespace in namespaces) and FINALIZER in request.metadata.finalizers)
    )
    return sorted(held)


def refusal(waiting: Sequence[Key], release: str, *, definitions_go: bool) -> str:
    """What a person reads: which requests stand, and the ways on. Pure."""
    named = ", ".join(f"{key.namespace}/{key.name}" for key in waiting[:NAMED])
    more = f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else ""
    namespace, _, name = release.partition("/")
    lines = [
        f"Nothing was uninstalled: {len(waiting)} ProfileRequests still exist ({named}{more}).",
        "Without the operator nobody can finish deleting them, or what was made of these people's photos.",
        "- To delete them, and everything that was made for them, while the operator runs:",
        *(f"    kubectl -n {area} delete preq --all" for area in sorted({key.namespace for key in waiting})),
        "  Then uninstall again.",
    ]
    if definitions_go:
        lines += ["- To keep them, keep their definitions: set crds.keep to true, upgrade, and uninstall again."]
    else:
        lines += [
            "- To keep them for a later installation:",
            f"    helm uninstall {name} -n {namespace} --no-hooks",
            "  Until then, a request that is deleted stays Terminating, and its namespace with it.",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
