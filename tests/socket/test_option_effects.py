"""What setting an option does: to packets, to later calls, to associations to come, where several options meet."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import IPPROTO_SCTP, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET, SCTPSocket
from aiosctp.testing import Packet
from aiosctp.wire.chunks import CookieEcho, Data, Heartbeat, IData, Init, Sack, ShutdownAck, decode_chunks
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

FIRST, SECOND = "192.0.2.2", "192.0.2.3"


@contextmanager
def refused(number: int, words: str | None = None) -> Iterator[None]:
    with pytest.raises(OSError, match=words) as caught:
        yield
    assert caught.value.errno == number, caught.value


def untouched(sock: SCTPSocket) -> None:
    pass


@asynccontextmanager
async def sockets(
    kind: int = SOCK_STREAM,
    ours: Callable[[SCTPSocket], object] = untouched,
    theirs: Callable[[SCTPSocket], object] = untouched,
    **options: Any,
) -> AsyncIterator[tuple[TwoHosts, SCTPSocket, SCTPSocket]]:
    """One that is to connect, and one that listens; each after it was prepared."""
    async with (
        TwoHosts(**options) as hosts,
        SCTPSocket(type=kind, stack=hosts.server) as listener,
        SCTPSocket(type=kind, stack=hosts.client) as sock,
    ):
        theirs(listener)
        listener.bind(("", PORT))
        listener.listen(5)
        ours(sock)
        yield hosts, sock, listener


def set_to(option: int, value: object, level: int = IPPROTO_SCTP) -> Callable[[SCTPSocket], None]:
    return lambda sock: sock.setsockopt(level, option, value)


def chunks(hosts: TwoHosts, kind: type, source: str = "192.0.2.1") -> list[tuple[Packet, Any]]:
    """Of this type, that left from there, with their packets."""
    return [
        (packet, chunk)
        for packet in hosts.log
        if packet.source == source
        for chunk in decode_chunks(packet.data)
        if isinstance(chunk, kind)
    ]


def has(packet: Packet, kind: type) -> bool:
    return any(isinstance(chunk, kind) for chunk in decode_chunks(packet.data))


async def acknowledged_after_s(hosts: TwoHosts, sock: SCTPSocket) -> float:
    """How long after a message, of one packet, its SACK leaves the peer."""
    began_s = hosts.client.now()
    await sock.send(b"one packet")
    await asyncio.sleep(1)
    times = [
        passage.sent_at_s
        for passage in hosts.network.trace
        if passage.packet.source == FIRST and has(passage.packet, Sack) and passage.sent_at_s > began_s
    ]
    return times[0] - began_s


# -- SOL_SOCKET --


@virtual_time
async def test_a_port_is_bound_again_while_associations_of_the_last_socket_end() -> None:
    """A05: what SO_REUSEADDR asks for is so whether it is set or not: POSIX has it for sockets that close."""
    for on in (0, 1):
        async with sockets() as (hosts, sock, listener):
            await sock.connect((FIRST, PORT))
            hosts.drop = lambda packet: True  # so that the old association goes on
            await listener.close()
            async with SCTPSocket(stack=hosts.server) as again:
                again.setsockopt(SOL_SOCKET, sctp.SO_REUSEADDR, on)
                again.bind(("", PORT))
                again.listen(1)
                assert hosts.server.associations()
                assert again.getsockopt(SOL_SOCKET, sctp.SO_REUSEADDR) == on


@virtual_time
async def test_a_smaller_receive_buffer_is_for_associations_to_come() -> None:
    """B06: RFC 9260 §3.3.2: "During the life of the association, this buffer space SHOULD NOT be reduced"."""
    async with sockets(SOCK_SEQPACKET) as (hosts, sock, listener):
        await sock.connect((FIRST, PORT))
        listener.setsockopt(SOL_SOCKET, sctp.SO_RCVBUF, 5000)
        (first,) = sock.associations
        assert window_of(sock, first) > 100_000
        async with SCTPSocket(stack=hosts.client) as another:
            await another.connect((FIRST, PORT))
            assert another.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS).sstat_rwnd == 5000
            # A one-to-one socket has none to come.
            with refused(errno.EINVAL, "SO_RCVBUF"):
                another.setsockopt(SOL_SOCKET, sctp.SO_RCVBUF, 5000)


def window_of(sock: SCTPSocket, association_id: int) -> int:
    """What the peer has told."""
    status = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS, sctp.sctp_status(association_id))
    assert isinstance(status.sstat_rwnd, int)
    return status.sstat_rwnd


def test_an_ipv6_socket_speaks_ipv4_too() -> None:
    """A03: what POSIX programs say of that is taken, and the contrary refused."""
    sock = SCTPSocket(sctp.AF_INET6)
    sock.setsockopt(sctp.IPPROTO_IPV6, sctp.IPV6_V6ONLY, 0)
    assert sock.getsockopt(sctp.IPPROTO_IPV6, sctp.IPV6_V6ONLY) == 0
    with refused(errno.EOPNOTSUPP, "IPV6_V6ONLY"):
        sock.setsockopt(sctp.IPPROTO_IPV6, sctp.IPV6_V6ONLY, 1)


# -- SCTP_STATUS --


@virtual_time
async def test_a_one_to_one_socket_without_association_tells_whether_it_is_bound_or_listens() -> None:
    """B33, D23: CLOSED, BOUND and LISTEN are states of a socket that has no association."""
    async with TwoHosts() as hosts, SCTPSocket(stack=hosts.server) as sock:

        def state() -> object:
            return sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS).sstat_state

        assert state() == sctp.SCTP_CLOSED
        sock.bind(("", PORT))
        assert state() == sctp.SCTP_BOUND
        sock.listen(1)
        assert state() == sctp.SCTP_LISTEN


@virtual_time
async def test_the_states_of_the_handshake_and_of_the_shutdown() -> None:
    """B33, D23: of an association that is being opened and of one that ends."""

    def state(sock: SCTPSocket) -> object:
        return sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS).sstat_state

    async with sockets() as (hosts, sock, _):
        sock.setblocking(False)
        with refused(errno.EINPROGRESS):
            await sock.connect((FIRST, PORT))
        assert state(sock) == sctp.SCTP_COOKIE_WAIT
        hosts.drop = lambda packet: packet.source == "192.0.2.1"
        await asyncio.sleep(0.03)
        assert state(sock) == sctp.SCTP_COOKIE_ECHOED
        hosts.drop = lambda packet: False
        await asyncio.sleep(5)
        assert state(sock) == sctp.SCTP_ESTABLISHED
        hosts.drop = lambda packet: True
        await sock.send(b"not acknowledged")
        sock.shutdown(sctp.SHUT_WR)
        assert state(sock) == sctp.SCTP_SHUTDOWN_PENDING
        hosts.drop = lambda packet: has(packet, ShutdownAck)
        await asyncio.sleep(3)
        assert state(sock) == sctp.SCTP_SHUTDOWN_SENT
        hosts.drop = lambda packet: False
        await asyncio.sleep(5)
        assert state(sock) == sctp.SCTP_BOUND


# -- paths --


@virtual_time
async def test_the_udp_port_of_an_address_that_the_peer_names_later() -> None:
    """RFC 6951 §6.1: set before connect for one address, which the INIT ACK brings."""
    port = sctp.sctp_udpencaps(sue_address=SECOND, sue_port=40_000)
    async with sockets(ours=set_to(sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, port), server_addresses=(FIRST, SECOND)) as (
        hosts,
        sock,
        _,
    ):
        await sock.connect((FIRST, PORT))
        await asyncio.sleep(3)
        ports = {packet.destination_port for packet in hosts.log if packet.destination == SECOND}
        assert ports == {40_000}
        assert {packet.destination_port for packet in hosts.log if packet.destination == FIRST} == {9899}


@virtual_time
async def test_parameters_of_all_paths_are_set_together() -> None:
    """B13, A25: heartbeats, the path MTU and the drafts' SACK delay in one call, for the endpoint."""
    parameters = sctp.sctp_paddrparams(
        spp_hbinterval=1000,
        spp_pathmaxrxt=2,
        spp_pathmtu=1000,
        spp_flags=sctp.SPP_HB_ENABLE | sctp.SPP_PMTUD_DISABLE | sctp.SPP_SACKDELAY_ENABLE,
        spp_sackdelay=100,
    )
    async with sockets(theirs=set_to(sctp.SCTP_PEER_ADDR_PARAMS, parameters)) as (hosts, sock, listener):
        await sock.connect((FIRST, PORT))
        accepted, _ = await listener.accept()
        async with accepted:
            await acknowledged_after_s(hosts, sock)
            assert await acknowledged_after_s(hosts, sock) == pytest.approx(0.11)
            hosts.log.clear()
            await accepted.send(bytes(5000))
            await asyncio.sleep(10)
            assert max(len(packet.data) for packet in hosts.log if packet.source == FIRST) == 12 + 1000
            assert len(chunks(hosts, Heartbeat, FIRST)) >= 2
            read = accepted.getsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS)
            assert (read.spp_hbinterval, read.spp_pathmaxrxt, read.spp_pathmtu) == (1000, 2, 1000)
            assert read.spp_sackdelay == 100


