"""`helm test`: asks for portraits as a person would, and waits for what the operator says.

Without photos the answer must be that there are none: API server, definitions, operator and store have then all done
their part. With photos of somebody in the namespace's area of the store, portraits must come.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
import uuid

from profile_contract.conditions import ConditionType, Reason
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import Key
from profile_operator import names
from profile_operator.clients.kubernetes import Kube
from profile_runtime.kubernetes.aio import connect
from profile_runtime.kubernetes.errors import ApiError, ResourceNotFound
from profile_runtime.kubernetes.resources import Document

NO_PHOTOS = "uploads/nobody/"
PAUSE_SECONDS = 1.0


class CheckFailed(Exception):
    """The operator said something else than it should."""


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="profile_operator.release.check", description=__doc__)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--style", required=True)
    parser.add_argument("--photos", default="", help="prefix of somebody's photos, such as uploads/test/; may be empty")
    parser.add_argument("--minimum-likeness", type=int, help="0 to 100, for models that draw nobody; else the default")
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    try:
        answer = asyncio.run(_test(arguments))
    except (ApiError, CheckFailed, TimeoutError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    print(answer)
    return 0


async def _test(arguments: argparse.Namespace) -> str:
    kube = Kube(await connect())
    key = Key(arguments.namespace, f"helm-test-{uuid.uuid4().hex[:8]}")
    try:
        await kube.create_request(document(key, arguments.style, arguments.photos, arguments.minimum_likeness))
        return await _wait(kube, key, arguments.seconds, photos=bool(arguments.photos))
    finally:
        with contextlib.suppress(ResourceNotFound):
            await kube.delete_request(key)
        await kube.close()


def document(key: Key, style: str, photos: str, minimum_likeness: int | None = None) -> Document:
    """The smallest request. `minimum_likeness` is 0 to 100; None: the default of the definition. Pure."""
    floor = {} if minimum_likeness is None else {"minimumLikeness": minimum_likeness}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.REQUEST_KIND,
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": {
            "photos": {"prefix": photos or NO_PHOTOS},
            "styles": [{"name": style}],
            "portraits": 1,
            "candidates": 2,
            **floor,
        },
    }


def verdict(status: ProfileRequestStatus, *, photos: bool) -> tuple[bool, str] | None:
    """Whether the test is passed, and what was said; None while that is open. Pure."""
    conditions = {condition.type: condition for condition in status.conditions}
    ready, stalled = conditions.get(ConditionType.READY), conditions.get(ConditionType.STALLED)
    if ready is not None and ready.status == "True":
        return True, f"{len(status.portraits)} portraits: {ready.message}"
    if stalled is None or stalled.status != "True":
        return None
    return not photos and stalled.reason == Reason.NO_PHOTOS, f"{stalled.reason}: {stalled.message}"


async def _wait(kube: Kube, key: Key, seconds: float, *, photos: bool) -> str:
    deadline = time.monotonic() + seconds
    while True:
        request = await kube.request(key)
        outcome = verdict(ProfileRequestStatus.model_validate(request.get("status") or {}), photos=photos)
        if outcome is not None:
            passed, words = outcome
            if not passed:
                raise CheckFailed(f"the operator says {words}")
            return f"passed: the operator says {words}"
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing was said about {key} within {seconds:.0f} s: does the operator watch it?")
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
