"""Engines broken on purpose: a table of faults, each put in at run time, that the simulation has to catch.

What by its nature only a test of one unit can see (a SACK a little late, a window a little smaller than it might be)
is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiosctp.core.timers import Timer
from aiosctp.core.tx.gaps import without
from tests.simulation.scene import Outcome, run_seed
from tests.simulation.wrapping import Maker, wrapped

MOST_SEEDS = 900
"""A fault that so many seeds do not show has escaped."""


def _every(nth: int, otherwise: Callable[..., Any]) -> Maker:
    """Each n-th call does something else, which is given the original and the arguments."""

    def make(original: Any) -> Any:
        calls = 0

        def method(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % nth == 0:
                return otherwise(original, *arguments, **options)
            return original(*arguments, **options)

        return method

    return make


def _instead(otherwise: Callable[..., Any]) -> Maker:
    return _every(1, otherwise)


def _nothing(original: Any, *arguments: Any, **options: Any) -> None:
    """Skipped."""


def _constant(value: object) -> Callable[..., Any]:
    return lambda original, *arguments, **options: value


def _property(otherwise: Callable[[Any, Any], Any]) -> Maker:
    """Of the original's value and the instance."""
    return lambda original: property(lambda self: otherwise(original.fget(self), self))


def _without_segments(original: Any, fragmenter: Any, largest_bytes: int, config: Any) -> None:
    original(fragmenter, largest_bytes, config.replace(max_segment_bytes=None))


def _mark_and_forget(original: Any, retransmissions: Any, chunk: Any) -> None:
    retransmissions._outstanding.mark(chunk)


def _gaps_are_kept(original: Any, outstanding: Any, gaps: Any, acked: Any) -> None:
    taken_back = without(outstanding.gaps, [(0, outstanding.cumulative), *gaps])
    original(outstanding, sorted([*gaps, *taken_back]), acked)


def _one_too_many(original: Any, cumulative_tsn_ack: int, a_rwnd: int, gaps: Any, duplicates: Any) -> Any:
    return original(cumulative_tsn_ack + bool(gaps) & 0xFFFF_FFFF, a_rwnd, gaps, duplicates)


def _drop_last_block(original: Any, tsns: Any, limit: int) -> Any:
    return original(tsns, limit)[:-1]


def _put_twice(original: Any, queues: Any, message: Any) -> None:
    original(queues, message)
    original(queues, message)


def _take_and_leak(original: Any, reassembly: Any, run: Any) -> bytes:
    kept = {tsn: reassembly._payloads[tsn] for tsn in range(run.start, run.end + 1)}
    data: bytes = original(reassembly, run)
    reassembly._payloads |= kept
    return data


def _grow_twice(original: Any, reno: Any, acked_bytes: int, **how: bool) -> None:
    original(reno, acked_bytes, **how)
    original(reno, acked_bytes, **how)


def _read_and_leak(original: Any, receiver: Any, stream: Any = None, partial: bool = False) -> Any:
    message = original(receiver, stream, partial)
    receiver._window.held_bytes += 1
    return message


def _read_untold(original: Any, receiver: Any, stream: Any = None, partial: bool = False) -> Any:
    was_due = receiver.sack_is_due
    message = original(receiver, stream, partial)
    receiver.sack_is_due = was_due
    return message


def _begin_with_same_ssn(original: Any, stream: Any, format: Any) -> int:
    ssn = stream.next_ssn = original(stream, format)
    return int(ssn)


def _report_all_but_one(original: Any, termination: Any, messages: Any, error: int) -> None:
    original(termination, list(messages)[1:], error)


def _turn_taken(original: Any, streams: Any, stream: int, ssn: int) -> bool:
    original(streams, stream, ssn)
    return True


def _deliver_without_the_first(original: Any, in_order: Any, tsn: int) -> None:
    del in_order._parts[0]
    original(in_order, tsn)


def _not_urgent(original: Any, receiver: Any, tsn: int) -> None:
    was = receiver._packet_is_urgent
    original(receiver, tsn)
    receiver._packet_is_urgent = was


def _all_but_the_first(original: Any, limits: Any) -> Any:
    return original(limits)[1:]