@virtual_time
async def test_the_drafts_flags_of_the_sack_delay() -> None:
    """D21: SPP_SACKDELAY_DISABLE has every packet acknowledged at once; RFC 6458 has SCTP_DELAYED_SACK instead."""

    def use(flags: int) -> None:
        accepted.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, sctp.sctp_paddrparams(spp_flags=flags))

    async with sockets() as (hosts, sock, listener):
        await sock.connect((FIRST, PORT))
        accepted, _ = await listener.accept()
        async with accepted:
            await acknowledged_after_s(hosts, sock)
            assert await acknowledged_after_s(hosts, sock) == pytest.approx(0.21)
            use(sctp.SPP_SACKDELAY_DISABLE)
            assert await acknowledged_after_s(hosts, sock) == pytest.approx(0.01)
            use(sctp.SPP_SACKDELAY_ENABLE)
            assert await acknowledged_after_s(hosts, sock) == pytest.approx(0.21)


@pytest.mark.parametrize(
    ("flags", "number", "words"),
    [
        (sctp.SPP_DSCP, errno.EOPNOTSUPP, "SPP_DSCP"),
        (sctp.SPP_IPV6_FLOWLABEL, errno.EOPNOTSUPP, "SPP_IPV6_FLOWLABEL"),
        (sctp.SPP_SACKDELAY_ENABLE | sctp.SPP_SACKDELAY_DISABLE, errno.EINVAL, "spp_flags"),
        (0x8000, errno.EINVAL, "spp_flags"),
        (sctp.SPP_HB_DEMAND, errno.EINVAL, "SPP_HB_DEMAND"),
    ],
)
def test_flags_of_a_path_that_mean_nothing_are_refused(flags: int, number: int, words: str) -> None:
    """B13, D19, D20: both of a pair, unknown bits, and a demand that names no address."""
    sock = SCTPSocket()
    with refused(number, words):
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, sctp.sctp_paddrparams(spp_flags=flags))


