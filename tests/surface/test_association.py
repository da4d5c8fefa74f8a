"""`Association`: sending, receiving, ending, and what each call leaves behind when it is cancelled."""

from __future__ import annotations

import asyncio
import errno
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import aiosctp
from aiosctp.exceptions import AssociationAborted, AssociationLost, AssociationShutdown
from aiosctp.wire.chunks import Abort, Sack, Shutdown
from tests.surface.two_hosts import DELAY_S, PORT, TwoHosts, associated, chunk_type, has_user_data
from tests.surface.virtual_time import virtual_time

# -- sending and receiving --


@virtual_time
async def test_a_message_keeps_its_boundaries_stream_and_ppid() -> None:
    async with associated() as (_, ours, theirs):
        await ours.send(b"one", stream=3, ppid=46, context=9)
        await ours.send(bytearray(b"two"), unordered=True)
        await ours.send(memoryview(b"three")[::2], sack_immediately=True)
        first = await theirs.receive()
        assert (first.data, first.stream, first.ppid, first.unordered) == (b"one", 3, 46, False)
        second = await theirs.receive()
        assert (second.data, second.unordered) == (b"two", True)
        assert (await theirs.receive()).data == b"tre"


@virtual_time
async def test_a_buffer_that_is_not_bytes_is_copied_at_the_call() -> None:
    async with associated() as (_, ours, theirs):
        buffer = bytearray(b"before")
        await ours.send(buffer)
        buffer[:] = b"after!"
        assert (await theirs.receive()).data == b"before"


@virtual_time
async def test_iteration_ends_at_a_graceful_end() -> None:
    async with associated() as (_, ours, theirs):
        for number in range(5):
            await ours.send(b"%d" % number)
        closing = asyncio.create_task(ours.shutdown())
        assert [message.data async for message in theirs] == [b"0", b"1", b"2", b"3", b"4"]
        await closing


@virtual_time
async def test_receive_with_a_message_ready_does_not_enter_the_loop() -> None:
    async with associated() as (_, ours, theirs):
        await ours.send(b"ready")
        await ours.wait_acknowledged()
        coroutine = theirs.receive()
        with pytest.raises(StopIteration) as finished:
            coroutine.send(None)
        assert finished.value.value.data == b"ready"


@virtual_time
async def test_receive_nowait_raises_when_it_would_wait() -> None:
    """A37, I09: the non-blocking forms raise BlockingIOError instead of waiting."""
    async with associated() as (_, ours, theirs):
        with pytest.raises(BlockingIOError):
            theirs.receive_nowait()
        await ours.send(b"now")
        await ours.wait_acknowledged()
        assert theirs.receive_nowait().data == b"now"


