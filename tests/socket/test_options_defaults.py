"""Defaults of sends: SCTP_DEFAULT_SNDINFO, SCTP_DEFAULT_PRINFO, SCTP_DEFAULT_SEND_PARAM; and SCTP_EXPLICIT_EOR."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.wire.chunks import ForwardTsn, IForwardTsn, Shutdown
from tests.socket.on_the_wire import USER_DATA, sent
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
from tests.socket.refusals import get_is_refused, refused, set_is_refused
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
TEN = setting(sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=10))


def sndinfo(sid: Any = 0, flags: Any = 0, ppid: Any = 0, context: Any = 0, assoc_id: int = 0) -> sctp.sctp_sndinfo:
    return sctp.sctp_sndinfo(snd_sid=sid, snd_flags=flags, snd_ppid=ppid, snd_context=context, snd_assoc_id=assoc_id)


def send_param(**fields: Any) -> sctp.sctp_sndrcvinfo:
    return sctp.sctp_sndrcvinfo(**{f"sinfo_{name}": value for name, value in fields.items()})


# -- SCTP_DEFAULT_SNDINFO and SCTP_DEFAULT_SEND_PARAM --


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("SCTP_DEFAULT_SNDINFO", sndinfo(3, sctp.SCTP_UNORDERED, 46, 9)),
        ("SCTP_DEFAULT_SEND_PARAM", send_param(stream=3, flags=sctp.SCTP_UNORDERED, ppid=46, context=9)),
    ],
)
@virtual_time
async def test_a_send_that_says_nothing_takes_the_defaults(option: str, value: Any) -> None:
    """B14: stream, flags, PPID and context of plain sends (RFC 6458 §8.1.31, §8.1.13); one with sndinfo has its own."""
    client = several(TEN, setting(getattr(sctp, option), value), subscribed(sctp.SCTP_SEND_FAILED_EVENT))
    async with connected(client=client) as (hosts, ours, theirs):
        await ours.send(b"default")
        await ours.sendto(b"default", 0, SERVER)
        await ours.sendv(b"of its own", sndinfo=sndinfo(1, 0, 7))
        assert sorted([await data(theirs) for _ in range(3)]) == [b"default", b"default", b"of its own"]
        chunks = [each.chunk for each in sent(hosts, "client", *USER_DATA)]
        assert [(chunk.stream, chunk.unordered, chunk.ppid) for chunk in chunks] == [
            (3, True, 46),
            (3, True, 46),
            (1, False, 7),
        ]
        hosts.drop = lambda packet: True
        prinfo = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=100)
        await ours.sendv(b"lost", prinfo=prinfo)
        assert (await notification(ours)).ssfe_info.snd_context == 9
        assert ours.getsockopt(IPPROTO_SCTP, getattr(sctp, option)) is not value


@virtual_time
async def test_the_default_of_one_association_is_not_that_of_another() -> None:
    """B14, A25: "any of the predefined constants are also allowed in this field"."""
    async with many(client=TEN) as (hosts, ours, _, assoc_id):

        async def stream_of_a_send() -> int:
            await ours.sendto(b"x", 0, SERVER)
            await asyncio.sleep(1)
            return int(sent(hosts, "client", *USER_DATA)[-1].chunk.stream)

        for which, sid, expected in (
            (sctp.SCTP_FUTURE_ASSOC, 1, 0),
            (sctp.SCTP_CURRENT_ASSOC, 2, 2),
            (sctp.SCTP_ALL_ASSOC, 3, 3),
            (assoc_id, 4, 4),
        ):
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO, sndinfo(sid, assoc_id=which))
            assert await stream_of_a_send() == expected
        future = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO, sndinfo())
        assert future.snd_sid == 3
        set_is_refused(ours, sctp.SCTP_DEFAULT_SNDINFO, sndinfo(1, assoc_id=99))
        for which in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            get_is_refused(ours, sctp.SCTP_DEFAULT_SNDINFO, sndinfo(assoc_id=which))


@virtual_time
async def test_a_default_that_goes_to_all_sends_to_all() -> None:
    """B14, D15: SCTP_SENDALL among the default flags."""
    async with many() as (hosts, ours, theirs, _), one_to_many(hosts) as other:
        await other.connectx([SERVER])
        await asyncio.sleep(0.1)
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO, sndinfo(flags=sctp.SCTP_SENDALL))
        await theirs.sendv(b"to all")
        assert [await data(ours), await data(other)] == [b"to all", b"to all"]


@virtual_time
async def test_a_default_that_ends_ends() -> None:
    """B14, D14: SCTP_EOF among the default flags: the first send is the last."""
    async with many(client=setting(sctp.SCTP_DEFAULT_SNDINFO, sndinfo(flags=sctp.SCTP_EOF))) as (
        hosts,
        ours,
        theirs,
        _,
    ):
        ours.setsockopt(
            IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO, sndinfo(flags=sctp.SCTP_EOF, assoc_id=sctp.SCTP_CURRENT_ASSOC)
        )
        await ours.sendto(b"first and last", 0, SERVER)
        assert await data(theirs) == b"first and last"
        await asyncio.sleep(1)
        assert len(sent(hosts, "client", Shutdown)) == 1
        assert ids(ours) == []


@virtual_time
async def test_defaults_out_of_range_or_with_other_flags_are_refused() -> None:
    """B14, I05: "a bitwise OR of SCTP_UNORDERED, SCTP_EOF, and SCTP_SENDALL"; 16 and 32 bits."""
    async with connected(client=TEN) as (_, ours, _):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO, sndinfo(5, ppid=7))
        for wrong in (
            sndinfo(65536),
            sndinfo(-1),
            sndinfo("5"),
            sndinfo(ppid=2**32),
            sndinfo(context=-1),
            sndinfo(flags=sctp.SCTP_ABORT),
            sndinfo(flags=0x8000_0000),
            send_param(stream=5),
            5,
        ):
            set_is_refused(ours, sctp.SCTP_DEFAULT_SNDINFO, wrong)
        set_is_refused(ours, sctp.SCTP_DEFAULT_SEND_PARAM, sndinfo(5))
        set_is_refused(ours, sctp.SCTP_DEFAULT_SEND_PARAM, send_param(timetolive=-1))
        read = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO)
        assert (read.snd_sid, read.snd_ppid) == (5, 7)


@virtual_time
async def test_a_default_stream_that_the_association_has_not_fails_the_send() -> None:
    """B14, I11: EINVAL, nothing queued."""
    async with connected(client=setting(sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=2))) as (
        hosts,
        ours,
        theirs,
    ):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO, sndinfo(2))
        with refused(errno.EINVAL):
            await ours.send(b"nowhere")
        await ours.sendv(b"somewhere", sndinfo=sndinfo(1))
        assert await data(theirs) == b"somewhere"
        assert len(sent(hosts, "client", *USER_DATA)) == 1


# -- SCTP_DEFAULT_PRINFO --


def prinfo(policy: Any, value: Any, assoc_id: int = 0) -> sctp.sctp_default_prinfo:
    return sctp.sctp_default_prinfo(pr_policy=policy, pr_value=value, pr_assoc_id=assoc_id)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("SCTP_DEFAULT_PRINFO", prinfo(sctp.SCTP_PR_SCTP_TTL, 500)),
        ("SCTP_DEFAULT_SEND_PARAM", send_param(timetolive=500)),
    ],
)
@virtual_time
async def test_a_default_lifetime_abandons_what_is_not_sent_in_time(option: str, value: Any) -> None:
    """B14, E01: milliseconds; the peer is told by FORWARD TSN, and a send with its own policy keeps to that."""
    client = several(setting(getattr(sctp, option), value), subscribed(sctp.SCTP_SEND_FAILED_EVENT))
    async with connected(client=client) as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        began = hosts.client.now()
        await ours.send(b"abandoned")
        reliable = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_NONE)
        await ours.sendv(b"kept", prinfo=reliable)
        failed = await notification(ours)
        assert failed.ssfe_data == b"abandoned"
        assert 0.5 <= hosts.client.now() - began <= 1.1
        hosts.drop = lambda packet: False
        assert await data(theirs) == b"kept"
        await asyncio.sleep(3)
        assert sent(hosts, "client", ForwardTsn, IForwardTsn)


@virtual_time
async def test_a_default_number_of_retransmissions() -> None:
    """B14: RFC 7496 §4.2: SCTP_PR_SCTP_RTX with how often it is sent again."""
    async with connected(client=setting(sctp.SCTP_DEFAULT_PRINFO, prinfo(sctp.SCTP_PR_SCTP_RTX, 2))) as (
        hosts,
        ours,
        _,
    ):
        hosts.drop = lambda packet: True
        await ours.send(b"three times")
        await asyncio.sleep(60)
        assert len(sent(hosts, "client", *USER_DATA)) == 3
        read = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_PRINFO)
        assert (read.pr_policy, read.pr_value) == (sctp.SCTP_PR_SCTP_RTX, 2)


@virtual_time
async def test_a_policy_that_is_none_is_refused() -> None:
    """B14, I05: EINVAL; by association, as the other defaults."""
    async with many() as (_, ours, _, assoc_id):
        for wrong in (
            prinfo(0x7000, 1),
            prinfo(-1, 1),
            prinfo("ttl", 1),
            prinfo(sctp.SCTP_PR_SCTP_TTL, -1),
            prinfo(sctp.SCTP_PR_SCTP_TTL, 2**32),
            prinfo(sctp.SCTP_PR_SCTP_TTL, 1, 99),
        ):
            set_is_refused(ours, sctp.SCTP_DEFAULT_PRINFO, wrong)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_PRINFO, prinfo(sctp.SCTP_PR_SCTP_TTL, 5, assoc_id))
        read = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_DEFAULT_PRINFO, prinfo(0, 0, sctp.SCTP_FUTURE_ASSOC))
        assert read.pr_policy == sctp.SCTP_PR_SCTP_NONE


# -- SCTP_PR_STREAM_STATUS and SCTP_PR_ASSOC_STATUS --


def prstatus(sid: Any, policy: Any, assoc_id: int = 0) -> sctp.sctp_prstatus:
    return sctp.sctp_prstatus(sprstat_sid=sid, sprstat_policy=policy, sprstat_assoc_id=assoc_id)


@virtual_time
async def test_what_was_abandoned_is_counted_by_stream_and_together() -> None:
    """RFC 7496 §4.3 and §4.4: SCTP_PR_STREAM_STATUS and SCTP_PR_ASSOC_STATUS, sent and unsent apart."""
    async with connected(client=TEN) as (hosts, ours, _):
        hosts.drop = lambda packet: True
        lifetime = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=500)
        for number in range(20):
            await ours.sendv(bytes(1400), sndinfo=sndinfo(1 + number % 2), prinfo=lifetime)
        await asyncio.sleep(0.1)
        on_the_wire = [each.chunk.stream for each in sent(hosts, "client", *USER_DATA)]
        await asyncio.sleep(5)

        def abandoned(option: int, sid: int) -> tuple[int, int]:
            read = ours.getsockopt(IPPROTO_SCTP, option, prstatus(sid, sctp.SCTP_PR_SCTP_ALL))
            return read.sprstat_abandoned_sent, read.sprstat_abandoned_unsent

        for sid in (1, 2):
            went = on_the_wire.count(sid)
            assert abandoned(sctp.SCTP_PR_STREAM_STATUS, sid) == (went, 10 - went)
        assert abandoned(sctp.SCTP_PR_STREAM_STATUS, 3) == (0, 0)
        assert abandoned(sctp.SCTP_PR_ASSOC_STATUS, 0) == (len(on_the_wire), 20 - len(on_the_wire))
        for option in (sctp.SCTP_PR_STREAM_STATUS, sctp.SCTP_PR_ASSOC_STATUS):
            # "It is an error to use SCTP_PR_SCTP_NONE in sprstat_policy".
            get_is_refused(ours, option, prstatus(1, sctp.SCTP_PR_SCTP_NONE))
            set_is_refused(ours, option, prstatus(1, sctp.SCTP_PR_SCTP_ALL), errno.ENOPROTOOPT)
        get_is_refused(ours, sctp.SCTP_PR_STREAM_STATUS, prstatus(10, sctp.SCTP_PR_SCTP_ALL))


@virtual_time
async def test_what_was_abandoned_is_of_one_association() -> None:
    """RFC 7496 §4.3: "It is an error to use SCTP_{CURRENT|ALL|FUTURE}_ASSOC in sprstat_assoc_id"."""
    async with many() as (_, ours, _, assoc_id):
        for option in (sctp.SCTP_PR_STREAM_STATUS, sctp.SCTP_PR_ASSOC_STATUS):
            ours.getsockopt(IPPROTO_SCTP, option, prstatus(0, sctp.SCTP_PR_SCTP_ALL, assoc_id))
            for which in (sctp.SCTP_FUTURE_ASSOC, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
                get_is_refused(ours, option, prstatus(0, sctp.SCTP_PR_SCTP_ALL, which))


# -- SCTP_EXPLICIT_EOR --


@virtual_time
async def test_a_record_goes_on_until_its_end_is_marked() -> None:
    """B32, D16: several sends are one message, which SCTP_EOR ends (RFC 6458 §8.1.26)."""
    async with connected(client=several(TEN, setting(sctp.SCTP_EXPLICIT_EOR, 1))) as (hosts, ours, theirs):
        for part in (b"one ", b"two "):
            await ours.sendv(part, sndinfo=sndinfo(3, ppid=46))
        # "the stream may not change in between"
        with refused(errno.EINVAL):
            await ours.sendv(b"elsewhere", sndinfo=sndinfo(4))
        await ours.sendv(b"three", sndinfo=sndinfo(3, sctp.SCTP_EOR, 46))
        await ours.sendv(b"another", sndinfo=sndinfo(4, sctp.SCTP_EOR))
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_RECVRCVINFO, 1)
        received = await theirs.recvv(LONG)
        assert (received.data, received.msg_flags) == (b"one two three", sctp.MSG_EOR)
        assert received.rcvinfo is not None
        assert (received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ppid) == (3, 46)
        assert await data(theirs) == b"another"
        chunks = [each.chunk for each in sent(hosts, "client", *USER_DATA) if each.chunk.stream == 3]
        assert [chunk.beginning for chunk in chunks] == [True] + [False] * (len(chunks) - 1)
        assert [chunk.ending for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


@virtual_time
async def test_without_explicit_records_each_send_is_one() -> None:
    """B32: "each individual send system call is considered to have an SCTP_EOR indicator set"; the default."""
    async with connected() as (_, ours, theirs):
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_EXPLICIT_EOR) == 0
        await ours.send(b"one")
        await ours.sendv(b"two", sndinfo=sndinfo(flags=sctp.SCTP_EOR))
        assert [await data(theirs), await data(theirs)] == [b"one", b"two"]
        for wrong in ("1", None, 1.5):
            set_is_refused(ours, sctp.SCTP_EXPLICIT_EOR, wrong)
