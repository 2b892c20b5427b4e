"""From the chart's previous version to this one on a real cluster: requests, and what was made for them, stay.

tests/fixtures holds the packaged chart of the previous version; it changes with a release. Its programs are not kept:
both versions run this clone's. That new parameters change no digest, tests/unit/contract/test_digests.py tells.
"""

from __future__ import annotations

import contextlib
import copy
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from product import Learned, Product, Request, Space, named_styles, run
from profile_cli.demo import release
from profile_cli.demo.cluster import DemoCluster
from profile_cli.terminal import Terminal
from profile_sandbox.paths import CLONE

if TYPE_CHECKING:
    from profile_cli.demo.target import Target
    from profile_sandbox.kubectl import Kubectl

pytestmark = pytest.mark.cluster

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
RENAMED_IMAGES = {"trainer": "train", "finisher": "finish"}
RIGHTS, ACCOUNT = "previous-operator", "profile-studio"
RBAC = "rbac.authorization.k8s.io/v1"
# Values that the previous version did not know, as paths.
NEW_VALUES = (
    ("web",),
    ("history",),
    ("clusterWide",),
    ("operator", "config", "revocationSeconds"),
)


def _install_previous(target: Target, folder: Path) -> None:
    chart = _chart_with_this_clones_images(folder)
    values = folder / "values.yaml"
    # This clone's operator counts calls otherwise, and does not take the setting that it then had.
    former = {"generation": {"concurrency": None}}
    values.write_text(json.dumps({**_without_new(target.values), **former}))
    files = [str(chart / "values-cpu.yaml"), str(values)]
    result = run(
        target,
        target.helm,
        *("upgrade", "--install", release.RELEASE, str(chart), "-n", release.NAMESPACE),
        *(argument for file in files for argument in ("--values", file)),
    )
    assert result.returncode == 0, result.stderr


@contextlib.contextmanager
def _rights_of_this_clone(target: Target, kubectl: Kubectl, folder: Path) -> Iterator[None]:
    """This clone's operator needs other rights than the previous chart gave its own: those that this chart gives it,
    and no more."""
    rights = folder / "rights.json"
    role = {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": RIGHTS}, "rules": _rules(target, folder)}
    binding = {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": RIGHTS},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": RIGHTS},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": release.NAMESPACE}],
    }
    rights.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [role, binding]}))
    kubectl.run("apply", "-f", str(rights))
    try:
        yield
    finally:
        kubectl.run("delete", "-f", str(rights))


def _rules(target: Target, folder: Path) -> list[dict[str, Any]]:
    """What this clone's chart lets the operator do, in whatever namespaces."""
    values = folder / "these-values.yaml"
    values.write_text(json.dumps(target.values))
    chart = CLONE / "charts" / "profile-studio"
    command = ("template", release.RELEASE, str(chart), "-n", release.NAMESPACE, "--show-only", "templates/rbac.yaml")
    files = ("--values", str(chart / "values-cpu.yaml"), "--values", str(values))
    rendered = run(target, target.helm, *command, *files)
    assert rendered.returncode == 0, rendered.stderr
    documents = [document for document in yaml.safe_load_all(rendered.stdout) if document]
    bound = {
        document["roleRef"]["name"]
        for document in documents
        if document["kind"].endswith("Binding")
        if any(subject["name"] == ACCOUNT for subject in document["subjects"])
    }
    roles = [document for document in documents if document["kind"] in ("Role", "ClusterRole")]
    rules = [rule for role in roles if role["metadata"]["name"] in bound for rule in role["rules"]]
    assert len(rules) > 10
    return rules


def _chart_with_this_clones_images(folder: Path) -> Path:
    """The previous chart, unpacked, with the names that two images bore then replaced by those of this clone."""
    (archive,) = FIXTURES.glob("profile-studio-*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    chart = folder / "profile-studio"
    helpers = chart / "templates" / "_helpers.tpl"
    text = helpers.read_text()
    for previous, name in RENAMED_IMAGES.items():
        assert f'"image" "{previous}"' in text
        text = text.replace(f'"image" "{previous}"', f'"image" "{name}"')
    helpers.write_text(text)
    # Its styles were of another kind, whose definition cannot become this one's. This clone's stay, and its programs,
    # which run in both versions, must read them.
    for file in (chart / "files" / "crds" / "profilestyles.yaml", chart / "templates" / "styles.yaml"):
        file.unlink()
    rights = chart / "templates" / "rbac.yaml"
    former = "resources: [profilestyles]"
    assert former in rights.read_text()
    rights.write_text(rights.read_text().replace(former, "resources: [profilestyles, clusterprofilestyles]"))
    return chart


def _without_new(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the previous version takes."""
    kept = copy.deepcopy(dict(values))
    for *folders, name in NEW_VALUES:
        place = kept
        for folder in folders:
            place = place.get(folder, {})
        place.pop(name, None)
    return kept


def _uids(request: Request) -> dict[str, str]:
    """Of the request and its Jobs."""
    return {"request": request.document()["metadata"]["uid"], **request.job_uids()}


def test_an_upgrade_keeps_requests_and_runs_nothing_again(
    product: Product, target: Target, space: Space, learned: Learned, tmp_path: Path
) -> None:
    terminal, cluster = Terminal(), DemoCluster(target.kubeconfig)
    try:
        with _rights_of_this_clone(target, product.kubectl, tmp_path):
            _install_previous(target, tmp_path)
            release.wait_ready(cluster, terminal)
            space.take_over(learned)
            done = space.request(subject={"noun": "woman"}, styles=["studio-warm"])
            stalled = space.request("nobody", photos={"prefix": "uploads/nobody/"}, styles=["studio-warm"])
            done.wait("Ready", seconds=420)
            stalled.wait("Stalled", reason="NoPhotos")
            before, made = (_uids(done), _uids(stalled)), space.made()
    finally:
        release.install(target, terminal)
        release.wait_ready(cluster, terminal, page=bool(target.page))
    done.wait("Ready")
    stalled.wait("Stalled", reason="NoPhotos")
    assert (_uids(done), _uids(stalled)) == before
    assert space.made() == made
    # And the new operator looks after the old request.
    done.patch({"styles": named_styles("studio-warm", "studio-cool")})
    done.wait("Ready", seconds=300)
    assert {portrait.style for portrait in done.status.portraits} == {"studio-warm", "studio-cool"}
    assert _uids(done).items() >= {name: uid for name, uid in before[0].items() if "-finish-" not in name}.items()
