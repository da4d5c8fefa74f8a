"""A framework that was written for TCP, over SCTP streams: the contract as others understand it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

import aiosctp
from tests.surface.transports import WORLDS, World


async def page(request: web.BaseRequest) -> web.Response:
    return web.Response(text="hello " * 20_000)


@pytest.mark.parametrize("kind", WORLDS)
def test_aiohttp_serves_a_page_on_every_stream(kind: type[World]) -> None:
    """A46, W23: `web.Server` is the protocol factory."""

    async def run(world: World) -> None:
        server = web.Server(page)
        await world.create_server(server)
        reader, writer = await world.open_connection()
        for _ in range(3):
            await fetch(reader, writer)
        association = writer.get_extra_info("association")
        if isinstance(association, aiosctp.Association):
            # As many connections as there are streams, in one association.
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(fetch_once(association))
        writer.close()
        await writer.wait_closed()
        await server.shutdown(1)

    kind().run(run)


async def fetch_once(association: aiosctp.Association) -> None:
    reader, writer = await association.open_stream()
    await fetch(reader, writer, "Connection: close\r\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def fetch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: str = "") -> None:
    writer.write(f"GET / HTTP/1.1\r\nHost: example\r\n{headers}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 120000" in head
    assert await reader.readexactly(120_000) == b"hello " * 20_000
