"""What the pages show as YAML is taken: chart values by Helm and its schema, resources by their models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from chart import CHART, ROOT, render, the
from profile_contract.model import Contract
from profile_contract.request import ProfileRequestSpec
from profile_contract.style import ProfileStyleSpec
from profile_web.config import SignIn

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*/README.md"))]
BLOCKS = [
    (str(page.relative_to(ROOT)), document)
    for page in PAGES
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    for document in yaml.safe_load_all(block)
]
MODELS: dict[str, type[Contract]] = {"ProfileRequest": ProfileRequestSpec, "ProfileStyle": ProfileStyleSpec}
VALUES = set(yaml.safe_load((CHART / "values.yaml").read_text()))
RESOURCES = [(page, document) for page, document in BLOCKS if document.get("kind", "Certificate") != "Certificate"]
# Of cert-manager, by whose words portraits are signed.
CERTIFICATES = [(page, document) for page, document in BLOCKS if document.get("kind") == "Certificate"]
SNIPPETS = [(page, document) for page, document in BLOCKS if document.keys() <= VALUES]


# A patch of Flux's own Deployment, in a Kustomization.
# The configuration of the proxy before the page.
PROXIES = [(page, document) for page, document in BLOCKS if "injectRequestHeaders" in document]
PATCHES = [(page, document) for page, document in BLOCKS if document.keys() == {"patches"}]


def test_every_block_is_one_or_the_other() -> None:
    known = [*RESOURCES, *CERTIFICATES, *SNIPPETS, *PATCHES, *PROXIES]
    assert [(page, document) for page, document in BLOCKS if (page, document) not in known] == []
    assert {"docs/install.md", "docs/page.md"} <= {page for page, _ in SNIPPETS}


@pytest.mark.parametrize(("page", "document"), RESOURCES)
def test_a_resource_is_what_its_model_takes(page: str, document: dict[str, dict[str, object]]) -> None:
    MODELS[str(document["kind"])].model_validate(document["spec"])


@pytest.mark.parametrize(("page", "document"), SNIPPETS)
def test_values_render(page: str, document: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(document))
    assert render("--values", str(file)), page


def test_the_pages_values_ask_for_the_page(tmp_path: Path) -> None:
    (shown,) = (document for page, document in SNIPPETS if page == "docs/page.md")
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(shown))
    policy = the("NetworkPolicy", "profile-studio-web", "--values", str(file))["spec"]["ingress"][0]
    assert policy["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "oauth2-proxy"}}}]
    (container,) = the("Deployment", "profile-studio-web", "--values", str(file))["spec"]["template"]["spec"][
        "containers"
    ]
    assert "PROFILE_WEB_PROXY_SECRET" in {variable["name"] for variable in container["env"]}


def test_the_proxy_says_what_the_page_reads(tmp_path: Path) -> None:
    ((_, proxy),) = PROXIES
    (shown,) = (document for page, document in SNIPPETS if page == "docs/page.md")
    page = SignIn()
    assert {header["name"] for header in proxy["injectRequestHeaders"]} == {
        page.subject_header, page.user_header, page.groups_header, page.proxy_secret_header
    }  # fmt: skip
    assert proxy["providers"][0]["oidcConfig"]["issuerURL"] == shown["web"]["signIn"]["issuer"]
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(shown))
    assert proxy["upstreamConfig"]["upstreams"][0]["uri"] == "http://profile-studio-web"
    assert the("Service", "profile-studio-web", "--values", str(file))["spec"]["ports"][0]["port"] == 80
