"""How an association with usrsctp ends: gracefully, by ABORT, in silence, and by a restart."""

from __future__ import annotations

import asyncio

import pytest

import aiosctp
from aiosctp.events import AssociationChange
from aiosctp.exceptions import AssociationAborted, AssociationLost
from tests.interop.pairs import CONFIG, CONNECTORS, IMPATIENT_CONFIG, accepting, associated
from tests.interop.relay import Relay
from tests.interop.tally import Tally
from tests.interop.usrsctp import SCTP_PORT, Usrsctp, free_udp_port

USER_INITIATED_ABORT = 12
QUEUED_BYTES = 2_000_000


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_our_shutdown_delivers_what_is_queued(usrsctp: Usrsctp, connector: str) -> None:
    sent = Tally()
    async with associated(usrsctp, connector) as (association, peer, _):
        for number in range(QUEUED_BYTES // 10_000):
            data = number.to_bytes(2, "big") * 5_000
            await association.send(data, stream=number % 3)
            sent.add(number % 3, data)
        await association.shutdown()
        assert association.state == "CLOSED"
        await peer.event("shutdown_event")
        await peer.event("assoc_change", state="SHUTDOWN_COMP")
        assert await peer.event("received") == sent.event("received")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_peer_shutdown_lets_us_read_to_the_end(usrsctp: Usrsctp, connector: str) -> None:
    received = Tally()
    async with associated(usrsctp, connector) as (association, peer, _):
        await peer.event("assoc_change", state="COMM_UP")
        await peer.command("source", QUEUED_BYTES, 10_000, 3)
        sent = await peer.event("sent")  # it is in the peer's send buffer, larger than our window
        await peer.command("shutdown")
        async for message in association:
            received.add(message.stream, message.data)
        await association.wait_closed()
        await peer.event("assoc_change", state="SHUTDOWN_COMP")
    assert received.bytes == QUEUED_BYTES
    assert received.event("sent") == sent


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_end_of_the_block_is_a_graceful_shutdown(usrsctp: Usrsctp, connector: str) -> None:
    async with associated(usrsctp, connector) as (association, peer, _):
        await association.send(b"last words")
    await peer.event("assoc_change", state="SHUTDOWN_COMP")
    assert (await peer.event("received"))["bytes"] == len(b"last words")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_our_abort_reaches_the_peer_with_its_reason(usrsctp: Usrsctp, connector: str) -> None:
    async with associated(usrsctp, connector) as (association, peer, _):
        await peer.event("assoc_change", state="COMM_UP")
        association.abort(b"enough of this")
        lost = await peer.event("assoc_change", state="COMM_LOST")
        assert b"enough of this" in bytes.fromhex(lost["abort_chunk"])
        with pytest.raises(AssociationAborted):
            await association.receive()


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_peer_abort_raises_with_its_cause(usrsctp: Usrsctp, connector: str) -> None:
    async with associated(usrsctp, connector) as (association, peer, _):
        await peer.event("assoc_change", state="COMM_UP")
        await peer.command("abort", "enough", "of", "this")
        with pytest.raises(AssociationAborted) as caught:
            await association.receive()
        assert [(cause.code, cause.data) for cause in caught.value.causes] == [
            (USER_INITIATED_ABORT, b"enough of this")
        ]


async def test_exception_in_a_clients_block_aborts(usrsctp: Usrsctp) -> None:
    peer_udp_port = free_udp_port()
    peer = await usrsctp.server(udp_port=peer_udp_port)

    async def fail_inside() -> None:
        async with aiosctp.connect(
            "127.0.0.1", SCTP_PORT, udp_port=free_udp_port(), remote_udp_port=peer_udp_port, config=CONFIG
        ):
            raise LookupError

    with pytest.raises(LookupError):
        await fail_inside()
    await peer.event("assoc_change", state="COMM_LOST")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_peer_that_falls_silent_is_lost(usrsctp: Usrsctp, connector: str) -> None:
    """§8.1: Association.Max.Retrans is exceeded."""
    async with associated(usrsctp, connector, config=IMPATIENT_CONFIG) as (association, peer, _):
        await peer.event("assoc_change", state="COMM_UP")
        await peer.kill()
        await association.send(b"anybody there?")
        with pytest.raises(AssociationLost):
            await association.receive()


async def test_peer_that_restarts_is_the_same_association(usrsctp: Usrsctp) -> None:
    """§5.2.4, action A."""
    our_udp_port = free_udp_port()
    fixed: dict[str, object] = {"udp_port": free_udp_port(), "port": 5000, "remote_udp_port": our_udp_port}
    async with accepting(our_udp_port, CONFIG) as accepted:
        peer = await usrsctp.client(**fixed)
        association = await accepted
        changes = association.events(AssociationChange)
        await peer.event("assoc_change", state="COMM_UP")
        await peer.kill()
        peer = await usrsctp.client(**fixed, echo=True)
        await peer.event("assoc_change", state="COMM_UP")
        async with asyncio.timeout(10):
            async for change in changes:
                assert isinstance(change, AssociationChange)
                if change.change == "RESTART":
                    break
        await association.send(b"after the restart", stream=1)
        assert (await association.receive()).data == b"after the restart"


async def test_our_restart_is_the_same_association_to_the_peer(usrsctp: Usrsctp) -> None:
    """§5.2.4, action A, from the side that restarts."""
    our_udp_port, peer_udp_port = free_udp_port(), free_udp_port()
    peer = await usrsctp.server(udp_port=peer_udp_port, echo=True)
    async with Relay(our_udp_port, peer_udp_port) as relay:
        for stream in (1, 2):
            async with (
                aiosctp.Stack(udp_port=our_udp_port) as stack,
                aiosctp.connect(
                    "127.0.0.1",
                    SCTP_PORT,
                    local_port=5000,
                    remote_udp_port=relay.port_for_first,
                    config=CONFIG,
                    stack=stack,
                ) as association,
            ):
                await association.send(b"echo", stream=stream)
                assert (await association.receive()).stream == stream
                if stream == 1:
                    # A crash, as the peer sees it: the ABORT is lost.
                    relay.silence("127.0.0.1")
                    association.abort()
            relay.restore("127.0.0.1")
        await peer.event("assoc_change", state="RESTART")
        await peer.event("assoc_change", state="SHUTDOWN_COMP")