@virtual_time
async def test_a_second_reader_is_refused_and_the_first_goes_on() -> None:
    async with associated() as (_, ours, theirs):
        first = asyncio.create_task(theirs.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await theirs.receive()
        with pytest.raises(RuntimeError, match="another task"):
            theirs.receive_nowait()
        await ours.send(b"for the first")
        assert (await first).data == b"for the first"


@virtual_time
async def test_cancelling_receive_loses_nothing() -> None:
    async with associated() as (_, ours, theirs):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await theirs.receive()
        await ours.send(b"still there")
        assert (await theirs.receive()).data == b"still there"


@virtual_time
async def test_cancelling_receive_in_the_turn_that_wakes_it_loses_nothing() -> None:
    async with associated() as (_, ours, theirs):
        reader = asyncio.create_task(theirs.receive())
        await ours.send(b"kept")
        await ours.wait_acknowledged()  # by now the reader is woken, if it has not run
        if not reader.done():
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert (await theirs.receive()).data == b"kept"
        else:
            assert reader.result().data == b"kept"


@virtual_time
async def test_stream_takes_over_what_is_queued_for_it() -> None:
    async with associated() as (_, ours, theirs):
        for stream, data in ((1, b"a"), (2, b"b"), (1, b"c")):
            await ours.send(data, stream=stream)
        await ours.wait_acknowledged()
        one = theirs.stream(1)
        assert one is theirs.stream(1)
        await ours.send(b"d", stream=1)
        await ours.send(b"e", stream=0)
        await ours.wait_acknowledged()
        assert [theirs.receive_nowait().data for _ in range(2)] == [b"b", b"e"]
        assert [one.receive_nowait().data for _ in range(3)] == [b"a", b"c", b"d"]
        reader = asyncio.create_task(one.receive())
        await ours.stream(1).send(b"f", ppid=7)
        assert (await reader).ppid == 7


@virtual_time
async def test_a_streams_iteration_ends_with_the_association() -> None:
    async with associated() as (_, ours, theirs):
        await ours.send(b"only", stream=4)
        stream = theirs.stream(4)
        closing = asyncio.create_task(ours.shutdown())
        assert [message.data async for message in stream] == [b"only"]
        await closing


# -- arguments --


async def as_coroutine(function: Callable[..., Any], *args: object, **options: object) -> None:
    result = function(*args, **options)
    if result is not None:
        await result


@pytest.mark.parametrize(
    ("data", "options", "error", "named"),
    [
        ("text", {}, TypeError, "data"),
        (7, {}, TypeError, "data"),
        (None, {}, TypeError, "data"),
        (b"", {}, ValueError, "data"),
        (b"x", {"stream": 256}, aiosctp.InvalidStream, "stream"),
        (b"x", {"stream": -1}, aiosctp.InvalidStream, "stream"),
        (b"x", {"stream": "1"}, TypeError, "stream"),
        (b"x", {"ppid": 2**32}, ValueError, "ppid"),
        (b"x", {"ppid": b"1"}, TypeError, "ppid"),
        (b"x", {"context": -1}, ValueError, "context"),
        (b"x" * 11, {}, aiosctp.MessageTooLarge, "11 bytes"),
        (b"x", {"deadline": 1.0}, TypeError, "deadline"),
    ],
)
def test_wrong_arguments_of_send_queue_nothing(
    data: object, options: dict[str, object], error: type[Exception], named: str
) -> None:
    @virtual_time
    async def run() -> None:
        async with associated(config=aiosctp.Config(max_message_bytes=10)) as (hosts, ours, _):
            for send in (ours.send, ours.send_nowait):
                with pytest.raises(error, match=named):
                    await as_coroutine(send, data, **options)
            assert ours.engine.sender.is_drained
            assert not any(map(has_user_data, hosts.log))

    run()


@virtual_time
async def test_streams_are_those_below_what_both_sides_agreed_on() -> None:
    """§5.1.1: "the valid outbound stream identifier range ... MUST be 0 to min(local OS, remote MIS) - 1"."""
    few, many = aiosctp.Config(outbound_streams=7, max_inbound_streams=3), aiosctp.Config(outbound_streams=5)
    async with associated(config=many, server_config=few) as (_, ours, theirs):
        for association, streams in ((ours, 3), (theirs, 7)):
            assert association.outbound_streams == streams
            await association.send(b"the last there is", stream=streams - 1)
            with pytest.raises(aiosctp.InvalidStream, match="stream"):
                await association.send(b"x", stream=streams)
        assert (await theirs.receive()).stream == 2
        assert (await ours.receive()).stream == 6


@virtual_time
async def test_an_invalid_stream_is_an_oserror_and_a_valueerror() -> None:
    async with associated() as (_, ours, _):
        with pytest.raises(aiosctp.InvalidStream) as caught:
            ours.stream(65536)
        assert isinstance(caught.value, OSError)
        assert isinstance(caught.value, ValueError)
        assert caught.value.errno == errno.EINVAL


# -- ending --


@virtual_time
async def test_after_a_graceful_end_the_rest_is_read_and_then_it_is_shut_down() -> None:
    """A20: a graceful close delivers what was queued, and then no call works."""
    async with associated() as (_, ours, theirs):
        await ours.send(b"last words")
        await ours.shutdown()
        await theirs.wait_closed()
        assert (await theirs.receive()).data == b"last words"
        for _ in range(2):
            with pytest.raises(AssociationShutdown) as caught:
                await theirs.receive()
            assert caught.value.errno == errno.ESHUTDOWN
            assert isinstance(caught.value, BrokenPipeError)
        with pytest.raises(AssociationShutdown):
            await theirs.send(b"too late")
        await theirs.shutdown()


@virtual_time
async def test_send_raises_shutdown_from_the_peers_shutdown_on() -> None:
    """I08: send after the peer's SHUTDOWN is AssociationShutdown, though the association has not ended."""
    async with associated() as (hosts, ours, theirs):
        hosts.drop = lambda packet: packet.source == "192.0.2.2" and chunk_type(packet) != Sack.type
        await theirs.send(b"unacknowledged: it never leaves")
        closing = asyncio.create_task(ours.shutdown())
        await asyncio.sleep(0.1)
        assert theirs.state is aiosctp.AssociationState.SHUTDOWN_RECEIVED
        with pytest.raises(AssociationShutdown):
            await theirs.send(b"no more")
        with pytest.raises(AssociationShutdown):
            theirs.send_nowait(b"no more")
        with pytest.raises(AssociationShutdown):
            await ours.send(b"nor here")
        closing.cancel()


@virtual_time
async def test_abort_reaches_both_sides_with_its_reason() -> None:
    """A19: an abort ends the association at both ends; the peer sees the cause User-Initiated Abort."""
    async with associated() as (_, ours, theirs):
        reading = asyncio.create_task(theirs.receive())
        mine = asyncio.create_task(ours.receive())
        await asyncio.sleep(0)
        ours.abort(b"because")
        with pytest.raises(AssociationAborted) as local:
            await mine
        assert local.value.local
        with pytest.raises(AssociationAborted) as remote:
            await reading
        assert remote.value.causes == (aiosctp.Cause(12, b"because"),)
        for told in (local.value, remote.value):
            assert str(told).endswith("user initiated abort: 'because'")
        assert not remote.value.local
        assert isinstance(remote.value, ConnectionResetError)
        for call in (theirs.receive, theirs.shutdown):
            with pytest.raises(AssociationAborted) as again:
                await call()
            assert again.value.causes == remote.value.causes
            assert again.value is not remote.value
        with pytest.raises(AssociationAborted):
            await theirs.send(b"x")
        assert pickle.loads(pickle.dumps(remote.value)).causes == remote.value.causes


@virtual_time
async def test_what_was_received_before_an_abort_is_discarded() -> None:
    async with associated() as (_, ours, theirs):
        await ours.send(b"delivered but unread")
        await ours.wait_acknowledged()
        ours.abort()
        await theirs.wait_closed()
        with pytest.raises(AssociationAborted):
            await theirs.receive()


@virtual_time
async def test_a_peer_that_vanishes_is_lost() -> None:
    """I02: an established association ends by AssociationLost after Association.Max.Retrans."""
    config = aiosctp.Config(association_max_retrans=2, path_max_retrans=2)
    async with associated(config=config) as (hosts, ours, _):
        hosts.drop = lambda packet: True
        await ours.send(b"into the void")
        with pytest.raises(AssociationLost) as caught:
            await ours.receive()
        assert caught.value.errno == errno.ETIMEDOUT
        assert isinstance(caught.value, ConnectionError)
        with pytest.raises(AssociationLost):
            await ours.wait_acknowledged()
        with pytest.raises(AssociationLost):
            await ours.shutdown()


@virtual_time
async def test_wait_acknowledged_waits_for_the_sack() -> None:
    async with associated() as (hosts, ours, _):
        began = hosts.client.now()
        await ours.send(b"x")
        await ours.wait_acknowledged()
        assert hosts.client.now() - began == pytest.approx(2 * DELAY_S)
        await ours.wait_acknowledged()


@virtual_time
async def test_shutdown_with_a_timeout_aborts_when_nobody_answers() -> None:
    async with associated() as (hosts, ours, _):
        hosts.drop = lambda packet: chunk_type(packet) == Shutdown.type
        began = hosts.client.now()
        with pytest.raises(AssociationAborted) as caught:
            await ours.shutdown(timeout=3)
        assert caught.value.local
        assert hosts.client.now() - began == pytest.approx(3)
        await asyncio.sleep(0)
        assert chunk_type(hosts.log[-1]) == Abort.type
        for timeout in (-1, float("nan")):
            with pytest.raises(ValueError, match="timeout"):
                await ours.shutdown(timeout=timeout)


@virtual_time
async def test_a_timeout_does_not_abort_what_another_shutdown_already_ended() -> None:
    async with associated() as (_, ours, theirs):
        await asyncio.gather(ours.shutdown(timeout=5), ours.shutdown(), theirs.shutdown())
        await asyncio.sleep(10)
        with pytest.raises(AssociationShutdown):
            await ours.receive()


@virtual_time
async def test_cancelling_shutdown_leaves_it_under_way() -> None:
    async with associated() as (_, ours, theirs):
        closing = asyncio.create_task(ours.shutdown())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await ours.wait_closed()
        await theirs.wait_closed()
        assert ours.state is aiosctp.AssociationState.CLOSED
        with pytest.raises(AssociationShutdown):
            await ours.receive()


@virtual_time
async def test_close_discards_what_arrives_and_ends_gracefully() -> None:
    async with associated() as (_, ours, theirs):
        waiting = asyncio.create_task(ours.receive())
        for _ in range(3):
            await theirs.send(b"unwanted")
        await asyncio.sleep(0)
        ours.close()
        with pytest.raises(AssociationShutdown):
            await waiting
        await ours.wait_closed()
        await theirs.wait_acknowledged()
        await theirs.shutdown()
        with pytest.raises(AssociationShutdown):
            await ours.receive()


@virtual_time
async def test_cancelling_what_only_waits_changes_nothing() -> None:
    async with associated() as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        await ours.send(b"x")
        waits = [ours.wait_acknowledged(), ours.wait_closed(), ours.primary_path.heartbeat(), theirs.wait_closed()]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        hosts.drop = lambda packet: False
        assert (await theirs.receive()).data == b"x"
        await ours.wait_acknowledged()
        assert ours.state is aiosctp.AssociationState.ESTABLISHED


@virtual_time
async def test_calls_in_the_very_turn_of_an_abort_raise() -> None:
    async with associated() as (hosts, ours, _):
        hosts.drop = lambda packet: True
        await ours.send(b"x")
        ours.abort()
        for call in (ours.wait_acknowledged, ours.receive, ours.shutdown, ours.primary_path.heartbeat):
            with pytest.raises(AssociationAborted):
                await call()
        await ours.wait_closed()
        with pytest.raises(TypeError, match="reason"):
            ours.abort("text")  # type: ignore[arg-type]  # wrong on purpose
        ours.abort()


@virtual_time
async def test_a_heartbeat_of_an_association_that_shuts_down_is_refused() -> None:
    async with associated() as (_, ours, _):
        ours.close()
        with pytest.raises(AssociationShutdown):
            await ours.primary_path.heartbeat()


# -- the context manager --


@virtual_time
async def test_leaving_the_block_shuts_down_gracefully() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client) as ours:
            theirs = await hosts.accepted.get()
            await ours.send(b"hello")
        assert ours.state is aiosctp.AssociationState.CLOSED
        assert (await theirs.receive()).data == b"hello"
        assert all(chunk_type(packet) != Abort.type for packet in hosts.log)


