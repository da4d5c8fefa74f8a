"""aiosctp as a program uses it, from connect and serve to the exceptions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import MutableMapping, Sequence
from typing import Any, assert_never, assert_type

import aiosctp
from aiosctp import events, exceptions, schedulers

# -- clients and servers --


async def clients(stack: aiosctp.Stack, config: aiosctp.Config) -> None:
    association = await aiosctp.connect("198.51.100.7", 7777)
    assert_type(association, aiosctp.Association)
    task = asyncio.create_task(aiosctp.connect(["198.51.100.7", "2001:db8::7"], 7777, stack=stack))
    assert_type(await task, aiosctp.Association)
    async with aiosctp.connect(
        "example.org",
        7777,
        remote_udp_port=9899,
        udp_port=0,
        local_addresses=["192.0.2.1"],
        local_port=7778,
        outbound_streams=16,
        timeout=5.0,
        config=config,
        stack=None,
    ) as association:
        assert_type(association, aiosctp.Association)


async def handle(association: aiosctp.Association) -> None:
    async for message in association:
        assert_type(message, aiosctp.Message)


def admit(peer: tuple[str, int]) -> bool:
    return peer[0] != "203.0.113.1"


async def servers(stack: aiosctp.Stack, config: aiosctp.Config) -> None:
    server = await aiosctp.serve(handle, port=7777, stack=stack)
    await aiosctp.serve(
        handle,
        ["192.0.2.1", "198.51.100.1"],
        7777,
        udp_port=9899,
        backlog=128,
        max_associations=1000,
        admit=admit,
        outbound_streams=16,
        config=config,
    )
    async with server:
        await server.start_serving()
        await server.serve_forever()
    as_asyncio_has_it: asyncio.AbstractServer = server
    assert_type(server.is_serving(), bool)
    assert_type(server.addresses, tuple[tuple[str, int], ...])
    assert_type(server.port, int)
    assert_type(server.udp_port, int)
    assert_type(server.associations, frozenset[aiosctp.Association])
    assert_type(server.sockets, tuple[socket.socket, ...])
    assert_type(as_asyncio_has_it.get_loop(), asyncio.AbstractEventLoop)
    server.close()
    server.close_clients()
    server.abort_clients()
    await server.wait_closed()


async def stacks(network: aiosctp.Network, config: aiosctp.Config) -> None:
    async with aiosctp.Stack(
        udp_port=9899,
        local_addresses=["192.0.2.1"],
        config=config,
        network=aiosctp.SystemNetwork(),
        port_policy=aiosctp.privileged_ports,
    ) as stack:
        assert_type(stack, aiosctp.Stack)
        assert_type(stack.associations(), frozenset[aiosctp.Association])
        assert_type(stack.local_addresses, tuple[str, ...])
        assert_type(stack.udp_port, int)
        counted = stack.statistics()
        assert_type(counted, aiosctp.StackStatistics)
        numbers: list[int] = [
            counted.datagrams_received,
            counted.datagrams_sent,
            counted.malformed_packets,
            counted.malformed_chunks,
            counted.wrong_verification_tags,
            counted.out_of_the_blue,
            counted.out_of_the_blue_answers,
            counted.answers_withheld,
            counted.init_received,
            counted.cookies_invalid,
            counted.cookies_stale,
            counted.icmp_received,
            counted.icmp_ignored,
            counted.send_errors,
            counted.associations_established,
            counted.associations_aborted,
            counted.associations_shut_down,
            counted.receive_buffer_drops,
            counted.messages_reassembled,
            counted.messages_fragmented,
            counted.unordered_chunks_received,
            counted.unordered_chunks_sent,
            counted.ordered_chunks_received,
            counted.ordered_chunks_sent,
            counted.control_chunks_received,
            counted.control_chunks_sent,
            counted.associations_current,
            counted.associations_accepted,
            counted.answers_sent,
            counted.checksum_errors,
        ]
        assert_type(numbers, list[int])
        assert_type(counted.counting_since_s, float)
        stack.reset_statistics()
        settings: MutableMapping[str, int] = stack.sysctl
        assert_type(settings["net.inet.sctp.maxburst"], int)
        assert_type(stack.sysctl.describe("net.inet.sctp.maxburst").full_name, str)
    assert_type(network.now(), float)
    assert_type(network.entropy(32), bytes)
    assert_type(network.local_addresses(), list[str])
    assert_type(network.route_mtu(None, "198.51.100.7"), int | None)
    assert_type(await network.resolve("example.org"), list[str])


# -- an association --


async def sending(association: aiosctp.Association) -> None:
    await association.send(b"hello")
    await association.send(
        bytearray(b"hello"),
        stream=3,
        ppid=46,
        unordered=True,
        lifetime=0.1,
        max_retransmits=None,
        buffer_priority=None,
        context=7,
        sack_immediately=True,
        end_of_record=True,
    )
    association.send_nowait(
        memoryview(b"hello"),
        stream=3,
        ppid=46,
        unordered=False,
        lifetime=None,
        max_retransmits=0,
        buffer_priority=5,
        context=7,
        sack_immediately=False,
        end_of_record=True,
    )
    await association.wait_acknowledged()


async def receiving(association: aiosctp.Association) -> None:
    message = await association.receive()
    assert_type(message, aiosctp.Message)
    assert_type(message.data, bytes)
    assert_type(message.stream, int)
    assert_type(message.ppid, int)
    assert_type(message.unordered, bool)
    assert_type(message.ssn, int)
    assert_type(message.tsn, int)
    assert_type(message.cumulative_tsn, int)
    assert_type(message.end_of_record, bool)
    assert_type(await association.receive(partial=True), aiosctp.Message)
    assert_type(association.receive_nowait(partial=False), aiosctp.Message)
    assert_type([message async for message in association], list[aiosctp.Message])


async def streams(association: aiosctp.Association) -> None:
    stream = association.stream(3)
    assert_type(stream, aiosctp.Stream)
    assert_type(stream.number, int)
    assert_type(stream.association, aiosctp.Association)
    await stream.send(
        b"hello",
        ppid=46,
        unordered=False,
        lifetime=None,
        max_retransmits=None,
        buffer_priority=None,
        context=7,
        sack_immediately=False,
        end_of_record=True,
    )
    assert_type(await stream.receive(partial=True), aiosctp.Message)
    assert_type(stream.receive_nowait(), aiosctp.Message)
    assert_type([message async for message in stream], list[aiosctp.Message])
    stream.configure(priority=1, weight=2, lifetime=0.1, max_retransmits=None, buffer_priority=None)
    association.configure_stream(3, priority=1, weight=2, lifetime=None, max_retransmits=1, buffer_priority=None)
    await stream.reset()
    await association.reset_streams(outgoing=[1, 2], incoming=())
    await association.reset_association()
    await association.add_streams(outgoing=4, incoming=4)
    assert_type(association.supports_stream_reset, bool)


async def byte_streams(association: aiosctp.Association) -> None:
    assert_type(await association.open_stream(), tuple[asyncio.StreamReader, asyncio.StreamWriter])
    reader, writer = await association.open_stream(4, limit=2**16)
    assert_type(writer.transport.get_extra_info("association"), Any)
    assert_type(await association.accept_stream(limit=2**16), tuple[asyncio.StreamReader, asyncio.StreamWriter])
    async for reader, writer in association.accept_streams(limit=2**16):
        assert_type(reader, asyncio.StreamReader)
        assert_type(writer, asyncio.StreamWriter)


async def looking_and_setting(association: aiosctp.Association) -> None:
    assert_type(association.state, aiosctp.AssociationState)
    assert_type(association.outbound_streams, int)
    assert_type(association.inbound_streams, int)
    assert_type(association.negotiated, frozenset[str])
    assert_type(association.local_addresses, tuple[tuple[str, int], ...])
    assert_type(association.peer_addresses, tuple[tuple[str, int], ...])
    assert_type(association.paths, tuple[aiosctp.Path, ...])
    assert_type(association.primary_path, aiosctp.Path)
    assert_type(association.get_extra_info("peername", default=None), Any)
    association.set_primary("198.51.100.7")
    association.set_primary(("198.51.100.7", 7777))
    association.configure(scheduler="priority", hb_interval_s=10)
    status = association.status()
    assert_type(status, aiosctp.AssociationStatus)
    assert_type(status.state, aiosctp.AssociationState)
    assert_type(status.primary_path, aiosctp.Path)
    numbers: list[int] = [
        status.rwnd_bytes,
        status.unacknowledged_chunks,
        status.pending_messages,
        status.inbound_streams,
        status.outbound_streams,
        status.fragmentation_point_bytes,
    ]
    assert_type(numbers, list[int])
    counted = association.statistics()
    assert_type(counted, aiosctp.AssociationStatistics)
    assert_type(counted.maxrto, float)
    numbers = [
        counted.rtxchunks,
        counted.gapcnt,
        counted.outseqtsns,
        counted.osacks,
        counted.isacks,
        counted.octrlchunks,
        counted.ictrlchunks,
        counted.oodchunks,
        counted.iodchunks,
        counted.ouodchunks,
        counted.iuodchunks,
        counted.idupchunks,
        counted.messages_fragmented,
        counted.messages_reassembled,
        counted.abandoned_unsent,
        counted.abandoned_sent,
    ]
    assert_type(numbers, list[int])
    assert_type(counted.abandoned_by_stream[3], aiosctp.Abandoned)
    assert_type(counted.abandoned_by_stream[3].unsent, int)
    assert_type(counted.abandoned_by_stream[3].sent, int)


ASSOCIATION_STATES: tuple[aiosctp.AssociationState, ...] = (
    aiosctp.AssociationState.CLOSED,
    aiosctp.AssociationState.COOKIE_WAIT,
    aiosctp.AssociationState.COOKIE_ECHOED,
    aiosctp.AssociationState.ESTABLISHED,
    aiosctp.AssociationState.SHUTDOWN_PENDING,
    aiosctp.AssociationState.SHUTDOWN_SENT,
    aiosctp.AssociationState.SHUTDOWN_RECEIVED,
    aiosctp.AssociationState.SHUTDOWN_ACK_SENT,
)
PATH_STATES: tuple[aiosctp.PathState, ...] = (
    aiosctp.PathState.UNCONFIRMED,
    aiosctp.PathState.ACTIVE,
    aiosctp.PathState.INACTIVE,
)


async def paths(path: aiosctp.Path) -> None:
    assert_type(path.address, tuple[str, int])
    assert_type(path.local_address, tuple[str, int] | None)
    assert_type(path.udp_port, int)
    assert_type(path.state, aiosctp.PathState)
    assert_type(path.cwnd, int)
    assert_type(path.srtt, float | None)
    assert_type(path.rto, float)
    assert_type(path.mtu, int)
    assert_type(await path.heartbeat(), float)
    path.configure(hb_interval_s=5.0)


async def ending(association: aiosctp.Association) -> None:
    await association.shutdown(timeout=5.0)
    association.close()
    association.abort(reason=b"enough")
    await association.wait_closed()


async def what_happens(association: aiosctp.Association) -> None:
    async for every in association.events():
        assert_type(every, events.Event)
    async for event in association.events(events.AssociationChange, events.SendFailed):
        match event:
            case events.AssociationChange():
                assert_type(event.change, events.AssociationChangeKind)
                assert_type((event.error, event.outbound_streams, event.inbound_streams), tuple[int, int, int])
                assert_type(event.info, bytes)
            case events.PeerAddressChange():
                assert_type(event.address, tuple[str, int])
                assert_type(event.change, events.PeerAddressChangeKind)
                assert_type(event.error, int)
            case events.RemoteError():
                assert_type((event.error, event.data), tuple[int, bytes])
            case events.SendFailed():
                assert_type((event.data, event.was_sent, event.unordered), tuple[bytes, bool, bool])
                assert_type(event.is_whole, bool)
                numbers = (event.stream, event.ppid, event.context, event.error)
                assert_type(numbers, tuple[int, int, int, int])
            case events.AdaptationIndication():
                assert_type(event.indication, int)
            case events.PartialDelivery():
                assert_type((event.stream, event.ssn), tuple[int, int])
            case events.StreamReset():
                assert_type((event.incoming, event.outgoing), tuple[Sequence[int], Sequence[int]])
                assert_type((event.denied, event.failed), tuple[bool, bool])
            case events.StreamChange():
                assert_type((event.incoming, event.outgoing), tuple[int, int])
                assert_type((event.denied, event.failed), tuple[bool, bool])
            case events.AssociationReset():
                assert_type((event.local_tsn, event.remote_tsn), tuple[int, int])
                assert_type((event.denied, event.failed), tuple[bool, bool])
            case events.ShutdownEvent() | events.SenderDry() | events.NotificationsStopped():
                pass
            case _:
                assert_never(event)


ASSOCIATION_CHANGES: tuple[events.AssociationChangeKind, ...] = (
    events.AssociationChangeKind.COMM_UP,
    events.AssociationChangeKind.COMM_LOST,
    events.AssociationChangeKind.RESTART,
    events.AssociationChangeKind.SHUTDOWN_COMP,
    events.AssociationChangeKind.CANT_STR_ASSOC,
)
ADDRESS_CHANGES: tuple[events.PeerAddressChangeKind, ...] = (
    events.PeerAddressChangeKind.AVAILABLE,
    events.PeerAddressChangeKind.UNREACHABLE,
    events.PeerAddressChangeKind.MADE_PRIM,
    events.PeerAddressChangeKind.CONFIRMED,
)


async def what_goes_wrong(association: aiosctp.Association) -> None:
    try:
        await association.send(b"hello")
    except (
        aiosctp.AssociationRefused,
        aiosctp.ConnectTimeout,
        aiosctp.AssociationLost,
        aiosctp.AssociationShutdown,
        aiosctp.InvalidStream,
        aiosctp.MessageTooLarge,
        aiosctp.NotSupported,
        aiosctp.RecordLost,
        aiosctp.RequestDenied,
        aiosctp.StreamEnded,
    ) as error:
        also: OSError = error
        assert_type(also.errno, int | None)
    except aiosctp.AssociationAborted as error:
        assert_type(error.causes, tuple[aiosctp.Cause, ...])
        assert_type((error.causes[0].code, error.causes[0].data), tuple[int, bytes])
        assert_type(error.local, bool)
    except aiosctp.SCTPError as error:
        raise exceptions.SCTPError("another") from error


# -- asyncio's names --


async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read())


async def as_with_tcp(stack: aiosctp.Stack, config: aiosctp.Config) -> None:
    reader, writer = await aiosctp.open_connection("example.org", 7777, limit=2**16, udp_port=0, config=config)
    assert_type(reader, asyncio.StreamReader)
    assert_type(writer, asyncio.StreamWriter)
    assert_type(await aiosctp.start_server(connected, "192.0.2.1", 7777, limit=2**16), aiosctp.Server)
    made = await aiosctp.create_connection(
        asyncio.Protocol,
        "example.org",
        7777,
        ssl=None,
        family=socket.AF_INET6,
        local_addr=("2001:db8::1", 0),
        happy_eyeballs_delay=0.25,
        remote_udp_port=9899,
        udp_port=0,
        config=config,
        stack=stack,
    )
    assert_type(made, tuple[aiosctp.StreamTransport, asyncio.Protocol])
    transport: asyncio.Transport = made[0]
    assert_type(transport.get_write_buffer_size(), int)
    server = await aiosctp.create_server(
        asyncio.Protocol,
        "192.0.2.1",
        7777,
        family=socket.AF_INET,
        backlog=128,
        ssl=None,
        reuse_address=None,
        reuse_port=None,
        start_serving=False,
        udp_port=9899,
        config=config,
        stack=stack,
    )
    assert_type(server, aiosctp.Server)


def transports(transport: aiosctp.StreamTransport, protocol: asyncio.Protocol) -> None:
    transport.write(b"one")
    transport.writelines([b"two", bytearray(b"three")])
    transport.set_write_buffer_limits(high=2**16, low=2**14)
    assert_type(transport.get_write_buffer_limits(), tuple[int, int])
    assert_type(transport.get_write_buffer_size(), int)
    assert_type(transport.can_write_eof(), bool)
    transport.write_eof()
    transport.pause_reading()
    transport.resume_reading()
    assert_type(transport.is_reading(), bool)
    assert_type(transport.is_closing(), bool)
    transport.set_protocol(protocol)
    assert_type(transport.get_protocol(), asyncio.BaseProtocol)
    assert_type(transport.get_extra_info("association"), Any)
    transport.close()
    transport.abort()


# -- what it can do --

FEATURES: tuple[aiosctp.Feature, ...] = (
    aiosctp.Feature.HAVE_SCTP,
    aiosctp.Feature.HAVE_KERNEL_SCTP,
    aiosctp.Feature.HAVE_SCTP_PRSCTP,
    aiosctp.Feature.HAVE_SCTP_ADDIP,
    aiosctp.Feature.HAVE_SCTP_CANSET_PRIMARY,
    aiosctp.Feature.HAVE_SCTP_SAT_NETWORK_CAPABILITY,
    aiosctp.Feature.HAVE_SCTP_MULTIBUF,
    aiosctp.Feature.HAVE_SCTP_NOCONNECT,
)


def features() -> None:
    assert_type(aiosctp.features(), frozenset[aiosctp.Feature])
    assert_type(aiosctp.Feature.HAVE_SCTP in aiosctp.features(), bool)


# -- schedulers of one's own --


def make(values: schedulers.StreamValues) -> schedulers.Scheduler:
    return schedulers.StreamByStream(values, Lowest())


class Lowest:
    """The lowest of the streams first."""

    def __init__(self) -> None:
        self._streams: list[int] = []

    def join(self, stream: int) -> None:
        self._streams.append(stream)

    def rejoin(self, stream: int) -> None:
        pass

    def first(self) -> int:
        return min(self._streams)

    def over(self, stream: int, sent_bytes: int, *, has_more: bool) -> None:
        if not has_more:
            self._streams.remove(stream)


def a_scheduler(values: schedulers.StreamValues) -> None:
    schedulers.register("lowest", make)
    turns: schedulers.Turns = Lowest()
    schedulers.StreamByStream(values, turns, by_packet=True)
    assert_type((values.priority(3), values.weight(3)), tuple[int, int])


# -- parameters --


def parameters() -> aiosctp.Config:
    config = aiosctp.Config(
        rto_initial_s=1.0,
        rto_min_s=1.0,
        rto_max_s=60.0,
        rto_alpha=0.125,
        rto_beta=0.25,
        max_burst=4,
        nodelay=True,
        valid_cookie_life_s=60.0,
        max_cookie_life_s=300.0,
        cookie_key_life_s=3600.0,
        association_max_retrans=10,
        path_max_retrans=5,
        max_init_retransmits=8,
        heartbeat=True,
        hb_interval_s=30.0,
        hb_max_burst=1,
        sack_delay_s=0.2,
        sack_frequency=2,
        vtag_quarantine_s=60.0,
        error_answers_per_s=100.0,
        receive_window_bytes=2**20,
        partial_delivery_point_bytes=None,
        send_buffer_bytes=2**20,
        stream_send_buffer_bytes=2**18,
        max_message_bytes=2**26,
        shutdown_timeout_s=None,
        event_queue_limit=1024,
        outbound_streams=256,
        max_inbound_streams=65535,
        advertise_addresses=("192.0.2.1",),
        adaptation_layer=None,
        path_mtu=None,
        path_mtu_discovery=True,
        congestion_control="reno",
        stream_ppid=0,
        lifetime_s=None,
        max_retransmits=None,
        buffer_priority=None,
        scheduler="fcfs",
        partial_reliability=True,
        interleaving=True,
        nrsack=False,
        reconfig=True,
        peer_may_reset_streams=True,
        peer_may_reset_association=True,
        peer_may_add_streams=True,
        abort_at_limit=False,
        autoclose_s=None,
        blackhole=0,
        chunk_max_retrans=None,
        diagnostic_cause=None,
        fr_max_burst=4,
        fragmentation=True,
        init_rto_max_s=None,
        initial_cwnd_mtus=None,
        max_segment_bytes=None,
        pmdcs_bytes=None,
        pmtu_raise_s=600.0,
        slow_start_limit_mtus=None,
    )
    assert_type(config.rto_initial_s, float)
    assert_type(config.effective_shutdown_timeout_s, float)
    assert_type(config.effective_partial_delivery_point_bytes, int)
    return config.replace(max_burst=8)
