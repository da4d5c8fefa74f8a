"""A host with its program: a stack, a server, and the conversations that it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiosctp
from aiosctp import Association, Config, Server, Stack
from aiosctp.testing import Host, Link

UDP_PORT = 9899
SCTP_PORT = 7777


class Site:
    """One host. It may crash and run again; what it knew is gone then."""

    def __init__(self, host: Host, config: Config) -> None:
        self.host = host
        self.config = config
        self.stack: Stack | None = None
        self.server: Server | None = None
        self.is_behind_nat = False
        self.is_up = asyncio.Event()

    async def boot(self, handler: Callable[[Association], Awaitable[None]]) -> None:
        with self.host:
            self.stack = Stack(udp_port=UDP_PORT, config=self.config)
            self.stack.open()
            self.server = await aiosctp.serve(handler, None, SCTP_PORT, stack=self.stack)
        self.is_up.set()

    def crash(self) -> None:
        self.is_up.clear()
        self.host.crash()

    async def close(self) -> None:
        if self.server is not None:
            self.server.close()
            await self.server.wait_closed()
        if self.stack is not None:
            await self.stack.__aexit__(None, None, None)

    def __repr__(self) -> str:
        return self.host.name


class Cable:
    """What lies between two sites: the calm link that it has when nothing is wrong."""

    def __init__(self, one: Site, other: Site, calm: Link) -> None:
        self.ends = (one, other)
        self.calm = calm

    @property
    def is_ipv6(self) -> bool:
        return any(":" in address for end in self.ends for address in end.host.addresses)

    def lay(self, link: Link, *, one_way: bool = False) -> None:
        one, other = self.ends
        one.host.network.set_link(one.host, other.host, link, one_way=one_way)
