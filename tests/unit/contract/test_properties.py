"""Properties of the contract: what goes out comes back, what is hostile is refused, keys stay where they belong."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from areas import area
from contract_values import objects
from profile_contract import generation
from profile_contract.areas import Area
from profile_contract.artifacts import candidate_key, request_prefix, stage_prefix, uploads_prefix
from profile_contract.exits import BadInput
from profile_contract.keys import ForeignKey
from profile_contract.model import Contract, Tolerant, canonical_json, digest_of
from profile_contract.request import ProfileRequestSpec
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.schema.crd import profile_request_crd
from profile_contract.stages import finish, generate, order, preprocess, train
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainParameters
from profile_contract.style import ProfileStyleSpec
from profile_runtime.shell import read_order
from properties import examples

QUICK = examples(100)
# Every code point, lone surrogates too: that is how Python reads a file's name that is no UTF-8.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


# --- canonical JSON ----------------------------------------------------------------------------------------------


@QUICK
@given(JSON)
def test_canonical_json_can_always_be_written_and_read(value: object) -> None:
    written = canonical_json(value).encode("utf-8")
    # What is read is what was there, but for a pair of lone surrogates that together are one character.
    assert canonical_json(json.loads(written)) == canonical_json(json.loads(json.dumps(value)))
    assert len(digest_of(value)) == 16


def test_canonical_json_leaves_whole_characters_as_they_are() -> None:
    assert canonical_json({"b": "민지 👩‍💻", "a": 1}) == '{"a":1,"b":"민지 👩‍💻"}'
    assert canonical_json("Jos\udce9") == '"Jos\\udce9"'


def test_a_name_that_is_no_utf8_has_an_order_and_a_digest() -> None:
    photos = [PhotoRef(name=name, key=name, bytes=1, etag="") for name in ("Jos\udce9.jpg", "Jos\udcea.jpg")]
    assert json.loads(photos[0].to_json().encode())["name"] == "Jos\udce9.jpg"
    assert digest_of(photos[0].document()) != digest_of(photos[1].document())


# --- orders and reports ------------------------------------------------------------------------------------------


def contracts(module: Any) -> list[type[Contract]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Contract) and value.__module__ == module.__name__
    ]


EVERY: list[type[Contract]] = [
    *(kind for module in (order, preprocess, train, generate, finish) for kind in contracts(module)),
    *contracts(generation),
    ProfileRequestSpec,
    ProfileRequestStatus,
    ProfileStyleSpec,
]


@pytest.mark.parametrize("model", EVERY, ids=lambda model: model.__name__)
def test_what_is_written_is_read_again(model: type[Contract]) -> None:
    @examples(20)
    @given(objects(model))
    def holds(value: Contract) -> None:
        text = value.to_json()
        again = model.model_validate_json(text)
        assert again.to_json() == text
        assert model.model_validate(value.document()) == again
        assert digest_of(again.document()) == digest_of(value.document())

    holds()


@pytest.mark.parametrize("model", EVERY, ids=lambda model: model.__name__)
def test_a_field_that_nobody_knows_is_an_error_in_an_order_and_nothing_in_a_report(model: type[Contract]) -> None:
    @examples(5)
    @given(objects(model))
    def holds(value: Contract) -> None:
        document = {**value.document(), "nobodyKnows": 1}
        if issubclass(model, Tolerant):
            assert "nobodyKnows" not in model.model_validate(document).document()
            return
        with pytest.raises(ValidationError, match="nobodyKnows"):
            model.model_validate(document)

    holds()


ORDERS = [kind for kind in EVERY if issubclass(kind, order.StageOrder) and kind is not order.StageOrder]


@QUICK
@given(
    st.sampled_from(ORDERS),
    JSON.map(lambda v: json.dumps(v).encode()) | st.binary(),
)
def test_an_order_that_is_none_is_refused_with_a_sentence(kind: Any, text: bytes) -> None:
    with pytest.raises(BadInput, match=r"the order cannot be read: \S"):
        read_order(kind, text)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"null", b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5000, b"\xff\xfe", b'"\\ud800"', b"NaN",
        b'{"stage":"finish"}',
    ],
    ids=["nothing", "null", "deep list", "deep object", "long number", "no UTF-8", "surrogate", "NaN", "other stage"],
)  # fmt: skip
def test_hostile_text_is_refused_with_a_sentence(text: bytes) -> None:
    with pytest.raises(BadInput, match="the order cannot be read: ") as caught:
        read_order(TrainOrder, text)
    assert len(caught.value.message) < 1000


TRAIN = {
    "request": {"namespace": "hr", "name": "minji"},
    "digest": "d",
    "output": "hr.1a2b3c4d-5e6f/requests/minji/adapter/d/",
    "dataset": "hr.1a2b3c4d-5e6f/requests/minji/dataset/d/report.json",
    "parameters": {"baseModel": "sdxl"},
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", -3), ("rank", 0), ("rank", 129), ("rank", 10**400), ("rank", 1.5), ("batch", 0), ("batch", 65),
        ("steps", 0), ("steps", 100_001), ("resolution", 8), ("resolution", 4096), ("resolution", 1001),
        ("learningRate", -1), ("learningRate", 0), ("learningRate", float("inf")), ("learningRate", float("nan")),
        ("seed", -1), ("seed", 2**31), ("cropsPerPhoto", 0), ("cropsPerPhoto", 17), ("minSnrGamma", -1),
        ("noiseOffset", -0.1), ("noiseOffset", 2), ("checkpointSteps", 0), ("validationImages", 17),
        ("validationSamplerSteps", 0), ("token", ""), ("token", "{subject}"), ("token", "a\nb"), ("token", "s" * 41),
        ("baseModel", ""), ("baseModel", "../secrets"), ("baseModel", "/etc"), ("baseModel", "a/../../b"),
        ("controlModel", "../secrets"), ("controlModel", "a\nb"), ("noun", "dog"), ("adapterLayers", "all"),
        ("mixedPrecision", "fp8"), ("rnak", 8),
    ],
)  # fmt: skip
def test_training_beyond_its_bounds_is_refused_by_name(field: str, value: object) -> None:
    order = {**TRAIN, "parameters": {"baseModel": "sdxl", field: value}}
    with pytest.raises(BadInput, match=rf"parameters\.{field}: "):
        read_order(TrainOrder, json.dumps(order).encode())
    assert read_order(TrainOrder, json.dumps(TRAIN).encode()).parameters == TrainParameters(base_model="sdxl")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minimumPhotos", 0), ("maximumPhotos", 41), ("maximumBytes", 0), ("maximumPixels", -1), ("resolution", 32),
        ("minimumFacePixels", 0), ("facePercent", 24), ("facePercent", 61),
    ],
)  # fmt: skip
def test_preprocessing_beyond_its_bounds_is_refused_by_name(field: str, value: int) -> None:
    order = {**{k: TRAIN[k] for k in ("request", "digest", "output")}, "photos": [], "parameters": {field: value}}
    with pytest.raises(BadInput, match=rf"parameters\.{field}: "):
        read_order(PreprocessOrder, json.dumps(order).encode())


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"output": "hr.1a2b3c4d-5e6f/requests/minji/adapter/d"}, "output"),
        ({"output": "hr/../finance/"}, "output"),
        ({"output": "/etc/"}, "output"),
        ({"output": ""}, "output"),
        ({"output": "hr/a\nb/"}, "output"),
        ({"digest": ""}, "digest"),
        ({"request": {"namespace": "hr\nCRITICAL", "name": "minji"}}, "request.namespace"),
        ({"request": {"namespace": "hr", "name": "../minji"}}, "request.name"),
    ],
)
def test_an_order_stays_where_it_belongs(changed: dict[str, object], field: str) -> None:
    with pytest.raises(BadInput, match=re.escape(f"{field}: ")):
        read_order(TrainOrder, json.dumps({**TRAIN, **changed}).encode())


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), -float("inf")])
def test_no_document_holds_what_is_no_json(figure: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        train.Checkpoint(step=1, key="a", loss=figure)
    with pytest.raises(ValidationError, match="finite"):
        train.TrainReport.model_validate_json(f'{{"digest":"d","secondsPerStep":{json.dumps(figure)}}}')


# --- keys --------------------------------------------------------------------------------------------------------

PART = st.text(st.one_of(st.characters(exclude_categories=()), st.sampled_from("./\\*?$\"'` a")), max_size=6)
PREFIX = st.one_of(
    PART, st.lists(PART, max_size=4).map(lambda parts: "uploads/" + "".join(part + "/" for part in parts))
)


def refused(function: Callable[..., str], *arguments: Any) -> bool:
    """Whether a key's function refuses its arguments; what it gives otherwise lies below the namespace."""
    key = text = ""
    try:
        key = function(*arguments)
    except ForeignKey as error:
        text = str(error)
    if not key:
        assert text.isascii()
        assert text.isprintable()
        return True
    assert key.startswith(area())
    assert posixpath.normpath(key) + "/" == key
    assert not any(letter in key for letter in "\\*?$\"'`\n\r\0")
    key.encode()
    return False