@virtual_time
async def test_leaving_the_block_by_an_exception_aborts() -> None:
    async with TwoHosts() as hosts, await hosts.serve():

        async def client() -> None:
            async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await client()
        theirs = await hosts.accepted.get()
        with pytest.raises(AssociationAborted):
            await theirs.receive()


@virtual_time
async def test_cancelling_the_block_aborts_and_stays_cancelled() -> None:
    async with TwoHosts() as hosts, await hosts.serve():

        async def client() -> None:
            async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client) as ours:
                await ours.receive()

        task = asyncio.create_task(client())
        theirs = await hosts.accepted.get()
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(AssociationAborted):
            await theirs.receive()


@virtual_time
async def test_cancelling_while_the_block_is_left_aborts() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        left = asyncio.Event()

        async def client() -> None:
            async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client):
                hosts.drop = lambda packet: chunk_type(packet) == Shutdown.type
                left.set()

        task = asyncio.create_task(client())
        theirs = await hosts.accepted.get()
        await left.wait()
        await asyncio.sleep(0.5)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(AssociationAborted):
            await theirs.receive()


@virtual_time
async def test_leaving_with_unacknowledged_data_raises_association_lost() -> None:
    config = aiosctp.Config(shutdown_timeout_s=2)
    async with TwoHosts(config=config) as hosts, await hosts.serve() as server:

        async def client() -> None:
            async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client) as ours:
                hosts.drop = lambda packet: packet.source == "192.0.2.1"
                await ours.send(b"lost")

        with pytest.raises(AssociationLost) as caught:
            await client()
        assert isinstance(caught.value.__cause__, AssociationAborted)
        server.abort_clients()


