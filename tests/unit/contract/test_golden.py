"""Golden digests: what a request's stages are keyed by, as figures.

An upgrade that changes one of them trains and draws every finished request again. Where that is meant, the stage's
version is raised and the figures here are written anew in the same commit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from profile_contract.layouts import LayoutName
from profile_contract.look_ref import LookFile, LookRef
from profile_contract.picture_size import PictureSize
from profile_contract.request import Photos, ProfileRequestSpec, Retention, Subject, Training, TrainingMode, Updates
from profile_contract.stages.chain import Digests, Platform, digests_of
from profile_contract.stages.finish import FinishParameters
from profile_contract.stages.preprocess import Captions, JointsNetwork, PhotoRef, PreprocessParameters, photos_digest
from profile_contract.stages.table import STAGES, Stage
from profile_contract.stages.train import AdapterLayers, OptimiserKind, PriorPreservation, Timesteps, TrainParameters
from profile_contract.style import (
    DetailMode,
    FaceDetail,
    ImageToImage,
    Mode,
    ProfileStyleSpec,
    Sampler,
    SourceChoice,
    Title,
    Tone,
)
from profile_contract.style_ref import StyleRef

PHOTOS = photos_digest(
    [
        PhotoRef(name="b.jpg", key="hr.1a2b3c4d-5e6f/uploads/minji/b.jpg", bytes=20, etag="e2"),
        PhotoRef(name="a.jpg", key="hr.1a2b3c4d-5e6f/uploads/minji/a.jpg", bytes=10, etag="e1"),
    ]
)
WARM = ProfileStyleSpec(title=Title(en="Warm"), tone=Tone.WARM, prompt="portrait of {subject}, {tone}")
STYLES = {"studio-warm": WARM, "studio-cool": WARM.model_copy(update={"tone": Tone.COOL})}
PLATFORM = Platform(
    preprocess=PreprocessParameters(),
    training=TrainParameters(base_model="sdxl", control_model="openpose"),
    picture=PictureSize(width=896, height=1152),
)
SPEC = ProfileRequestSpec(photos=Photos(prefix="uploads/minji/"), styles=["studio-warm", "studio-cool"])
GOLDEN = Digests(
    preprocess="e7ee3ebbc42374e1",
    train="260e792937e4b3a5",
    styles={"studio-warm": "04ca15ee3f823358", "studio-cool": "b39a46fa81a8b50e"},
    finish="15df50278015ac18",
)
VERSIONS = {Stage.PREPROCESS: 3, Stage.TRAIN: 3, Stage.GENERATE: 2, Stage.FINISH: 6}


def digests(
    spec: ProfileRequestSpec = SPEC,
    platform: Platform = PLATFORM,
    styles: dict[str, ProfileStyleSpec] = STYLES,
    photos: str = PHOTOS,
    looks: dict[str, LookFile] | None = None,
) -> Digests:
    return digests_of(spec, photos, styles, platform, looks or {})


def test_the_digests_of_a_request_are_those_of_every_release_with_these_versions() -> None:
    assert {stage: row.version for stage, row in STAGES.items()} == VERSIONS
    assert digests() == GOLDEN


def test_photos_are_keyed_by_names_and_contents() -> None:
    assert PHOTOS == "b019d6aae5829378"


def changed(after: Digests, before: Digests) -> str:
    """The first letters of the stages whose digest changed; `c` and `w` for the two styles."""
    pairs = {
        "p": (before.preprocess, after.preprocess),
        "t": (before.train, after.train),
        "w": (before.styles.get("studio-warm"), after.styles.get("studio-warm")),
        "c": (before.styles.get("studio-cool"), after.styles.get("studio-cool")),
        "f": (before.finish, after.finish),
    }
    return "".join(letter for letter, (old, new) in pairs.items() if old != new)


# --- every field that somebody may set: what it runs again -------------------------------------------------------

# A field's path, another value, and what runs again: photos, training, the warm and the cool candidates, finishing.
SPEC_FIELDS: dict[str, tuple[object, str]] = {
    "subject": (Subject(noun="woman"), "twcf"),
    "photos": (Photos(prefix="uploads/minji/", revision=2), ""),
    "styles": ([StyleRef(name="studio-warm")], "cf"),
    # Of styles that start from a photo alone: below.
    "source": ("b.jpg", ""),
    "portraits": (3, "f"),
    "candidates": (6, "wcf"),
    "seed": (2, "wcf"),
    # Less is seen of a résumé than of a square: it is drawn larger.
    "layouts": ([LayoutName.RESUME], "wcf"),
    "training": (Training(seed=4), "twcf"),
    "minimum_likeness": (40, "f"),
    "deletion_policy": ("Retain", ""),
    "suspend": (True, ""),
    "retention": (Retention(adapter_days=30), ""),
    "updates": (Updates.FOLLOWED, ""),
    "refresh": (1, ""),
    "priority": (10, ""),
    "queue_name": ("team-a", ""),
}
PREPROCESS_FIELDS: dict[str, tuple[object, str]] = {
    "noun": ("woman", "ptwcf"),
    "resolution": (512, "ptwcf"),
    "minimum_photos": (6, "ptwcf"),
    "maximum_photos": (19, "ptwcf"),
    "maximum_bytes": (20_000_000, "ptwcf"),
    "maximum_pixels": (50_000_000, "ptwcf"),
    "minimum_face_pixels": (90, "ptwcf"),
    "face_percent": (50, "ptwcf"),
    "captions": (Captions.DESCRIBED, "ptwcf"),
    "joints": (JointsNetwork.MEDIAPIPE, "ptwcf"),
}
TRAIN_FIELDS: dict[str, tuple[object, str]] = {
    "base_model": ("other", "twcf"),
    "control_model": ("other", "twcf"),
    "noun": ("woman", ""),  # the request's own word counts
    "token": ("ohwx", "twcf"),
    "rank": (16, "twcf"),
    "adapter_layers": (AdapterLayers.TRANSFORMER, "twcf"),
    "steps": (600, "twcf"),
    "batch": (2, "twcf"),
    "resolution": (768, "twcf"),
    "learning_rate": (2e-4, "twcf"),
    "seed": (5, "twcf"),
    "crops_per_photo": (2, "twcf"),
    "min_snr_gamma": (1.0, "twcf"),
    "noise_offset": (0.01, "twcf"),
    "face_weight": (4.0, "twcf"),
    "timesteps": (Timesteps.MIXED, "twcf"),
    "control_in_loss": (True, "twcf"),
    "latent_noise": (False, "twcf"),
    "up_rate": (4.0, "twcf"),
    "warm_up_steps": (50, "twcf"),
    "optimiser": (OptimiserKind.PRODIGY, "twcf"),
    "ema_decay": (0.99, "twcf"),
    "prior_preservation": (PriorPreservation(weight=1.0), "twcf"),
    "checkpoint_steps": (50, "twcf"),
    "validation_images": (2, "twcf"),
    "validation_sampler_steps": (10, "twcf"),
    "gradient_checkpointing": (True, "twcf"),
    "mixed_precision": ("no", "twcf"),
}
PICTURE_FIELDS: dict[str, tuple[object, str]] = {
    "width": (1024, "wcf"),
    "height": (1024, "wcf"),
    "steps": (20, "wcf"),
    "guidance_tenths": (30, "wcf"),
    "control_weight_percent": (60, "wcf"),
    "control_end_percent": (50, "wcf"),
    # Of styles that start from a photo alone: below.
    "strength_percent": (30, ""),
}
STYLE_FIELDS: dict[str, tuple[object, str]] = {
    "title": (Title(en="Warm light"), "wf"),
    "tone": (Tone.NEUTRAL, "wf"),
    "prompt": ("picture of {subject}", "wf"),
    "negative_prompt": ("blurry", "wf"),
    "background_colour": ("#ffffff", "wf"),
    "pose": ("frontal", "wf"),
    "mode": (Mode.IMAGE_TO_IMAGE, "wf"),
    "strength_percent": (40, "wf"),
    "image_to_image": (ImageToImage(source=SourceChoice.EACH), "wf"),
    "sampler": (Sampler(steps=31), "wf"),
    "adapter_weight_percent": (90, "wf"),
    # Below, with the file of the look.
    "adapters": ([], "wf"),
    "control_weight_percent": (70, "wf"),
    "control_end_percent": (70, "wf"),
    "detail": (FaceDetail(mode=DetailMode.ALWAYS), "wf"),
    "upscale": (2, "wf"),
    "predictor": ("other", "wf"),
}


@pytest.mark.parametrize("field", SPEC_FIELDS)
def test_what_a_field_of_a_request_runs_again(field: str) -> None:
    value, runs = SPEC_FIELDS[field]
    assert changed(digests(SPEC.model_copy(update={field: value})), digests()) == runs


@pytest.mark.parametrize("field", PREPROCESS_FIELDS)
def test_what_a_parameter_of_preprocessing_runs_again(field: str) -> None:
    value, runs = PREPROCESS_FIELDS[field]
    platform = Platform(PLATFORM.preprocess.model_copy(update={field: value}), PLATFORM.training, PLATFORM.picture)
    assert changed(digests(platform=platform), digests()) == runs


@pytest.mark.parametrize("field", TRAIN_FIELDS)
def test_what_a_parameter_of_training_runs_again(field: str) -> None:
    value, runs = TRAIN_FIELDS[field]
    platform = Platform(PLATFORM.preprocess, PLATFORM.training.model_copy(update={field: value}), PLATFORM.picture)
    assert changed(digests(platform=platform), digests()) == runs


@pytest.mark.parametrize("field", PICTURE_FIELDS)
def test_what_a_picture_setting_runs_again(field: str) -> None:
    value, runs = PICTURE_FIELDS[field]
    picture = PictureSize(**{**vars(PLATFORM.picture), field: value})
    platform = Platform(PLATFORM.preprocess, PLATFORM.training, picture)
    assert changed(digests(platform=platform), digests()) == runs


@pytest.mark.parametrize("field", STYLE_FIELDS)
def test_what_a_field_of_a_style_runs_again(field: str) -> None:
    value, runs = STYLE_FIELDS[field]
    styles = {**STYLES, "studio-warm": WARM.model_copy(update={field: value})}
    assert changed(digests(styles=styles), digests()) == runs


OVER_A_PHOTO = {**STYLES, "studio-warm": WARM.model_copy(update={"mode": Mode.IMAGE_TO_IMAGE})}


def test_the_photo_and_the_strength_count_for_the_styles_that_start_from_one() -> None:
    before = digests(styles=OVER_A_PHOTO)
    chosen = SPEC.model_copy(update={"source": "b.jpg"})
    assert changed(digests(chosen, styles=OVER_A_PHOTO), before) == "wf"
    stronger = Platform(PLATFORM.preprocess, PLATFORM.training, replace(PLATFORM.picture, strength_percent=30))
    assert changed(digests(styles=OVER_A_PHOTO, platform=stronger), before) == "wf"
    assert digests(styles=OVER_A_PHOTO).styles["studio-cool"] == digests().styles["studio-cool"]


def test_a_preview_looks_at_the_same_photos_and_knows_no_setting_of_training() -> None:
    preview = SPEC.model_copy(update={"training": Training(mode=TrainingMode.NONE)})
    assert changed(digests(preview), digests()) == "twcf"
    longer = SPEC.model_copy(update={"training": Training(mode=TrainingMode.NONE, steps=900)})
    assert digests(longer) == digests(preview)
    said = SPEC.model_copy(update={"training": Training(mode=TrainingMode.ADAPTER)})
    assert digests(said) == digests()
    assert PLATFORM.finish_parameters(preview).preview
    assert not PLATFORM.finish_parameters(SPEC).preview


LOOK = LookFile(key="looks/rim.safetensors", sha256="a" * 64)
IN_A_LOOK = {**STYLES, "studio-warm": WARM.model_copy(update={"adapters": [LookRef(name="rim")]})}


def test_a_look_that_is_there_draws_its_style_again_and_trains_nothing() -> None:
    worn = digests(styles=IN_A_LOOK, looks={"rim": LOOK})
    assert changed(worn, digests()) == "wf"
    stronger = WARM.model_copy(update={"adapters": [LookRef(name="rim", weight_percent=90)]})
    assert changed(digests(styles={**STYLES, "studio-warm": stronger}, looks={"rim": LOOK}), worn) == "wf"


def test_the_content_of_a_looks_file_counts_and_not_its_place() -> None:
    worn = digests(styles=IN_A_LOOK, looks={"rim": LOOK})
    moved = LOOK.model_copy(update={"key": "looks/2026/rim.safetensors"})
    assert digests(styles=IN_A_LOOK, looks={"rim": moved}) == worn
    another = LOOK.model_copy(update={"sha256": "b" * 64})
    assert changed(digests(styles=IN_A_LOOK, looks={"rim": another}), worn) == "wf"


def test_a_style_whose_look_is_not_there_has_no_digest_and_nothing_is_finished() -> None:
    without = digests(styles=IN_A_LOOK, looks={"team_rim": LOOK})
    assert set(without.styles) == {"studio-cool"}
    assert without.styles["studio-cool"] == digests().styles["studio-cool"]
    assert without.finish == ""


def test_the_visible_mark_is_put_on_by_finishing_alone() -> None:
    platform = Platform(PLATFORM.preprocess, PLATFORM.training, PLATFORM.picture, visible_mark=True)
    assert changed(digests(platform=platform), digests()) == "f"
    assert platform.finish_parameters(SPEC) == FinishParameters(
        portraits=4, minimum_likeness=45, layouts=[LayoutName.SQUARE], visible_mark=True
    )


def test_other_photos_run_everything_again() -> None:
    assert changed(digests(photos="other"), digests()) == "ptwcf"


def test_equal_looks_under_two_names_have_candidates_of_their_own() -> None:
    both = digests(styles={"studio-warm": WARM, "studio-cool": WARM}).styles
    assert both["studio-warm"] != both["studio-cool"]


@pytest.mark.parametrize("stage", list(Stage))
def test_a_stage_whose_code_changed_runs_again_with_all_that_follow(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests()
    monkeypatch.setattr(f"profile_contract.stages.{stage}.VERSION", STAGES[stage].version + 1)
    runs = {Stage.PREPROCESS: "ptwcf", Stage.TRAIN: "twcf", Stage.GENERATE: "wcf", Stage.FINISH: "f"}
    assert changed(digests(), before) == runs[stage]


# --- new fields, and changed defaults ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "table"),
    [
        (ProfileRequestSpec, SPEC_FIELDS),
        (PreprocessParameters, PREPROCESS_FIELDS),
        (TrainParameters, TRAIN_FIELDS),
        (ProfileStyleSpec, STYLE_FIELDS),
    ],
)
def test_every_field_stands_in_its_table(model: type[BaseModel], table: dict[str, Any]) -> None:
    assert set(table) == set(model.model_fields)


def test_a_new_field_with_a_default_changes_no_digest() -> None:
    class Newer(TrainParameters):
        warmup: int = 0

    newer = Newer(**PLATFORM.training.model_dump())
    assert changed(digests(platform=Platform(PLATFORM.preprocess, newer, PLATFORM.picture)), digests()) == ""
    warmer = newer.model_copy(update={"warmup": 10})
    assert changed(digests(platform=Platform(PLATFORM.preprocess, warmer, PLATFORM.picture)), digests()) == "twcf"


def test_what_is_said_as_the_default_says_counts_as_unsaid() -> None:
    said = SPEC.model_copy(update={"training": Training(rank=PLATFORM.training.rank)})
    assert changed(digests(said), digests()) == ""


# What equal digests stand for. A default that changes changes what is made: raise the stage's version with it.
DEFAULTS: dict[type[BaseModel], dict[str, object]] = {
    PreprocessParameters: {
        "noun": "person",
        "resolution": 1024,
        "minimum_photos": 5,
        "maximum_photos": 20,
        "maximum_bytes": 30000000,
        "maximum_pixels": 60000000,
        "minimum_face_pixels": 96,
        "face_percent": 40,
        "captions": Captions.FRAMED,
        "joints": JointsNetwork.YOLO,
    },
    TrainParameters: {
        "control_model": "",
        "noun": "person",
        "token": "sks",
        "rank": 32,
        "adapter_layers": AdapterLayers.ATTENTION,
        "steps": None,
        "batch": 4,
        "resolution": 1024,
        "learning_rate": 0.0001,
        "seed": 0,
        "crops_per_photo": 3,
        "min_snr_gamma": 5.0,
        "noise_offset": 0.0357,
        "face_weight": 2.0,
        "timesteps": Timesteps.WEIGHTED,
        "control_in_loss": False,
        "latent_noise": True,
        "up_rate": 1.0,
        "warm_up_steps": 0,
        "optimiser": OptimiserKind.ADAMW,
        "ema_decay": 0.0,
        "prior_preservation": PriorPreservation(weight=0.0, pictures=100),
        "checkpoint_steps": 100,
        "validation_images": 4,
        "validation_sampler_steps": 20,
        "gradient_checkpointing": False,
        "mixed_precision": "bf16",
    },
    ProfileStyleSpec: {
        "tone": Tone.NEUTRAL,
        "negative_prompt": "",
        "background_colour": "#d8d8d8",
        "pose": "FromPhotos",
        "mode": Mode.TEXT_TO_IMAGE,
        "strength_percent": 60,
        "image_to_image": None,
        "sampler": Sampler(steps=30, guidance_tenths=50),
        "adapter_weight_percent": 100,
        "adapters": None,
        "control_weight_percent": 80,
        "control_end_percent": 80,
        "detail": FaceDetail(mode=DetailMode.AUTO, strength_percent=40, steps=None),
        "upscale": None,
        "predictor": "profile-predictor",
    },
    FinishParameters: {"visible_mark": False, "toy_model": "", "preview": False},
}


@pytest.mark.parametrize("model", DEFAULTS, ids=lambda model: model.__name__)
def test_defaults_are_those_that_the_digests_leave_out(model: type[BaseModel]) -> None:
    fields = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    assert fields == DEFAULTS[model]
