"""Which notifications a socket gets: SCTP_EVENT, and SCTP_EVENTS that it replaced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from tests.socket.pairs import (
    LONG,
    SERVER,
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
from tests.socket.refusals import get_is_refused, set_is_refused
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP

# Of `sctp_event_subscribe` (RFC 6458 §6.2.1), and the type of `SCTP_EVENT` for each.
TYPES = {
    "sctp_association_event": "SCTP_ASSOC_CHANGE",
    "sctp_address_event": "SCTP_PEER_ADDR_CHANGE",
    "sctp_send_failure_event": "SCTP_SEND_FAILED",
    "sctp_peer_error_event": "SCTP_REMOTE_ERROR",
    "sctp_shutdown_event": "SCTP_SHUTDOWN_EVENT",
    "sctp_partial_delivery_event": "SCTP_PARTIAL_DELIVERY_EVENT",
    "sctp_adaptation_layer_event": "SCTP_ADAPTATION_INDICATION",
    "sctp_authentication_event": "SCTP_AUTHENTICATION_EVENT",
    "sctp_sender_dry_event": "SCTP_SENDER_DRY_EVENT",
}


def event(type: Any, on: Any = 1, assoc_id: Any = 0) -> sctp.sctp_event:
    return sctp.sctp_event(se_assoc_id=assoc_id, se_type=type, se_on=on)


async def what_comes(sock: SCTPSocket) -> list[str]:
    """The names of the notifications that are there to read, and "data" for a message."""
    await asyncio.sleep(1)
    sock.setblocking(False)
    found: list[str] = []
    try:
        for _ in range(100):
            received = await sock.recvv(LONG)
            is_notification = received.msg_flags & sctp.MSG_NOTIFICATION
            found.append(type(received.data).__name__ if is_notification else "data")
            if received.msg_flags == 0:
                break
    except BlockingIOError:
        pass
    finally:
        sock.setblocking(True)
    return found


@virtual_time
async def test_nothing_is_subscribed_at_first() -> None:
    """B15, C16, L02: "By default, both the one-to-one style and the one-to-many style socket do not subscribe to any
    notification"."""
    layer = setting(sctp.SCTP_ADAPTATION_LAYER, sctp.sctp_setadaptation(ssb_adaptation_ind=1))
    async with many(client=layer, server=layer) as (_, ours, theirs, assoc_id):
        await ours.sendto(b"hello", 0, SERVER)
        await ours.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF, snd_assoc_id=assoc_id))
        assert await what_comes(theirs) == ["data"]
        assert await what_comes(ours) == []
        events = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENTS)
        assert not any(getattr(events, name) for name in [*TYPES, "sctp_data_io_event"])
    async with connected(client=layer, server=layer) as (_, one, _):
        await one.close()


@pytest.mark.parametrize("field", ["sctp_association_event", "sctp_shutdown_event", "sctp_adaptation_layer_event"])
@virtual_time
async def test_each_byte_of_the_old_structure_switches_its_type_on_alone(field: str) -> None:
    """B15, C16, C17: what SCTP_EVENTS subscribes is what SCTP_EVENT reads, and the other way round."""
    layer = setting(sctp.SCTP_ADAPTATION_LAYER, sctp.sctp_setadaptation(ssb_adaptation_ind=1))
    of_all = {"sctp_assoc_change", "sctp_shutdown_event", "sctp_adaptation_event"}
    one = {
        "sctp_association_event": "sctp_assoc_change",
        "sctp_shutdown_event": "sctp_shutdown_event",
        "sctp_adaptation_layer_event": "sctp_adaptation_event",
    }[field]
    number = getattr(sctp, TYPES[field])
    for subscribe in (
        setting(sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(**{field: 1})),
        setting(sctp.SCTP_EVENT, event(number)),
    ):
        async with many(client=layer, server=several(layer, subscribe)) as (_, ours, theirs, assoc_id):
            assert theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number)).se_on == 1
            flags = theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENTS)
            assert {name for name in TYPES if getattr(flags, name)} == {field}
            await ours.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF, snd_assoc_id=assoc_id))
            assert of_all & set(await what_comes(theirs)) == {one}


@virtual_time
async def test_all_types_have_their_switch_and_the_later_ones_too() -> None:
    """C01, C16: se_type "can be filled with any value that would show up in the respective sn_type field"; each type
    has a number of its own."""
    names = [*TYPES.values(), "SCTP_SEND_FAILED_EVENT", "SCTP_STREAM_RESET_EVENT", "SCTP_ASSOC_RESET_EVENT"]
    names.append("SCTP_STREAM_CHANGE_EVENT")
    numbers = [getattr(sctp, name) for name in names]
    assert len({*numbers, sctp.SCTP_NOTIFICATIONS_STOPPED_EVENT}) == len(numbers) + 1
    async with connected() as (_, ours, _):
        for number in numbers:
            if number == sctp.SCTP_AUTHENTICATION_EVENT:
                continue
            assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number)).se_on == 0
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number))
            assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number)).se_on == 1
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENTS, sctp.sctp_event_subscribe())
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(sctp.SCTP_ASSOC_CHANGE)).se_on == 0


