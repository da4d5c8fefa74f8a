"""What a socket tells: SCTP_STATUS, the ids of its associations, and options of level SOL_SOCKET."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import CookieEcho, Sack, Shutdown
from tests.socket.on_the_wire import USER_DATA, has, sent
from tests.socket.pairs import (
    SERVER,
    connected,
    data,
    ids,
    listener,
    many,
    one_to_many,
    one_to_one,
    setting,
)
from tests.socket.refusals import get_is_refused, refused, set_is_refused
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
SOL_SOCKET = sctp.SOL_SOCKET


def status(sock: SCTPSocket, assoc_id: int = 0) -> sctp.sctp_status:
    value = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id=assoc_id))
    assert isinstance(value, sctp.sctp_status)
    return value


# -- SCTP_STATUS --


@virtual_time
async def test_the_state_is_that_of_the_association() -> None:
    """B33, D23: COOKIE_WAIT, COOKIE_ECHOED, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_SENT, SHUTDOWN_RECEIVED."""
    async with TwoHosts() as hosts, listener(hosts) as listening, one_to_one(hosts) as ours:
        hosts.drop = lambda packet: True
        connecting = asyncio.create_task(ours.connect(SERVER))
        await asyncio.sleep(0.5)
        assert status(ours).sstat_state == sctp.SCTP_COOKIE_WAIT
        hosts.drop = lambda packet: has(packet, CookieEcho)
        await asyncio.sleep(1)
        assert status(ours).sstat_state == sctp.SCTP_COOKIE_ECHOED
        hosts.drop = lambda packet: False
        await connecting
        theirs, _ = await listening.accept()
        async with theirs:
            assert status(ours).sstat_state == status(theirs).sstat_state == sctp.SCTP_ESTABLISHED
            hosts.drop = lambda packet: True
            await ours.send(b"not acknowledged")
            ours.shutdown(sctp.SHUT_WR)
            assert status(ours).sstat_state == sctp.SCTP_SHUTDOWN_PENDING
            await theirs.send(b"not acknowledged either")
            hosts.drop = lambda packet: (
                has(packet, Shutdown) or (packet.source == "192.0.2.2" and has(packet, *USER_DATA))
            )
            await asyncio.sleep(3)
            assert status(ours).sstat_state == sctp.SCTP_SHUTDOWN_SENT
            hosts.drop = lambda packet: packet.source == "192.0.2.2" and has(packet, *USER_DATA)
            await asyncio.sleep(6)
            assert status(theirs).sstat_state == sctp.SCTP_SHUTDOWN_RECEIVED


@virtual_time
async def test_the_numbers_are_those_of_what_is_under_way_and_of_what_waits() -> None:
    """B33: sstat_rwnd, sstat_unackdata, sstat_penddata, and the id (RFC 6458 §8.2.1)."""
    async with many() as (hosts, ours, theirs, assoc_id):
        (their_id,) = ids(theirs)
        sndinfo = sctp.sctp_sndinfo(snd_assoc_id=assoc_id)
        for _ in range(3):
            await ours.sendv(bytes(1000), sndinfo=sndinfo)
        await asyncio.sleep(1)
        ours_now, theirs_now = status(ours, assoc_id), status(theirs, their_id)
        assert (ours_now.sstat_assoc_id, theirs_now.sstat_assoc_id) == (assoc_id, their_id)
        assert (ours_now.sstat_unackdata, theirs_now.sstat_penddata) == (0, 3)
        assert ours_now.sstat_rwnd == sent(hosts, "server", Sack)[-1].chunk.a_rwnd
        hosts.drop = lambda packet: True
        for _ in range(2):
            await ours.sendv(bytes(1000), sndinfo=sndinfo)
        await asyncio.sleep(0.1)
        assert status(ours, assoc_id).sstat_unackdata == 2
        assert status(ours, assoc_id).sstat_rwnd <= ours_now.sstat_rwnd - 2000
        await data(theirs)
        assert status(theirs, their_id).sstat_penddata == 2
        assert status(ours, assoc_id).sstat_primary.spinfo_address == SERVER
        assert status(ours, assoc_id).sstat_primary.spinfo_state == sctp.SCTP_ACTIVE


@virtual_time
async def test_a_message_goes_in_one_chunk_up_to_the_fragmentation_point() -> None:
    """B33: sstat_fragmentation_point is "the size at which SCTP fragmentation will occur"."""
    async with connected() as (hosts, ours, theirs):
        point = status(ours).sstat_fragmentation_point
        for size, chunks in ((point, 1), (point + 1, 3)):
            await ours.send(bytes(size))
            assert await data(theirs) == bytes(size)
            assert len(sent(hosts, "client", *USER_DATA)) == chunks


@virtual_time
async def test_the_status_is_of_one_association_and_read_only() -> None:
    """B33, A25: "The special SCTP_{FUTURE|CURRENT|ALL}_ASSOC cannot be used"; ENOPROTOOPT to set."""
    async with many() as (_, ours, _, assoc_id):
        for which in (sctp.SCTP_FUTURE_ASSOC, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99, -1):
            get_is_refused(ours, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id=which))
        get_is_refused(ours, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id="3"))  # type: ignore[arg-type]  # wrong on purpose
        get_is_refused(ours, sctp.SCTP_STATUS, 3)
        set_is_refused(ours, sctp.SCTP_STATUS, status(ours, assoc_id), errno.ENOPROTOOPT)


@virtual_time
async def test_an_id_wins_over_that_in_the_structure() -> None:
    """B33, A26: sctp_opt_info: "any association identifier in the structure ... is ignored, and id takes
    precedence"."""
    async with many() as (_, ours, _, assoc_id):
        read = ours.opt_info(assoc_id, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id=99))
        assert read.sstat_assoc_id == assoc_id
        for which in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            with refused(errno.EINVAL):
                ours.opt_info(which, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id=assoc_id))