@virtual_time
async def test_leaving_while_the_peer_is_lost_says_why() -> None:
    config = aiosctp.Config(association_max_retrans=1, path_max_retrans=1)
    async with TwoHosts(config=config) as hosts, await hosts.serve() as server:

        async def client() -> None:
            async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client) as ours:
                hosts.drop = lambda packet: True
                await ours.send(b"lost")

        with pytest.raises(AssociationLost) as caught:
            await client()
        assert "Association.Max.Retrans" in str(caught.value)
        server.abort_clients()


@virtual_time
async def test_leaving_after_the_end_is_a_no_op() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client) as ours:
            ours.abort()

        async def client() -> None:
            async with aiosctp.connect("192.0.2.2", PORT, stack=hosts.client) as ours:
                await ours.shutdown()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await client()


# -- looking and setting --


@virtual_time
async def test_set_primary_after_the_end_raises_the_ending() -> None:
    async with associated() as (_, ours, _theirs):
        host, _port = ours.peer_addresses[0]
        ours.abort()
        with pytest.raises(AssociationAborted):
            ours.set_primary(host)


@virtual_time
async def test_a_parameter_that_does_not_exist_is_named() -> None:
    async with associated() as (_, ours, _theirs):
        for configure in (ours.configure, ours.primary_path.configure):
            with pytest.raises(ValueError, match="no parameter rto_mim_s"):
                configure(rto_mim_s=1)


