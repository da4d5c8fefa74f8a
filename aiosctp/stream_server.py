"""Servers with asyncio's own names: a protocol, or a reader and a writer, for each SCTP stream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiosctp.arguments import check_callable, check_config, check_int, check_reader_limit, strings
from aiosctp.association import READER_LIMIT_BYTES
from aiosctp.byte_streams import ProtocolFactory
from aiosctp.config import Config
from aiosctp.core.addresses import is_ipv6
from aiosctp.default_stacks import choose_stack
from aiosctp.server import Server, check_limits, hosts_of
from aiosctp.stack import DEFAULT_UDP_PORT, Stack

ConnectedCallback = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]

_NOT_ENCRYPTED = "SCTP streams are not encrypted here"
_ABSENT = {
    "sock": "associations share the UDP sockets of a stack, which may be passed as stack",
    "proto": "it is SCTP",
    "flags": "names are resolved as connect and serve resolve them",
    "interleave": "a name's addresses are tried in the resolver's order",
    "all_errors": "of several attempts the last one's error is raised",
    "keep_alive": "Config.heartbeat and Config.hb_interval_s say how idle associations are watched",
    "server_hostname": _NOT_ENCRYPTED,
    "ssl_handshake_timeout": _NOT_ENCRYPTED,
    "ssl_shutdown_timeout": _NOT_ENCRYPTED,
}

_FAMILIES = {int(socket.AF_UNSPEC): None, int(socket.AF_INET): False, int(socket.AF_INET6): True}


async def create_server(
    protocol_factory: ProtocolFactory,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    family: int = socket.AF_UNSPEC,
    backlog: int = 100,
    ssl: None = None,
    reuse_address: bool | None = None,
    reuse_port: bool | None = None,
    start_serving: bool = True,
    udp_port: int = DEFAULT_UDP_PORT,
    config: Config | None = None,
    stack: Stack | None = None,
    **absent: Any,
) -> Server:
    """`loop.create_server` over SCTP: a protocol, on a `StreamTransport`, for each SCTP stream of each association.

    That of stream 0 is made as soon as an association is, so that a server can speak first; that of any other with the
    peer's first message on it. A stream ends as a connection of TCP does (see `StreamTransport`); the association is
    the client's to end, unless the peer does not support the reset of streams (RFC 6525): then it is shut down with its
    last stream, for the client would not hear of the end otherwise.

    host: None or "" for all addresses of the stack, one host, or several. port: the SCTP port, None or 0 for a free
    one. family: only addresses of this one. backlog: how many associations may be set up at a time. reuse_address: has
    no effect, as an SCTP port that was closed can be opened again at once. start_serving: False waits for the server's
    `start_serving` or `serve_forever`. udp_port, config, stack: as with `serve`. absent: asyncio's other options, which
    can't be had here, at asyncio's defaults.

    Waits for name resolution only; cancelling leaves nothing behind. Raises ValueError for `ssl`, `reuse_port` and what
    else can't be had, and what `serve` raises.
    """
    check_callable("protocol_factory", protocol_factory)
    refuse_ssl(ssl)
    refuse_absent(absent)
    if reuse_port:
        raise ValueError("reuse_port must not be set: one process has a UDP port and its associations")
    port = port or 0
    check_limits(port, backlog, None, None)
    check_config(config)
    hosts = None if host is None or host == "" else strings("host", host)
    is_wanted = family_filter(family)
    stack = choose_stack(stack, udp_port, DEFAULT_UDP_PORT)
    config = config or stack.config
    found = tuple(each for each in await hosts_of(hosts, stack) if is_wanted(each))
    if not found:
        raise ValueError("family must be that of an address of the stack")
    server = Server(stack, config, protocol_factory=protocol_factory)
    server.bind(found, port, backlog, None, None)
    if start_serving:
        server.listen()
    return server


async def start_server(
    client_connected_cb: ConnectedCallback,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    limit: int = READER_LIMIT_BYTES,
    **options: Any,
) -> Server:
    """`asyncio.start_server` over SCTP: the callback is called with a reader and a writer for each SCTP stream, and run
    as a task if it is a coroutine function.

    limit: as asyncio's. The other options, waiting, cancellation and errors are those of `create_server`.
    """

    check_callable("client_connected_cb", client_connected_cb)
    check_reader_limit(limit)

    def make_protocol() -> asyncio.StreamReaderProtocol:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=limit, loop=loop)
        return asyncio.StreamReaderProtocol(reader, client_connected_cb, loop=loop)

    return await create_server(make_protocol, host, port, **options)


def refuse_ssl(ssl: object) -> None:
    if ssl is not None:
        raise ValueError("ssl must be None: SCTP streams are not encrypted here")


def refuse_absent(options: Mapping[str, object]) -> None:
    """Options of asyncio's that mean nothing here, or are not built: only what asyncio takes for none may be given."""
    for name, value in options.items():
        if name not in _ABSENT:
            raise TypeError(f"there is no argument {name}")
        if value and (name, value) != ("flags", socket.AI_PASSIVE):
            raise ValueError(f"{name} must not be set: {_ABSENT[name]}")


def family_filter(family: int) -> Callable[[str], bool]:
    """Whether a host is of the family. Raises ValueError for one that SCTP has no addresses of."""
    check_int("family", family)
    if int(family) not in _FAMILIES:
        raise ValueError(f"family must be AF_UNSPEC, AF_INET or AF_INET6, not {family!r}")
    wants_ipv6 = _FAMILIES[int(family)]
    return lambda host: wants_ipv6 is None or is_ipv6(host) == wants_ipv6
