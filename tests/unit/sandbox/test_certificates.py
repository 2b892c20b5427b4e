"""The cluster's certificates: signed by its own authority, for the right hosts, private on disk."""

import base64
import ipaddress
import ssl
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from profile_sandbox import kubernetes_config
from profile_sandbox.certificates import Authority, Holder


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_an_issued_certificate_names_its_hosts_and_group(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    authority.issue("node", Holder("system:node:sandbox", "system:nodes", ("sandbox", "10.244.0.1")))
    certificate = load(tmp_path / "pki" / "node.crt")
    certificate.verify_directly_issued_by(authority.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["sandbox"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.244.0.1")]
    (group,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert group.value == "system:nodes"


def test_a_client_that_checks_strictly_takes_an_issued_certificate(tmp_path: Path) -> None:
    """As Python 3.13 does: the certificate must say by which key it was signed."""
    authority = Authority(tmp_path)
    authority.issue("node", Holder("node", hosts=("sandbox",)))
    store = Store([authority.certificate])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("sandbox"))
    assert verifier.verify(load(tmp_path / "node.crt"), []) == [load(tmp_path / "node.crt"), authority.certificate]


def test_everything_is_there_and_for_the_owner_only(tmp_path: Path) -> None:
    outside = yaml.safe_load(kubernetes_config.write_certificates(tmp_path / "pki", 4711))
    assert outside["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:4711"
    user = outside["users"][0]["user"]
    admin = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    assert admin.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"
    load_pem_private_key(base64.b64decode(user["client-key-data"]), None)
    assert (tmp_path / "pki").stat().st_mode & 0o077 == 0
    assert not [path for path in (tmp_path / "pki").rglob("*.key") if path.stat().st_mode & 0o077]
    # OpenSSL itself has to take every pair.
    for key in (tmp_path / "pki").glob("*.key"):
        if key.with_suffix(".crt").exists():
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(key.with_suffix(".crt"), key)