@virtual_time
async def test_a_stream_that_does_not_exist_is_refused_with_those_that_do() -> None:
    async with associated() as (_, ours, _theirs):
        with pytest.raises(aiosctp.InvalidStream, match="between 0 and 255, not 256"):
            ours.stream(256)


@virtual_time
async def test_addresses_are_pairs_of_host_and_sctp_port() -> None:
    """A30, A31: all addresses of the peer, and ours, by association."""
    async with associated(server_addresses=("192.0.2.2", "192.0.2.3")) as (hosts, ours, theirs):
        assert ours.peer_addresses == (("192.0.2.2", PORT), ("192.0.2.3", PORT))
        assert theirs.local_addresses == ours.peer_addresses
        assert theirs.peer_addresses == ours.local_addresses == (("192.0.2.1", ours.engine.local_port),)
        assert [path.address for path in ours.paths] == list(ours.peer_addresses)
        assert ours.get_extra_info("peername") == ("192.0.2.2", PORT)
        assert ours.get_extra_info("sockname") == ours.local_addresses[0]
        assert ours.get_extra_info("udp_port") == hosts.client.udp_port
        assert ours.get_extra_info("remote_udp_port") == hosts.server.udp_port
        assert ours.get_extra_info("association") is ours
        assert ours.get_extra_info("socket") is None
        assert ours.get_extra_info("cipher", "none") == "none"


@virtual_time
async def test_paths_are_live_views() -> None:
    """E06: each address of the peer is a path with its own state, and one of them is the primary."""
    async with associated(server_addresses=("192.0.2.2", "192.0.2.3")) as (_, ours, _):
        first, second = ours.paths
        assert ours.primary_path == first
        assert ours.paths[1] is second
        assert second.state.value == "UNCONFIRMED"
        with pytest.raises(ValueError, match="not confirmed"):
            ours.set_primary("192.0.2.3")
        await asyncio.sleep(1)
        assert second.state.value == "ACTIVE"
        ours.set_primary(("192.0.2.3", PORT))
        assert ours.primary_path is second
        for wrong in ("192.0.2.4", ("192.0.2.2", 1)):
            with pytest.raises(ValueError, match="address"):
                ours.set_primary(wrong)
        assert second.srtt == pytest.approx(0.02)
        assert second.rto == 1.0
        assert (second.cwnd, second.mtu) == (second.cwnd, 1500)
        assert second.udp_port == 9899
        assert second.local_address == ours.local_addresses[0]


@virtual_time
async def test_heartbeat_returns_the_round_trip_time() -> None:
    async with associated() as (hosts, ours, theirs):
        path = ours.primary_path
        assert await path.heartbeat() == pytest.approx(0.02)
        hosts.drop = lambda packet: True
        began = hosts.client.now()
        with pytest.raises(TimeoutError):
            await path.heartbeat()
        assert hosts.client.now() - began == pytest.approx(1.0)
        hosts.drop = lambda packet: False
        beating = asyncio.create_task(path.heartbeat())
        await asyncio.sleep(0)
        theirs.abort()
        with pytest.raises((AssociationAborted, AssociationShutdown)):
            await beating


