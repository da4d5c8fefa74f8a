"""What a socket's program reads first of an association."""

from __future__ import annotations

import aiosctp
from aiosctp.socket import (
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    SCTP_ADAPTATION_INDICATION,
    SCTP_ASSOC_CHANGE,
    SCTP_EVENT,
    SOCK_SEQPACKET,
    SCTPSocket,
    sctp_adaptation_event,
    sctp_assoc_change,
    sctp_event,
)
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_that_it_is_up_is_read_before_what_came_in_the_same_packet() -> None:
    """C03, C14: the peer's first message is bundled with its COOKIE ACK."""

    async def greet(association: aiosctp.Association) -> None:
        await association.send(b"welcome")
        await association.wait_closed()

    config = aiosctp.Config(adaptation_layer=7)
    async with TwoHosts(config=config) as hosts, SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.client) as sock:
        await aiosctp.serve(greet, None, PORT, stack=hosts.server)
        for event_type in (SCTP_ASSOC_CHANGE, SCTP_ADAPTATION_INDICATION):
            sock.setsockopt(IPPROTO_SCTP, SCTP_EVENT, sctp_event(se_type=event_type, se_on=1))
        await sock.sendto(b"hello", 0, (hosts.server_host.addresses[0], PORT))
        received = [await sock.recvv(100) for _ in range(3)]
        assert {type(one.data) for one in received[:2]} == {sctp_assoc_change, sctp_adaptation_event}
        assert received[2].data == b"welcome"
        assert not received[2].msg_flags & MSG_NOTIFICATION
