"""SCTP_RTOINFO, SCTP_INITMSG and SCTP_ASSOCINFO: how long, and how often, something is tried."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import CookieEcho, Error, Init, InitAck, Sack
from tests.socket.on_the_wire import USER_DATA, forget, has, sent, times
from tests.socket.pairs import (
    SERVER,
    TWO_ADDRESSES,
    Prepare,
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
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP


def rto(initial: int = 0, max: int = 0, min: int = 0) -> Prepare:
    return setting(sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_initial=initial, srto_max=max, srto_min=min))


def rto_of(sock: SCTPSocket) -> tuple[int, int, int]:
    value = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_RTOINFO)
    return value.srto_initial, value.srto_max, value.srto_min


async def init_times(hosts: TwoHosts, prepare: Prepare, *, until_s: float) -> list[float]:
    """When a socket has sent its INITs, to a server that does not answer."""
    async with one_to_one(hosts, prepare) as sock:
        hosts.drop = lambda packet: True
        connecting = asyncio.create_task(sock.connect(SERVER))
        await asyncio.sleep(until_s)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
    return times(sent(hosts, "client", Init))


# -- SCTP_RTOINFO --


@virtual_time
async def test_the_initial_rto_is_that_of_the_init_and_the_largest_bounds_its_doubling() -> None:
    """B02, L11: milliseconds (RFC 6458 §8.1.1); one second where nothing is said (RFC 9260 §16)."""
    async with TwoHosts() as hosts:
        assert await init_times(hosts, rto(300, 500, 100), until_s=2) == pytest.approx([0, 0.3, 0.8, 1.3, 1.8])
        forget(hosts)
        assert await init_times(hosts, setting(sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo()), until_s=4) == pytest.approx(
            [0, 1, 3]
        )


@virtual_time
async def test_a_field_that_is_0_stays_as_it_is() -> None:
    """B02: "A value of 0, when modifying the parameters, indicates that the current value should not be changed"."""
    async with TwoHosts() as hosts:
        async with one_to_one(hosts, rto(initial=2000)) as sock:
            assert rto_of(sock) == (2000, 60_000, 1000)
        assert await init_times(hosts, lambda sock: (rto(initial=2000)(sock), rto(max=3000)(sock)), until_s=6) == (
            pytest.approx([0, 2, 5])
        )


@virtual_time
async def test_the_least_rto_is_that_of_a_retransmission() -> None:
    """B02: srto_min bounds the RTO of a live association, from the next measurement on."""
    # Each packet is acknowledged at once, so that the measured times are far below the least RTO.
    at_once = setting(sctp.SCTP_DELAYED_SACK, sctp.sctp_sack_info(sack_freq=1))
    async with connected(server=at_once) as (hosts, ours, theirs):
        rto(min=300, initial=300)(ours)
        for _ in range(3):
            await ours.send(b"measured")
            assert await data(theirs) == b"measured"
            await asyncio.sleep(1)
        forget(hosts)
        hosts.drop = lambda packet: True
        await ours.send(b"lost")
        await asyncio.sleep(1)
        assert times(sent(hosts, "client", *USER_DATA)) == pytest.approx([0, 0.3, 0.9])


@virtual_time
async def test_an_rto_out_of_order_or_below_50_ms_changes_nothing() -> None:
    """B02: "unless min <= initial <= max it is EINVAL and nothing changes"; 50 ms is the least."""
    async with TwoHosts() as hosts:
        async with one_to_one(hosts) as sock:
            before = rto_of(sock)
            for initial, largest, least in (
                (0, 0, 5000),  # least > initial
                (0, 500, 0),  # largest < initial
                (70_000, 0, 0),
                (400, 300, 200),
                (49, 49, 49),
                (100, 1000, 49),
            ):
                value = sctp.sctp_rtoinfo(srto_initial=initial, srto_max=largest, srto_min=least)
                set_is_refused(sock, sctp.SCTP_RTOINFO, value)
                assert rto_of(sock) == before
            rto(50, 50, 50)(sock)
        assert await init_times(hosts, rto(50, 50, 50), until_s=0.12) == pytest.approx([0, 0.05, 0.1])


@virtual_time
async def test_an_accepted_socket_has_the_rto_of_the_listener() -> None:
    """B02, A25: what is set for the endpoint is inherited by its associations."""
    async with connected(server=rto(200, 400, 100)) as (hosts, _, theirs):
        assert rto_of(theirs) == (200, 400, 100)
        hosts.drop = lambda packet: True
        await theirs.send(b"lost")
        await asyncio.sleep(0.9)
        assert times(sent(hosts, "server", *USER_DATA)) == pytest.approx([0, 0.2, 0.6])


@virtual_time
async def test_the_rto_of_one_association_is_not_that_of_the_socket() -> None:
    """B02, A25: an id names one association, SCTP_FUTURE_ASSOC those to come; it is an error to use the other two."""
    async with many() as (_, ours, _, first):
        one = sctp.sctp_rtoinfo(srto_assoc_id=first, srto_initial=2000)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RTOINFO, one)
        future = sctp.sctp_rtoinfo(srto_assoc_id=sctp.SCTP_FUTURE_ASSOC, srto_initial=3000)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RTOINFO, future)

        def initial(assoc_id: int) -> int:
            value = sctp.sctp_rtoinfo(srto_assoc_id=assoc_id)
            return int(ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_RTOINFO, value).srto_initial)

        assert initial(first) == 2000
        assert initial(sctp.SCTP_FUTURE_ASSOC) == rto_of(ours)[0] == 3000
        for wrong in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99, -1):
            value = sctp.sctp_rtoinfo(srto_assoc_id=wrong, srto_initial=4000)
            set_is_refused(ours, sctp.SCTP_RTOINFO, value)
            get_is_refused(ours, sctp.SCTP_RTOINFO, value)
        assert initial(first) == 2000


# -- SCTP_INITMSG --


def initmsg(**fields: int) -> Prepare:
    return setting(sctp.SCTP_INITMSG, sctp.sctp_initmsg(**fields))


@virtual_time
async def test_the_streams_asked_for_stand_in_the_init() -> None:
    """B04: sinit_num_ostreams and sinit_max_instreams (RFC 6458 §5.3.1)."""
    async with TwoHosts() as hosts:
        await init_times(hosts, initmsg(sinit_num_ostreams=7, sinit_max_instreams=9), until_s=0.5)
        (init,) = sent(hosts, "client", Init)
        assert (init.chunk.outbound_streams, init.chunk.inbound_streams) == (7, 9)


@virtual_time
async def test_the_listeners_streams_stand_in_the_init_ack_and_bound_those_of_the_client() -> None:
    """B04: inherited from the listener; each side has as many as the one asked for and the other takes."""
    async with connected(
        client=initmsg(sinit_num_ostreams=20, sinit_max_instreams=4),
        server=initmsg(sinit_num_ostreams=6, sinit_max_instreams=9),
    ) as (hosts, ours, theirs):
        (answer,) = sent(hosts, "server", InitAck)
        # It is known by then that the client takes 4.
        assert (answer.chunk.outbound_streams, answer.chunk.inbound_streams) == (4, 9)
        for sock, inbound, outbound in ((ours, 4, 9), (theirs, 9, 4)):
            status = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS)
            assert (status.sstat_instrms, status.sstat_outstrms) == (inbound, outbound)
            await sock.sendv(b"last", sndinfo=sctp.sctp_sndinfo(snd_sid=outbound - 1))
            with refused(errno.EINVAL):
                await sock.sendv(b"beyond", sndinfo=sctp.sctp_sndinfo(snd_sid=outbound))
        assert await data(ours) == await data(theirs) == b"last"


@virtual_time
async def test_an_init_is_sent_again_as_often_as_was_said() -> None:
    """B04, I02: sinit_max_attempts overrides Max.Init.Retransmits; then ETIMEDOUT."""
    async with TwoHosts() as hosts, one_to_one(hosts, initmsg(sinit_max_attempts=2)) as sock:
        hosts.drop = lambda packet: True
        with refused(errno.ETIMEDOUT):
            await sock.connect(SERVER)
        assert times(sent(hosts, "client", Init)) == pytest.approx([0, 1, 3])


@virtual_time
async def test_the_timeout_of_an_init_stops_doubling_where_it_was_said() -> None:
    """B04: sinit_max_init_timeo, in milliseconds, "limits the time the doubling is carried to"."""
    async with TwoHosts() as hosts:
        assert await init_times(hosts, initmsg(sinit_max_init_timeo=1500), until_s=6) == pytest.approx(
            [0, 1, 2.5, 4, 5.5]
        )


@virtual_time
async def test_a_field_of_initmsg_that_is_0_stays_as_it_is() -> None:
    """B04: 0 is the endpoint's default, so each field can be set alone."""
    async with TwoHosts() as hosts:

        def prepare(sock: SCTPSocket) -> None:
            initmsg(sinit_num_ostreams=7)(sock)
            initmsg(sinit_max_instreams=9)(sock)

        await init_times(hosts, prepare, until_s=0.5)
        (init,) = sent(hosts, "client", Init)
        assert (init.chunk.outbound_streams, init.chunk.inbound_streams) == (7, 9)