def _count_twice(original: Any, limits: Any, limited: Any, policy: Any) -> None:
    stream, was_sent = limited.message[1], bool(limited.chunks)
    original(limits, limited, policy)
    unsent, sent = limits.counts[stream, policy]
    limits.counts[stream, policy] = unsent + (not was_sent), sent + was_sent


def _stop_lifetime(original: Any, abandonment: Any, now: float) -> None:
    original(abandonment, now)
    abandonment._transmission.timers.stop(Timer.LIFETIME)


def _take_one_more(original: Any, point: Any, *arguments: Any) -> Any:
    point.number += 1
    taken = original(point, *arguments)
    point.number -= 1
    return taken


def _leave_an_fsn_out(original: Any, fragmenter: Any, *arguments: Any) -> Any:
    chunk = original(fragmenter, *arguments)
    chunk.stream.next_fsn += 1
    return chunk


def _begin_with_same_mid(original: Any, stream: Any, format: Any, messages: int = 1) -> int:
    mid = original(stream, format, messages)
    if format.counts_fragments:
        stream.next_unordered_mid = mid
    return int(mid)


def _keep_turn(original: Any, turns: Any, stream: int, sent_bytes: int, *, has_more: bool) -> None:
    if not has_more:
        original(turns, stream, sent_bytes, has_more=False)


def _start_if_stopped(original: Any, timers: Any, path: Any, now: float) -> None:
    if not timers.is_running(path):
        original(timers, path, now)


def _without_u(original: Any, association: Any, message: Any) -> Any:
    data, stream, ppid, _, *rest = message
    return original(association, (data, stream, ppid, False, *rest))


def _dont_fragment(original: Any, output: Any, packet: Any) -> Any:
    return original(output, packet)._replace(dont_fragment=True)


def _unbounded_back_off(original: Any, rto: Any) -> None:
    rto.rto_s *= 2


def _keep_tag(original: Any, lookup: Any, association: Any) -> Any:
    tag = original(lookup, association)
    if tag is not None:
        lookup.by_tag[tag] = association
    return tag


def _any_tag(original: Any, stack: Any, data: bytes, arrival: Any) -> None:
    header = arrival.header
    ports = (header.destination_port, header.source_port)
    association = stack._lookup.by_peer.get((*ports, arrival.source))
    if association is not None and header.verification_tag not in stack._lookup.by_tag:
        arrival = replace(arrival, header=header._replace(verification_tag=association.tcb.local_tag))
    original(stack, data, arrival)


def _confirmed(original: Any, path: Any, *arguments: Any, **options: Any) -> None:
    original(path, *arguments, **options | {"is_confirmed": True})


def _sack_taken_late(original: Any, window: Any, a_rwnd: int) -> None:
    original(window, max(a_rwnd, window.a_rwnd))


def _answer_twice(original: Any, stack: Any, now: float) -> Any:
    stack._answers *= 2
    return original(stack, now)


def _same_nonce(original: Any, heartbeats: Any, chunk: Any, now: float) -> None:
    """No HEARTBEAT ACK is taken for an address that is not confirmed."""
    path = heartbeats._association.paths.get(chunk.info[16:].decode(errors="replace"))
    if path is None or path.is_confirmed:
        original(heartbeats, chunk, now)


def _leak_buffer(original: Any, outstanding: Any, acked: Any) -> None:
    stream = next(iter(outstanding)).stream
    before = stream.buffered_bytes
    original(outstanding, acked)
    stream.buffered_bytes = before


def _leak_run(original: Any, outstanding: Any, cumulative: int, acked: Any) -> None:
    stream = next(iter(outstanding)).stream
    before = stream.buffered_bytes
    original(outstanding, cumulative, acked)
    stream.buffered_bytes = before


def _uncounted(original: Any, run: Any, parts: Any, room: int) -> Any:
    size = original(run, parts, room)
    run._cwnd_room += size
    return size


def _raised_early(original: Any, discovery: Any, path: Any, size: int) -> None:
    original(discovery, path, size)
    path.set_mtu(max(path.mtu, size))