@virtual_time
async def test_each_heartbeat_waits_for_its_own_answer() -> None:
    """B13: the answer to one that was sent before is no answer to it."""
    async with associated() as (_, ours, _):
        path = ours.primary_path
        first = asyncio.create_task(path.heartbeat())
        await asyncio.sleep(0.015)
        assert await path.heartbeat() == pytest.approx(0.02)
        assert await first == pytest.approx(0.02)
        many = [asyncio.create_task(path.heartbeat()) for _ in range(8)]
        assert await asyncio.gather(*many) == pytest.approx([0.02] * 8)


@virtual_time
async def test_path_configure_changes_that_path_alone() -> None:
    async with associated(server_addresses=("192.0.2.2", "192.0.2.3")) as (_, ours, _):
        first, second = ours.paths
        second.configure(hb_interval_s=5, path_max_retrans=1, path_mtu=1280, heartbeat=True)
        assert (first.mtu, second.mtu) == (1500, 1280)
        for changes, error in (
            ({"cwnd": 1}, ValueError),
            ({"path_mtu": 10}, ValueError),
            ({"udp_port": 0}, ValueError),
            ({"udp_port": None}, TypeError),
            ({"path_mtu_discovery": 1}, TypeError),
            ({"hb_interval_s": "1"}, TypeError),
        ):
            with pytest.raises(error, match=next(iter(changes))):
                second.configure(**changes)


@virtual_time
async def test_configure_takes_what_can_change_in_life() -> None:
    async with associated() as (_, ours, _):
        ours.configure(rto_min_s=0.2, rto_initial_s=0.3, max_message_bytes=5)
        with pytest.raises(aiosctp.MessageTooLarge):
            await ours.send(b"123456")
        for changes, error in (
            ({"outbound_streams": 3}, ValueError),
            # §3.3.2: "During the life of the association, this buffer space SHOULD NOT be reduced"
            ({"max_inbound_streams": 2000}, ValueError),
            ({"no_such": 3}, ValueError),
            ({"rto_min_s": -1}, ValueError),
            ({"sack_delay_s": None}, TypeError),
        ):
            with pytest.raises(error, match=next(iter(changes))):
                ours.configure(**changes)


@virtual_time
async def test_nodelay_is_switched_in_life() -> None:
    """B01: off, a small message waits for the acknowledgement of the one before; on, it goes at once."""
    async with associated() as (_, ours, _):
        ours.configure(nodelay=False)
        await ours.send(b"first")
        await ours.send(b"second")
        await asyncio.sleep(0)
        await ours.send(b"third")
        await asyncio.sleep(0)
        assert ours.engine.sender.pending_messages == 1
        ours.configure(nodelay=True)
        await asyncio.sleep(0)
        assert ours.engine.sender.pending_messages == 0


@virtual_time
async def test_status_and_statistics_are_snapshots() -> None:
    async with associated() as (hosts, ours, theirs):
        await ours.send(b"x")
        assert ours.status().unacknowledged_chunks == 0
        await ours.wait_acknowledged()
        status = theirs.status()
        assert status.state is aiosctp.AssociationState.ESTABLISHED
        assert status.pending_messages == 1
        assert (status.inbound_streams, status.outbound_streams) == (256, 256)
        assert status.primary_path is theirs.primary_path
        before = theirs.statistics()
        await ours.send(b"y")
        await ours.wait_acknowledged()
        assert theirs.statistics().osacks > before.osacks
        assert hosts.client.statistics().datagrams_sent > 0
        assert "ESTABLISHED" in repr(ours)
        assert "192.0.2.2" in repr(ours.primary_path)


@pytest.mark.parametrize("interleaving", [False, True])
@virtual_time
async def test_a_message_goes_in_one_chunk_up_to_the_fragmentation_point(interleaving: bool) -> None:
    """RFC 6458 §8.2.1: `sstat_fragmentation_point`: "the size of the outgoing data portion of a DATA chunk at which the
    SCTP stack will fragment"; the header of an I-DATA is the larger one (RFC 8260 §2.1)."""
    async with associated(config=aiosctp.Config(interleaving=interleaving, path_mtu=1400)) as (hosts, ours, _):
        point_bytes = ours.status().fragmentation_point_bytes
        for size, packets in ((point_bytes, 1), (point_bytes + 1, 2)):
            hosts.log.clear()
            await ours.send(bytes(size))
            await ours.wait_acknowledged()
            assert sum(map(has_user_data, hosts.log)) == packets