@virtual_time
async def test_initmsg_is_of_associations_to_come() -> None:
    """B04: "effective only on an unconnected socket (for one-to-many style sockets, only future associations ...)"."""
    async with many(client=initmsg(sinit_num_ostreams=5)) as (hosts, ours, _, assoc_id):
        initmsg(sinit_num_ostreams=8)(ours)
        status = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id=assoc_id))
        assert status.sstat_outstrms == 5
        async with one_to_many(hosts, initmsg(sinit_num_ostreams=8)) as other:
            await other.connectx([SERVER])
        assert [each.chunk.outbound_streams for each in sent(hosts, "client", Init)] == [5, 8]


@pytest.mark.parametrize(
    "field", ["sinit_num_ostreams", "sinit_max_instreams", "sinit_max_attempts", "sinit_max_init_timeo"]
)
@pytest.mark.parametrize("value", [-1, 65536, "7", None, 1.5])
@virtual_time
async def test_a_field_of_initmsg_out_of_16_bits_is_refused_by_its_name(field: str, value: object) -> None:
    """B04: each is an unsigned number of 16 bits."""
    fields: dict[str, Any] = {field: value}
    async with TwoHosts() as hosts, one_to_one(hosts) as sock:
        set_is_refused(sock, sctp.SCTP_INITMSG, sctp.sctp_initmsg(**fields), match=field)