# -- SCTP_GET_ASSOC_NUMBER and SCTP_GET_ASSOC_ID_LIST --


@virtual_time
async def test_a_socket_tells_how_many_associations_it_has_and_which() -> None:
    """A40: RFC 6458 §8.2.5 and §8.2.6: SCTP_GET_ASSOC_NUMBER, SCTP_GET_ASSOC_ID_LIST; ids count from 3 and are not
    used again."""
    async with many() as (hosts, ours, theirs, first), one_to_many(hosts) as other:
        assert first == 3
        await other.connectx([SERVER])
        await asyncio.sleep(0.1)
        assert theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_NUMBER) == 2
        assert ids(theirs) == [3, 4]
        await other.close()
        await asyncio.sleep(1)
        assert ids(theirs) == [3]
        async with one_to_many(hosts) as third:
            await third.connectx([SERVER])
            await asyncio.sleep(0.1)
            assert ids(theirs) == [3, 5]
        assert ids(ours) == [3]
        for option in (sctp.SCTP_GET_ASSOC_NUMBER, sctp.SCTP_GET_ASSOC_ID_LIST):
            set_is_refused(ours, option, 1, errno.ENOPROTOOPT)


@pytest.mark.parametrize("name", ["SCTP_GET_ASSOC_NUMBER", "SCTP_GET_ASSOC_ID_LIST"])
@virtual_time
async def test_a_one_to_one_socket_has_no_ids_to_tell(name: str) -> None:
    """A01: "For a one-to-one style socket, this socket option results in an error"."""
    async with connected() as (_, ours, _):
        get_is_refused(ours, getattr(sctp, name), code=errno.EOPNOTSUPP)  # as Linux has it


@virtual_time
async def test_a_one_to_one_socket_ignores_the_id() -> None:
    """A25: "For the one-to-one style sockets ... this association ID parameter is ignored"."""
    async with connected() as (_, ours, _):
        for which in (0, 1, 2, 3, 99, -1):
            assert status(ours, which).sstat_state == sctp.SCTP_ESTABLISHED
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_MAXSEG, sctp.sctp_assoc_value(assoc_id=which, assoc_value=500))
            read = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_MAXSEG, sctp.sctp_assoc_value(assoc_id=which))
            assert read.assoc_value == 500


# -- SOL_SOCKET --


@virtual_time
async def test_a_socket_tells_what_it_is() -> None:
    """A03, A24: SO_TYPE, SO_PROTOCOL, SO_DOMAIN, SO_ACCEPTCONN: read, and not set."""
    async with TwoHosts() as hosts, listener(hosts) as listening, one_to_many(hosts, family=sctp.AF_INET6) as sock:

        def read(of: SCTPSocket, name: str) -> Any:
            return of.getsockopt(SOL_SOCKET, getattr(sctp, name))

        assert [read(each, "SO_TYPE") for each in (listening, sock)] == [socket.SOCK_STREAM, socket.SOCK_SEQPACKET]
        assert read(sock, "SO_PROTOCOL") == sctp.IPPROTO_SCTP == 132
        assert [read(each, "SO_DOMAIN") for each in (listening, sock)] == [socket.AF_INET, socket.AF_INET6]
        assert [read(each, "SO_ACCEPTCONN") for each in (listening, sock)] == [1, 0]
        for name in ("SO_TYPE", "SO_PROTOCOL", "SO_DOMAIN", "SO_ACCEPTCONN", "SO_ERROR"):
            set_is_refused(sock, getattr(sctp, name), 1, errno.ENOPROTOOPT, level=SOL_SOCKET)


