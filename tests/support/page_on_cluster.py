"""The page against the real API server and store, behind a sign-in proxy that says who visits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI

from profile_contract.request import Training
from profile_sandbox import Sandbox, passwords, services
from profile_web.app import make_app
from profile_web.config import Defaults, Namespaces, PageStore, VisitorLimits, WebConfig

OWNER_KEY = "an owner's key of at least thirty-two characters"
# The random base model draws nobody: with any floor nothing would be delivered.
SMALL = Defaults(minimum_likeness=0, training=Training(steps=4, rank=4))
PAGE = {"X-Profile-Studio": "page"}


def as_(user: str) -> dict[str, str]:
    """What the proxy says of somebody, and what the page's own script sends."""
    return {**PAGE, "X-Auth-Request-User": f"subject of {user}", "X-Auth-Request-Email": user}


def page_on(sandbox: Sandbox, namespace: str, users: Iterable[str], **limits: Any) -> FastAPI:
    """The page with the store account that the chart asks for, these users' requests in that namespace. It reaches the
    cluster by $KUBECONFIG."""
    address = sandbox.address("minio")
    store = PageStore(
        endpoint=address, bucket=services.BUCKET, region=services.REGION, secure=False, public_url=f"http://{address}"
    )
    places = Namespaces(by_user=dict.fromkeys(users, namespace))
    config = WebConfig(namespaces=places, store=store, limits=VisitorLimits(**limits), defaults=SMALL)
    account = {"AWS_ACCESS_KEY_ID": passwords.STORE_WEB_USER, "AWS_SECRET_ACCESS_KEY": sandbox.passwords.store_web}
    return make_app(config, {**os.environ, **account, "PROFILE_WEB_OWNER_KEY": OWNER_KEY})
