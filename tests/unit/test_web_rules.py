"""What the page decides without a cluster: who visits, what is asked for, what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from profile_cli.styles import known_styles
from profile_contract.names import LayoutName, PhotoReason, Stage
from profile_contract.request import ProfileRequestSpec
from profile_web.app import STATIC, _sample
from profile_web.config import Defaults, Namespaces, SignIn
from profile_web.downloads import files_of
from profile_web.views import LikenessReport, comparison_views, request_view
from profile_web.visitor import OWNER_LABEL, NoPlace, NotSignedIn, Visitor, visitor_of
from profile_web.wishes import DRAFT, PhotoWish, UploadWish, Wish, manifest, new_draft, photo_name

HEADER = SignIn()
PLACES = Namespaces(by_user={"ceo@example.com": "board"}, by_group={"hr": "portraits-hr"}, default="portraits")
VISITOR = Visitor("minji@example.com", "portraits")


# --- who visits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "groups", "namespace"),
    [
        ("minji@example.com", "", "portraits"),
        ("Minji@Example.com ", "sales, hr", "portraits-hr"),
        ("ceo@example.com", "hr", "board"),
    ],
)
def test_a_visitor_has_the_namespace_of_user_else_group_else_all(user: str, groups: str, namespace: str) -> None:
    found = visitor_of({"x-auth-request-email": user, "X-Auth-Request-Groups": groups}, HEADER, PLACES)
    assert found == Visitor(user.strip().lower(), namespace)


def test_nobody_is_let_in_without_the_proxys_word() -> None:
    with pytest.raises(NotSignedIn):
        visitor_of({"X-Forwarded-User": "minji@example.com"}, HEADER, PLACES)


def test_a_visitor_without_a_namespace_is_refused() -> None:
    with pytest.raises(NoPlace, match=r"minji@example\.com"):
        visitor_of({"X-Auth-Request-Email": VISITOR.user}, HEADER, Namespaces(by_group={"hr": "portraits-hr"}))


def test_in_local_mode_headers_say_nothing() -> None:
    local = SignIn(mode="Local", user="you")
    assert visitor_of({"X-Auth-Request-Email": "ceo@example.com"}, local, PLACES).user == "you"
    with pytest.raises(ValidationError, match=r"signIn\.user"):
        SignIn(mode="Local")


def test_owners_are_told_apart_and_not_named() -> None:
    owners = {Visitor(user, "portraits").owner for user in ("minji@example.com", "ceo@example.com")}
    assert len(owners) == 2
    assert all(len(owner) == 16 and "@" not in owner for owner in owners)


# --- what is asked for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("IMG 0001.JPG", "image/jpeg", "IMG-0001.jpg"),
        ("../../etc/passwd", "image/png", "passwd.png"),
        ("나의 사진.webp", "image/webp", "나의-사진.webp"),
        ("...", "image/jpeg", "photo.jpg"),
        ("a.jpg.jpg", "image/jpeg", "a-jpg.jpg"),
    ],
)
def test_a_photos_key_holds_its_name_and_nothing_that_leads_elsewhere(name: str, kind: Any, expected: str) -> None:
    assert photo_name(PhotoWish(name=name, type=kind, bytes=10), set()) == expected


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
        "status": {"observedGeneration": 1, "conditions": list(conditions), **status},
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
        "style": "studio-warm", "key": "b/studio-warm/01-000001.png", "seed": 1, "rank": 1, "likeness": 91,
        "layouts": {"resume": "b/studio-warm/01-000001-resume.jpg"},
    }  # fmt: skip
    document = _document(
        _condition("Ready"),
        photos={"verdicts": [{"name": "a.jpg", "accepted": False, "reason": "Blurred"}]},
        portraits=[portrait],
        printSheet="b/print-sheet.pdf",
        adapter="c/adapter.safetensors",
    )
    view = request_view(document, _link)
    assert view.state == "Ready"
    assert (view.photos[0].url, view.photos[0].reason) == ("store:portraits/uploads/o/p-1/a.jpg", PhotoReason.BLURRED)
    (shown,) = view.portraits
    assert shown.url == "store:b/studio-warm/01-000001.png"
    assert shown.cuts[0].url == "store:b/studio-warm/01-000001-resume.jpg>studio-warm-01-000001-resume.jpg"
    assert view.print_sheet == "store:b/print-sheet.pdf>print-sheet.pdf"
    assert view.adapter == "store:c/adapter-webui.safetensors>adapter-webui.safetensors"


def test_a_portrait_stands_beside_the_same_in_the_other_light_with_what_was_measured() -> None:
    warm = {"style": "warm", "tone": "Warm", "key": "b/warm/01-000002.png", "likeness": 60, "delivered": True}
    cool = {"style": "cool", "tone": "Cool", "key": "b/compared/cool/000002.png", "likeness": 40, "delivered": False}
    unlike = {**cool, "key": "", "likeness": 10}
    tone = {"pairs": 1, "lShift": 0, "met": True}
    report = LikenessReport.model_validate(
        {
            "comparisons": [{"seed": 2, "sides": [warm, cool]}, {"seed": 1, "sides": [warm, unlike]}],
            "tones": [{"style": "cool", "tone": "Cool", "bShift": -3.9, **tone}],
            "scores": [],
        }
    )
    first, second = comparison_views(report, _link)
    assert [(side.url, side.delivered, side.b_shift) for side in first.sides] == [
        ("store:b/warm/01-000002.png", True, None),
        ("store:b/compared/cool/000002.png", False, -3.9),
    ]
    assert [side.url for side in second.sides] == ["store:b/warm/01-000002.png", ""]
    assert comparison_views(LikenessReport.model_validate({"scores": []}), _link) == []


@pytest.mark.parametrize("style", sorted(known_styles()))
def test_every_style_of_the_chart_has_a_square_picture_that_says_what_made_it(style: str) -> None:
    file = STATIC / _sample(style).lstrip("/")
    with Image.open(file) as picture:
        assert picture.format == "JPEG"
        assert picture.width == picture.height >= 256
    assert b"trainedAlgorithmicMedia" in file.read_bytes()


def test_a_style_of_somebodys_own_has_none() -> None:
    assert _sample("company-blue") == ""


def test_everything_that_was_delivered_is_in_the_zip() -> None:
    from profile_contract.request import ProfileRequestStatus

    status = ProfileRequestStatus.model_validate(
        {
            "portraits": [
                {
                    "style": "w", "key": "b/w/01.png", "seed": 1, "rank": 1, "likeness": 9,
                    "layouts": {"square": "b/w/01-square.jpg"},
                }
            ],
            "contactSheet": "b/contact-sheet.jpg",
        }
    )  # fmt: skip
    assert files_of(status) == {
        "w/01.png": "b/w/01.png",
        "w/01-square.jpg": "b/w/01-square.jpg",
        "contact-sheet.jpg": "b/contact-sheet.jpg",
    }
