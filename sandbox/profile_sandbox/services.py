"""The services' manifests with this sandbox's Secrets, ready for `kubectl apply`; the store's first user and bucket."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException

from . import layout, passwords
from .passwords import Passwords
from .paths import CLONE
from .runtime import postgres_folder

BUCKET = "profiles"
POLICIES = CLONE / "examples" / "store"
REGION = "us-east-1"
NAMES = ("minio", "postgres", "prometheus", "redis")
# The product's logins, in its own namespace.
STORE_SECRET = "profile-store"  # noqa: S105 - a name
WEB_STORE_SECRET = "profile-web-store"  # noqa: S105 - a name
HISTORY_STORE_SECRET = "profile-history-store"  # noqa: S105 - a name
DATABASE_SECRET = "profile-database"  # noqa: S105 - a name
REDIS_SECRET = "profile-redis"  # noqa: S105 - a name


def programs() -> dict[str, Path | None]:
    """Service -> the folder of its programs, None where that is the usual PATH or the sandbox's own."""
    return {"minio": None, "postgres": postgres_folder(), "prometheus": None, "redis": None}


def write_manifests(source: Path, folder: Path, secret: Passwords) -> None:
    """Copy the plain manifests and add the Secrets that they name."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.yaml")):
        shutil.copyfile(file, folder / file.name)
    target = folder / "01-secrets.yaml"
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump_all(_service_secrets(secret) + product_secrets(secret)))


def _service_secrets(secret: Passwords) -> list[dict[str, object]]:
    """The passwords as Secrets of the services."""
    namespace = layout.SERVICES_NAMESPACE
    return [
        secret_manifest(namespace, "minio", {"user": passwords.STORE_ROOT_USER, "password": secret.store_root}),
        secret_manifest(
            namespace,
            "postgres",
            {"user": passwords.DATABASE_USER, "database": passwords.DATABASE_NAME, "password": secret.database},
        ),
        secret_manifest(namespace, "redis", {"password": secret.redis}),
    ]


def product_secrets(secret: Passwords) -> list[dict[str, object]]:
    """The Secrets that the product's chart names in its values, in the product's namespace."""
    namespace = layout.PRODUCT_NAMESPACE
    services = f"{layout.SERVICES_NAMESPACE}.svc"
    dsn = f"postgresql://{passwords.DATABASE_USER}:{secret.database}@postgres.{services}:5432/{passwords.DATABASE_NAME}"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        secret_manifest(
            namespace,
            STORE_SECRET,
            {"accessKey": passwords.STORE_OPERATOR_USER, "secretKey": secret.store_operator},
        ),
        secret_manifest(
            namespace, WEB_STORE_SECRET, {"accessKey": passwords.STORE_WEB_USER, "secretKey": secret.store_web}
        ),
        secret_manifest(
            namespace,
            HISTORY_STORE_SECRET,
            {"accessKey": passwords.STORE_HISTORY_USER, "secretKey": secret.store_history},
        ),
        secret_manifest(namespace, DATABASE_SECRET, {"dsn": dsn}),
        secret_manifest(namespace, REDIS_SECRET, {"url": f"redis://:{secret.redis}@redis.{services}:6379/0"}),
    ]


def secret_manifest(namespace: str, name: str, values: dict[str, str]) -> dict[str, object]:
    """A Secret as a manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": values,
    }


def prepare_store(address: str, secret: Passwords) -> None:
    """Make the bucket and its users, as the chart's values ask for them: the operator may do everything in that bucket,
    the history read what was made, the page everything with photos and read what was made of them.

    `address` is host:port of MinIO as seen from here. Doing it again changes nothing.
    """
    client = Minio(
        address,
        access_key=passwords.STORE_ROOT_USER,
        secret_key=secret.store_root,
        secure=False,
        region=REGION,
    )
    if not client.bucket_exists(bucket_name=BUCKET):
        client.make_bucket(bucket_name=BUCKET)
    admin = MinioAdmin(
        endpoint=address,
        credentials=StaticProvider(access_key=passwords.STORE_ROOT_USER, secret_key=secret.store_root),
        region=REGION,
        secure=False,
    )
    _add_user(admin, passwords.STORE_OPERATOR_USER, secret.store_operator, policy_statements("operator"))
    _add_user(admin, passwords.STORE_HISTORY_USER, secret.store_history, policy_statements("history"))
    web = [
        _may(["s3:ListBucket"], ""),
        _may(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "/*/uploads/*"),
        _may(["s3:GetObject"], "/*/requests/*"),
    ]
    _add_user(admin, passwords.STORE_WEB_USER, secret.store_web, web)


def policy_statements(component: str) -> list[dict[str, object]]:
    """What an account may do: the policy that people are given (docs/install.md), for this bucket."""
    text = (
        (POLICIES / f"{component}-policy.json")
        .read_text()
        .replace("arn:aws:s3:::profile-studio", f"arn:aws:s3:::{BUCKET}")
    )
    statements: list[dict[str, object]] = json.loads(text)["Statement"]
    return statements


def _add_user(admin: MinioAdmin, user: str, key: str, statements: list[dict[str, object]]) -> None:
    """Make a user of the store, with a policy of its own."""
    policy = f"profile-{user}"
    admin.policy_add(policy_name=policy, policy={"Version": "2012-10-17", "Statement": statements})
    admin.user_add(access_key=user, secret_key=key)
    try:
        admin.attach_policy(policies=[policy], user=user)
    except MinioAdminException as error:
        if "PolicyChangeAlreadyApplied" not in str(error):
            raise


def _may(actions: list[str], *places: str) -> dict[str, object]:
    """A policy's statement about places in the bucket."""
    return {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{BUCKET}{place}" for place in places]}
