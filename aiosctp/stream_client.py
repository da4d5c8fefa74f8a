"""Clients with asyncio's own names: an association for the sake of its stream 0."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from aiosctp.arguments import check_callable, check_reader_limit, check_seconds
from aiosctp.association import READER_LIMIT_BYTES
from aiosctp.byte_streams import Pair
from aiosctp.client import connect
from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.stack import DEFAULT_UDP_PORT, Stack
from aiosctp.stream_server import family_filter, refuse_absent, refuse_ssl
from aiosctp.stream_transport import StreamTransport

P = TypeVar("P", bound=asyncio.BaseProtocol)


async def create_connection(
    protocol_factory: Callable[[], P],
    host: str,
    port: int,
    *,
    ssl: None = None,
    family: int = socket.AF_UNSPEC,
    local_addr: tuple[str, int] | None = None,
    happy_eyeballs_delay: float | None = None,
    remote_udp_port: int = DEFAULT_UDP_PORT,
    udp_port: int = 0,
    config: Config | None = None,
    stack: Stack | None = None,
    **absent: Any,
) -> tuple[StreamTransport, P]:
    """`loop.create_connection` over SCTP: an association, and a protocol on its stream 0.

    More streams are `transport.get_extra_info("association").open_stream()`. The association is shut down gracefully
    when its last stream is closed, and ABORTed when that is aborted.

    Waits for the handshake, and for the protocol's `connection_made`. Cancelling leaves nothing behind.

    host, port: the peer, as with `connect`. family: only addresses of this one. local_addr: our host and SCTP port.
    happy_eyeballs_delay: seconds between the attempts at a name's addresses, None for a quarter of one.
    remote_udp_port, udp_port, config, stack: as with `connect`. absent: asyncio's other options, which can't be had
    here, at asyncio's defaults. Raises ValueError for others and for `ssl`, and what `connect` raises.
    """
    check_callable("protocol_factory", protocol_factory)
    refuse_ssl(ssl)
    refuse_absent(absent)
    check_seconds("happy_eyeballs_delay", happy_eyeballs_delay)
    local_host, local_port = _local(local_addr)
    association = await _ConnectForStreams(
        host,
        port,
        remote_udp_port=remote_udp_port,
        udp_port=udp_port,
        local_addresses=local_host,
        local_port=local_port,
        config=config,
        stack=stack,
        family=family,
        attempt_delay_s=happy_eyeballs_delay,
    )
    streams = association.byte_streams()
    streams.ends_with_last_stream = True
    try:
        protocol = protocol_factory()
        transport = streams.make(0, protocol)
        # The server has made its own by now, and waits for the end of it.
        transport.was_used = True
    except BaseException:
        association.abort(b"the protocol factory failed")
        raise
    is_made = streams.loop.create_future()
    streams.loop.call_soon(streams.begin_for, transport, is_made)
    try:
        await is_made
    except BaseException:
        transport.abort()
        raise
    return transport, protocol


def _local(address: object) -> tuple[Any, Any]:
    """Host and port, each still to be checked."""
    match address:
        case None:
            return None, 0
        case (host, port):
            return host, port
    raise TypeError(f"local_addr must be (host, SCTP port), not {address!r}")


class _ConnectForStreams(connect):
    """To such addresses only, at such a pace, for the sake of stream 0."""

    def __init__(self, host: str, port: int, *, family: int, attempt_delay_s: float | None, **options: Any) -> None:
        self._is_wanted = family_filter(family)
        if attempt_delay_s is not None:
            self.attempt_delay_s = attempt_delay_s
        super().__init__(host, port, **options)

    async def _resolve(self, stack: Stack) -> list[tuple[str, ...]]:
        found = [hosts for hosts in await super()._resolve(stack) if self._is_wanted(hosts[0])]
        if not found:
            raise OSError(errno.EADDRNOTAVAIL, "the host has no address of this family")
        return found

    def start(self, stack: Stack, config: Config, peer_hosts: tuple[str, ...]) -> AssociationEngine:
        engine = super().start(stack, config, peer_hosts)
        # A server may close stream 0 before anybody here has heard that there is an association, and without a byte:
        # only in a queue that is there already does that leave its mark.
        engine.receiver.use_streams()
        engine.receiver.take_over(0)
        return engine


async def open_connection(host: str, port: int, *, limit: int = READER_LIMIT_BYTES, **options: Any) -> Pair:
    """`asyncio.open_connection` over SCTP: an association, and a reader and a writer for its stream 0.

    limit: as asyncio's. The other options, the association's end, waiting, cancellation and errors are those of
    `create_connection`.
    """
    check_reader_limit(limit)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    transport, protocol = await create_connection(
        lambda: asyncio.StreamReaderProtocol(reader, loop=loop), host, port, **options
    )
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    transport.kept = reader, writer
    return reader, writer
