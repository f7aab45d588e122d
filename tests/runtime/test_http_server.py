"""The small HTTP server: what a client that does not behave may hold, and for how long."""

import asyncio
import socket
from http import HTTPStatus

import pytest

from director.runtime import http_server
from director.runtime.http_server import HttpAnswer, HttpServer
from tests.shells.fleet import eventually

# More than the buffers of both ends of a connection take.
LARGE = b"x" * (24 << 20)


async def received(client: socket.socket) -> int:
    """Return how many bytes ``client`` still gets until its connection ends."""
    loop, count = asyncio.get_running_loop(), 0
    try:
        while chunk := await loop.sock_recv(client, 1 << 20):
            count += len(chunk)
    except ConnectionResetError:
        pass
    return count


def test_an_answer_that_nobody_reads_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REQUEST_WAIT_S", 0.2)

    async def story() -> None:
        server = HttpServer(lambda _: HttpAnswer(HTTPStatus.OK, LARGE))
        port = await server.start("127.0.0.1:0")
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\n\r\n")
            await loop.sock_recv(client, 1)  # it has begun
            await eventually(lambda: len(asyncio.all_tasks()) == 1)

            # What the kernel had taken by then may still come, and no more of it.
            assert await received(client) < len(LARGE) // 2
        await server.stop()

    asyncio.run(story())


def test_a_mistake_in_a_page_is_an_answer_and_no_broken_line() -> None:
    def broken(_: str) -> HttpAnswer:
        raise KeyError("a secret of ours")

    async def story() -> None:
        server = HttpServer(broken)
        port = await server.start("127.0.0.1:0")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for ending in (b"", b"Connection: close\r\n"):
            writer.write(b"GET / HTTP/1.1\r\n" + ending + b"\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 500 ")
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            assert b"secret" not in await reader.readexactly(length)
        writer.close()
        await server.stop()

    asyncio.run(story())
