"""The bounds of what waits to be read (RFC 6458 §6.1.10)."""

from __future__ import annotations

import asyncio
import contextlib

import aiosctp
from aiosctp import socket as sctp
from aiosctp.socket.notification_queue import NotificationQueue
from aiosctp.subscriptions import MAX_QUEUED_BYTES
from tests.socket.pairs import SERVER, listener, one_to_one, subscribed
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time


def dry(number: int) -> sctp.sctp_sender_dry_event:
    return sctp.sctp_sender_dry_event(sender_dry_assoc_id=number)


def read_all(queue: NotificationQueue) -> list[object]:
    return [queue.take() for _ in range(len(queue))]


def test_beyond_its_number_one_notification_says_so() -> None:
    """C01: and what came before is kept."""
    queue = NotificationQueue()
    for number in range(10):
        queue.append(dry(number), after=0, limit=3)
    assert read_all(queue) == [dry(0), dry(1), dry(2), sctp.sctp_tlv(sctp.SCTP_NOTIFICATIONS_STOPPED_EVENT, 0, 8)]


def test_none_comes_until_that_has_been_read_and_then_they_come_as_before() -> None:
    queue = NotificationQueue()
    for number in range(3):
        queue.append(dry(number), after=0, limit=1)
    assert queue.take() == dry(0)
    queue.append(dry(3), after=0, limit=1)
    assert read_all(queue) == [sctp.sctp_tlv()]
    queue.append(dry(4), after=0, limit=1)
    assert read_all(queue) == [dry(4)]


def test_its_bytes_are_bounded_too() -> None:
    """A failed message comes back whole."""
    queue = NotificationQueue()
    half = sctp.sctp_send_failed_event(ssfe_length=MAX_QUEUED_BYTES // 2)
    for _ in range(3):
        queue.append(half, after=0, limit=100)
    assert read_all(queue) == [half, half, sctp.sctp_tlv()]
    queue.append(half, after=0, limit=100)
    assert read_all(queue) == [half]


def test_what_was_read_leaves_room() -> None:
    queue = NotificationQueue()
    for number in range(100):
        queue.append(dry(number), after=0, limit=1)
        assert queue.take() == dry(number)


def test_a_notification_waits_for_the_messages_before_it() -> None:
    queue = NotificationQueue()
    assert not queue.is_next(0)
    queue.append(dry(0), after=2, limit=5)
    assert [queue.is_next(read) for read in range(4)] == [False, False, True, True]


@virtual_time
async def test_a_program_that_reads_none_is_told_that_some_are_missing() -> None:
    """C01: SCTP_NOTIFICATIONS_STOPPED_EVENT, although nobody can subscribe to it; messages are not affected."""
    config = aiosctp.Config(event_queue_limit=4)
    async with (
        TwoHosts(config=config) as hosts,
        sctp.SCTPSocket(stack=hosts.server) as listener,
        sctp.SCTPSocket(stack=hosts.client) as client,
    ):
        listener.bind(("", 7777))
        listener.listen()
        client.settings.events = {sctp.SCTP_SENDER_DRY_EVENT}
        await client.connect((hosts.server_host.addresses[0], 7777))
        accepted, _ = await listener.accept()
        async with accepted:
            for _ in range(10):
                await client.send(b"message")
                await client.associations[3].association.wait_acknowledged()
            types = [(await client.recvv(100)).data.sn_header.sn_type for _ in range(5)]
            assert types == 4 * [sctp.SCTP_SENDER_DRY_EVENT] + [sctp.SCTP_NOTIFICATIONS_STOPPED_EVENT]
            assert [await accepted.recv(100) for _ in range(10)] == 10 * [b"message"]
            await client.send(b"message")
            assert (await client.recvv(100)).data == sctp.sctp_sender_dry_event(sender_dry_assoc_id=3)


def test_one_that_comes_after_fewer_messages_is_read_before() -> None:
    """C15: but not before those that come after as many; and what says that there are no more is the last."""
    queue = NotificationQueue()
    for number, after in enumerate((1, 4, 2, 2, 0)):
        queue.append(dry(number), after=after, limit=5)
    queue.append(dry(5), after=0, limit=5)
    assert queue.is_next(0)
    assert read_all(queue) == [dry(4), dry(0), dry(2), dry(3), dry(1), sctp.sctp_tlv()]


# -- of a socket whose associations come and go --


async def come_and_go(hosts: TwoHosts, times: int, *, says: bytes = b"") -> None:
    for _ in range(times):
        async with one_to_one(hosts) as client:
            await client.connect(SERVER)
            if says:
                await client.send(says)
        await asyncio.sleep(1)


@virtual_time
async def test_of_associations_that_have_ended_nothing_is_kept_that_nobody_could_read() -> None:
    """Also when the program never reads."""
    async with TwoHosts() as hosts, listener(hosts, type=sctp.SOCK_SEQPACKET) as server:
        await come_and_go(hosts, 3)
        assert not server.associations
        assert not server.ready


@virtual_time
async def test_notifications_that_are_never_read_are_bounded_over_all_associations_that_there_were() -> None:
    """As by a program that subscribed to them and reads with recvfrom: it is told, should it read them after all."""
    few = aiosctp.Config(event_queue_limit=3)
    async with TwoHosts(config=few) as hosts:
        prepare = subscribed(sctp.SCTP_ASSOC_CHANGE)
        async with listener(hosts, prepare, type=sctp.SOCK_SEQPACKET) as server:
            await come_and_go(hosts, 20)
            assert len(server.ready) <= 4
            server.setblocking(False)
            read = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    read.append((await server.recvv(100)).data)
            assert sctp.sctp_tlv() in read
            assert max(told.sac_assoc_id for told in read if isinstance(told, sctp.sctp_assoc_change)) == 22


@virtual_time
async def test_messages_of_associations_that_have_ended_are_not_among_what_is_dropped() -> None:
    few = aiosctp.Config(event_queue_limit=3)
    async with TwoHosts(config=few) as hosts:
        prepare = subscribed(sctp.SCTP_ASSOC_CHANGE)
        async with listener(hosts, prepare, type=sctp.SOCK_SEQPACKET) as server:
            await come_and_go(hosts, 10, says=b"a last word")
            assert [(await server.recvfrom(100))[0] for _ in range(10)] == [b"a last word"] * 10
