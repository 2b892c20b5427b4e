"""Why something on the network did not answer, in words. Pure."""

from __future__ import annotations

import socket
import ssl

NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF")

Kinds = tuple[type[BaseException], ...]


def network_trouble(error: BaseException) -> str:
    """What an error of an HTTP client (urllib3, aiohttp, httpx2), or one that was raised because of it, means."""
    chain = _causes(error)
    for cause in reversed(chain):
        words = _words(cause)
        if words:
            return words
    return type(chain[-1]).__name__


def _words(cause: BaseException) -> str:
    """What one error means, the first that fits; empty for one that tells nothing."""
    # What only asks for help does without this library.
    from urllib3 import exceptions

    if isinstance(cause, ssl.SSLError) and any(word in str(cause) for word in NO_TLS):
        return "it does not speak TLS there"
    meanings: tuple[tuple[Kinds, str], ...] = (
        ((ssl.SSLCertVerificationError,), "its certificate is not trusted here"),
        ((ssl.SSLError,), "TLS failed"),
        ((socket.gaierror, exceptions.NameResolutionError), "no host of this name is known"),
        ((ConnectionRefusedError,), "nothing listens there (connection refused)"),
        ((TimeoutError, exceptions.TimeoutError), "no answer in time"),
        ((ConnectionResetError, exceptions.ProtocolError), "the connection was cut"),
    )
    return next((words for kinds, words in meanings if isinstance(cause, kinds)), "")


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what it names as its reason or holds, and what it was raised from; each once, the innermost last."""
    chain: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in chain:
            chain.append(cause)
            waiting += [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
    return chain