def allowed_by_the_cluster(prefix: str) -> bool:
    """What the CRD's rule says of a prefix: its pattern in Python's notation, which is the same, but for the end."""
    photos = profile_request_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
        "properties"
    ]["photos"]
    schema = photos["properties"]["prefix"]
    (rule,) = (entry["rule"] for entry in schema["x-kubernetes-validations"])
    pattern = re.fullmatch(r"self\.matches\(r'\^(.*)\$'\) && !self\.contains\('\.\.'\)", rule)
    assert pattern, rule
    sound = schema["minLength"] <= len(prefix) <= schema["maxLength"]
    return sound and re.fullmatch(pattern[1], prefix) is not None and ".." not in prefix


@examples(300)
@given(PREFIX)
def test_photos_stay_in_their_namespace(prefix: str) -> None:
    if not refused(uploads_prefix, area(), prefix):
        assert uploads_prefix(area(), prefix) == f"{area()}{prefix}"
        assert prefix.startswith("uploads/")
        assert len(prefix) > len("uploads/")
        assert allowed_by_the_cluster(prefix)


@pytest.mark.parametrize(
    "prefix",
    [
        "", "uploads", "uploads/", "uploads//", "uploads/./x/", "uploads/x/./", "uploads/../x/", "uploads/x/../../y/",
        "uploads/x", "/uploads/x/", "Uploads/x/", "requests/x/", "uploads/.hidden/", "uploads/a..b/", "uploads/a//b/",
        "uploads/a\nb/", "uploads/a/\n", "uploads/a\x7f/", "uploads/a\x85/", 'uploads/a"/', "uploads/a'/",
        "uploads/a`/", "uploads/a\\b/", "uploads/*/", "uploads/a?/", "uploads/${x}/",
    ],
)  # fmt: skip
def test_no_prefix_leads_elsewhere(prefix: str) -> None:
    assert refused(uploads_prefix, area(), prefix)
    assert not allowed_by_the_cluster(prefix)