@virtual_time
async def test_data_io_is_no_notification_and_gives_what_came_with_a_message() -> None:
    """B15, C16: sctp_data_io_event switches SCTP_SNDRCV in the ancillary data, and sctp_recvmsg's sinfo."""
    async with connected() as (_, ours, theirs):
        for io in (0, 1, 0):
            theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(sctp_data_io_event=io))
            for _ in range(2):
                await ours.sendv(b"hello", sndinfo=sctp.sctp_sndinfo(snd_ppid=46))
            *_, sinfo, flags = await theirs.sctp_recvmsg(LONG)
            assert (sinfo.sinfo_ppid if sinfo is not None else None) == (46 if io else None)
            assert flags == sctp.MSG_EOR
            _, ancillary, _, _ = await theirs.recvmsg(LONG)
            assert [(level, kind) for level, kind, _ in ancillary] == [(IPPROTO_SCTP, sctp.SCTP_SNDRCV)] * io


@virtual_time
async def test_a_subscription_is_of_an_association_of_those_to_come_or_of_all() -> None:
    """C16, A25: SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC, and an id."""
    number = sctp.SCTP_SHUTDOWN_EVENT
    async with many() as (hosts, ours, theirs, _), one_to_many(hosts) as other:
        (first,) = ids(theirs)
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number, 1, sctp.SCTP_FUTURE_ASSOC))
        await other.connectx([SERVER])
        await asyncio.sleep(0.1)
        second = max(ids(theirs))

        def on(which: int) -> int:
            return int(theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number, 0, which)).se_on)

        def all_on() -> tuple[int, int, int]:
            return on(sctp.SCTP_FUTURE_ASSOC), on(first), on(second)

        assert all_on() == (1, 0, 1)
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number, 0, sctp.SCTP_ALL_ASSOC))
        assert all_on() == (0, 0, 0)
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number, 1, sctp.SCTP_CURRENT_ASSOC))
        assert all_on() == (0, 1, 1)
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(number, 0, second))
        assert all_on() == (0, 1, 0)
        # And that is what comes.
        for sender in (other, ours):
            await sender.sendv(b"last", [SERVER], sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF))
            await asyncio.sleep(1)
        assert [await data(theirs), await data(theirs)] == [b"last", b"last"]
        assert (await notification(theirs)).sse_assoc_id == first
        assert await what_comes(theirs) == []


@virtual_time
async def test_an_event_that_is_none_or_of_nobody_is_refused() -> None:
    """C17, I05: EINVAL, and what was subscribed stays."""
    word: Any = "no"
    async with many() as (_, ours, _, _):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(sctp.SCTP_ASSOC_CHANGE))
        for wrong in (
            event(0x7FFF),
            event(-1),
            event("SCTP_ASSOC_CHANGE"),
            event(sctp.SCTP_ASSOC_CHANGE, 0, 99),
            event(sctp.SCTP_ASSOC_CHANGE, "off"),
            event(sctp.SCTP_ASSOC_CHANGE, 0, None),
        ):
            set_is_refused(ours, sctp.SCTP_EVENT, wrong)
        for which in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            get_is_refused(ours, sctp.SCTP_EVENT, event(sctp.SCTP_ASSOC_CHANGE, 0, which))
        set_is_refused(ours, sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(sctp_association_event=word))
        set_is_refused(ours, sctp.SCTP_EVENTS, 1)
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(sctp.SCTP_ASSOC_CHANGE)).se_on == 1


@virtual_time
async def test_that_notifications_stopped_is_subscribed_to_with_any_other() -> None:
    """C01, C16: "An endpoint is automatically subscribed to this event as soon as it is subscribed to any event other
    than data io events" (RFC 6458 §6.1.10)."""
    stopped = sctp.SCTP_NOTIFICATIONS_STOPPED_EVENT
    async with many() as (_, ours, _, _):

        def is_on() -> bool:
            return bool(ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(stopped)).se_on)

        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(stopped))
        assert not is_on()
        for on in (1, 0):
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event(sctp.SCTP_SHUTDOWN_EVENT, on))
            assert is_on() is bool(on)
        set_is_refused(ours, sctp.SCTP_EVENT, event(stopped, 0))


@virtual_time
async def test_one_notification_is_read_at_a_time_and_in_its_place_among_the_data() -> None:
    """C01, C17: "A recvmsg() call will return only one notification at a time"; recvmsg and sctp_recvmsg tell it by
    MSG_NOTIFICATION as recvv does."""
    server = subscribed(sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_ADAPTATION_INDICATION, sctp.SCTP_SHUTDOWN_EVENT)
    layer = setting(sctp.SCTP_ADAPTATION_LAYER, sctp.sctp_setadaptation(ssb_adaptation_ind=1))
    async with many(client=layer, server=server) as (_, ours, theirs, _):
        await ours.sendv(b"data", [SERVER], sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF))
        await asyncio.sleep(1)
        first, ancillary, flags, _ = await theirs.recvmsg(LONG)
        assert isinstance(first, sctp.sctp_assoc_change)
        assert flags == sctp.MSG_NOTIFICATION | sctp.MSG_EOR
        assert list(ancillary) == []
        second, _, sinfo, flags = await theirs.sctp_recvmsg(LONG)
        assert isinstance(second, sctp.sctp_adaptation_event)
        assert (sinfo, flags) == (None, sctp.MSG_NOTIFICATION | sctp.MSG_EOR)
        assert await what_comes(theirs) == ["data", "sctp_shutdown_event", "sctp_assoc_change"]
        assert second.sai_type == sctp.SCTP_ADAPTATION_INDICATION


@virtual_time
async def test_each_notification_begins_with_its_type_its_flags_and_its_length() -> None:
    """C01: the three fields of sn_header, by the names of the union too."""
    async with many(server=subscribed(sctp.SCTP_ASSOC_CHANGE)) as (_, _, theirs, _):
        up = await notification(theirs)
        header = up.sn_header
        assert (header.sn_type, header.sn_flags, header.sn_length) == (up.sac_type, up.sac_flags, up.sac_length)