@virtual_time
async def test_a_heartbeat_on_demand_needs_an_association_that_is_up() -> None:
    """B13, D19: SPP_HB_DEMAND before that is refused, and changes nothing."""
    async with sockets() as (hosts, sock, _):
        demand = sctp.sctp_paddrparams(spp_address=(FIRST, PORT), spp_flags=sctp.SPP_HB_DEMAND, spp_pathmaxrxt=3)
        sock.setblocking(False)
        with refused(errno.EINPROGRESS):
            await sock.connect((FIRST, PORT))
        with refused(errno.EINVAL, "SPP_HB_DEMAND"):
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, demand)
        assert sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS).spp_pathmaxrxt == 5
        await asyncio.sleep(1)
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, demand)
        await asyncio.sleep(0)
        assert len(chunks(hosts, Heartbeat)) == 1


@virtual_time
async def test_a_heartbeat_on_demand_is_for_one_address() -> None:
    """B13, D19: "This must not be used in conjunction with a wildcard address"; nothing of the rest is done."""
    async with sockets() as (hosts, sock, _):
        await sock.connect((FIRST, PORT))
        hosts.log.clear()
        wrong = sctp.sctp_paddrparams(spp_flags=sctp.SPP_HB_DEMAND, spp_pathmaxrxt=3)
        with refused(errno.EINVAL, "SPP_HB_DEMAND"):
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, wrong)
        assert sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS).spp_pathmaxrxt == 5
        await asyncio.sleep(1)
        assert hosts.log == []


# -- sending --


@virtual_time
async def test_a_large_send_buffer_is_one_stream_s_if_it_sends_alone() -> None:
    """B07: SO_SNDBUF has no second bound for each stream, as Config has."""
    size = 2**20
    async with sockets(ours=set_to(sctp.SO_SNDBUF, size, SOL_SOCKET)) as (hosts, sock, _):
        await sock.connect((FIRST, PORT))
        hosts.drop = lambda packet: True
        sock.setblocking(False)
        queued = 0
        with suppress(BlockingIOError):
            while queued < 2 * size:
                queued += await sock.send(bytes(10_000))
        assert size <= queued < size + 10_000


