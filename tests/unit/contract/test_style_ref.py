"""Which style a request asks for: how it is written, and that no two styles have one key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.picture_size import PictureSize
from profile_contract.request import Photos, ProfileRequestSpec
from profile_contract.stages.chain import Platform, digests_of
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_contract.style import ProfileStyleSpec, Title
from profile_contract.style_ref import StyleKind, StyleRef, is_key, keys_of, ref_of
from properties import examples

_NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", fullmatch=True)
_REFS = st.builds(StyleRef, name=_NAMES, kind=st.sampled_from(StyleKind))
STYLE = ProfileStyleSpec(title=Title(en="Blue"), prompt="{subject}")
PLATFORM = Platform(PreprocessParameters(), TrainParameters(base_model="sdxl"), PictureSize(1024, 1024))


@examples(100)
@given(_REFS, _REFS)
def test_no_two_styles_have_one_key_and_each_key_tells_its_style(first: StyleRef, second: StyleRef) -> None:
    assert (first.key == second.key) == ((first.name, first.kind) == (second.name, second.kind))
    assert StyleRef.of_key(first.key) == first
    assert StyleRef.parse(first.shown) == first
    assert is_key(first.key)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("blue", StyleKind.CLUSTER),
        ("clusterprofilestyle/blue", StyleKind.CLUSTER),
        ("cpstyle/blue", StyleKind.CLUSTER),
        ("ProfileStyle/blue", StyleKind.OWN),
        ("profilestyles/blue", StyleKind.OWN),
        ("pstyle/blue", StyleKind.OWN),
    ],
)
def test_a_style_is_written_as_kubectl_takes_it(text: str, kind: StyleKind) -> None:
    assert StyleRef.parse(text) == StyleRef(name="blue", kind=kind)


@pytest.mark.parametrize("text", ["", "pstyle/", "team/blue", "a/b/c", "Blue", "team_blue", "pstyle/team_blue"])
def test_what_is_no_style_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"before the slash|name"):
        StyleRef.parse(text)


def test_a_namespaces_style_of_the_same_name_and_content_has_artifacts_of_its_own() -> None:
    offered, own = StyleRef(name="blue"), StyleRef(name="blue", kind=StyleKind.OWN)
    spec = ProfileRequestSpec(photos=Photos(prefix="uploads/minji/"), styles=[offered, own])
    digests = digests_of(spec, "photos", {offered.key: STYLE, own.key: STYLE}, PLATFORM)
    assert digests.styles[offered.key] != digests.styles[own.key]
    assert digests.finish
    # Of two styles, one is not there: nothing can be finished.
    assert digests_of(spec, "photos", {offered.key: STYLE}, PLATFORM).finish == ""


def test_the_order_of_styles_and_how_a_stored_request_wrote_them_run_nothing_again() -> None:
    styles = {"blue": STYLE, "warm": STYLE, "team_blue": STYLE}
    own = {"name": "blue", "kind": "ProfileStyle"}
    written = [["warm", "blue", own], [own, {"name": "blue"}, {"name": "warm", "kind": "ClusterProfileStyle"}]]
    specs = [
        ProfileRequestSpec.model_validate({"photos": {"prefix": "uploads/m/"}, "styles": style}) for style in written
    ]
    assert len({digests_of(spec, "photos", styles, PLATFORM).finish for spec in specs}) == 1


def test_keys_are_read_of_whatever_stands_in_a_spec() -> None:
    own = {"name": "blue", "kind": "ProfileStyle", "weight": 3}
    assert keys_of(["warm", own, {"kind": "ProfileStyle"}, 7, None, {"name": "x", "kind": "Other"}]) == [
        "warm",
        "team_blue",
    ]


def test_the_namespace_tells_whose_style_a_listed_document_is() -> None:
    assert ref_of({"metadata": {"name": "blue"}}) == StyleRef(name="blue")
    assert ref_of({"metadata": {"name": "blue", "namespace": "hr"}}) == StyleRef(name="blue", kind=StyleKind.OWN)
