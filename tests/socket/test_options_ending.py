"""SO_LINGER and SCTP_AUTOCLOSE: how, and when, an association ends."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.wire.chunks import Abort, Shutdown, ShutdownComplete
from tests.socket.on_the_wire import USER_DATA, forget, sent
from tests.socket.pairs import (
    SERVER,
    Prepare,
    connected,
    data,
    ids,
    many,
    notification,
    one_to_many,
    setting,
    several,
    subscribed,
)
from tests.socket.refusals import refused, set_is_refused
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
SOL_SOCKET = sctp.SOL_SOCKET


def linger(on: Any, seconds: Any = 0) -> Prepare:
    return setting(sctp.SO_LINGER, sctp.linger(l_onoff=on, l_linger=seconds), SOL_SOCKET)


# -- SO_LINGER --


@virtual_time
async def test_to_linger_for_0_aborts() -> None:
    """B05: "calling close() is the same as the ABORT primitive": the peer's next call is ECONNRESET."""
    async with connected(client=linger(1, 0)) as (hosts, ours, theirs):
        await ours.send(b"lost or not")
        await ours.close()
        await asyncio.sleep(1)
        assert len(sent(hosts, "client", Abort)) == 1
        assert not sent(hosts, "client", Shutdown)
        with refused(errno.ECONNRESET):
            while True:
                await theirs.recv(100)


@pytest.mark.parametrize("prepare", [linger(0, 5), lambda sock: None], ids=["off", "not said"])
@virtual_time
async def test_without_lingering_close_returns_at_once_and_ends_gracefully(prepare: Prepare) -> None:
    """B05, A20: the shutdown goes on in the background, whatever l_linger says while l_onoff is 0."""
    async with connected(client=prepare) as (hosts, ours, theirs):
        await ours.send(b"all of it")
        began = hosts.client.now()
        await ours.close()
        assert hosts.client.now() == began
        assert await data(theirs) == b"all of it"
        await asyncio.sleep(1)
        assert sent(hosts, "client", ShutdownComplete) or sent(hosts, "server", ShutdownComplete)
        assert not sent(hosts, "client", Abort)


@virtual_time
async def test_to_linger_waits_for_the_end_of_the_association() -> None:
    """B05: close() of a socket that lingers returns when the shutdown is complete, before its time."""
    async with connected(client=linger(1, 5)) as (hosts, ours, theirs):
        await ours.send(b"all of it")
        began = hosts.client.now()
        await ours.close()
        assert 0 < hosts.client.now() - began < 1
        assert sent(hosts, "server", *USER_DATA) == []
        assert await data(theirs) == b"all of it"
        assert len(sent(hosts, "client", ShutdownComplete)) == 1


@virtual_time
async def test_to_linger_waits_so_many_seconds_at_most_and_the_shutdown_goes_on() -> None:
    """B05, L03: "close() will return, but the graceful shutdown phase will continue in the system"."""
    async with connected(client=linger(1, 3)) as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        await ours.send(b"late")
        began = hosts.client.now()
        await ours.close()
        assert hosts.client.now() - began == pytest.approx(3)
        hosts.drop = lambda packet: False
        assert await data(theirs) == b"late"
        await asyncio.sleep(5)
        assert len(sent(hosts, "client", ShutdownComplete)) == 1
        assert not sent(hosts, "client", Abort)


@virtual_time
async def test_to_linger_is_of_all_associations_of_a_socket() -> None:
    """B05, A19, A24: "This option affects all associations related to the socket"."""
    async with many() as (hosts, ours, theirs, _), one_to_many(hosts) as other:
        await other.connectx([SERVER])
        await asyncio.sleep(0.1)
        assert len(ids(theirs)) == 2
        linger(1, 0)(theirs)
        await theirs.close()
        await asyncio.sleep(1)
        assert len(sent(hosts, "server", Abort)) == 2
        assert ids(ours) == ids(other) == []


@virtual_time
async def test_an_accepted_socket_lingers_as_its_listener() -> None:
    """B05, A25: inherited."""
    async with connected(server=linger(1, 0)) as (hosts, _, theirs):
        read = theirs.getsockopt(SOL_SOCKET, sctp.SO_LINGER)
        assert (read.l_onoff, read.l_linger) == (1, 0)
        await theirs.close()
        await asyncio.sleep(1)
        assert len(sent(hosts, "server", Abort)) == 1


