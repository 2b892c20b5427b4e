"""What the page decides without a cluster: who visits, what is asked for, what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from areas import area
from profile_cli.styles import known_styles
from profile_contract.keys import check_below
from profile_contract.layouts import LayoutName
from profile_contract.likeness import ShownLikeness
from profile_contract.ownership import OWNER_LABEL
from profile_contract.photo_names import LONGEST_NAME
from profile_contract.photos import PhotoReason
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.table import Stage
from profile_web.answers import STATIC
from profile_web.archive import disposition, files_of
from profile_web.config import Defaults
from profile_web.problems import Problem
from profile_web.routes.session import sample
from profile_web.views import comparison_views, request_view
from profile_web.visitor import Visitor
from profile_web.wishes import DRAFT, PHOTO_TYPES, PhotoWish, UploadWish, Wish, manifest, new_draft, photo_name
from properties import examples

VISITOR = Visitor("minji@example.com", "portraits", "0123456789" * 4, area("portraits"))


# --- what is asked for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("IMG 0001.JPG", "image/jpeg", "IMG 0001.JPG"),
        ("../../etc/passwd", "image/png", "passwd.png"),
        ("나의 사진.webp", "image/webp", "나의 사진.webp"),
        ("a.jpg.jpg", "image/jpeg", "a.jpg.jpg"),
        ("a.heic", "image/jpeg", "a.heic.jpg"),
        ("a.jpeg", "image/jpeg", "a.jpeg"),
        ("Minji's.jpg", "image/jpeg", "Minji’s.jpg"),
        ("IMG_1.HEIC", "image/heif", "IMG_1.HEIC"),
        ("a\r\nb\x1b[2J.png", "image/png", "a--b-[2J.png"),
    ],
)
def test_a_photos_key_holds_its_name_and_nothing_that_leads_elsewhere(name: str, kind: Any, expected: str) -> None:
    assert photo_name(PhotoWish(name=name, type=kind, bytes=10), set()) == expected


@pytest.mark.parametrize("name", ["...", "Thumbs.db", ".hidden.jpg", "folder/"])
def test_what_is_no_photos_name_is_refused(name: str) -> None:
    with pytest.raises(Problem, match="not-a-photo"):
        photo_name(PhotoWish(name=name, type="image/jpeg", bytes=10), set())


@examples(200)
@given(
    st.text(min_size=1, max_size=255), st.sampled_from(sorted(PHOTO_TYPES)), st.sets(st.text(max_size=9), max_size=3)
)
def test_whatever_a_file_is_called_its_key_stays_in_its_folder(name: str, kind: Any, taken: set[str]) -> None:
    wish = PhotoWish(name=name, type=kind, bytes=10)
    try:
        chosen = photo_name(wish, taken)
    except Problem:
        return
    assert chosen not in taken
    assert check_below("ns.1a2b3c4d-5e6f/uploads/o/d/", f"ns.1a2b3c4d-5e6f/uploads/o/d/{chosen}")
    assert len(chosen.encode()) <= LONGEST_NAME
    assert chosen.casefold().endswith(PHOTO_TYPES[kind])


def test_photos_of_one_name_stand_beside_each_other() -> None:
    wish = PhotoWish(name="a.jpg", type="image/jpeg", bytes=10)
    assert photo_name(wish, {"a.jpg", "a-2.jpg"}) == "a-3.jpg"


@pytest.mark.parametrize("draft", ["", "../x", "a/b", "A", "-a", "a" * 41])
def test_drafts_that_could_lead_elsewhere_are_refused(draft: str) -> None:
    with pytest.raises(ValidationError):
        UploadWish(draft=draft, photos=[PhotoWish(name="a.jpg", type="image/jpeg", bytes=10)])


def test_a_wish_becomes_a_request_in_the_visitors_own_area() -> None:
    draft = new_draft()
    assert DRAFT.match(draft)
    wish = Wish(draft=draft, title=" Card ", styles=["studio-warm"], layouts=[LayoutName.RESUME], portraits=3)
    document = manifest(wish, VISITOR, Defaults(minimum_likeness=60))
    assert document["metadata"]["namespace"] == "portraits"
    assert document["metadata"]["labels"] == {OWNER_LABEL: VISITOR.owner}
    assert document["metadata"]["annotations"] == {"profilestudio.io/title": "Card"}
    spec = ProfileRequestSpec.model_validate(document["spec"])
    assert spec.photos.prefix == f"uploads/{VISITOR.owner}/{draft}/"
    assert (spec.portraits, spec.candidates, spec.minimum_likeness) == (3, 6, 60)


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("  My\tcard ", "My card"),
        ("a\x1b[2J\r\nb", "a [2J b"),
        ("a\u202eb\x9b", "a b"),
        ("민지 사원증 👩🏽‍💼", "민지 사원증 👩🏽‍💼"),
    ],
)
def test_a_title_is_one_line_that_no_terminal_obeys(title: str, plain: str) -> None:
    wish = Wish(draft="p-1", title=title, styles=["studio-warm"])
    assert manifest(wish, VISITOR, Defaults())["metadata"]["annotations"] == {"profilestudio.io/title": plain}


MADE = "portraits.1a2b3c4d-5e6f/requests/p-1/"


# --- what is shown -----------------------------------------------------------------------------------------------


def _link(key: str, save_as: str = "") -> str:
    return f"store:{key}>{save_as}" if save_as else f"store:{key}"


def _condition(kind: str, status: str = "True", reason: str = "Succeeded") -> dict[str, Any]:
    times = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    return {"type": kind, "status": status, "reason": reason, "message": f"{kind} said", **times}


def _document(*conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "p-1", "namespace": "portraits", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"profilestudio.io/title": "Card"},
        },
        "spec": {"photos": {"prefix": "uploads/o/p-1/"}, "styles": ["studio-warm"]},
        "status": {"observedGeneration": 1, "area": area("portraits"), "conditions": list(conditions), **status},
    }  # fmt: skip


def test_a_new_request_waits() -> None:
    document = _document()
    del document["status"]
    view = request_view(document, _link)
    assert (view.state, view.stage, view.title) == ("Waiting", None, "Card")


def test_a_running_request_tells_its_stage_and_how_far_it_is() -> None:
    document = _document(
        _condition("Ready", "False", "Running"),
        _condition("Preprocessed"),
        stages={"preprocess": {"digest": "d"}, "train": {"digest": "e"}},
        progress={"stage": "train", "percent": 40, "remainingSeconds": 90},
    )
    view = request_view(document, _link)
    assert (view.state, view.stage, view.percent, view.remaining_seconds) == ("Running", Stage.TRAIN, 40, 90)


def test_progress_of_another_stage_is_not_shown() -> None:
    document = _document(_condition("Ready", "False", "Running"), progress={"stage": "train", "percent": 100})
    assert request_view(document, _link).percent is None


def test_a_stalled_request_says_why() -> None:
    view = request_view(_document(_condition("Stalled", reason="TooFewUsablePhotos")), _link)
    assert (view.state, view.reason, view.message) == ("Stalled", "TooFewUsablePhotos", "Stalled said")


def test_what_was_said_about_an_older_wish_is_not_shown() -> None:
    document = _document(_condition("Stalled", reason="TooFewUsablePhotos"))
    document["metadata"]["generation"] = 2
    view = request_view(document, _link)
    assert (view.state, view.reason) == ("Waiting", "")


def test_photos_and_portraits_have_links() -> None:
    portrait = {
        "style": "studio-warm", "key": f"{MADE}studio-warm/01-000001.png", "seed": 1, "rank": 1, "likeness": 91,
        "layouts": {"resume": f"{MADE}studio-warm/01-000001-resume.jpg"},
    }  # fmt: skip
    document = _document(
        _condition("Ready"),
        photos={"verdicts": [{"name": "a.jpg", "accepted": False, "reason": "Blurred"}]},
        portraits=[portrait],
        printSheet=f"{MADE}print-sheet.pdf",
        adapter=f"{MADE}adapter.safetensors",
    )
    view = request_view(document, _link)
    assert view.state == "Ready"
    assert (view.photos[0].url, view.photos[0].reason) == (
        "store:portraits.1a2b3c4d-5e6f/uploads/o/p-1/a.jpg",
        PhotoReason.BLURRED,
    )
    (shown,) = view.portraits
    assert shown.url == f"store:{MADE}studio-warm/01-000001.png"
    assert shown.cuts[0].url == f"store:{MADE}studio-warm/01-000001-resume.jpg>studio-warm-01-000001-resume.jpg"
    assert view.print_sheet == f"store:{MADE}print-sheet.pdf>print-sheet.pdf"
    assert view.adapter == f"store:{MADE}adapter-webui.safetensors>adapter-webui.safetensors"


def test_a_portrait_stands_beside_the_same_in_the_other_light_with_what_was_measured() -> None:
    warm = {"style": "warm", "tone": "Warm", "key": f"{MADE}warm/01-000002.png", "likeness": 60, "delivered": True}
    cool = {
        "style": "cool",
        "tone": "Cool",
        "key": f"{MADE}compared/cool/000002.png",
        "thumbnail": f"{MADE}compared/cool/000002-thumbnail.webp",
        "likeness": 40,
        "delivered": False,
    }
    unlike = {**cool, "key": "", "thumbnail": "other/requests/x.webp", "likeness": 10}
    tone = {"pairs": 1, "lShift": 0, "met": True}
    report = ShownLikeness.model_validate(
        {
            "comparisons": [{"seed": 2, "sides": [warm, cool]}, {"seed": 1, "sides": [warm, unlike]}],
            "tones": [{"style": "cool", "tone": "Cool", "bShift": -3.9, **tone}],
            "scores": [],
        }
    )
    first, second = comparison_views(report, MADE, _link)
    assert [(side.url, side.delivered, side.b_shift) for side in first.sides] == [
        (f"store:{MADE}warm/01-000002.png", True, None),
        (f"store:{MADE}compared/cool/000002.png", False, -3.9),
    ]
    # What was made before there were small pictures has none.
    assert [side.thumbnail for side in first.sides] == ["", f"store:{MADE}compared/cool/000002-thumbnail.webp"]
    assert [side.url for side in second.sides] == [f"store:{MADE}warm/01-000002.png", ""]
    # Nothing of others is signed for.
    assert [side.thumbnail for side in second.sides] == ["", ""]
    assert comparison_views(ShownLikeness.model_validate({"scores": []}), MADE, _link) == []


@pytest.mark.parametrize(
    "key",
    [
        "other.1a2b3c4d-5e6f/uploads/ceo/p/ceo.jpg",
        f"{MADE}../p-2/x.png",
        "portraits.1a2b3c4d-5e6f/requests/p-11/x.png",
        "",
    ],
)
def test_what_lies_elsewhere_has_no_link(key: str) -> None:
    portrait = {"style": "s", "key": key, "seed": 1, "rank": 1, "likeness": 91, "layouts": {}}
    cut = {**portrait, "key": f"{MADE}s/01.png", "layouts": {"resume": key}}
    status: dict[str, Any] = {"portraits": [portrait, cut], "contactSheet": key, "printSheet": key, "adapter": key}
    view = request_view(_document(_condition("Ready"), **status), _link)
    assert [(shown.url, shown.cuts) for shown in view.portraits] == [(f"store:{MADE}s/01.png", [])]
    assert (view.contact_sheet, view.print_sheet, view.adapter) == ("", "", "")
    verdict = {"name": f"../{key}", "accepted": False, "reason": "Blurred"}
    assert request_view(_document(photos={"verdicts": [verdict]}), _link).photos[0].url == ""
    side = {"style": "s", "tone": "Warm", "key": key, "likeness": 60, "delivered": True}
    report = ShownLikeness.model_validate({"comparisons": [{"seed": 2, "sides": [side]}], "tones": []})
    assert comparison_views(report, MADE, _link)[0].sides[0].url == ""


@pytest.mark.parametrize("style", sorted(known_styles()))
def test_every_style_of_the_chart_has_a_square_picture_that_says_what_made_it(style: str) -> None:
    file = STATIC / sample(style).lstrip("/")
    with Image.open(file) as picture:
        assert picture.format == "JPEG"
        assert picture.width == picture.height >= 256
    assert b"rainedAlgorithmicMedia" in file.read_bytes()


def test_a_style_of_somebodys_own_has_none() -> None:
    assert sample("company-blue") == ""


def test_everything_that_was_delivered_is_in_the_zip() -> None:
    from profile_contract.request_status import ProfileRequestStatus

    status = ProfileRequestStatus.model_validate(
        {
            "portraits": [
                {
                    "style": "w", "key": f"{MADE}w/01.png", "seed": 1, "rank": 1, "likeness": 9,
                    "layouts": {"square": f"{MADE}w/01-square.jpg"},
                }
            ],
            "contactSheet": f"{MADE}contact-sheet.jpg",
        }
    )  # fmt: skip
    assert files_of(status, MADE) == {
        "w/01.png": f"{MADE}w/01.png",
        "w/01-square.jpg": f"{MADE}w/01-square.jpg",
        "contact-sheet.jpg": f"{MADE}contact-sheet.jpg",
    }


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("", 'attachment; filename="p-1.zip"'),
        ("My card", "attachment; filename=\"p-1.zip\"; filename*=UTF-8''My%20card.zip"),
        ("사원증", "attachment; filename=\"p-1.zip\"; filename*=UTF-8''%EC%82%AC%EC%9B%90%EC%A6%9D.zip"),
        (
            "../a\"; x='\r\nSet-Cookie: y",
            "attachment; filename=\"p-1.zip\"; filename*=UTF-8''_a%22%3B%20x%3D%27__Set-Cookie%3A%20y.zip",
        ),
        ("\x1b\ud800..", "attachment; filename=\"p-1.zip\"; filename*=UTF-8''__.zip"),
    ],
)  # fmt: skip
def test_a_zip_is_saved_under_its_title_which_cannot_leave_the_header(title: str, expected: str) -> None:
    assert disposition("p-1", title) == expected
