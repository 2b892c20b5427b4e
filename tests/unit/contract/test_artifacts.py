"""Keys: what is built is taken apart again, and what is no key of ours is none."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from areas import NAMESPACE_UID as UID
from areas import area
from profile_contract.areas import Area, area_in, area_of, areas_prefix, namespace_of, told_area
from profile_contract.artifacts import (
    ADAPTER,
    ADAPTER_WEBUI,
    REPORT,
    StageFile,
    candidate_key,
    class_picture_key,
    class_pictures_prefix,
    compared_key,
    folder_of,
    layout_key,
    photos_prefix,
    portrait_key,
    prior_area,
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
from profile_contract.keys import _UNSEEN, ForeignKey, check_below
from profile_contract.layouts import LayoutName
from profile_contract.ownership import OWNER_DIGITS, local_owner, owned_photos, owner_of
from profile_contract.stages.table import STAGES, Stage
from properties import examples

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
UIDS = st.uuids(version=4).map(str)
# What installations' keys begin with.
BELOW = st.sampled_from(["", "profile/", "profile/cluster-a/", "a_b/"])
AREAS = st.builds(area_of, NAMES, UIDS, BELOW)
DIGESTS = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
RUN = "hr.1a2b3c4d-5e6f/requests/minji/portraits/d1/"


@given(place=AREAS, name=NAMES, stage=st.sampled_from(Stage), digest=DIGESTS, path=PATHS)
@examples(100)
def test_a_stages_file_is_taken_apart_as_it_was_built(
    place: Area, name: str, stage: Stage, digest: str, path: str
) -> None:
    prefix = stage_prefix(place, name, stage, digest)
    file = StageFile(place, name, stage, digest, path)
    assert stage_file(prefix + path) == file
    assert area_in(prefix) == area_in(place) == place
    assert file.namespace == namespace_of(place)
    assert place.rpartition("/")[0].rpartition("/")[2].startswith(f"{file.namespace}.")
    assert request_prefix_of(prefix + path) == request_prefix_of(prefix) == request_prefix(place, name)
    assert folder_of(prefix + REPORT) == prefix
    assert prefix.startswith(stage_folder(place, name, stage))
    assert check_below(requests_area(place), prefix + path)


@given(key=st.text(max_size=60) | st.lists(st.text(max_size=8), max_size=8).map("/".join))
@examples(100)
def test_whatever_is_taken_apart_is_what_would_be_built(key: str) -> None:
    file = stage_file(key)
    if file is not None:
        assert stage_prefix(file.area, file.request, file.stage, file.digest) + file.path == key


@pytest.mark.parametrize(
    "key",
    [
        "", "hr", f"{area()}requests/minji/dataset/d1", f"{area()}requests/minji/dataset/d1/",
        f"{area()}uploads/minji/dataset/d1/a", f"{area()}requests/minji/pictures/d1/a",
        f"{area()}requests/Minji/dataset/d1/a", f"{area()}requests/minji/dataset/../a",
        f"{area()}requests/minji/dataset/d1/../a", f"/{area()}requests/minji/dataset/d1/a",
        f"{area()}requests/minji/dataset/d1//a", "hr/requests/minji/dataset/d1/a",
    ],
)  # fmt: skip
def test_what_no_stage_makes_is_no_stages_file(key: str) -> None:
    assert stage_file(key) is None


def test_each_stage_has_an_area_of_its_own() -> None:
    areas = {stage_folder(area(), "minji", stage) for stage in Stage}
    assert areas == {f"hr.1a2b3c4d-5e6f/requests/minji/{row.folder}/" for row in STAGES.values()}
    assert len(areas) == 4


@given(namespace=NAMES, folders=st.lists(NAMES, min_size=1, max_size=3))
@examples(100)
def test_photos_lie_below_their_namespaces_uploads(namespace: str, folders: list[str]) -> None:
    prefix = photos_prefix(*folders)
    assert prefix == f"uploads/{'/'.join(folders)}/"
    assert uploads_prefix(area(namespace), prefix) == f"{uploads_area(area(namespace))}{'/'.join(folders)}/"


def test_class_pictures_lie_in_their_namespaces_area_and_nobodys_request() -> None:
    prefix = class_pictures_prefix(area(), "0123456789abcdef")
    assert prefix == f"{prior_area(area())}0123456789abcdef/" == "hr.1a2b3c4d-5e6f/prior/0123456789abcdef/"
    assert class_picture_key(prefix, 7) == f"{prefix}007.png"
    assert stage_file(class_picture_key(prefix, 7)) is None
    for digest in ("", "../aa", "aa/bb", "a*"):
        with pytest.raises(ForeignKey):
            class_pictures_prefix(area(), digest)


def test_no_photos_lie_in_no_folder() -> None:
    with pytest.raises(ForeignKey):
        uploads_prefix(area(), photos_prefix())


def test_pictures_of_a_run() -> None:
    assert candidate_key(RUN, 7) == f"{RUN}000007.png"
    assert candidate_key(RUN, 7, twin=True) == f"{RUN}000007-neutral.png"
    portrait = portrait_key(RUN, "studio-warm", 1, 7)
    assert portrait == f"{RUN}studio-warm/01-000007.png"
    assert layout_key(portrait, LayoutName.PRINT) == f"{RUN}studio-warm/01-000007-print-5x7.jpg"
    assert compared_key(RUN, "studio-warm", 7) == f"{RUN}compared/studio-warm/000007.png"
    assert saved_name(portrait) == "studio-warm-01-000007.png"


@given(style=NAMES, rank=st.integers(1, 16), seed=st.integers(0, 900_031), layout=st.sampled_from(LayoutName))
@examples(100)
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
    assert uploads_prefix(area(), owned_photos(owner, "p-1")) == f"hr.1a2b3c4d-5e6f/uploads/{owner}/p-1/"


def test_one_machines_owner_stays() -> None:
    """The demo's request belongs to the page's visitor, whoever of the two was there first."""
    assert local_owner("you") == owner_of("local", "you", b"one machine, one person")
    assert local_owner("you") != local_owner("me")


@pytest.mark.parametrize("stage", Stage)
def test_a_reports_key_tells_whose_it_is(stage: Stage) -> None:
    prefix = stage_prefix(area(), "minji", stage, "d1")
    assert prefix == f"{stage_folder(area(), 'minji', stage)}d1/"
    file = stage_file(prefix + REPORT)
    assert file is not None
    assert file.is_report
    assert (file.area, file.request, file.stage, file.digest) == (area(), "minji", stage, "d1")


@pytest.mark.parametrize(
    "key",
    [
        "hr.1a2b3c4d-5e6f/requests/minji/adapter/d1/checkpoints/report.json",
        "hr.1a2b3c4d-5e6f/requests/minji/elsewhere/d1/report.json",
        "hr.1a2b3c4d-5e6f/uploads/minji/report.json",
        "hr.1a2b3c4d-5e6f/requests/minji/dataset/d1/order.json",
        "Hr/requests/minji/dataset/d1/report.json",
        "hr.1a2b3c4d-5e6f/requests/../dataset/d1/report.json",
        "hr.1a2b3c4d-5e6f/requests/minji/dataset//report.json",
        "report.json",
        "",
    ],
)
def test_any_other_key_is_no_reports(key: str) -> None:
    file = stage_file(key)
    assert file is None or not file.is_report


@pytest.mark.parametrize(
    ("namespace", "uid", "below"),
    [
        ("hr", "", ""), ("hr", "1a2b3c4d", ""), ("hr", "1A2B3C4D-5e6f-4a7b-8c9d-0e1f2a3b4c5d", ""), ("hr.x", UID, ""),
        ("", UID, ""), ("Hr", UID, ""), ("a" * 64, UID, ""), ("hr/x", UID, ""), ("hr", UID, "profile"),
        ("hr", UID, "/"), ("hr", UID, "a.b/"), ("hr", UID, "../"), ("hr", UID, "a//b/"), ("hr", UID, "a" * 40 + "/"),
        ("hr", f"{UID}/../x", ""), ("hr", UID, "A/"), ("hr", UID, "*/"),
    ],
)  # fmt: skip
def test_what_names_no_namespace_has_no_area(namespace: str, uid: str, below: str) -> None:
    with pytest.raises(ForeignKey):
        area_of(namespace, uid, below)


def test_a_namespace_that_is_made_anew_has_another_area() -> None:
    old, new = area_of("hr", UID), area_of("hr", "ffffffff-5e6f-4a7b-8c9d-0e1f2a3b4c5d")
    assert old == "hr.1a2b3c4d-5e6f/"
    assert area_of("hr", UID, "profile/cluster-a/") == f"profile/cluster-a/{old}"
    assert not stage_prefix(new, "minji", Stage.TRAIN, "d1").startswith(request_prefix(old, "minji"))
    assert all(place.startswith(areas_prefix("hr")) for place in (old, new))
    assert not area_of("hr-2", UID).startswith(areas_prefix("hr"))


@pytest.mark.parametrize(
    "key", ["", "hr/uploads/a/", "hr.1a2b3c4d/uploads/", "a.b/hr.1a2b3c4d-5e6f/x", "hr.1a2b3c4d-5e6f"]
)
def test_what_lies_in_no_area(key: str) -> None:
    assert area_in(key) is None
    with pytest.raises(ForeignKey):
        request_prefix_of(key)


def test_the_area_that_a_status_tells_is_one_of_its_namespaces() -> None:
    assert told_area("hr.1a2b3c4d-5e6f/", "hr") == area()
    for text in ("", "finance.1a2b3c4d-5e6f/", "hr.1a2b3c4d-5e6f/requests/", "hr/", "x/../hr.1a2b3c4d-5e6f/"):
        assert told_area(text, "hr") is None


def test_no_character_that_is_unseen_stands_in_a_key() -> None:
    letters = [chr(code) for code in range(sys.maxunicode + 1)]
    unseen = {letter for letter in letters if unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs")}
    assert set(_UNSEEN.findall("".join(letters))) == unseen
