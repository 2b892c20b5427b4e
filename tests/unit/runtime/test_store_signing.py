"""Links are signed by credentials that reach one prefix; what lies elsewhere is refused before anything is signed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.keys import ForeignKey, check_below
from profile_runtime.store.credentials import MOST_PREFIXES, PrefixSigner, Session, Signers
from profile_runtime.store.policy import prefix_policy
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import open_s3, proxy_of
from properties import examples

PREFIX = "hr.1a2b3c4d-5e6f/requests/minji/"
URL = "s3://profiles?endpoint=minio:9000&secure=false&region=us-east-1"


@dataclass
class Sts:
    """A token service that notes what it was asked."""

    lives: int = 0
    asked: list[tuple[dict[str, object], int]] = field(default_factory=list)
    away: bool = False
    tags: list[str] = field(default_factory=list)

    def issue(self, policy: str, seconds: int, tag: str = "") -> Session:
        if self.away:
            raise StoreError("the store gave no temporary credentials: STS answered 501")
        self.asked.append((json.loads(policy), seconds))
        number = len(self.asked)
        ends = datetime.now(UTC) + timedelta(seconds=self.lives or seconds)
        self.tags.append(tag)
        return Session(f"ACCESS{number}", f"secret{number}", f"token{number}", ends)

    def revoke(self, tag: str) -> bool:
        return False


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def granted(policy: dict[str, object]) -> dict[str, list[str]]:
    """Action -> resources."""
    statements = policy["Statement"]
    assert isinstance(statements, list)
    return {action: statement["Resource"] for statement in statements for action in statement["Action"]}


def test_reading_links_are_signed_by_who_may_only_read_below_the_prefix() -> None:
    sts = Sts()
    url = PrefixSigner(PREFIX, URL, sts).get(f"{PREFIX}portraits/a/1.png", 120)
    assert url.startswith(f"http://minio:9000/profiles/{PREFIX}portraits/a/1.png?")
    assert granted(sts.asked[0][0]) == {"s3:GetObject": [f"arn:aws:s3:::profiles/{PREFIX}*"]}
    assert query(url)["X-Amz-Security-Token"] == "token1"
    assert query(url)["X-Amz-Credential"].startswith("ACCESS1/")
    assert query(url)["X-Amz-Expires"] == "120"
    assert query(url)["response-cache-control"] == "private, no-store"


def test_writing_links_are_signed_by_who_may_read_nothing() -> None:
    sts = Sts()
    url = PrefixSigner(PREFIX, URL, sts).put(f"{PREFIX}candidates/a/000007.png", 90)
    assert granted(sts.asked[0][0]) == {"s3:PutObject": [f"arn:aws:s3:::profiles/{PREFIX}*"]}
    assert query(url)["X-Amz-Expires"] == "90"
    assert query(url)["X-Amz-Security-Token"] == "token1"


def test_a_form_says_key_type_and_size_and_carries_the_session() -> None:
    sts = Sts()
    signer = PrefixSigner("hr.1a2b3c4d-5e6f/uploads/me/", URL, sts)
    fields = signer.form(
        "hr.1a2b3c4d-5e6f/uploads/me/1.jpg", 300, content_type="image/jpeg", fewest_bytes=10, most_bytes=99
    )
    assert fields["key"] == "hr.1a2b3c4d-5e6f/uploads/me/1.jpg"
    assert fields["Content-Type"] == "image/jpeg"
    assert fields["x-amz-security-token"] == "token1"
    document = json.loads(base64.b64decode(fields["policy"]))
    assert ["eq", "$key", "hr.1a2b3c4d-5e6f/uploads/me/1.jpg"] in document["conditions"]
    assert ["content-length-range", 10, 99] in document["conditions"]
    ends = datetime.fromisoformat(document["expiration"])
    assert timedelta(seconds=290) < ends - datetime.now(UTC) <= timedelta(seconds=300)
    assert granted(sts.asked[0][0]) == {"s3:PutObject": ["arn:aws:s3:::profiles/hr.1a2b3c4d-5e6f/uploads/me/*"]}


def test_a_session_is_shared_until_it_would_end_before_the_link() -> None:
    sts = Sts()
    signer = PrefixSigner(PREFIX, URL, sts)
    first = signer.put(f"{PREFIX}a", 120)
    assert query(signer.put(f"{PREFIX}b", 120))["X-Amz-Credential"] == query(first)["X-Amz-Credential"]
    assert [seconds for _, seconds in sts.asked] == [720]
    # A link of 700 s still fits into 720, one of 3,600 does not.
    signer.put(f"{PREFIX}c", 700)
    assert len(sts.asked) == 1
    signer.put(f"{PREFIX}d", 3600)
    assert [seconds for _, seconds in sts.asked] == [720, 4200]


def test_sessions_bear_the_tag_that_ends_them() -> None:
    sts = Sts()
    signers = Signers(URL, sts)
    signers.below(PREFIX, "uid-1").put(f"{PREFIX}a", 60)
    signers.below(PREFIX, "uid-2").put(f"{PREFIX}a", 60)
    signers.below(PREFIX, "uid-1").get(f"{PREFIX}a", 60)
    assert sts.tags == ["uid-1", "uid-2", "uid-1"]


def test_apostrophes_are_letters_of_photos_names_alone() -> None:
    assert check_below("hr.1a2b3c4d-5e6f/uploads/a/", "hr.1a2b3c4d-5e6f/uploads/a/Minji's.jpg")
    for key in ('hr.1a2b3c4d-5e6f/uploads/a/"x".jpg', "hr.1a2b3c4d-5e6f/uploads/a/x\\.jpg"):
        with pytest.raises(ForeignKey):
            check_below("hr.1a2b3c4d-5e6f/uploads/a/", key)
    with pytest.raises(ForeignKey):
        check_below(PREFIX, f"{PREFIX}Minji's.jpg")


def test_a_session_that_ends_is_renewed() -> None:
    sts = Sts(lives=100)
    signer = PrefixSigner(PREFIX, URL, sts)
    assert query(signer.get(f"{PREFIX}a", 120))["X-Amz-Security-Token"] == "token1"
    assert query(signer.get(f"{PREFIX}a", 120))["X-Amz-Security-Token"] == "token2"
    assert query(signer.get(f"{PREFIX}a", 90))["X-Amz-Security-Token"] == "token2"


def test_a_store_without_sts_gets_no_links() -> None:
    signer = PrefixSigner(PREFIX, URL, Sts(away=True))
    for sign in (signer.get, signer.put):
        with pytest.raises(StoreError, match="no temporary credentials"):
            sign(f"{PREFIX}a", 60)


FOREIGN = [
    "",
    "hr.1a2b3c4d-5e6f/requests/minji",
    PREFIX,
    "hr.1a2b3c4d-5e6f/requests/minji2/a",
    "finance.1a2b3c4d-5e6f/uploads/ceo/IMG_0001.jpg",
    "/hr.1a2b3c4d-5e6f/requests/minji/a",
    f"{PREFIX}../sora/a",
    f"{PREFIX}a/../../sora/b",
    f"{PREFIX}./a",
    f"{PREFIX}a//b",
    f"{PREFIX}a/",
    f'{PREFIX}a".png',
    f"{PREFIX}a'.png",
    f"{PREFIX}a`.png",
    f"{PREFIX}a\\b",
    f"{PREFIX}a\nb",
    f"{PREFIX}a\r\nx-amz-copy-source: b",
    f"{PREFIX}a\x00",
    f"{PREFIX}a\x7f",
    f"{PREFIX}a\x85",
    f"{PREFIX}a\u2028b",
    f"{PREFIX}a\ud800",
    PREFIX + "a" * 1024,
    PREFIX + "김" * 400,
]


@pytest.mark.parametrize("key", FOREIGN)
def test_foreign_keys_are_refused_before_the_store_is_asked(key: str) -> None:
    sts = Sts()
    signer = PrefixSigner(PREFIX, URL, sts)
    for sign in (
        signer.get,
        signer.put,
        lambda key, seconds: signer.form(key, seconds, content_type="image/png", fewest_bytes=1, most_bytes=2),
    ):
        with pytest.raises(ForeignKey) as refusal:
            sign(key, 60)
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 2000
    assert sts.asked == []


@given(st.text(max_size=60))
@examples(200)
def test_what_passes_lies_below_the_prefix(tail: str) -> None:
    try:
        key = check_below(PREFIX, PREFIX + tail)
    except ForeignKey:
        return
    assert key.startswith(PREFIX)
    assert ".." not in key.split("/")
    assert not set(key) & set("\"'\\\r\n\0")


@pytest.mark.parametrize("prefix", ["", "/", "hr.1/requests/minji", "hr/*/", "hr/?/", "hr/${aws:username}/", "hr\\/"])
def test_a_prefix_that_a_policy_would_widen_gets_no_signer(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        PrefixSigner(prefix, URL, Sts())


def allows(policy: dict[str, object], action: str, key: str) -> bool:
    """Whether a policy of ours allows an action on an object; `*` stands for any letters, `?` for one."""
    from fnmatch import fnmatchcase

    resources = granted(policy).get(action, [])
    return any(fnmatchcase(f"arn:aws:s3:::profiles/{key}", resource.replace("[", "[[]")) for resource in resources)


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(read=st.lists(names, max_size=3), write=st.lists(names, max_size=2), other=names)
@examples(200)
def test_a_policy_is_never_wider_than_its_prefixes(read: list[str], write: list[str], other: str) -> None:
    reads, writes = tuple(f"hr/{name}/" for name in read), tuple(f"hr/{name}/" for name in write)
    try:
        policy = json.loads(prefix_policy("profiles", read=reads, write=writes))
    except ValueError:
        return
    key = f"hr/{other}/x"
    assert allows(policy, "s3:GetObject", key) == any(key.startswith(prefix) for prefix in reads)
    assert allows(policy, "s3:PutObject", key) == any(key.startswith(prefix) for prefix in writes)
    assert set(granted(policy)) <= {"s3:GetObject", "s3:PutObject"}


def test_signers_are_kept_by_prefix_and_bounded() -> None:
    signers = Signers(URL, Sts())
    first = signers.below("hr.1a2b3c4d-5e6f/requests/a/")
    assert signers.below("hr.1a2b3c4d-5e6f/requests/a/") is first
    assert signers.below("hr.1a2b3c4d-5e6f/requests/b/") is not first
    assert signers.below("hr.1a2b3c4d-5e6f/requests/b/").prefix == "hr.1a2b3c4d-5e6f/requests/b/"
    for number in range(MOST_PREFIXES):
        signers.below(f"hr.1a2b3c4d-5e6f/requests/many{number}/")
    assert signers.below("hr.1a2b3c4d-5e6f/requests/a/") is not first


def test_a_request_that_is_gone_is_signed_for_anew() -> None:
    signers = Signers(URL, Sts())
    first = signers.below("hr.1a2b3c4d-5e6f/requests/a/")
    signers.forget("hr.1a2b3c4d-5e6f/requests/a/")
    assert signers.below("hr.1a2b3c4d-5e6f/requests/a/") is not first


def test_a_name_to_save_as_cannot_leave_its_quotes() -> None:
    url = PrefixSigner(PREFIX, URL, Sts()).get(f"{PREFIX}a", 60, save_as='a"; filename=b\r\nX: 민지/..\\.png')
    value = query(url)["response-content-disposition"]
    assert value.startswith('attachment; filename="')
    assert value.endswith('.png"')
    assert value.count('"') == 2
    assert not set("\r\n;\\/") & set(value.removeprefix("attachment;"))


@pytest.mark.parametrize(
    ("no_proxy", "endpoint", "proxied"),
    [
        ("", "minio.storage.svc:9000", True),
        (".svc,.cluster.local", "minio.storage.svc:9000", False),
        ("svc", "minio.storage.svc:9000", False),
        ("*", "s3.amazonaws.com", False),
        ("10.0.0.0/8", "10.1.2.3:9000", False),
        ("10.0.0.0/8", "11.1.2.3:9000", True),
        ("fd00::/8", "[fd00::1]:9000", False),
        ("minio:9000", "minio:9000", False),
        ("minio:9001", "minio:9000", True),
        ("*.example.com", "store.example.com", False),
        ("example.com", "badexample.com", True),
        (" MINIO , other", "minio:9000", False),
    ],
)
def test_the_store_is_asked_through_the_environments_proxy_unless_spared(
    no_proxy: str, endpoint: str, proxied: bool
) -> None:
    env = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": no_proxy}
    assert proxy_of("https", endpoint, env) == ("http://proxy:3128" if proxied else "")
    assert proxy_of("http", endpoint, env) == ""


def test_small_letters_win_and_a_scheme_is_added() -> None:
    env = {"HTTP_PROXY": "http://large", "http_proxy": "small:3128"}
    assert proxy_of("http", "minio:9000", env) == "http://small:3128"


def test_a_client_of_the_store_takes_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:pass%40word@127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    http = open_s3(URL, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})._client._http
    assert http.proxy.host == "127.0.0.1"
    assert http.proxy_headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:pass@word").decode()
