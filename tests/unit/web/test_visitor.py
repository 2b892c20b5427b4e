"""Who visits the page: by what the proxy says, read exactly."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from page_world import KEYS
from profile_contract.ownership import OWNER_LABEL, owner_of
from profile_web.config import Namespaces, SignIn
from profile_web.problems import Code, Problem
from profile_web.visitor import Headers, Visitor, belongs, groups_of, visitor_of
from properties import examples

HEADER = SignIn()
PLACES = Namespaces(
    by_user={"ceo@example.com": "board", "ceo-subject": "board"}, by_group={"hr": "portraits-hr"}, default="portraits"
)
USER, EMAIL, GROUPS = "x-auth-request-user", "x-auth-request-email", "x-auth-request-groups"


def headers(*pairs: tuple[str, str | bytes]) -> Headers:
    return [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in pairs]


def visit(*pairs: tuple[str, str | bytes], sign_in: SignIn = HEADER, places: Namespaces = PLACES) -> Visitor:
    return visitor_of(headers(*pairs), sign_in, places, KEYS)


def refused(*pairs: tuple[str, str | bytes], sign_in: SignIn = HEADER, places: Namespaces = PLACES) -> Code:
    with pytest.raises(Problem) as caught:
        visit(*pairs, sign_in=sign_in, places=places)
    return caught.value.code


@pytest.mark.parametrize(
    ("email", "groups", "namespace"),
    [
        ("minji@example.com", "", "portraits"),
        ("Minji@Example.com ", "sales, hr", "portraits-hr"),
        ("CEO@example.com", "hr", "board"),
        ("minji@example.com", "hr-admins,x", "portraits"),
    ],
)
def test_a_visitor_has_the_namespace_of_user_else_group_else_all(email: str, groups: str, namespace: str) -> None:
    found = visit((USER, "minji-subject"), (EMAIL, email), (GROUPS, groups))
    assert found == Visitor(email.strip().lower(), namespace, owner_of("", "minji-subject", KEYS.owner))


def test_a_namespace_may_be_a_subjects() -> None:
    assert visit((USER, "ceo-subject")).namespace == "board"
    assert visit((USER, "ceo-subject")).user == "ceo-subject"


def test_nobody_is_let_in_without_the_proxys_word() -> None:
    assert refused(("x-forwarded-user", "minji")) is Code.NOT_SIGNED_IN
    assert refused((EMAIL, "minji@example.com")) is Code.NOT_SIGNED_IN
    assert refused((USER, "  "), (EMAIL, "minji@example.com")) is Code.NOT_SIGNED_IN


def test_a_visitor_without_a_namespace_is_refused_by_name() -> None:
    with pytest.raises(Problem) as caught:
        visit((USER, "minji"), (EMAIL, "minji@example.com"), places=Namespaces(by_group={"hr": "portraits-hr"}))
    assert (caught.value.code, caught.value.values) == (Code.NO_NAMESPACE, {"user": "minji@example.com"})


def test_in_local_mode_headers_say_nothing() -> None:
    local = SignIn(mode="Local", user="you")
    found = visit((USER, "ceo-subject"), (EMAIL, "ceo@example.com"), sign_in=local)
    assert found == visit(sign_in=local)
    assert (found.user, found.namespace) == ("you", "portraits")
    with pytest.raises(ValidationError, match=r"signIn\.user"):
        SignIn(mode="Local")


# --- whose things are whose --------------------------------------------------------------------------------------


def test_an_address_is_shown_and_is_nobodys_identity() -> None:
    first = visit((USER, "one"), (EMAIL, "minji@example.com"))
    heir = visit((USER, "two"), (EMAIL, "minji@example.com"))
    renamed = visit((USER, "one"), (EMAIL, "kim@example.com"))
    assert first.owner != heir.owner
    assert first.owner == renamed.owner


def test_the_owner_is_told_by_nobody_without_the_key() -> None:
    owner = owner_of("https://id.example.com", "minji", KEYS.owner)
    assert len(owner) * 4 >= 128
    assert len(owner) <= 63
    assert set(owner) <= set("0123456789abcdef")
    others = {
        owner_of("https://id.example.com", "minji", b"another key of thirty-two letters"),
        owner_of("https://id.example.org", "minji", KEYS.owner),
        owner_of("", "https://id.example.comminji", KEYS.owner),
        owner_of("https://id.example.com", "Minji", KEYS.owner),
    }
    assert len(others) == 4
    assert owner not in others


@examples(100)
@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=2, max_size=6, unique=True))
def test_two_people_never_share_an_owner(people: list[tuple[str, str]]) -> None:
    assert len({owner_of(issuer, subject, KEYS.owner) for issuer, subject in people}) == len(people)


def test_the_issuer_is_part_of_who_somebody_is() -> None:
    by_header = SignIn(issuer_header="X-Issuer")
    one = visit((USER, "7"), ("x-issuer", "https://a.example"), sign_in=by_header)
    two = visit((USER, "7"), ("x-issuer", "https://b.example"), sign_in=by_header)
    assert one.owner != two.owner
    assert one.owner == visit((USER, "7"), sign_in=SignIn(issuer="https://a.example")).owner
    assert refused((USER, "7"), sign_in=by_header) is Code.NOT_SIGNED_IN


def test_subjects_that_differ_in_capitals_are_two_and_addresses_one() -> None:
    assert visit((USER, "aB")).owner != visit((USER, "Ab")).owner
    by_address = SignIn(subject_header="X-Auth-Request-Email")
    composed, decomposed = "É@example.com", unicodedata.normalize("NFD", "é@Example.com")
    assert visit((EMAIL, composed), sign_in=by_address).owner == visit((EMAIL, decomposed), sign_in=by_address).owner
    assert visit((USER, "É")).owner == visit((USER, unicodedata.normalize("NFD", "É"))).owner


REQUEST = {
    "metadata": {"name": "p-1", "labels": {OWNER_LABEL: "me"}},
    "spec": {"photos": {"prefix": "uploads/me/p-1/"}},
}
ME = Visitor("minji", "portraits", "me")


@pytest.mark.parametrize(
    ("labels", "spec", "mine"),
    [
        ({OWNER_LABEL: "me"}, {"photos": {"prefix": "uploads/me/p-1/"}}, True),
        ({OWNER_LABEL: "other"}, {"photos": {"prefix": "uploads/me/p-1/"}}, False),
        ({}, {"photos": {"prefix": "uploads/me/p-1/"}}, False),
        (None, {"photos": {"prefix": "uploads/me/p-1/"}}, False),
        ({OWNER_LABEL: "me"}, {"photos": {"prefix": "uploads/other/p-1/"}}, False),
        ({OWNER_LABEL: "me"}, {"photos": {"prefix": "uploads/me/p-2/"}}, False),
        ({OWNER_LABEL: "me"}, {"photos": {"prefix": "uploads/me/"}}, False),
        ({OWNER_LABEL: "me"}, {"photos": {"prefix": "uploads/"}}, False),
        ({OWNER_LABEL: "me"}, {"photos": {"prefix": "uploads/./x/"}}, False),
        ({OWNER_LABEL: "me"}, {"photos": {"prefix": ["uploads/me/p-1/"]}}, False),
        ({OWNER_LABEL: "me"}, {}, False),
        ({OWNER_LABEL: "me"}, {"photos": "uploads/me/p-1/"}, False),
        ({OWNER_LABEL: "me"}, ["photos"], False),
        ([OWNER_LABEL], {"photos": {"prefix": "uploads/me/p-1/"}}, False),
        ({OWNER_LABEL: "me"}, None, False),
    ],
)
def test_a_request_is_somebodys_by_label_and_by_where_its_photos_lie(labels: Any, spec: Any, *, mine: bool) -> None:
    document = {"metadata": {"name": "p-1", "labels": labels}, "spec": spec}
    assert belongs(document, ME, "uploads/me/p-1/") is mine


# --- headers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [USER, EMAIL, GROUPS, "X-AUTH-REQUEST-USER"])
def test_who_is_named_twice_is_nobody(name: str) -> None:
    pairs = [(USER, "a"), (EMAIL, "a@example.com"), (GROUPS, "x"), (name, "b")]
    assert refused(*pairs) is Code.DOUBLED_IDENTITY
    assert refused(*reversed(pairs)) is Code.DOUBLED_IDENTITY


@pytest.mark.parametrize("value", [b"\xff", b"min\xe9", b"a\x00b", b"a\nb", b"a\x1bb", b"\xed\xa0\x80", b"x" * 10_000])
@pytest.mark.parametrize("name", [USER, EMAIL, GROUPS])
def test_what_is_no_text_is_refused(name: str, value: bytes) -> None:
    pairs = {USER: b"minji", EMAIL: b"minji@example.com", GROUPS: b"", name: value}
    assert refused(*pairs.items()) is Code.UNREADABLE_IDENTITY


def test_korean_names_are_read_as_the_proxy_wrote_them() -> None:
    assert visit((USER, "7"), (EMAIL, "민지@example.com")).user == "민지@example.com"


@pytest.mark.parametrize(
    ("text", "kind", "groups"),
    [
        ("a,b", "List", ["a", "b"]), (" a ,, b ,", "List", ["a", "b"]), ("", "List", []),
        ('"x,hr-admins"', "List", ["x,hr-admins"]), ('"x,hr", sales ,"a\\"b"', "List", ["x,hr", "sales", 'a"b']),
        ('a"b', "List", ['a"b']), ('"a\\\\",b', "List", ["a\\", "b"]),
        ('["x,hr-admins", "b"]', "Json", ["x,hr-admins", "b"]), ("", "Json", []), ("[]", "Json", []),
    ],
)  # fmt: skip
def test_groups_are_read_exactly(text: str, kind: str, groups: list[str]) -> None:
    assert groups_of(text, kind) == groups


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('"a', "List"),
        ('"a"b', "List"),
        ('"a\\', "List"),
        ("a,b", "Json"),
        ('{"a": 1}', "Json"),
        ("[1]", "Json"),
        ('"a"', "Json"),
        ("[" * 100_000, "Json"),
    ],
)
def test_groups_that_cannot_be_read_are_refused(text: str, kind: str) -> None:
    with pytest.raises(Problem, match="unreadable-identity"):
        groups_of(text, kind)


@examples(200)
@given(st.lists(st.text(min_size=1, max_size=10).filter(lambda name: name == name.strip() and name)))
def test_quoted_groups_come_back_as_they_were(names: list[str]) -> None:
    quoted = ", ".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
    assert groups_of(quoted, "List") == names


@examples(200)
@given(st.text(max_size=60))
def test_no_list_of_groups_is_a_surprise(text: str) -> None:
    try:
        groups = groups_of(text, "List")
    except Problem:
        return
    assert all(groups)
