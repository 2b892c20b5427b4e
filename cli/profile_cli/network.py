"""Why something on the network did not answer, in words. Pure."""

from __future__ import annotations

import socket
import ssl

import urllib3

NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF")
# The first that fits.
WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((ssl.SSLCertVerificationError,), "its certificate is not trusted here"),
    ((ssl.SSLError,), "TLS failed"),
    ((socket.gaierror, urllib3.exceptions.NameResolutionError), "no host of this name is known"),
    ((ConnectionRefusedError,), "nothing listens there (connection refused)"),
    ((TimeoutError, urllib3.exceptions.TimeoutError), "no answer in time"),
    ((ConnectionResetError, urllib3.exceptions.ProtocolError), "the connection was cut"),
)


def network_trouble(error: BaseException) -> str:
    """What an error of urllib3, or one that was raised because of it, means."""
    chain = list(_causes(error))
    for cause in reversed(chain):
        said = _words(cause)
        if said:
            return said
    return type(chain[-1]).__name__


def _words(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLError) and any(word in str(cause) for word in NO_TLS):
        return "it does not speak TLS there"
    return next((words for kinds, words in WORDS if isinstance(cause, kinds)), "")


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what it names as its reason or holds, and what it was raised from; each once, the innermost last."""
    chain: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in chain:
            chain.append(one)
            waiting += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
    return chain