def _queue_twice(original: Any, association: Any, message: Any) -> None:
    original(association, message)
    original(association, message)


def _perform_again(original: Any, answering: Any, request: Any, path: Any) -> Any:
    if request.request_sequence_number == answering.answered_number:
        answering.expected_number = request.request_sequence_number
    return original(answering, request, path)


def _ask_at_once(original: Any, asking: Any, now: float, answered_number: int) -> Any:
    in_flight, asking._in_flight = asking._in_flight, {}
    started = original(asking, now, answered_number)
    asking._in_flight = in_flight | asking._in_flight
    return started


def _number_again(original: Any, asking: Any, group: Any, answered_number: int) -> Any:
    parameter = original(asking, group, answered_number)
    asking.next_number = parameter.request_sequence_number
    return parameter


def _not_reset(original: Any, queue: Any, streams: Any, *, is_reset: bool) -> Any:
    return original(queue, streams, is_reset=False)


def _without_the_last(original: Any, streams: Any, number: int) -> Any:
    pieces, is_at_mark = original(streams, number)
    return (pieces[:-1] if is_at_mark else pieces), is_at_mark


def _read_on(original: Any, streams: Any, number: int) -> Any:
    pieces, is_at_mark = original(streams, number)
    return (pieces + original(streams, number)[0] if is_at_mark else pieces), is_at_mark


def _release_with_all(original: Any, streams: Any, transport: Any) -> None:
    streams._engine.receiver.release_stream(transport.number)
    original(streams, transport)


def _fail_without_a_reason(original: Any, transport: Any, error: Any) -> None:
    original(transport, None)