@virtual_time
async def test_the_old_default_names_a_policy_in_its_flags() -> None:
    """B14: RFC 7496 §4.2, RFC 6458 §5.3.2: sinfo_timetolive is then its value, here of retransmissions."""
    info = sctp.sctp_sndrcvinfo(sinfo_flags=sctp.SCTP_UNORDERED | sctp.SCTP_PR_SCTP_RTX, sinfo_timetolive=1)
    async with sockets() as (hosts, sock, _):
        await sock.connect((FIRST, PORT))
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SEND_PARAM, info)
        assert sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SEND_PARAM) == info.__class__(
            sinfo_flags=info.sinfo_flags, sinfo_timetolive=1, sinfo_assoc_id=next(iter(sock.associations))
        )
        prinfo = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_PRINFO)
        assert (prinfo.pr_policy, prinfo.pr_value) == (sctp.SCTP_PR_SCTP_RTX, 1)
        hosts.drop = lambda packet: has(packet, Data)
        await sock.send(b"sent twice")
        await asyncio.sleep(30)
        assert len(chunks(hosts, Data)) == 2


@virtual_time
async def test_what_was_abandoned_is_counted_by_the_policy_that_did_it() -> None:
    """RFC 7496 §4.3, §4.4: SCTP_PR_STREAM_STATUS and SCTP_PR_ASSOC_STATUS; SCTP_PR_SCTP_ALL is all together."""
    async with sockets() as (hosts, sock, _):
        await sock.connect((FIRST, PORT))
        hosts.drop = lambda packet: has(packet, Data)
        policies = ((sctp.SCTP_PR_SCTP_RTX, 0, 1), (sctp.SCTP_PR_SCTP_TTL, 500, 2))
        for policy, value, stream in policies:
            for _ in range(stream):
                sndinfo = sctp.sctp_sndinfo(snd_sid=stream)
                await sock.sendv(b"message", sndinfo=sndinfo, prinfo=sctp.sctp_prinfo(policy, value))
        await asyncio.sleep(10)

        def counted(option: int, policy: int, stream: int = 0) -> int:
            asked = sctp.sctp_prstatus(sprstat_sid=stream, sprstat_policy=policy)
            status = sock.getsockopt(IPPROTO_SCTP, option, asked)
            return int(status.sprstat_abandoned_unsent + status.sprstat_abandoned_sent)

        for policy, _, stream in policies:
            assert counted(sctp.SCTP_PR_ASSOC_STATUS, policy) == stream
            assert counted(sctp.SCTP_PR_STREAM_STATUS, policy, stream) == stream
            assert counted(sctp.SCTP_PR_STREAM_STATUS, policy, 3 - stream) == 0
            assert counted(sctp.SCTP_PR_STREAM_STATUS, sctp.SCTP_PR_SCTP_ALL, stream) == stream
        assert counted(sctp.SCTP_PR_ASSOC_STATUS, sctp.SCTP_PR_SCTP_ALL) == 3
        assert counted(sctp.SCTP_PR_ASSOC_STATUS, sctp.SCTP_PR_SCTP_PRIO) == 0
        with refused(errno.EINVAL, "sprstat_policy"):
            counted(sctp.SCTP_PR_ASSOC_STATUS, sctp.SCTP_PR_SCTP_NONE)


# -- streams --


@virtual_time
async def test_a_stream_has_its_priority_from_the_beginning() -> None:
    """RFC 8260 §4.3.3: SCTP_STREAM_SCHEDULER_VALUE with SCTP_FUTURE_ASSOC."""

    def prepare(sock: SCTPSocket) -> None:
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER, sctp.sctp_assoc_value(0, sctp.SCTP_SS_PRIO))
        for stream, priority in ((1, 9), (2, 1)):
            value = sctp.sctp_stream_value(stream_id=stream, stream_value=priority)
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER_VALUE, value)

    async with sockets(ours=prepare) as (hosts, sock, _):
        await sock.connect((FIRST, PORT))
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_NODELAY, 0)
        await sock.send(b"in flight, so that the others wait")
        for stream in (1, 2):
            await sock.sendv(b"message", sndinfo=sctp.sctp_sndinfo(snd_sid=stream))
        await asyncio.sleep(1)
        assert [chunk.stream for _, chunk in chunks(hosts, Data)] == [0, 2, 1]
        read = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER_VALUE, sctp.sctp_stream_value(stream_id=1))
        assert read.stream_value == 9


