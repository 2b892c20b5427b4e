"""Session policies: what a stage may do in the store, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from areas import NAMESPACE_UID, area
from profile_contract.areas import LONGEST_AREA, LONGEST_STORE_PREFIX, area_of
from profile_contract.artifacts import class_pictures_prefix
from profile_contract.stages.table import Stage
from profile_operator.decide.plan import Scope
from profile_operator.decide.policy import MAXIMUM_CHARACTERS, session_policy
from properties import examples


def test_a_session_policy_reads_inputs_and_writes_its_output_only() -> None:
    made = f"{area()}requests/minji/"
    scope = Scope(Stage.TRAIN, (f"{made}dataset/d1/",), f"{made}adapter/d2/")
    dataset, adapter = f"{made}dataset/d1/*", f"{made}adapter/d2/*"
    assert json.loads(session_policy("profiles", scope)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::profiles"],
                "Condition": {"StringLike": {"s3:prefix": [dataset, adapter]}},
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::profiles/{dataset}", f"arn:aws:s3:::profiles/{adapter}"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": [f"arn:aws:s3:::profiles/{adapter}"],
            },
        ],
    }


def test_what_a_training_shares_it_reads_and_adds_to_and_deletes_nothing_of() -> None:
    made, shared = f"{area()}requests/minji/", f"{area()}prior/c1/"
    scope = Scope(Stage.TRAIN, (f"{made}dataset/d1/",), f"{made}adapter/d2/", shared)
    rights: dict[str, set[str]] = {}
    for statement in json.loads(session_policy("profiles", scope))["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            rights.setdefault(action, set()).update(statement["Resource"])
            if action == "s3:ListBucket":
                below = statement["Condition"]["StringLike"]["s3:prefix"]
                assert below == [f"{made}dataset/d1/*", f"{made}adapter/d2/*", f"{shared}*"]
    dataset, adapter = (f"arn:aws:s3:::profiles/{made}{place}/*" for place in ("dataset/d1", "adapter/d2"))
    pictures = f"arn:aws:s3:::profiles/{shared}*"
    assert rights == {
        "s3:ListBucket": {"arn:aws:s3:::profiles"},
        "s3:GetObject": {dataset, adapter, pictures},
        "s3:PutObject": {adapter, pictures},
        "s3:DeleteObject": {adapter},
        "s3:AbortMultipartUpload": {adapter},
    }
    with pytest.raises(ValueError, match="must not hold"):
        session_policy("profiles", replace(scope, shared="hr/*/"))


def test_the_longest_policy_fits_the_store() -> None:
    place = area_of("s" * 63, NAMESPACE_UID, f"{'b' * (LONGEST_STORE_PREFIX - 1)}/")
    assert len(place) == LONGEST_AREA
    base = f"{place}requests/{'n' * 40}"
    scope = Scope(Stage.FINISH, (f"{base}/dataset/{'d' * 16}/", f"{base}/candidates/"), f"{base}/portraits/{'d' * 16}/")
    assert len(session_policy("b" * 63, scope)) <= MAXIMUM_CHARACTERS
    photos = Scope(Stage.PREPROCESS, (f"{place}{'p' * 256}",), f"{base}/dataset/{'d' * 16}/")
    assert len(session_policy("b" * 63, photos)) <= MAXIMUM_CHARACTERS
    dataset, adapter = f"{base}/dataset/{'d' * 16}/", f"{base}/adapter/{'d' * 16}/"
    training = Scope(Stage.TRAIN, (dataset,), adapter, class_pictures_prefix(place, "d" * 16))
    assert len(session_policy("b" * 63, training)) <= MAXIMUM_CHARACTERS


@pytest.mark.parametrize(
    "prefix",
    ["hr.1a2b3c4d-5e6f/uploads/*/", "hr.1a2b3c4d-5e6f/uploads/${aws:username}/", "hr.1a2b3c4d-5e6f/uploads/?/"],
)
def test_a_prefix_that_would_widen_a_policy_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="must not hold"):
        session_policy("profiles", Scope(Stage.PREPROCESS, (prefix,), "hr.1a2b3c4d-5e6f/requests/minji/dataset/d/"))


prefixes = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).map(lambda name: f"hr/{name}/")


@given(read=st.lists(prefixes, max_size=3), write=prefixes, other=prefixes)
@examples(200)
def test_a_session_policy_is_never_wider_than_its_prefixes(read: list[str], write: str, other: str) -> None:
    try:
        policy = json.loads(session_policy("profiles", Scope(Stage.TRAIN, tuple(read), write)))
    except ValueError:
        assert set("*?$\\") & set("".join((*read, write)))
        return
    key = f"arn:aws:s3:::profiles/{other}x"
    for statement in policy["Statement"]:
        for place in statement["Resource"]:
            # Only the last letter is a pattern: what stands before it is meant as it is.
            assert not set("*?$") & set(place.removesuffix("*"))
        allowed = any(key.startswith(place.removesuffix("*")) for place in statement["Resource"] if place.endswith("*"))
        within = (write,) if "s3:PutObject" in statement["Action"] else (*read, write)
        if statement["Action"] != ["s3:ListBucket"]:
            assert allowed == any(other.startswith(prefix) for prefix in within)


@pytest.mark.parametrize("letter", "*?$\\")
def test_no_prefix_of_a_policy_may_widen_it_neither_to_read_nor_to_write(letter: str) -> None:
    for scope in (Scope(Stage.TRAIN, (f"hr/a{letter}/",), "hr/b/"), Scope(Stage.TRAIN, ("hr/a/",), f"hr/b{letter}/")):
        with pytest.raises(ValueError, match="must not hold"):
            session_policy("profiles", scope)
