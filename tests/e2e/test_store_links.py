"""Links to a real MinIO: each writes or reads one object of its request, and nothing else comes with it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from profile_runtime.store.credentials import PrefixSigner, Signers, StsSessions
from profile_runtime.store.port import StoreError, TooLarge
from profile_sandbox import services
from real_minio import RealMinio, real_minio

pytestmark = pytest.mark.e2e
HR, CEO = "hr.1a2b3c4d-5e6f/requests/minji/", "finance.1a2b3c4d-5e6f/uploads/ceo/IMG_0001.jpg"
CANDIDATE = f"{HR}candidates/aaaa/000007.png"


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMinio]:
    with real_minio(tmp_path_factory.mktemp("minio")) as server:
        server.store().write(CEO, b"the face of another tenant")
        server.store().write(f"{HR}portraits/bbbb/1.png", b"portrait")
        yield server


@pytest.fixture
def signer(minio: RealMinio) -> PrefixSigner:
    return Signers(minio.url, StsSessions(minio.url, minio.operator)).below(HR)


def test_a_writing_link_writes_its_object_and_copies_no_other(minio: RealMinio, signer: PrefixSigner) -> None:
    link = signer.put(CANDIDATE, 60)
    for source in (
        f"/{services.BUCKET}/{CEO}",
        f"{services.BUCKET}/{CEO}",
        f"/{services.BUCKET}/{HR}portraits/bbbb/1.png",
    ):
        assert httpx2.put(link, headers={"x-amz-copy-source": source}).status_code == 403
        assert minio.store().stat(CANDIDATE) is None
    assert httpx2.put(link, content=b"drawn").status_code == 200
    assert minio.store().read(CANDIDATE) == b"drawn"
    # The link of one object does for no other one, and reads nothing.
    assert httpx2.put(link.replace("000007", "000008"), content=b"x").status_code == 403
    assert httpx2.get(link).status_code == 403
    minio.store().delete(CANDIDATE)


def test_the_account_itself_would_copy_so_it_signs_nothing(minio: RealMinio) -> None:
    link = minio.store().presign_put(f"{HR}candidates/aaaa/copied.png", 60)
    answer = httpx2.put(link, headers={"x-amz-copy-source": f"/{services.BUCKET}/{CEO}"})
    assert answer.status_code == 200
    minio.store().delete(f"{HR}candidates/aaaa/copied.png")


def test_a_reading_link_reads_its_object_and_nobody_keeps_it(signer: PrefixSigner) -> None:
    answer = httpx2.get(signer.get(f"{HR}portraits/bbbb/1.png", 60, save_as="portrait.png"))
    assert (answer.status_code, answer.content) == (200, b"portrait")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="portrait.png"'
    link = signer.get(f"{HR}portraits/bbbb/1.png", 60)
    assert httpx2.put(link, content=b"x").status_code == 403
    assert httpx2.get(link.replace(f"{HR}portraits/bbbb/1.png", CEO)).status_code == 403


def test_a_form_of_the_pages_account_writes_one_photo_below_its_prefix(minio: RealMinio) -> None:
    prefix = "hr.1a2b3c4d-5e6f/uploads/page/1234/"
    signer = Signers(minio.url, StsSessions(minio.url, minio.web)).below(prefix)
    fields = signer.form(f"{prefix}1.jpg", 60, content_type="image/jpeg", fewest_bytes=4, most_bytes=8)
    url = f"http://{minio.address}/{services.BUCKET}"

    def send(content: bytes, **changed: str) -> int:
        return httpx2.post(url, data={**fields, **changed}, files={"file": ("1.jpg", content)}).status_code

    assert send(b"photo", key="hr.1a2b3c4d-5e6f/uploads/page/9999/1.jpg") == 403
    assert send(b"123456789") == 400
    assert send(b"photo") == 204
    assert minio.store().read(f"{prefix}1.jpg") == b"photo"


def test_an_account_that_the_store_does_not_know_signs_nothing(minio: RealMinio) -> None:
    stranger = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing-at-all"}
    with pytest.raises(StoreError, match="gave no temporary credentials: STS answered 403"):
        Signers(minio.url, StsSessions(minio.url, stranger)).below(HR).put(CANDIDATE, 60)


def test_what_was_issued_under_a_tag_ends_with_it(minio: RealMinio) -> None:
    sessions = StsSessions(minio.url, minio.operator)
    signers = Signers(minio.url, sessions)
    late, other = signers.below(HR, "uid-1").put(CANDIDATE, 300), signers.below(HR, "uid-2").put(CANDIDATE, 300)
    assert httpx2.put(late, content=b"x").status_code == 200
    assert sessions.revoke("uid-1")
    assert httpx2.put(late, content=b"late").status_code == 403
    assert httpx2.put(other, content=b"other").status_code == 200
    minio.store().delete(CANDIDATE)
    assert sessions.revoke("nobody-has-this-one")


def test_a_listing_and_a_reading_stop_where_they_are_told_to(minio: RealMinio) -> None:
    store = minio.store()
    for number in range(5):
        store.write(f"lab.1a2b3c4d-5e6f/uploads/a/{number}.jpg", b"12345")
    assert [found.key for found in store.list("lab.1a2b3c4d-5e6f/uploads/a/", most=3)] == [
        f"lab.1a2b3c4d-5e6f/uploads/a/{n}.jpg" for n in range(3)
    ]
    assert store.read("lab.1a2b3c4d-5e6f/uploads/a/1.jpg", most=5) == b"12345"
    with pytest.raises(TooLarge, match="has more than 4 bytes"):
        store.read("lab.1a2b3c4d-5e6f/uploads/a/1.jpg", most=4)
    assert store.delete("lab.1a2b3c4d-5e6f/uploads/a/") == 5
    assert store.list("lab.1a2b3c4d-5e6f/uploads/a/") == []
