"""What a request is resolved to, and what of it stands when something is asked for, or the platform changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from areas import area
from profile_contract.artifacts import uploads_prefix
from profile_contract.framing import room_for
from profile_contract.layouts import LayoutName
from profile_contract.look_ref import LookFile, LookKind, LookRef
from profile_contract.picture_size import PictureSize
from profile_contract.request import Photos, ProfileRequestSpec, Subject, Training, Updates
from profile_contract.resolved import (
    LONGEST_RESOLVED,
    AskedFor,
    Resolved,
    UnreadResolved,
    looks_anew,
    read_resolved,
    resolve,
)
from profile_contract.stages import train
from profile_contract.stages.chain import Platform, digests_of
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters, photos_digest
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import TrainParameters
from profile_contract.style import ProfileStyleSpec, Title
from profile_contract.style_ref import StyleRef

SPEC = ProfileRequestSpec.model_validate({"photos": Photos(prefix="uploads/minji/"), "styles": ["cool", "warm"]})
STYLES = {
    name: ProfileStyleSpec(title=Title(en=name), prompt=f"{{subject}}, {name}") for name in ("cool", "warm", "extra")
}
PLATFORM = Platform(PreprocessParameters(), TrainParameters(base_model="sdxl"), PictureSize(896, 1152))
UPLOADS = uploads_prefix(area(), "uploads/minji/")
FIRST = f"{UPLOADS}0.jpg"
PHOTOS = tuple(PhotoRef(name=f"{n}.jpg", key=f"{UPLOADS}{n}.jpg", bytes=n, etag=str(n)) for n in range(6))
NEW_CONTENT = {name: style.model_copy(update={"prompt": "{subject}, new"}) for name, style in STYLES.items()}
# Everything of the platform is another: limits, defaults, size, mark.
NEW_PLATFORM = Platform(
    PreprocessParameters(minimum_photos=6),
    TrainParameters(base_model="sdxl", rank=8),
    PictureSize(640, 640),
    visible_mark=True,
)
STANDING = resolve(None, AskedFor(SPEC, uid="u1"), PHOTOS, STYLES, PLATFORM)


def again(before: Resolved = STANDING, photos: Any = None, **wish: Any) -> Resolved:
    """Resolved anew after everything of the platform has changed; `spec` holds what is asked for otherwise."""
    spec = SPEC.model_copy(update=wish.pop("spec", {}))
    return resolve(before, AskedFor(spec, **{"uid": "u1", **wish}), photos, NEW_CONTENT, NEW_PLATFORM)


def styles(*names: str, **refreshed: int) -> list[StyleRef]:
    return [StyleRef(name=name, refresh=refreshed.get(name, 0)) for name in names]


def changed(now: Resolved, before: Resolved = STANDING) -> str:
    """The stages whose digests differ; of generate the styles, `+` new and `-` gone ones."""
    names = {Stage.PREPROCESS: "p", Stage.TRAIN: "t", Stage.FINISH: "f"}
    stages = [name for stage, name in names.items() if now.digest_of_stage(stage) != before.digest_of_stage(stage)]
    styles = [
        key if key in before.styles else f"+{key}"
        for key, style in now.styles.items()
        if key not in before.styles or style.digest != before.styles[key].digest
    ]
    gone = [f"-{key}" for key in before.styles if key not in now.styles]
    return " ".join([*[name for name in stages if name != "f"], *styles, *gone, *[n for n in stages if n == "f"]])


def test_a_first_resolution_has_the_digests_that_the_folder_runner_has() -> None:
    digests = digests_of(SPEC, photos_digest(list(PHOTOS)), STYLES, PLATFORM)
    assert STANDING.preprocess.digest == digests.preprocess
    assert STANDING.train.digest == digests.train
    assert {key: style.digest for key, style in STANDING.styles.items()} == digests.styles
    assert STANDING.digest_of_stage(Stage.FINISH) == digests.finish != ""


def test_nothing_that_the_platform_changes_changes_what_stands() -> None:
    assert again() == STANDING
    assert resolve(STANDING, AskedFor(SPEC, uid="u1"), None, {}, NEW_PLATFORM) == STANDING


def test_the_recipe_that_was_set_is_kept_and_another_text_of_it_changes_nothing() -> None:
    """What a recipe says of training and drawing is among the parameters; its digest tells which one it was."""
    told = replace(PLATFORM, recipe="aa11")
    fresh = resolve(None, AskedFor(SPEC, uid="u1"), PHOTOS, STYLES, told)
    assert (fresh.train.recipe, STANDING.train.recipe) == ("aa11", None)
    assert (changed(fresh), fresh.fingerprints()) == ("", STANDING.fingerprints())
    assert "recipe" not in STANDING.document()["train"]
    later = resolve(fresh, AskedFor(SPEC, uid="u1"), None, STYLES, replace(PLATFORM, recipe="bb22"))
    assert later == fresh


def test_a_new_version_of_a_stage_changes_nothing_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "VERSION", train.VERSION + 1)
    assert again() == STANDING
    fresh = again(spec={"refresh": 1})
    assert fresh.train.version == train.VERSION
    assert fresh.train.digest != STANDING.train.digest


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a layout": ({"layouts": [LayoutName.RESUME]}, "f"),
    "layouts in another order": ({"layouts": list(SPEC.layouts)[::-1]}, ""),
    "portraits": ({"portraits": 2}, "f"),
    "likeness": ({"minimum_likeness": 3}, "f"),
    "a style more": ({"styles": styles("warm", "extra", "cool")}, "+extra f"),
    "a style less": ({"styles": styles("warm")}, "-cool f"),
    "styles in another order": ({"styles": styles("warm", "cool")}, ""),
    "a refreshed style": ({"styles": styles("warm", "cool", cool=1)}, "cool f"),
    "candidates": ({"candidates": 3}, "cool warm f"),
    "seed": ({"seed": 3}, "cool warm f"),
    "subject": ({"subject": Subject(noun="woman")}, "t cool warm f"),
    "training": ({"training": Training(steps=10)}, "t cool warm f"),
    "refresh": ({"refresh": 1}, "p t cool warm f"),
    "suspend": ({"suspend": True}, ""),
    "a pinned request": ({"updates": Updates.PINNED}, ""),
    "a followed request": ({"updates": Updates.FOLLOWED}, "cool warm f"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_stage_takes_over_what_the_platform_sets_where_the_request_asks_something_new_of_it(name: str) -> None:
    fields, stages = CHANGES[name]
    now = again(spec=fields)
    assert changed(now) == stages
    for stage, fresh, before in (
        ("p", now.preprocess.parameters, STANDING.preprocess.parameters),
        ("t", now.train.parameters, STANDING.train.parameters),
    ):
        assert (fresh == before) is (stage not in stages.split())
    for key, style in now.styles.items():
        drawn = key in stages or f"+{key}" in stages
        assert style.content == (NEW_CONTENT if drawn else STYLES)[key]
        assert style.picture.width == (640 if drawn else 896)
    assert now.finish is not None
    assert now.finish.parameters.visible_mark is ("f" in stages)


def test_a_layout_that_shows_more_has_everything_drawn_wider_and_otherwise_as_before() -> None:
    narrow = SPEC.model_copy(update={"layouts": [LayoutName.RESUME]})
    before = resolve(None, AskedFor(narrow, uid="u1"), PHOTOS, STYLES, PLATFORM)
    wide = again(before, spec={"layouts": [LayoutName.RESUME, LayoutName.SQUARE]})
    assert changed(wide, before) == "cool warm f"
    room = room_for([LayoutName.SQUARE], 40)
    for key, style in wide.styles.items():
        assert style.content == STYLES[key]
        assert style.picture == before.styles[key].picture.model_copy(update={"room": room})
    # What shows less is cut from what was drawn.
    assert changed(again(wide, spec={"layouts": [LayoutName.ID_SIZE]}), wide) == "f"


def test_a_style_is_followed_alone_and_keeps_the_rest_of_what_it_had() -> None:
    followed = SPEC.model_copy(update={"updates": Updates.FOLLOWED})
    styles = {**STYLES, "warm": NEW_CONTENT["warm"]}
    assert changed(resolve(STANDING, AskedFor(followed, uid="u1"), None, styles, PLATFORM)) == "warm f"
    # Gone or not understood: there is nothing to follow.
    assert resolve(STANDING, AskedFor(followed, uid="u1"), None, {}, NEW_PLATFORM).styles == STANDING.styles


def test_a_refresh_that_is_taken_back_asks_for_nothing_and_counts_from_there() -> None:
    raised = again(spec={"refresh": 3})
    lowered = again(raised, spec={"refresh": 0})
    assert changed(lowered, raised) == ""
    assert lowered.refresh == 0
    monkey = replace(NEW_PLATFORM, visible_mark=False)
    assert (
        changed(resolve(lowered, AskedFor(SPEC.model_copy(update={"refresh": 1})), None, STYLES, monkey), raised) != ""
    )


def test_a_refresh_of_a_style_that_is_gone_waits_for_the_style() -> None:
    spec = SPEC.model_copy(update={"refresh": 1})
    now = resolve(STANDING, AskedFor(spec, uid="u1"), None, {"cool": STYLES["cool"]}, PLATFORM)
    assert list(now.styles) == ["cool"]
    assert now.finish is None


def test_a_style_that_is_gone_is_drawn_anew_with_what_it_said_where_something_else_is_new() -> None:
    spec = SPEC.model_copy(update={"seed": 9})
    now = resolve(STANDING, AskedFor(spec, uid="u1"), None, {}, NEW_PLATFORM)
    assert changed(now) == "cool warm f"
    assert {key: style.content for key, style in now.styles.items()} == {key: STYLES[key] for key in ("cool", "warm")}


@pytest.mark.parametrize(
    ("stage", "stages"),
    [
        (Stage.PREPROCESS, "p t cool warm f"),
        (Stage.TRAIN, "t cool warm f"),
        (Stage.GENERATE, "cool warm f"),
        (Stage.FINISH, "f"),
    ],
)
def test_what_failed_is_tried_again_with_what_the_platform_sets_now(stage: Stage, stages: str) -> None:
    assert changed(again(failed=stage, retry="1")) == stages


# --- photos ------------------------------------------------------------------------------------------------------


def photos_of(**fields: Any) -> dict[str, Photos]:
    return {"photos": Photos(**{"prefix": "uploads/minji/", "revision": 1, **fields})}


LOOKS: dict[str, tuple[Callable[[], AskedFor], bool]] = {
    "the same": (lambda: AskedFor(SPEC, uid="u1"), False),
    "a new retry": (lambda: AskedFor(SPEC, uid="u1", retry="1"), True),
    "another prefix": (
        lambda: AskedFor(SPEC.model_copy(update=photos_of(prefix="uploads/other/")), uid="u1"), True,
    ),
    "a raised revision": (lambda: AskedFor(SPEC.model_copy(update=photos_of(revision=2)), uid="u1"), True),
    "another object": (lambda: AskedFor(SPEC, uid="u2"), True),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKS)
def test_photos_are_looked_at_anew_when_somebody_asks_for_it(name: str) -> None:
    wish, anew = LOOKS[name]
    assert looks_anew(STANDING, wish()) is anew
    assert looks_anew(None, wish())
    # What was looked at once is not looked at again.
    now = resolve(STANDING, wish(), PHOTOS, STYLES, PLATFORM)
    assert not looks_anew(now, wish())
    assert not looks_anew(now, replace(wish(), retry=""))


def test_the_same_photos_looked_at_again_are_the_same() -> None:
    assert changed(again(photos=PHOTOS, spec=photos_of(revision=2))) == ""
    assert changed(again(photos=PHOTOS[:5], spec=photos_of(revision=2))) == "p t cool warm f"


def test_photos_that_are_gone_are_remembered_for_a_retry_and_not_for_another_revision() -> None:
    gone = again(photos=(), retry="1")
    assert (changed(gone), gone.photos.gone, gone.photos.photos) == ("", True, list(PHOTOS))
    assert not looks_anew(gone, AskedFor(SPEC, uid="u1", retry="1"))
    assert again(photos=(), spec=photos_of(revision=2)).photos.photos == []
    assert again(gone, photos=PHOTOS, retry="2").photos.gone is False


# --- as it lies in the store -------------------------------------------------------------------------------------


def test_what_is_written_is_read_alike() -> None:
    assert read_resolved(STANDING.to_json().encode(), area()) == STANDING


def test_fields_of_a_newer_version_are_left_out_and_the_digests_stand() -> None:
    document = json.loads(STANDING.to_json())
    document["novelty"] = {"a": 1}
    document["train"]["parameters"]["novelty"] = 3
    document["generate"]["styles"][0]["content"]["novelty"] = 3
    assert read_resolved(json.dumps(document).encode(), area()) == STANDING


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b" " * (LONGEST_RESOLVED + 1),
        STANDING.to_json().replace(FIRST, "finance/uploads/ceo/0.jpg").encode(),
        STANDING.to_json().replace(FIRST, f"{UPLOADS}../ceo/0.jpg").encode(),
        STANDING.to_json().replace('"prefix":"uploads/minji/"', '"prefix":"requests/minji/"').encode(),
        STANDING.to_json().replace('"rank":32', '"rank":32000').encode(),
    ],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadResolved):
        read_resolved(data, area())


def test_fingerprints_tell_what_the_platform_changed_and_nothing_of_what_was_asked() -> None:
    fresh = resolve(None, AskedFor(SPEC), PHOTOS[:1], {**STYLES, "warm": NEW_CONTENT["warm"]}, PLATFORM)
    before, now = STANDING.fingerprints(), fresh.fingerprints()
    assert {name for name in before if before[name] != now[name]} == {"style/warm"}
    everything = again(spec={"refresh": 1}).fingerprints()
    assert {name for name in before if before[name] != everything[name]} == set(before)
    assert set(before) == {"preprocess", "train", "finish", "style/cool", "style/warm"}


# --- looks ---

RIM = LookFile(key=f"{area()}looks/rim.safetensors", sha256="a" * 64)
NEW_RIM = RIM.model_copy(update={"sha256": "b" * 64})
WORN = {**STYLES, "warm": STYLES["warm"].model_copy(update={"adapters": [LookRef(name="rim", kind=LookKind.OWN)]})}
READY = {"team_rim": RIM}


def in_looks(before: Resolved | None, looks: dict[str, LookFile], **spec: Any) -> Resolved:
    wish = AskedFor(SPEC.model_copy(update=spec), uid="u1")
    return resolve(before, wish, PHOTOS if before is None else None, WORN, PLATFORM, looks=looks)


def test_a_style_keeps_the_look_that_it_was_resolved_with() -> None:
    standing = in_looks(None, READY)
    assert standing.styles["warm"].looks == [RIM]
    assert standing.styles["cool"].looks is None
    assert in_looks(standing, {"team_rim": NEW_RIM}) == standing
    assert in_looks(standing, {}) == standing


def test_a_request_that_follows_draws_a_looks_new_file_again() -> None:
    standing = in_looks(None, READY, updates=Updates.FOLLOWED)
    now = in_looks(standing, {"team_rim": NEW_RIM}, updates=Updates.FOLLOWED)
    assert changed(now, standing) == "warm f"
    assert now.styles["warm"].looks == [NEW_RIM]
    assert in_looks(standing, {}, updates=Updates.FOLLOWED) == standing, "of a look that is gone the file stands"


def test_a_style_whose_look_is_not_ready_waits_and_the_others_do_not() -> None:
    waiting = in_looks(None, {})
    assert set(waiting.styles) == {"cool"}
    assert waiting.finish is None
    ready = in_looks(waiting, READY)
    assert changed(ready, waiting) == "+warm f"


def test_a_style_without_looks_is_recorded_as_ever() -> None:
    assert "looks" not in STANDING.to_json()
    assert "adapters" not in STANDING.to_json()


def test_another_look_is_told_as_another_content() -> None:
    before, after = (in_looks(None, looks).fingerprints() for looks in (READY, {"team_rim": NEW_RIM}))
    assert {name for name in before if before[name] != after[name]} == {"style/warm"}


@pytest.mark.parametrize(
    "key",
    [
        "finance.1a2b3c4d-5e6f/looks/rim.safetensors",
        f"{area()}requests/ceo/adapter/d/adapter.safetensors",
        f"{area()}looks/../requests/ceo/adapter/d/adapter.safetensors",
        f"looks/{area()}requests/ceo/adapter/d/adapter.safetensors",
        f"{area()}uploads/minji/rim.safetensors",
        "other/looks/rim.safetensors",
    ],
)
def test_a_record_that_names_a_look_elsewhere_is_not_read(key: str) -> None:
    forged = in_looks(None, {"team_rim": RIM.model_copy(update={"key": key})})
    with pytest.raises(UnreadResolved, match="no look of this namespace"):
        read_resolved(forged.to_json().encode(), area())


@pytest.mark.parametrize("key", [f"{area()}looks/rim.safetensors", "looks/2026/Rim_1.safetensors"])
def test_a_record_that_names_its_own_look_or_the_installations_is_read(key: str) -> None:
    record = in_looks(None, {"team_rim": RIM.model_copy(update={"key": key})})
    assert read_resolved(record.to_json().encode(), area()) == record
