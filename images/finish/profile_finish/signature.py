"""The platform's signature: content credentials (C2PA) in pictures, by which readers see who made them and how.

They say what a picture's mark says, that Profile Studio made it, and in which version. Nothing is said of the person,
nor when it was signed: a time that others believe would have to be asked of a server of theirs. Whether a reader trusts
who signed is between the reader and the certificate.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Self

from c2pa import Builder, C2paError, C2paSignerInfo, Context, Reader, Signer
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from PIL import Image

from profile_contract.conditions import Reason
from profile_contract.exits import TryAgain
from profile_runtime.release import version
from profile_vision.files import PORTRAIT, SOFTWARE, Mark

# As a Secret of the type kubernetes.io/tls has them: the chain, the signer's own certificate first, and its key.
CHAIN, KEY = "tls.crt", "tls.key"
# The algorithms that C2PA allows, by an elliptic key's curve.
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
LEAST_RSA_BITS = 2048
# A miniature of each candidate in its own file would be the third of its bytes.
SETTINGS = {"builder": {"thumbnail": {"enabled": False}}}


class Unusable(TryAgain):
    """Nothing can be signed with what lies there."""

    def __init__(self, what: str) -> None:
        super().__init__(Reason.SIGNATURE_UNUSABLE, f"pictures cannot be signed: {what}")


@dataclass(frozen=True)
class Signature:
    """Signs with a key and its certificates, as PEM. `algorithm` by C2PA's name; `name`: whom readers take it for."""

    chain: bytes
    key: bytes
    algorithm: str
    name: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The key and its certificates in a folder, tried on a picture. Raises Unusable."""
        chain, key = _file(folder / CHAIN), _file(folder / KEY)
        try:
            certificates = x509.load_pem_x509_certificates(chain)
            # They are looked into no sooner than they are asked.
            public, name = certificates[0].public_key(), _name(certificates[0])
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Unusable(f"{CHAIN} holds no certificate in PEM, or a damaged one") from error
        try:
            private = serialization.load_pem_private_key(key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Unusable(f"{KEY} holds no key in PEM, or one behind a password") from error
        if private.public_key() != public:
            raise Unusable(f"{KEY} is not the key of the first certificate in {CHAIN}")
        _check_chain(certificates)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        signature = cls(chain, private.private_bytes(*form), _algorithm(private), name)
        signature._try()
        return signature

    def sign(self, data: bytes, media_type: str, mark: Mark = PORTRAIT) -> bytes:
        """The file, a PNG, JPEG or WebP, with content credentials that say what the mark says."""
        signer = Signer.from_info(C2paSignerInfo(self.algorithm, self.chain, self.key, None))
        signed = io.BytesIO()
        Builder(_manifest(mark), Context.from_dict(SETTINGS)).sign(signer, media_type, io.BytesIO(data), signed)
        return signed.getvalue()

    def _try(self) -> None:
        """Sign a picture and read it back: readers refuse certificates that are sound otherwise. Raises Unusable."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "PNG")
        try:
            state = Reader("image/png", io.BytesIO(self.sign(picture.getvalue(), "image/png"))).get_validation_state()
        except C2paError as error:
            raise Unusable(
                f"the certificate is refused ({error}). It must be no authority's own, for digital signatures, and "
                "with the extended use emailProtection or documentSigning"
            ) from error
        if state == "Invalid":
            raise Unusable("readers would call the signature invalid")


def _check_chain(certificates: Sequence[x509.Certificate]) -> None:
    """Raises Unusable where one is not valid today, or did not issue the one before it: no reader could go from the
    signer to an authority that it trusts."""
    for number, certificate in enumerate(certificates, start=1):
        if not certificate.not_valid_before_utc <= datetime.now(UTC) < certificate.not_valid_after_utc:
            which = "the certificate" if number == 1 else f"certificate {number} in {CHAIN}"
            valid = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
            raise Unusable(f"{which} is valid from {valid}, and not today")
    for number, (issued, issuer) in enumerate(pairwise(certificates), start=2):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise Unusable(
                f"certificate {number} in {CHAIN} did not issue the one before it: put them in order, the signer's own "
                "first, then its issuer's"
            ) from error


def _file(path: Path) -> bytes:
    """Raises Unusable."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise Unusable(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error


def _algorithm(key: object) -> str:
    """C2PA's name of the algorithm that a key signs by. Raises Unusable."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= LEAST_RSA_BITS:
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    known = f"P-256, P-384, P-521, Ed25519, or RSA of {LEAST_RSA_BITS} bits and more"
    raise Unusable(f"C2PA knows no such key: use {known}")


def _name(certificate: x509.Certificate) -> str:
    """Whom a certificate is of: the common name, else whatever its subject says."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value if names else certificate.subject.rfc4514_string())[:200]


def _manifest(mark: Mark) -> str:
    action = {"action": "c2pa.created", "digitalSourceType": mark.source_type}
    return json.dumps(
        {
            "claim_generator_info": [{"name": SOFTWARE, "version": version()}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
        }
    )
