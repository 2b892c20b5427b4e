"""Loopback ports of the machine that lead into the sandbox.

A socket belongs to the network namespace in which it was made. The listening sockets are made on the machine,
before the sandbox's namespaces are; the supervisor inherits them, accepts there, and connects to the target from
inside. So nothing has to run outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

Resolve = Callable[[], Awaitable[tuple[str, int]]]
CHUNK = 64 * 1024


def listen() -> socket.socket:
    """A listening socket on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.set_inheritable(True)
    return listener


async def serve(listener: socket.socket, resolve: Resolve) -> asyncio.Server:
    """Relay every connection on `listener` to the address that `resolve` gives at that moment.

    A target that is not there (yet) closes the connection: to the client that is what a refused one is.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            host, port = await resolve()
            inner_reader, inner_writer = await asyncio.open_connection(host, port)
        except (OSError, LookupError):
            writer.close()
            return
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            writer.close()
            inner_writer.close()

    return await asyncio.start_server(handle, sock=listener)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the reader ends, then tell the other side; half-closed connections stay open the other way."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.close()
