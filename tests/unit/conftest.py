"""What every unit test has: no host outside is called, so that one authority of certificates is enough to read."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clients trust the first of the authorities known: to read them all costs each client 15 to 40 ms."""
    text = Path(certifi.where()).read_text(encoding="utf-8")
    end = "-----END CERTIFICATE-----\n"
    file = tmp_path_factory.mktemp("authorities") / "first.pem"
    file.write_text(text[: text.index(end)] + end, encoding="utf-8")
    assert ssl.create_default_context(cafile=str(file)).cert_store_stats()["x509"] == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(file))
        patch.setenv("SSL_CERT_FILE", str(file))
        patch.delenv("SSL_CERT_DIR", raising=False)
        yield
