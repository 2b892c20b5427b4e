"""Content credentials in portraits, read back by C2PA's own reader; what cannot be signed with, told in a sentence."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c2pa import C2paError, Reader
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from PIL import Image

from finishing import Nobody, finisher
from profile_contract.conditions import Reason
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.stages.finish import FinishParameters, Portrait, Score
from profile_contract.stages.generate import Candidate
from profile_finish.signature import CHAIN, KEY, Signature, Unusable
from profile_runtime.store.folder import FolderStore
from profile_vision import Face
from profile_vision.files import COMPOSITE_TYPE, SOURCE_TYPE, jpeg, png, read_picture
from profile_vision.pixels import BGR
from signing import NAME, signature_folder

PICTURE = BGR(np.random.default_rng(1).integers(0, 256, (160, 120, 3)).astype(np.uint8))
LAYOUT = LayoutName.EMPLOYEE_CARD


class NoFace:
    """Sees nobody."""

    def find(self, image: BGR) -> list[Face]:
        return []


@pytest.fixture
def signature(tmp_path: Path) -> Signature:
    return Signature.read(signature_folder(tmp_path / "signature"))


def state(data: bytes, media_type: str) -> str:
    return str(Reader(media_type, io.BytesIO(data)).get_validation_state())


def manifest(data: bytes, media_type: str) -> dict[str, Any]:
    told = json.loads(Reader(media_type, io.BytesIO(data)).json())
    active: dict[str, Any] = told["manifests"][told["active_manifest"]]
    return active


def deliver(store: FolderStore, signature: Signature | None, source: str = "") -> Portrait:
    parameters = FinishParameters(portraits=1, minimum_likeness=0, layouts=[LAYOUT])
    judge = finisher(store, NoFace(), parameters, signature=signature)
    score = Score(style="studio-warm", seed=7, key="candidate.png", faces=1, likeness=60)
    return judge.deliver(score, 1, PICTURE, Candidate(seed=7, key="candidate.png", source=source))


@pytest.mark.parametrize(("source", "said"), [("", SOURCE_TYPE), ("photo.png", COMPOSITE_TYPE)])
def test_every_file_of_a_portrait_says_who_made_it_and_how(
    tmp_path: Path, signature: Signature, source: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFILE_VERSION", "1.2.3")
    store = FolderStore(tmp_path)
    portrait = deliver(store, signature, source)
    files = {portrait.key: "image/png"} | {cut.key: "image/jpeg" for cut in portrait.layouts}
    assert len(files) == 2
    for key, media_type in files.items():
        data = store.read(key)
        assert state(data, media_type) == "Valid"
        active = manifest(data, media_type)
        generator = active["claim_generator_info"][0]
        assert (generator["name"], generator["version"]) == ("Profile Studio", "1.2.3")
        (assertion,) = active["assertions"]
        assert assertion["data"]["actions"] == [{"action": "c2pa.created", "digitalSourceType": said}]
        assert active["signature_info"]["common_name"] == NAME
        # Nothing of the person: no title, no ingredient, no miniature.
        assert not {"title", "ingredients", "thumbnail"} & set(active)
        # Beside it, the mark that stood there before.
        assert said.encode() in data


def test_nothing_is_signed_without_a_signature(tmp_path: Path) -> None:
    portrait = deliver(FolderStore(tmp_path), None)
    with pytest.raises(C2paError):
        Reader("image/png", io.BytesIO(FolderStore(tmp_path).read(portrait.key)))


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
def test_a_picture_that_was_changed_is_told(signature: Signature, media_type: str) -> None:
    data = png(PICTURE) if media_type == "image/png" else jpeg(PICTURE, 300, 95)
    signed = signature.sign(data, media_type)
    assert state(signed, media_type) == "Valid"
    changed = bytearray(signed)
    changed[-100] ^= 1
    assert state(bytes(changed), media_type) == "Invalid"


def test_a_signed_picture_is_the_same_picture(tmp_path: Path, signature: Signature) -> None:
    store = FolderStore(tmp_path)
    portrait = deliver(store, signature)
    assert (read_picture(store, portrait.key) == PICTURE).all()
    with Image.open(io.BytesIO(store.read(portrait.key))) as written:
        assert written.info["dpi"] == pytest.approx((300, 300), abs=1)
        assert "icc_profile" in written.info


def test_a_cut_stays_within_its_kilobytes_with_its_signature(tmp_path: Path, signature: Signature) -> None:
    store = FolderStore(tmp_path)
    cut = deliver(store, signature).layouts[0]
    # Noise takes as many bytes as there may be.
    limit = 1000 * LAYOUTS[LAYOUT].max_kilobytes
    assert 0.9 * limit < cut.bytes <= limit
    assert cut.bytes == len(store.read(cut.key))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "Es256"),
        (ec.generate_private_key(ec.SECP384R1()), "Es384"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (rsa.generate_private_key(65537, 2048), "Ps256"),
    ],
    ids=["P-256", "P-384", "Ed25519", "RSA"],
)
def test_keys_that_c2pa_allows_sign(tmp_path: Path, key: Any, algorithm: str) -> None:
    signature = Signature.read(signature_folder(tmp_path, key))
    assert signature.name == NAME
    signed = signature.sign(png(PICTURE), "image/png")
    assert manifest(signed, "image/png")["signature_info"]["alg"] == algorithm


def test_a_key_as_cert_manager_writes_it_signs(tmp_path: Path) -> None:
    assert Signature.read(signature_folder(tmp_path, form="Traditional")).algorithm == "es256"


END = b"-----END CERTIFICATE-----\n"


def _certificates(folder: Path) -> list[bytes]:
    """The chain's certificates, one by one."""
    return [part + END for part in (folder / CHAIN).read_bytes().split(END)[:-1]]