@virtual_time
async def test_to_linger_for_a_negative_time_is_refused() -> None:
    """B05: "If the value is set to a negative value, the setsockopt() call will return an error"."""
    async with connected(client=linger(1, 7)) as (_, ours, _):
        word: Any = "1"
        for wrong in (sctp.linger(1, -1), sctp.linger(word, 1), sctp.linger(1, word), 1, None, sctp.sctp_event()):
            set_is_refused(ours, sctp.SO_LINGER, wrong, level=SOL_SOCKET)
        assert ours.getsockopt(SOL_SOCKET, sctp.SO_LINGER) == sctp.linger(1, 7)


# -- SCTP_AUTOCLOSE --


def autoclose(seconds: int) -> Prepare:
    return setting(sctp.SCTP_AUTOCLOSE, seconds)


@virtual_time
async def test_an_association_that_is_idle_for_so_long_is_closed_gracefully() -> None:
    """B08: "idle for more than the specified number of seconds ... using the graceful shutdown procedure", told by the
    association change."""
    async with many(client=several(autoclose(2), subscribed(sctp.SCTP_ASSOC_CHANGE))) as (hosts, ours, _, assoc_id):
        assert (await notification(ours)).sac_state == sctp.SCTP_COMM_UP
        began = hosts.client.now()
        change = await notification(ours)
        assert (change.sac_state, change.sac_assoc_id) == (sctp.SCTP_SHUTDOWN_COMP, assoc_id)
        (shutdown,) = sent(hosts, "client", Shutdown)
        assert shutdown.at_s - began == pytest.approx(2, abs=0.2)
        assert not sent(hosts, "client", Abort)
        assert ids(ours) == []


@virtual_time
async def test_user_data_either_way_is_what_keeps_it_from_being_idle() -> None:
    """B08: "An idle association is defined as an association that has not sent or received user data"; HEARTBEATs are
    none."""
    often = sctp.sctp_paddrparams(spp_flags=sctp.SPP_HB_ENABLE | sctp.SPP_HB_TIME_IS_ZERO)
    client = several(autoclose(3), setting(sctp.SCTP_PEER_ADDR_PARAMS, often))
    async with many(client=client) as (hosts, ours, theirs, _):
        await asyncio.sleep(2)
        await ours.sendto(b"from us", 0, SERVER)
        (their_id,) = ids(theirs)
        await asyncio.sleep(2)
        await theirs.sendv(b"to us", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=their_id))
        last = hosts.client.now()
        await asyncio.sleep(2.5)
        assert not sent(hosts, "client", Shutdown)
        assert await data(ours) == b"to us"
        await asyncio.sleep(2)
        (shutdown,) = sent(hosts, "client", Shutdown)
        assert shutdown.at_s - last == pytest.approx(3, abs=0.2)


@virtual_time
async def test_an_autoclose_of_0_closes_nothing() -> None:
    """B08: "The special value of '0' indicates that no automatic close of any association should be performed; this is
    the default"."""
    async with many() as (hosts, ours, _, assoc_id):
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_AUTOCLOSE) == 0
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_AUTOCLOSE, 2)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_AUTOCLOSE, 0)
        forget(hosts)
        await asyncio.sleep(20)
        assert ids(ours) == [assoc_id]
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_AUTOCLOSE, 2)  # of the living, too (A24)
        await asyncio.sleep(5)
        assert ids(ours) == []


@virtual_time
async def test_autoclose_is_for_one_to_many_sockets_and_whole_seconds() -> None:
    """B08, I07: "applicable to the one-to-many style socket only"."""
    async with connected() as (_, ours, _):
        set_is_refused(ours, sctp.SCTP_AUTOCLOSE, 2, errno.EOPNOTSUPP)
    async with many() as (_, ours, _, _):
        for wrong in (-1, "2", None, 1.5, sctp.sctp_assoc_value(assoc_value=2)):
            set_is_refused(ours, sctp.SCTP_AUTOCLOSE, wrong)
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_AUTOCLOSE) == 0