# -- SCTP_ASSOCINFO --


def associnfo(sock: SCTPSocket, assoc_id: int = 0) -> sctp.sctp_assocparams:
    value = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_ASSOCINFO, sctp.sctp_assocparams(sasoc_assoc_id=assoc_id))
    assert isinstance(value, sctp.sctp_assocparams)
    return value


@virtual_time
async def test_an_association_is_lost_after_as_many_retransmissions_as_were_said() -> None:
    """B03, I02: sasoc_asocmaxrxt is Association.Max.Retrans (RFC 9260 §8.1); what ends is ETIMEDOUT."""
    async with connected() as (hosts, ours, _):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_ASSOCINFO, sctp.sctp_assocparams(sasoc_asocmaxrxt=2))
        hosts.drop = lambda packet: True
        await ours.send(b"lost")
        with refused(errno.ETIMEDOUT):
            await ours.recv(100)
        assert times(sent(hosts, "client", *USER_DATA)) == pytest.approx([0, 1, 3])


@virtual_time
async def test_more_retransmissions_than_all_paths_together_are_refused() -> None:
    """B03: "larger than the summation of the 'Path.Max.Retrans' ... of all of the destination addresses"."""
    async with connected(server_addresses=TWO_ADDRESSES) as (_, ours, _):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_ASSOCINFO, sctp.sctp_assocparams(sasoc_asocmaxrxt=9))
        set_is_refused(ours, sctp.SCTP_ASSOCINFO, sctp.sctp_assocparams(sasoc_asocmaxrxt=11))
        assert associnfo(ours).sasoc_asocmaxrxt == 9
        assert associnfo(ours).sasoc_number_peer_destinations == 2