def broken(folder: Path, what: str) -> None:
    """Break a folder that could be signed with."""
    match what:
        case "no chain":
            (folder / CHAIN).unlink()
        case "no key":
            (folder / KEY).unlink()
        case "another key":
            (folder / KEY).write_bytes((signature_folder(folder / "other") / KEY).read_bytes())
        case "another authority":
            others = (signature_folder(folder / "other") / CHAIN).read_bytes()
            (folder / CHAIN).write_bytes(_certificates(folder)[0] + others.partition(END)[2])
        case "another order":
            (folder / CHAIN).write_bytes(b"".join([*_certificates(folder), _certificates(folder)[0]]))
        case "damaged":
            # The public key's first byte says in which form a point of the curve follows.
            first, *rest = x509.load_pem_x509_certificates((folder / CHAIN).read_bytes())
            point = first.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            data = first.public_bytes(Encoding.DER).replace(point, b"\x00" + point[1:])
            text = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(data) + END
            (folder / CHAIN).write_bytes(text + b"".join(other.public_bytes(Encoding.PEM) for other in rest))
        case "no PEM":
            (folder / CHAIN).write_bytes(b"certificate")
        case "no key in PEM":
            (folder / KEY).write_bytes(b"key")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no chain", r"tls\.crt cannot be read: No such file"),
        ("no key", r"tls\.key cannot be read: No such file"),
        ("another key", r"tls\.key is not the key of the first certificate"),
        ("another authority", r"certificate 2 in tls\.crt did not issue the one before it"),
        ("another order", r"certificate 3 in tls\.crt did not issue the one before it"),
        ("damaged", r"tls\.crt holds no certificate in PEM, or a damaged one"),
        ("no PEM", r"tls\.crt holds no certificate"),
        ("no key in PEM", r"tls\.key holds no key"),
    ],
)
def test_what_cannot_be_signed_with_is_said(tmp_path: Path, what: str, said: str) -> None:
    folder = signature_folder(tmp_path)
    broken(folder, what)
    with pytest.raises(Unusable, match=said) as caught:
        Signature.read(folder)
    assert caught.value.reason is Reason.SIGNATURE_UNUSABLE


def test_a_certificate_that_ended_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="and not today"):
        Signature.read(signature_folder(tmp_path, days=-1))


def test_an_authority_whose_time_is_over_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"certificate 2 in tls\.crt is valid from .*, and not today"):
        Signature.read(signature_folder(tmp_path, authority_days=-1))


def test_a_certificate_that_readers_refuse_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="with the extended use emailProtection or documentSigning"):
        Signature.read(signature_folder(tmp_path, extended=False))


def test_a_certificate_of_itself_signs(tmp_path: Path) -> None:
    assert Signature.read(signature_folder(tmp_path, own=True)).name == NAME


def test_a_weak_key_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="RSA of 2048 bits and more"):
        Signature.read(signature_folder(tmp_path, rsa.generate_private_key(65537, 1024)))  # noqa: S505


def test_a_finisher_tells_who_signs(tmp_path: Path, signature: Signature) -> None:
    parameters = FinishParameters(portraits=1, minimum_likeness=0, layouts=[])
    store = FolderStore(tmp_path)
    assert finisher(store, Nobody(), parameters, signature=signature).signed_by == NAME
    assert finisher(store, Nobody(), parameters).signed_by == ""
