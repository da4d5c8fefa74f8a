"""aiosctp in this process, associated with a usrsctp peer, whichever of the two connects."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiosctp
from tests.interop.processes import Peer
from tests.interop.relay import Gate, Relay
from tests.interop.usrsctp import SCTP_PORT, Usrsctp, free_udp_port

CONNECT_TIMEOUT_S = 15.0
CONFIG = aiosctp.Config(shutdown_timeout_s=10.0)
# For tests that wait for a timer.
IMPATIENT_CONFIG = aiosctp.Config(
    rto_initial_s=0.1, rto_min_s=0.1, rto_max_s=0.2, association_max_retrans=2, shutdown_timeout_s=10.0
)
CONNECTORS = ("aiosctp", "usrsctp")


class Pair(NamedTuple):
    association: aiosctp.Association
    peer: Peer
    relay: Relay | None


@contextlib.asynccontextmanager
async def associated(
    usrsctp: Usrsctp,
    connector: str,
    *,
    config: aiosctp.Config = CONFIG,
    loss: float | None = None,
    gate: Gate | None = None,
    **peer_options: object,
) -> AsyncIterator[Pair]:
    """An association between the two; with `loss` through a relay that loses this part of the packets.

    `gate` is asked of every packet; there aiosctp is the first peer.

    The end of the block is the end of a client's block or of a server's handler: a graceful shutdown.
    """
    our_udp_port, peer_udp_port = free_udp_port(), free_udp_port()
    async with contextlib.AsyncExitStack() as stack:
        port_for_us, port_for_peer, relay = peer_udp_port, our_udp_port, None
        if loss is not None or gate is not None:
            relay = await stack.enter_async_context(Relay(our_udp_port, peer_udp_port, loss=loss or 0.0, gate=gate))
            port_for_us, port_for_peer = relay.port_for_first, relay.port_for_second
        if connector == "aiosctp":
            peer = await usrsctp.server(udp_port=peer_udp_port, **peer_options)
            association = await stack.enter_async_context(
                aiosctp.connect(
                    "127.0.0.1",
                    SCTP_PORT,
                    udp_port=our_udp_port,
                    remote_udp_port=port_for_us,
                    timeout=CONNECT_TIMEOUT_S,
                    config=config,
                )
            )
        else:
            accepted = await stack.enter_async_context(accepting(our_udp_port, config))
            peer = await usrsctp.client(udp_port=peer_udp_port, remote_udp_port=port_for_peer, **peer_options)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                association = await accepted
        yield Pair(association, peer, relay)


@contextlib.asynccontextmanager
async def accepting(
    udp_port: int, config: aiosctp.Config, *, host: str = "127.0.0.1"
) -> AsyncIterator[asyncio.Future[aiosctp.Association]]:
    """A server for one association; its handler returns when the block ends."""
    accepted: asyncio.Future[aiosctp.Association] = asyncio.get_running_loop().create_future()
    finished = asyncio.Event()

    async def handle(association: aiosctp.Association) -> None:
        accepted.set_result(association)
        await finished.wait()

    async with await aiosctp.serve(handle, host, SCTP_PORT, udp_port=udp_port, config=config):
        try:
            yield accepted
        finally:
            finished.set()
