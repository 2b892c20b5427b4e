"""Every example is what the contract takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from profile_contract.layouts import LayoutName
from profile_contract.look import LookSpec
from profile_contract.look_ref import LookKind
from profile_contract.model import Contract
from profile_contract.request import NAME_LENGTH, ProfileRequestSpec
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleKind, keys_of, ref_of

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FILES = sorted(EXAMPLES.rglob("*.yaml"))
SPECS: dict[str, type[Contract]] = {
    "ProfileRequest": ProfileRequestSpec,
    **dict.fromkeys(StyleKind, ProfileStyleSpec),
    **dict.fromkeys(LookKind, LookSpec),
}


def documents(file: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def test_there_are_examples() -> None:
    kinds = [document["kind"] for file in FILES for document in documents(file)]
    assert kinds.count("ProfileRequest") >= 4
    assert (kinds.count("ProfileStyle"), kinds.count("ClusterProfileStyle")) == (2, 3)
    assert (kinds.count("StyleAdapter"), kinds.count("ClusterStyleAdapter")) == (1, 2)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(EXAMPLES).as_posix())
def test_example_is_valid(file: Path) -> None:
    for document in documents(file):
        if document["kind"] not in SPECS:
            continue
        assert document["apiVersion"] == "profilestudio.io/v1alpha1"
        spec = SPECS[document["kind"]].model_validate(document["spec"])
        assert len(document["metadata"]["name"]) <= NAME_LENGTH
        if isinstance(spec, ProfileRequestSpec):
            assert spec.portraits <= spec.candidates
            assert spec.photos.prefix.startswith("uploads/")
            assert set(spec.layouts) <= set(LayoutName)
        if isinstance(spec, ProfileStyleSpec):
            assert "{subject}" in spec.prompt


def test_the_gitops_folder_lists_its_files() -> None:
    folder = EXAMPLES / "gitops"
    listed = set(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])
    assert listed == {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}


def test_flux_looks_at_every_health_check_that_is_named() -> None:
    """Beside `wait`, Flux ignores `healthChecks`."""
    specs = [document["spec"] for document in documents(EXAMPLES / "flux" / "portraits.yaml")]
    assert [spec for spec in specs if "healthChecks" in spec]
    assert not [spec for spec in specs if "healthChecks" in spec and spec.get("wait")]


def test_requests_ask_for_styles_that_there_are() -> None:
    shipped = {file.stem for file in (EXAMPLES.parent / "charts/profile-studio/files/styles").glob("*.yaml")}
    everything = [document for file in FILES for document in documents(file)]
    own = {ref_of(document).key for document in everything if document["kind"] in set(StyleKind)}
    for document in everything:
        if document["kind"] == "ProfileRequest":
            assert set(keys_of(document["spec"]["styles"])) <= shipped | own
