"""Properties of the contract: what goes out comes back, what is hostile is refused, keys stay where they belong."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from profile_contract.model import canonical_json, digest_of
from profile_contract.orders import PhotoRef

QUICK = settings(max_examples=100, deadline=None)
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