@pytest.mark.parametrize("prefix", ["uploads/\u2028a/", "uploads/a\udce9/", "uploads/" + "a" * 248 + "/"])
def test_what_the_cluster_cannot_ask_is_asked_here(prefix: str) -> None:
    assert refused(uploads_prefix, area(), prefix)


@pytest.mark.parametrize(
    "prefix", ["uploads/minji/", "uploads/2026/11/minji/", "uploads/민지 사진/", "uploads/a.b_c-1/", "uploads/a@b+c/"]
)
def test_usual_prefixes_are_taken(prefix: str) -> None:
    assert not refused(uploads_prefix, area(), prefix)
    assert allowed_by_the_cluster(prefix)


@QUICK
@given(PART, PART)
def test_what_a_request_made_stays_below_it(name: str, digest: str) -> None:
    if not refused(request_prefix, area(), name):
        assert request_prefix(area(), name).count("/") == 3
    for stage in Stage:
        if not refused(stage_prefix, area(), "minji", stage, digest):
            assert stage_prefix(area(), "minji", stage, digest).startswith("hr.1a2b3c4d-5e6f/requests/minji/")
            assert stage_prefix(area(), "minji", stage, digest).count("/") == 5
    assert refused(request_prefix, Area(name + "/"), "minji")


@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "../x", "a..b", "a\n", "a ", "A", "-a", "a" * 254, "민지"])
def test_a_request_is_named_as_the_cluster_names_it(part: str) -> None:
    assert refused(request_prefix, area(), part)
    assert refused(request_prefix, Area(part), "minji")


@pytest.mark.parametrize("digest", ["", ".", "..", "../other", "a/b", "a\n", "a b", "*"])
def test_a_digest_is_one_part(digest: str) -> None:
    assert refused(stage_prefix, area(), "minji", Stage.TRAIN, digest)


def test_a_candidates_key_tells_its_seed() -> None:
    prefix = stage_prefix(area(), "minji", Stage.GENERATE, "0123abcd")
    assert candidate_key(prefix, 7) == "hr.1a2b3c4d-5e6f/requests/minji/candidates/0123abcd/000007.png"
    assert candidate_key(prefix, 7, twin=True) == f"{area()}requests/minji/candidates/0123abcd/000007-neutral.png"
