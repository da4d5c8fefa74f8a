"""A web framework that knows nothing of SCTP: aiohttp's server and client on our transports, and on TCP's."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_proto import ResponseHandler

import aiosctp
from tests.surface.test_transport_contract import MIB, everywhere, pattern
from tests.surface.transports import Ours, OverUdp, Simulated, World

URL = "http://127.0.0.1/"
DATA = pattern(MIB)


class Connector(aiohttp.BaseConnector):
    """Connects to the one server of the world, whatever the request says."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.made = 0

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: object, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        self.made += 1
        _, protocol = await self._world.create_connection(self._factory)
        assert isinstance(protocol, ResponseHandler)
        return protocol


class Site:
    """What the server answers by path, and what became of its handlers."""

    def __init__(self) -> None:
        self.endings: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.path:
            case "/upload":
                digest = hashlib.sha256()
                async for part in request.content.iter_any():
                    digest.update(part)
                return web.Response(text=digest.hexdigest())
            case "/download":
                return await self.download(request)
            case "/never":
                return await self.never()
            case "/socket":
                return await self.socket(request)
        return web.Response(text=f"<p>{request.method} {request.path} from {request.remote}")

    async def download(self, request: web.BaseRequest) -> web.StreamResponse:
        """Without an end unless the query gives one."""
        response = web.StreamResponse()
        await response.prepare(request)
        left = int(request.query.get("mib", "1000000"))
        try:
            while left:
                await response.write(DATA)
                left -= 1
        except (ConnectionError, asyncio.CancelledError):
            self.endings.put_nowait("stopped")
            raise
        return response

    async def never(self) -> web.StreamResponse:
        try:
            await asyncio.Event().wait()
        finally:
            self.endings.put_nowait("cancelled")
        raise AssertionError

    async def socket(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data.upper())
        self.endings.put_nowait(str(socket.close_code))
        return socket


@asynccontextmanager
async def served(world: World) -> AsyncIterator[tuple[Site, aiohttp.ClientSession, Connector]]:
    site = Site()
    server = web.Server(site.handle, handler_cancellation=True)
    await world.create_server(server)
    connector = Connector(world)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield site, session, connector
    await server.shutdown(1)


@everywhere
async def test_pages_are_served_on_one_connection_that_is_kept_alive(world: World) -> None:
    """aiohttp's protocol factory, as it is, given to `create_server`."""
    async with served(world) as (_, session, connector):
        for number in range(10):
            async with session.get(f"{URL}{number}") as response:
                assert response.status == 200
                page = await response.text()
                assert page.startswith(f"<p>GET /{number} from ")
    assert connector.made == 1


@everywhere
async def test_requests_at_a_time_take_a_connection_each(world: World) -> None:
    async with served(world) as (_, session, connector):
        pages = await asyncio.gather(*[_page(session, f"{URL}{number}") for number in range(20)])
        assert [page.split()[1] for page in pages] == [f"/{number}" for number in range(20)]
    assert connector.made == 20


async def _page(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as response:
        return await response.text()


@everywhere
async def test_a_chunked_upload_arrives_whole(world: World) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(DATA), 50_000):
            yield DATA[start : start + 50_000]

    async with served(world) as (_, session, connector):
        for _ in range(2):
            async with session.post(f"{URL}upload", data=parts()) as response:
                assert await response.text() == hashlib.sha256(DATA).hexdigest()
    assert connector.made == 1


@everywhere
async def test_a_download_waits_for_its_reader_and_arrives_whole(world: World) -> None:
    async with served(world) as (_, session, _), session.get(f"{URL}download?mib=8") as response:
        await asyncio.sleep(0.05)
        assert await response.read() == DATA * 8


@everywhere
async def test_a_client_that_goes_away_ends_what_was_being_sent_to_it(world: World) -> None:
    async with served(world) as (site, session, connector):
        response = await session.get(f"{URL}download")
        await response.content.readexactly(1000)
        response.close()
        assert await site.endings.get() == "stopped"
        assert (await _page(session, URL)).startswith("<p>GET / from ")
    assert connector.made == 2


@everywhere
async def test_a_client_that_goes_away_cancels_who_works_for_it(world: World) -> None:
    async with served(world) as (site, session, _):
        with pytest.raises(TimeoutError):
            await session.get(f"{URL}never", timeout=aiohttp.ClientTimeout(total=0.1))
        assert await site.endings.get() == "cancelled"


@everywhere
async def test_a_web_socket_goes_both_ways_and_is_closed(world: World) -> None:
    async with served(world) as (site, session, _):
        async with session.ws_connect(f"{URL}socket") as socket:
            for word in ("one", "two", "three"):
                await socket.send_str(word)
                assert await socket.receive_str() == word.upper()
        assert await site.endings.get() == "1000"


@everywhere
async def test_plain_http_gets_the_same_answer(world: World) -> None:
    async with served(world):
        reader, writer = await world.open_connection()
        for _ in range(2):
            writer.write(b"GET /plain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert (await reader.readexactly(14)) == b"<p>GET /plain "
            size = int(head.lower().partition(b"content-length: ")[2].split()[0])
            await reader.readexactly(size - 14)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("kind", [OverUdp, Simulated])
def test_streams_of_one_association_are_a_connection_each(kind: type[Ours]) -> None:
    async def ask(world: World) -> None:
        async with served(world):
            _, writer = await world.open_connection()
            association = writer.get_extra_info("association")
            assert isinstance(association, aiosctp.Association)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_ask_on_a_stream(association, f"/{number}")) for number in range(40)]
            pages = [task.result() for task in tasks]
            assert [page.split()[1] for page in pages] == [f"/{number}" for number in range(40)]
            writer.close()

    kind().run(ask)


async def _ask_on_a_stream(association: aiosctp.Association, target: str) -> str:
    reader, writer = await association.open_stream()
    writer.write(f"GET {target} HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n".encode())
    _, body = (await reader.read()).split(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return body.decode()


def test_the_address_of_the_client_is_told_to_the_application() -> None:
    async def ask(world: World) -> None:
        async with served(world) as (_, session, _):
            assert await _page(session, URL) == "<p>GET / from 127.0.0.1"

    OverUdp().run(ask)
