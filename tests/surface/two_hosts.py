"""A client's and a server's stack on a simulated network, and associations between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import aiosctp
from aiosctp.testing import Link, LossWhere, Network, Packet
from aiosctp.wire.codepoints import ChunkType

PORT = 7777
DELAY_S = 0.01


USER_DATA = (ChunkType.DATA, ChunkType.I_DATA)


def chunk_type(packet: Packet) -> int:
    """Of its first chunk."""
    return packet.data[12]


def has_user_data(packet: Packet) -> bool:
    """Whether its first chunk is DATA or I-DATA."""
    return chunk_type(packet) in USER_DATA


class TwoHosts:
    """`client` and `server` are their stacks. `accepted` holds what the server was given.

    `drop` decides about each packet between them, `log` keeps all that were sent.
    """

    def __init__(
        self,
        *,
        client_addresses: tuple[str, ...] = ("192.0.2.1",),
        server_addresses: tuple[str, ...] = ("192.0.2.2",),
        config: aiosctp.Config | None = None,
        server_config: aiosctp.Config | None = None,
        seed: int = 1,
        delay_s: float = DELAY_S,
    ) -> None:
        self.network = Network(seed=seed)
        self.client_host = self.network.host("client", *client_addresses)
        self.server_host = self.network.host("server", *server_addresses)
        self.drop: Callable[[Packet], bool] = lambda packet: False
        self.log: list[Packet] = []
        self.network.observers.append(self.log.append)
        self.network.set_link(
            self.client_host, self.server_host, Link(delay_s=delay_s, loss=LossWhere(self._is_dropped))
        )
        self.client = aiosctp.Stack(config=config, network=self.client_host)
        self.server = aiosctp.Stack(config=server_config or config, network=self.server_host)
        self.accepted: asyncio.Queue[aiosctp.Association] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.__aexit__(None, None, None)
        await self.server.__aexit__(None, None, None)

    def _is_dropped(self, packet: Packet) -> bool:
        return self.drop(packet)

    async def keep(self, association: aiosctp.Association) -> None:
        """A handler that gives the association to the test and leaves it alone until it ends."""
        self.accepted.put_nowait(association)
        await association.wait_closed()

    async def serve(self, **options: Any) -> aiosctp.Server:
        return await aiosctp.serve(self.keep, None, PORT, stack=self.server, **options)

    async def connect(self, **options: Any) -> aiosctp.Association:
        return await aiosctp.connect(self.server_host.addresses[0], PORT, stack=self.client, **options)

    async def pair(self, **options: Any) -> tuple[aiosctp.Association, aiosctp.Association]:
        ours = await self.connect(**options)
        return ours, await self.accepted.get()


@asynccontextmanager
async def associated(**options: Any) -> AsyncIterator[tuple[TwoHosts, aiosctp.Association, aiosctp.Association]]:
    """Two hosts with an association between them: the client's end and the server's."""
    async with TwoHosts(**options) as hosts:
        server = await hosts.serve()
        ours, theirs = await hosts.pair()
        try:
            yield hosts, ours, theirs
        finally:
            server.close()
            server.abort_clients()
            ours.abort()
            await server.wait_closed()
