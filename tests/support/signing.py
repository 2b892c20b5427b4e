"""Keys and certificates by which pictures are signed in tests, made anew each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from profile_finish.signature import CHAIN, KEY

OTHER_USES = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
NAME = "Portraits of Example Ltd"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def authority(days: int = 365) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A key and its certificate that others are made by."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, _certificate("An authority", key, key, None, days=days)


def signature_folder(
    folder: Path,
    key: Key | None = None,
    *,
    days: int = 30,
    own: bool = False,
    extended: bool = True,
    form: str = "PKCS8",
    authority_days: int = 365,
) -> Path:
    """A folder with a key and its certificates, of an authority or (`own`) of nobody but itself."""
    issuer, root = authority(authority_days)
    key = key or ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(
        NAME, key, key if own else issuer, None if own else root, days=days, leaf=True, extended=extended
    )
    folder.mkdir(parents=True, exist_ok=True)
    chain = [certificate] if own else [certificate, root]
    (folder / CHAIN).write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
    private_form = (
        serialization.PrivateFormat.PKCS8 if form == "PKCS8" else serialization.PrivateFormat.TraditionalOpenSSL
    )
    (folder / KEY).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private_form, serialization.NoEncryption())
    )
    return folder


def _certificate(
    name: str,
    key: Key,
    issuer_key: Key,
    issuer: x509.Certificate | None,
    *,
    days: int = 365,
    leaf: bool = False,
    extended: bool = True,
) -> x509.Certificate:
    """A certificate of `name`, valid from two days before `days` at most; an authority's, where it is no leaf."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Ltd"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    now = datetime.now(UTC)
    usage = dict.fromkeys(OTHER_USES, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=40))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not leaf, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=leaf, key_cert_sign=not leaf, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if leaf and extended:
        certificate = certificate.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return certificate.sign(issuer_key, algorithm)