@pytest.mark.parametrize(
    "wrong",
    [
        sctp.sctp_reset_streams(srs_flags=0, srs_stream_list=(0,)),
        sctp.sctp_reset_streams(srs_flags=4, srs_stream_list=(0,)),
        sctp.sctp_reset_streams(srs_flags=sctp.SCTP_STREAM_RESET_OUTGOING, srs_number_streams=2, srs_stream_list=(0,)),
        sctp.sctp_reset_streams(srs_flags=sctp.SCTP_STREAM_RESET_OUTGOING, srs_stream_list=(9999,)),
    ],
)
@virtual_time
async def test_a_reset_that_makes_no_sense_asks_nothing_of_the_peer(wrong: sctp.sctp_reset_streams) -> None:
    """B37, I05: RFC 6525 §6.3.2."""
    async with sockets() as (hosts, sock, _):
        await sock.connect((FIRST, PORT))
        hosts.log.clear()
        with refused(errno.EINVAL):
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, wrong)
        await asyncio.sleep(1)
        assert hosts.log == []


# -- interleaving (RFC 8260 §4.3.1) --


@virtual_time
async def test_interleaving_takes_a_program_that_looks_at_streams() -> None:
    """B20: I-DATA is spoken where both have it on, and that takes level 2, which takes SCTP_RECVRCVINFO."""
    on = sctp.sctp_assoc_value(assoc_value=1)

    def prepare(sock: SCTPSocket) -> None:
        with refused(errno.EINVAL, "level 2"):
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_INTERLEAVING_SUPPORTED, on)
        with refused(errno.EINVAL, "SCTP_RECVRCVINFO"):
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 2)
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_RECVRCVINFO, 1)
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 2)
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_INTERLEAVING_SUPPORTED, on)
        with refused(errno.EINVAL, "SCTP_INTERLEAVING_SUPPORTED"):
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 1)

    for theirs, speaks in ((prepare, True), (untouched, False)):
        async with sockets(ours=prepare, theirs=theirs) as (hosts, sock, _):
            await sock.connect((FIRST, PORT))
            await sock.send(b"message")
            await asyncio.sleep(0.1)
            assert (len(chunks(hosts, IData)), len(chunks(hosts, Data))) == (int(speaks), int(not speaks))
            assert sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_INTERLEAVING_SUPPORTED).assoc_value == int(speaks)


# -- events --


@virtual_time
async def test_who_subscribes_while_there_is_nothing_to_send_is_told_at_once() -> None:
    """B15: RFC 6458 §6.1.9: "at the time when a user app subscribes to this event"; who has subscribed is not."""
    event = sctp.sctp_event(se_type=sctp.SCTP_SENDER_DRY_EVENT, se_on=1)
    async with sockets() as (_, sock, _):
        await sock.connect((FIRST, PORT))
        for _ in range(2):
            sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event)
        assert isinstance((await sock.recvv(100)).data, sctp.sctp_sender_dry_event)
        sock.setblocking(False)
        with refused(errno.EAGAIN):
            await sock.recvv(100)
        await sock.send(b"on its way")
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, sctp.sctp_event(se_type=event.se_type))
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event)
        with refused(errno.EAGAIN):
            await sock.recvv(100)
        await asyncio.sleep(1)
        assert isinstance((await sock.recvv(100)).data, sctp.sctp_sender_dry_event)


# -- the cookie of an association --


@virtual_time
async def test_a_cookie_life_above_the_largest_raises_that_too() -> None:
    """B03: Config.max_cookie_life_s bounds what a peer may ask for, not what the program says."""
    life = sctp.sctp_assocparams(sasoc_cookie_life=400_000)

    async with sockets(theirs=set_to(sctp.SCTP_ASSOCINFO, life)) as (hosts, sock, _):
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_max_attempts=20))
        hosts.drop = lambda packet: hosts.client.now() < 350 and has(packet, CookieEcho)
        await sock.connect((FIRST, PORT))
        assert len(chunks(hosts, Init)) == 1