FAULTS: dict[str, tuple[str, Maker]] = {
    # Sending.
    "a retransmission is skipped": ("core.tx.retransmissions:Retransmissions.mark", _every(5, _mark_and_forget)),
    "rwnd is ignored": ("core.tx.peer_window:PeerWindow.room", _instead(_constant(1 << 20))),
    "a smaller a_rwnd is not believed": ("core.tx.peer_window:PeerWindow.advertised", _instead(_sack_taken_late)),
    "cwnd is not reduced when T3 expires": ("core.congestion.reno:Reno.timed_out", _instead(_nothing)),
    "cwnd is not reduced for a loss": ("core.congestion.reno:Reno.loss_detected", _instead(_nothing)),
    "cwnd grows by twice what was acknowledged": ("core.congestion.reno:Reno.acknowledged", _instead(_grow_twice)),
    "a round trip is measured on a retransmission": ("core.tx.rtt:RoundTrips.retransmitted", _instead(_nothing)),
    "T3 is not started again": ("core.tx.retransmission_timer:RetransmissionTimers.restart", _every(7, _nothing)),
    "T3 is not restarted": ("core.tx.retransmission_timer:RetransmissionTimers.restart", _instead(_start_if_stopped)),
    "T3 is not stopped": ("core.tx.retransmission_timer:RetransmissionTimers.stop", _every(9, _nothing)),
    "the RTO has no bound": ("core.rto:RetransmissionTimeout.back_off", _instead(_unbounded_back_off)),
    "the RTO is not doubled": ("core.rto:RetransmissionTimeout.back_off", _instead(_nothing)),
    "an SSN is not incremented": ("core.tx.queue:OutgoingStream.begin_ordered", _every(40, _begin_with_same_ssn)),
    "the U bit is forgotten": ("core.association:AssociationEngine.send", _every(40, _without_u)),
    "a zero window is not probed": ("core.tx.peer_window:PeerWindow.closed", _instead(_nothing)),
    "reneging is not noticed": (
        "core.tx.outstanding:Outstanding._acknowledge_by_gaps",
        _instead(_gaps_are_kept),
    ),
    "buffered bytes are leaked": (
        "core.tx.outstanding:Outstanding._acknowledge_first",
        _every(40, _leak_buffer),
    ),
    "buffered bytes of a run are leaked": (
        "core.tx.outstanding:Outstanding._acknowledge_in_order",
        _every(40, _leak_run),
    ),
    "a run fills cwnd and one packet more": ("core.tx.run:Run._fill_packet", _every(40, _uncounted)),
    "SendFailed is forgotten": ("core.termination:Termination.report_failed", _instead(_report_all_but_one)),
    # Messages that are abandoned (RFC 3758, RFC 7496).
    "the address that a message names is not heeded": (
        "core.tx.transmission:Transmission._named_path",
        _instead(_constant(None)),
    ),
    "what names no address goes with what does": (
        "core.tx.transmission:Transmission._goes_with",
        _instead(_constant(True)),
    ),
    "a chunk is larger than the user allows": ("core.tx.fragmenter:Fragmenter.limit", _instead(_without_segments)),
    "an abandoned message is not told": ("core.tx.limits:Limits.take_reports", _every(3, _all_but_the_first)),
    "an abandoned message is counted twice": ("core.tx.limits:Limits.abandoned", _every(5, _count_twice)),
    "a lifetime ends early": (
        "core.tx.abandonment:Abandonment.expire",
        _instead(lambda original, abandonment, now: original(abandonment, now + 0.2)),
    ),
    "a lifetime is not heeded": ("core.tx.abandonment:Abandonment.expire", _every(2, _nothing)),
    "the timer of lifetimes is forgotten": ("core.tx.abandonment:Abandonment.expire", _every(3, _stop_lifetime)),
    "retransmissions are not counted": ("core.tx.abandonment:Abandonment.lost", _instead(_nothing)),
    "what is worth more gives its room away": (
        "core.tx.abandonment:Abandonment.make_room",
        _instead(lambda original, abandonment, wanted, _, stream: original(abandonment, wanted, None, stream)),
    ),
    "what the peer has is abandoned": ("core.tx.abandonment:Abandonment._is_to_go", _instead(_constant(True))),
    "what is abandoned is sent on": ("core.tx.queue:SendQueue._pass_dropped", _instead(_nothing)),
    "what was sent is abandoned though the peer does not know FORWARD TSN": (
        "core.tx.abandonment:Abandonment._may_abandon",
        _instead(_constant(True)),
    ),
    "the rest of a message half sent has no TSN": (
        "core.tx.abandonment:Abandonment._end_message",
        _instead(_nothing),
    ),
    "a FORWARD TSN leaves a stream out": ("core.tx.peer_ack_point:PeerAckPoint._skip", _every(5, _constant(True))),
    "a FORWARD TSN goes too far": ("core.tx.peer_ack_point:PeerAckPoint.take", _every(5, _take_one_more)),
    "a lost FORWARD TSN is not sent again": ("core.tx.peer_ack_point:PeerAckPoint.timed_out", _instead(_nothing)),
    "what waits for a message that was skipped waits on": (
        "core.rx.streams:InboundStreams.skip_to",
        _every(3, _constant([])),
    ),
    "the rest of a message that was skipped is taken": (
        "core.rx.forwarding:Forwarding.discards",
        _instead(_constant(False)),
    ),
    "parts of a message that was skipped are not taken back": (
        "core.rx.forwarding:Forwarding._pass_over",
        _instead(lambda original, *arguments: original(*arguments)[1:]),
    ),
    # I-DATA, schedulers and NR-SACKs.
    "an FSN is left out": ("core.tx.fragmenter:Fragmenter.cut", _every(20, _leave_an_fsn_out)),
    "a MID is given twice": ("core.tx.queue:OutgoingStream.begin_unordered", _every(10, _begin_with_same_mid)),
    "messages are mixed in DATA": (
        "core.tx.schedulers:StreamByStream._may_end_turn",
        _property(lambda value, scheduler: True),
    ),
    "another priority is not heeded": ("core.tx.turns:ByPriority.rejoin", _instead(_nothing)),
    "a stream keeps its turn": ("core.tx.turns:RoundRobin.over", _every(3, _keep_turn)),
    "who has sent most goes first": (
        "core.tx.turns:ByShare.first",
        _instead(lambda original, turns: max(turns._entries.values())[2]),
    ),
    "a packet is not the end of a turn": (
        "core.tx.schedulers:StreamByStream.packet_ended",
        _every(3, _nothing),
    ),
    "what may be dropped is promised to be kept": (
        "core.rx.tsns:TsnTracker.gap_ack_blocks_apart",
        _instead(lambda original, tsns, delivered, room: ([], tsns.gap_ack_blocks(room))),
    ),
    "what is promised to be kept is forgotten": ("core.rx.delivery:Delivery.keep", _every(3, _nothing)),
    # Receiving.
    "a gap block is dropped": ("core.rx.tsns:TsnTracker.gap_ack_blocks", _every(5, _drop_last_block)),
    "a wrong Cumulative TSN Ack": ("core.rx.receiver:encode_sack", _instead(_one_too_many)),
    "a message is delivered twice": ("core.rx.queues:ReadQueues.put", _every(50, _put_twice)),
    "a payload is leaked": ("core.rx.reassembly:Reassembly.take", _every(20, _take_and_leak)),
    "the window leaks": ("core.rx.receiver:Receiver.read", _every(50, _read_and_leak)),
    "no SACK is sent for a duplicate": ("core.rx.receiver:Receiver._duplicate", _instead(_not_urgent)),
    "no SACK is sent for a reneged chunk": ("core.rx.receiver:Receiver._renege", _instead(_not_urgent)),
    "the window is not re-opened": ("core.rx.receiver:Receiver.read", _instead(_read_untold)),
    "more is advertised than there is": (
        "core.rx.window:ReceiveWindow.advertise",
        _instead(lambda original, window: original(window) + 2000),
    ),
    "the delayed SACK is forgotten": ("core.rx.receiver:Receiver.handle_delay_expired", _every(3, _nothing)),
    "the short way loses a fragment": ("core.rx.in_order:InOrder._deliver", _every(20, _deliver_without_the_first)),
    "what the short way has taken is forgotten": (
        "core.rx.in_order:InOrder.hand_over",
        _every(2, lambda original, in_order, reassembly: in_order.clear()),
    ),
    "messages are delivered out of order": ("core.rx.streams:InboundStreams.take_turn", _instead(_turn_taken)),
    "reassembly ignores a missing beginning": (
        "core.rx.reassembly:Run.is_complete",
        _property(lambda value, run: run.ended),
    ),
    "what fills a gap is dropped in a closed window": (
        "core.rx.receiver:Receiver._make_room",
        _instead(_constant(False)),
    ),
    "a partial delivery that breaks off is not told": (
        "core.rx.receiver:Receiver.abort_partial_delivery",
        _instead(lambda original, receiver: original(receiver)[1:]),
    ),
    # Streams that begin anew.
    "messages are not held back for a reset": ("core.tx.queue:SendQueue._hold", _instead(_constant(False))),
    "held messages are lost": ("core.tx.queue:SendQueue._let_go", _every(5, _nothing)),
    "a reset does not wait for what was given before": (
        "core.reconfig.requests:OutgoingReset.is_drained",
        _instead(_constant(True)),
    ),
    "the sender does not begin a stream anew": ("core.reconfig.performing:end_outgoing", _every(3, _not_reset)),
    "the receiver does not begin a stream anew": (
        "core.rx.streams:InboundStreams.begin_anew",
        _every(3, _constant(())),
    ),
    "the mark of a reset is forgotten": ("core.rx.queues:ReadQueues.mark_resets", _every(3, _nothing)),
    "a request that comes again is performed again": (
        "core.reconfig.answering:Answering.received",
        _instead(_perform_again),
    ),
    "a request does not wait for the answer to the last": ("core.reconfig.asking:Asking.start", _instead(_ask_at_once)),
    "a request has the number of the last": ("core.reconfig.asking:Asking._make", _every(3, _number_again)),
    "T-RECONFIG is not started": ("core.reconfig.asking:Asking._start_timer", _every(5, _nothing)),
    "requests outlive a restart": ("core.reconfig.asking:Asking.fail_all", _instead(_nothing)),
    "TSNs begin anew with data outstanding": (
        "core.tx.sender:Sender.is_silent",
        _property(lambda value, sender: True),
    ),
    "what an association reset suspends goes on": ("core.tx.queue:SendQueue.suspend", _instead(_nothing)),
    "streams that were added are not accepted": ("core.rx.receiver:Receiver.accept_streams", _instead(_nothing)),
    "a stream that was reset is not forgotten": ("core.tx.queue:SendQueue.forget_stream", _instead(_constant(False))),
    # Byte streams.
    "EOF is forgotten": ("stream_transport:StreamTransport.eof_arrived", _every(5, _nothing)),
    "EOF comes before the last bytes": ("byte_streams:ByteStreams._read", _instead(_without_the_last)),
    "an ABORT is a clean EOF": ("stream_transport:StreamTransport.lose", _instead(_fail_without_a_reason)),
    "bytes are read beyond the end of their stream": ("byte_streams:ByteStreams._read", _instead(_read_on)),
    "what the peer has begun anew is dropped": ("byte_streams:ByteStreams.release", _instead(_release_with_all)),
    "a byte stream that begins is not noticed": ("byte_streams:ByteStreams._begun_by_peer", _every(2, _nothing)),
    # Paths.
    "a black hole is not noticed": ("core.path_mtu:PathMtuDiscovery.t3_expiring", _instead(_nothing)),
    "a path MTU is raised before the probe is answered": (
        "core.path_mtu:PathMtuDiscovery.ask",
        _instead(_raised_early),
    ),
    "the path MTU's probe timer is forgotten": ("core.path_mtu:PathMtuDiscovery.ask", _every(5, _nothing)),
    "what no longer fits keeps DF": ("core.output:Output._seal", _instead(_dont_fragment)),
    "addresses are believed unverified": ("core.paths:Path.__init__", _instead(_confirmed)),
    "addresses are never verified": ("core.heartbeat:Heartbeats.ack_received", _instead(_same_nonce)),
    "the HEARTBEAT timer is forgotten": ("core.heartbeat:Heartbeats.schedule", _every(5, _nothing)),
    # The association and the stack.
    "T2 is not started": ("core.shutdown:ShuttingDown._arm_t2", _every(3, _nothing)),
    "T5 is not started": ("core.association:AssociationEngine.start_shutdown_guard", _instead(_nothing)),
    "a shutdown does not wait for what is outstanding": (
        "core.tx.sender:Sender.is_drained",
        _property(lambda value, sender: not sender.queue),
    ),
    "the retransmitted INIT is forgotten": ("core.handshake:Handshake._t1_expired", _every(2, _nothing)),
    "COOKIE ACK is sent only once": ("core.establishment:Establishment.duplicate_cookie", _instead(_nothing)),
    "strangers are answered twice": ("core.stack:StackEngine.poll_datagrams", _instead(_answer_twice)),
    "a tag outlives its association": ("core.lookup:Lookup.remove", _instead(_keep_tag)),
    "another tag is taken": ("core.stack:StackEngine._packet_arrived", _instead(_any_tag)),
    "a deadline is forgotten": ("core.wake_ups:WakeUps.schedule", _every(20, _nothing)),
    "a timer of the loop is forgotten": ("stack:Stack._arm", _every(30, _nothing)),
    # The surface.
    "what can't be sent is asked for in every turn": (
        "byte_streams:ByteStreams._tell_of_window",
        _instead(lambda original, streams, was_due: original(streams, False)),
    ),
    "a reader is not woken": ("reception:Reception.wake_ready", _instead(_nothing)),
    "a sender is not woken": ("backpressure:Backpressure.wake", _instead(_nothing)),
    "a send waits for no room": ("backpressure:Backpressure._room_bytes", _instead(_constant(1 << 20))),
    "a message is queued twice": (
        "core.association:AssociationEngine.send",
        _every(50, _queue_twice),
    ),
}
"""Fault -> where it is put in, and what is put there."""


def hunt(name: str, most_seeds: int = MOST_SEEDS) -> Outcome | None:
    """Run seeds on an engine with this fault until a law catches it; None when none does."""
    where, maker = FAULTS[name]
    for seed in range(1, most_seeds + 1):
        outcome = run_seed(seed, broken=wrapped([(where, maker)]))
        if outcome.broken is not None:
            return outcome
    return None
