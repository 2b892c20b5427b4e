"""Keys: what is built is taken apart again, and what is no key of ours is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_contract.artifacts import (
    ADAPTER,
    ADAPTER_WEBUI,
    REPORT,
    StageFile,
    candidate_key,
    compared_key,
    folder_of,
    layout_key,
    photos_prefix,
    portrait_key,
    report_place,
    request_prefix,
    request_prefix_of,
    requests_area,
    saved_name,
    stage_file,
    stage_folder,
    stage_prefix,
    uploads_area,
    uploads_prefix,
    webui_twin,
)
from profile_contract.keys import ForeignKey, check_below
from profile_contract.layouts import LayoutName
from profile_contract.ownership import OWNER_DIGITS, local_owner, owned_photos, owner_of
from profile_contract.stages.table import STAGES, Stage

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
DIGESTS = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
RUN = "hr/requests/minji/portraits/d1/"


@given(namespace=NAMES, name=NAMES, stage=st.sampled_from(Stage), digest=DIGESTS, path=PATHS)
@settings(max_examples=100, deadline=None)
def test_a_stages_file_is_taken_apart_as_it_was_built(
    namespace: str, name: str, stage: Stage, digest: str, path: str
) -> None:
    prefix = stage_prefix(namespace, name, stage, digest)
    assert stage_file(prefix + path) == StageFile(namespace, name, stage, digest, path)
    assert request_prefix_of(prefix + path) == request_prefix_of(prefix) == request_prefix(namespace, name)
    assert folder_of(prefix + REPORT) == prefix
    assert prefix.startswith(stage_folder(namespace, name, stage))
    assert check_below(requests_area(namespace), prefix + path)


@given(key=st.text(max_size=60) | st.lists(st.text(max_size=8), max_size=8).map("/".join))
@settings(max_examples=100, deadline=None)
def test_whatever_is_taken_apart_is_what_would_be_built(key: str) -> None:
    file = stage_file(key)
    if file is not None:
        assert stage_prefix(file.namespace, file.request, file.stage, file.digest) + file.path == key


@pytest.mark.parametrize(
    "key",
    [
        "", "hr", "hr/requests/minji/dataset/d1", "hr/requests/minji/dataset/d1/", "hr/uploads/minji/dataset/d1/a",
        "hr/requests/minji/pictures/d1/a", "hr/requests/Minji/dataset/d1/a", "hr/requests/minji/dataset/../a",
        "hr/requests/minji/dataset/d1/../a", "/hr/requests/minji/dataset/d1/a", "hr/requests/minji/dataset/d1//a",
    ],
)  # fmt: skip
def test_what_no_stage_makes_is_no_stages_file(key: str) -> None:
    assert stage_file(key) is None


def test_each_stage_has_an_area_of_its_own() -> None:
    areas = {stage_folder("hr", "minji", stage) for stage in Stage}
    assert areas == {f"hr/requests/minji/{row.folder}/" for row in STAGES.values()}
    assert len(areas) == 4


@given(namespace=NAMES, folders=st.lists(NAMES, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_photos_lie_below_their_namespaces_uploads(namespace: str, folders: list[str]) -> None:
    prefix = photos_prefix(*folders)
    assert prefix == f"uploads/{'/'.join(folders)}/"
    assert uploads_prefix(namespace, prefix) == f"{uploads_area(namespace)}{'/'.join(folders)}/"


def test_no_photos_lie_in_no_folder() -> None:
    with pytest.raises(ForeignKey):
        uploads_prefix("hr", photos_prefix())


def test_pictures_of_a_run() -> None:
    assert candidate_key(RUN, 7) == f"{RUN}000007.png"
    assert candidate_key(RUN, 7, twin=True) == f"{RUN}000007-neutral.png"
    portrait = portrait_key(RUN, "studio-warm", 1, 7)
    assert portrait == f"{RUN}studio-warm/01-000007.png"
    assert layout_key(portrait, LayoutName.PRINT) == f"{RUN}studio-warm/01-000007-print-5x7.jpg"
    assert compared_key(RUN, "studio-warm", 7) == f"{RUN}compared/studio-warm/000007.png"
    assert saved_name(portrait) == "studio-warm-01-000007.png"


@given(style=NAMES, rank=st.integers(1, 16), seed=st.integers(0, 900_031), layout=st.sampled_from(LayoutName))
@settings(max_examples=100, deadline=None)
def test_a_cut_lies_beside_its_portrait(style: str, rank: int, seed: int, layout: LayoutName) -> None:
    portrait = portrait_key(RUN, style, rank, seed)
    cut = layout_key(portrait, layout)
    assert folder_of(cut) == folder_of(portrait) == f"{RUN}{style}/"
    assert saved_name(cut) != saved_name(portrait)


def test_an_adapters_twin_lies_beside_it() -> None:
    assert webui_twin(f"{RUN}{ADAPTER}") == f"{RUN}{ADAPTER_WEBUI}"


@pytest.mark.parametrize(("key", "folder"), [("a", ""), ("a/b", "a/"), ("a/b/", "a/b/"), ("", "")])
def test_the_folder_of_a_key(key: str, folder: str) -> None:
    assert folder_of(key) == folder


def test_an_owner_is_a_person_of_one_issuer_under_one_key() -> None:
    owner = owner_of("https://id.example.com", "minji", b"k" * 32)
    others = {owner_of("", "minji", b"k" * 32), owner_of("https://id.example.com", "minji", b"l" * 32)}
    assert len(owner) == OWNER_DIGITS
    assert owner not in others
    assert uploads_prefix("hr", owned_photos(owner, "p-1")) == f"hr/uploads/{owner}/p-1/"


def test_one_machines_owner_stays() -> None:
    """The demo's request belongs to the page's visitor, whoever of the two was there first."""
    assert local_owner("you") == owner_of("local", "you", b"one machine, one person")
    assert local_owner("you") != local_owner("me")


@pytest.mark.parametrize("stage", Stage)
def test_a_reports_key_tells_whose_it_is(stage: Stage) -> None:
    prefix = stage_prefix("hr", "minji", stage, "d1")
    assert prefix == f"{stage_folder('hr', 'minji', stage)}d1/"
    assert report_place(prefix + REPORT) == ("hr", "minji", stage, "d1")


@pytest.mark.parametrize(
    "key",
    [
        "hr/requests/minji/adapter/d1/checkpoints/report.json",
        "hr/requests/minji/elsewhere/d1/report.json",
        "hr/uploads/minji/report.json",
        "hr/requests/minji/dataset/d1/order.json",
        "Hr/requests/minji/dataset/d1/report.json",
        "hr/requests/../dataset/d1/report.json",
        "hr/requests/minji/dataset//report.json",
        "report.json",
        "",
    ],
)
def test_any_other_key_is_no_reports(key: str) -> None:
    assert report_place(key) is None