@virtual_time
async def test_the_pending_error_is_read_once() -> None:
    """A37, I03: SO_ERROR after a connect that was refused: ECONNREFUSED, and then 0."""
    async with TwoHosts() as hosts, one_to_one(hosts) as sock:
        sock.setblocking(False)
        with refused(errno.EINPROGRESS):
            await sock.connect(SERVER)
        assert sock.getsockopt(SOL_SOCKET, sctp.SO_ERROR) == 0
        await asyncio.sleep(1)
        assert sock.getsockopt(SOL_SOCKET, sctp.SO_ERROR) == errno.ECONNREFUSED
        assert sock.getsockopt(SOL_SOCKET, sctp.SO_ERROR) == 0


# -- SCTP_REUSE_PORT --


@virtual_time
async def test_a_port_is_shared_by_sockets_that_all_said_so() -> None:
    """RFC 6458 §8.1.27: SCTP_REUSE_PORT, for one-to-one sockets; one of them may listen; not after bind."""
    async with TwoHosts() as hosts:

        def socket_of(type: int) -> SCTPSocket:
            return SCTPSocket(sctp.AF_INET, type, stack=hosts.server)

        async with socket_of(sctp.SOCK_SEQPACKET) as many_style:
            set_is_refused(many_style, sctp.SCTP_REUSE_PORT, 1, errno.EOPNOTSUPP)
        reuse = setting(sctp.SCTP_REUSE_PORT, 1)
        async with socket_of(sctp.SOCK_STREAM) as first, socket_of(sctp.SOCK_STREAM) as second:
            reuse(first)
            reuse(second)
            for sock in (first, second):
                sock.bind(("0.0.0.0", PORT))
            async with socket_of(sctp.SOCK_STREAM) as third:
                with refused(errno.EADDRINUSE):
                    third.bind(("0.0.0.0", PORT))
            first.listen(1)
            with refused(errno.EADDRINUSE):
                second.listen(1)
            set_is_refused(first, sctp.SCTP_REUSE_PORT, 0)


# -- SCTP_I_WANT_MAPPED_V4_ADDR --


@virtual_time
async def test_an_ipv4_peer_of_an_ipv6_socket_is_mapped_where_that_was_asked_for() -> None:
    """B16, L01: off at first (RFC 6458 §8.1.15); on an IPv4 socket it is an error."""
    async with (
        TwoHosts(server_addresses=("192.0.2.2", "2001:db8::2")) as hosts,
        SCTPSocket(sctp.AF_INET6, sctp.SOCK_SEQPACKET, stack=hosts.server) as theirs,
        one_to_many(hosts) as ours,
    ):
        theirs.bind(("::", PORT))
        theirs.listen(1)
        assert theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_I_WANT_MAPPED_V4_ADDR) == 0
        for mapped in (0, 1, 0):
            theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_I_WANT_MAPPED_V4_ADDR, mapped)
            await ours.sendto(b"hello", 0, SERVER)
            received = await theirs.recvv(100)
            assert received.address is not None
            assert received.address[0] == ("::ffff:192.0.2.1" if mapped else "192.0.2.1")
            peers = [address[0] for address in theirs.getpaddrs(ids(theirs)[0])]
            assert peers == [received.address[0]]
            # An address is understood in both ways.
            await theirs.sendto(b"answer", 0, received.address)
            assert await data(ours) == b"answer"
            # And told in one, wherever that is.
            (assoc_id,) = ids(theirs)
            named = sctp.sctp_paddrinfo(spinfo_assoc_id=assoc_id, spinfo_address="192.0.2.1")
            told = (
                theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_GET_PEER_ADDR_INFO, named).spinfo_address,
                status(theirs, assoc_id).sstat_primary.spinfo_address,
                theirs.opt_info(assoc_id, sctp.SCTP_PRIMARY_ADDR, None).ssp_addr,
                theirs.opt_info(assoc_id, sctp.SCTP_GET_ASSOC_STATS, None).sas_obs_rto_ipaddr,
            )
            assert told == (received.address,) * len(told)
        set_is_refused(ours, sctp.SCTP_I_WANT_MAPPED_V4_ADDR, 1)


@virtual_time
async def test_what_one_association_cannot_take_is_set_for_none() -> None:
    """A25: SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC: all of them or, with EINVAL, none, those to come included."""
    few = setting(sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_max_instreams=2))

    def value(which: int, number: int = 0) -> sctp.sctp_stream_value:
        return sctp.sctp_stream_value(assoc_id=which, stream_id=5, stream_value=number)

    async with many() as (hosts, _, theirs, _), one_to_many(hosts, few) as other:
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER_VALUE, value(sctp.SCTP_ALL_ASSOC, 3))
        await other.connectx([SERVER])
        await asyncio.sleep(1)
        first, _ = ids(theirs)
        for which in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC):
            set_is_refused(theirs, sctp.SCTP_STREAM_SCHEDULER_VALUE, value(which, 4))
        for which in (first, sctp.SCTP_FUTURE_ASSOC):
            read = theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER_VALUE, value(which))
            assert read.stream_value == 3