@virtual_time
async def test_the_windows_are_those_on_the_wire() -> None:
    """B03: sasoc_peer_rwnd is what the peer told "minus any outstanding data", sasoc_local_rwnd what we told it."""
    async with connected() as (hosts, ours, theirs):
        for _ in range(4):
            await ours.send(bytes(1000))  # which nobody reads
            await asyncio.sleep(0.5)
        told = sent(hosts, "server", Sack)[-1].chunk.a_rwnd
        assert associnfo(ours).sasoc_peer_rwnd == told
        assert associnfo(theirs).sasoc_local_rwnd == told
        hosts.drop = lambda packet: True
        await ours.send(bytes(1000))
        await asyncio.sleep(0.5)
        assert associnfo(ours).sasoc_peer_rwnd <= told - 1000


def held_back(hosts: TwoHosts, seconds: float) -> None:
    """COOKIE ECHOs are lost for so long."""
    until_s = hosts.client.now() + seconds
    hosts.drop = lambda packet: has(packet, CookieEcho) and hosts.client.now() < until_s


@virtual_time
async def test_a_cookie_lives_as_long_as_was_said() -> None:
    """B03, L06: sasoc_cookie_life in milliseconds: a later COOKIE ECHO is answered with "Stale Cookie"."""
    for life_ms, is_stale in ((0, False), (1500, True), (5000, False)):
        async with TwoHosts() as hosts:
            value = sctp.sctp_assocparams(sasoc_cookie_life=life_ms)
            async with listener(hosts, setting(sctp.SCTP_ASSOCINFO, value)), one_to_one(hosts) as sock:
                held_back(hosts, 2)
                await sock.connect(SERVER)
                assert associnfo(sock).sasoc_cookie_life == 60_000
                causes = [cause for each in sent(hosts, "server", Error) for cause in each.chunk.causes]
                assert any(isinstance(cause, StaleCookie) for cause in causes) is is_stale


@virtual_time
async def test_what_cannot_be_set_is_ignored_and_0_leaves_the_rest() -> None:
    """B03: "any value placed in these is ignored"; "A value of 0 ... should not be changed"."""
    async with connected() as (hosts, ours, _):
        before = associnfo(ours)
        ours.setsockopt(
            IPPROTO_SCTP,
            sctp.SCTP_ASSOCINFO,
            sctp.sctp_assocparams(sasoc_number_peer_destinations=9, sasoc_peer_rwnd=1, sasoc_local_rwnd=1),
        )
        assert associnfo(ours) == before
        await ours.send(bytes(3000))
        await asyncio.sleep(0.1)
        assert sum(len(each.chunk.payload) for each in sent(hosts, "client", *USER_DATA)) == 3000


@virtual_time
async def test_associnfo_is_of_one_association_or_of_those_to_come() -> None:
    """B03, A25: "It is an error to use SCTP_{CURRENT|ALL}_ASSOC in sasoc_assoc_id"."""
    async with many() as (hosts, ours, theirs, assoc_id):
        value = sctp.sctp_assocparams(sasoc_assoc_id=assoc_id, sasoc_asocmaxrxt=1)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_ASSOCINFO, value)
        assert associnfo(ours).sasoc_asocmaxrxt == 10
        assert associnfo(ours, assoc_id).sasoc_asocmaxrxt == 1
        assert [associnfo(theirs, each).sasoc_asocmaxrxt for each in ids(theirs)] == [10]
        for wrong in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            value = sctp.sctp_assocparams(sasoc_assoc_id=wrong, sasoc_asocmaxrxt=3)
            set_is_refused(ours, sctp.SCTP_ASSOCINFO, value)
            get_is_refused(ours, sctp.SCTP_ASSOCINFO, value)
        hosts.drop = lambda packet: True
        await ours.sendv(b"lost", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
        await asyncio.sleep(5)
        assert ids(ours) == []
        assert times(sent(hosts, "client", *USER_DATA)) == pytest.approx([0, 1])
