"""The relay of loopback ports: bytes both ways, half-closed connections, targets that are not there."""

import asyncio

from profile_sandbox import relay


async def echo_until_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer only once the asker has closed his half: what a relay that closes both halves would break."""
    everything = await reader.read()
    writer.write(everything[::-1])
    await writer.drain()
    writer.close()


async def ask(port: int, content: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_bytes_go_both_ways_and_ends_are_passed_on() -> None:
    target = await asyncio.start_server(echo_until_end, "127.0.0.1", 0)
    listener = relay.listen()
    outside = listener.getsockname()[1]

    async def resolve() -> tuple[str, int]:
        host, port = target.sockets[0].getsockname()
        return str(host), int(port)

    content = bytes(range(256)) * 4096
    async with target, await relay.serve(listener, resolve):
        answers = await asyncio.gather(*(ask(outside, content) for _ in range(5)))
    assert answers == [content[::-1]] * 5


async def test_a_target_that_is_not_there_closes_the_connection() -> None:
    listener = relay.listen()

    async def resolve() -> tuple[str, int]:
        raise LookupError("no such Service")

    async with await relay.serve(listener, resolve):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        assert await reader.read() == b""
        writer.close()
