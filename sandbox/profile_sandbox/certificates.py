"""The cluster's own certificate authority, certificates, service account key and kubeconfigs."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A sandbox lives for hours; a year spares people who leave one running.
VALIDITY = datetime.timedelta(days=365)
# Clocks of a machine that just woke up may be behind.
SLACK = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Holder:
    """Who a certificate is for: common name, group (Kubernetes reads O as group), names and addresses it serves."""

    name: str
    group: str = ""
    hosts: tuple[str, ...] = ()


class Authority:
    """A certificate authority that writes NAME.crt and NAME.key into a folder."""

    def __init__(self, folder: Path, name: str = "profile-sandbox") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write(folder / "ca.crt", self.pem)
        _write(folder / "ca.key", _key_pem(self._key))

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, file: str, holder: Holder) -> None:
        """Write FILE.crt and FILE.key, good for serving `holder.hosts` and as a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, holder.name)]
        if holder.group:
            attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, holder.group))
        builder = (
            _builder(x509.Name(attributes), self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            # From Python 3.13 on a client takes no certificate without it.
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if holder.hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in holder.hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        _write(self.folder / f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM))
        _write(self.folder / f"{file}.key", _key_pem(key))


def service_account_key(folder: Path) -> None:
    """Write sa.key and sa.pub, with which service account tokens are signed and checked."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(folder / "sa.key", _key_pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write(folder / "sa.pub", public)


def kubeconfig(server: str, folder: Path, user: str) -> str:
    """A kubeconfig as YAML with everything inline: it may be copied, and no path in it can go stale."""

    def inline(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    name = "profile-sandbox"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": inline("ca.crt")}}],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": inline(f"{user}.crt"),
                    "client-key-data": inline(f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """What every certificate says: who, by whom, and from when to when."""
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + VALIDITY)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What the key may do: sign certificates, or serve and ask."""
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    # TraditionalOpenSSL ("EC PRIVATE KEY"): the form that every Kubernetes program reads for either kind of key.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
