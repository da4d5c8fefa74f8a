"""The short way of one message that waits alone and fits one packet, as a request or an answer does.

What it does is what `Transmission.fill` does while nothing is out of the ordinary. `Run`, which fills many packets at
once, has much to prepare for that; here there is one chunk, and each question is asked once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiosctp.core.charge import MIN_CHARGE_BYTES
from aiosctp.core.paths import Path
from aiosctp.core.tx import fragmenter
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.wire.chunks import DATA_BEGINNING, DATA_ENDING, DATA_IMMEDIATE, DATA_UNORDERED
from aiosctp.wire.serial import TSN_MASK

if TYPE_CHECKING:
    from aiosctp.core.tx.transmission import Transmission

_WHOLE: Final = DATA_BEGINNING | DATA_ENDING


def send_single(transmission: Transmission, path: Path, room: int, now: float) -> OutstandingChunk | None:
    """The chunk with the one message that waits, sent now on this path in a packet with so much room, which any path's
    packets have. None when there are more, or anything is out of the ordinary."""
    queue, outstanding, window = transmission.queue, transmission.outstanding, transmission.window
    messages = queue.in_order
    if not messages or len(messages) > 1:
        return None
    message = messages[0]
    data, stream_number, ppid, unordered, _, immediate, terms = message
    payload_bytes = len(data)
    format = queue.format
    length = format.header_bytes + payload_bytes
    size = length + 3 & ~3
    charge_bytes = payload_bytes if payload_bytes > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
    stream = queue.by_number[stream_number]
    if (
        size > room
        or stream.cut_bytes
        or terms is not None
        # §6.1: "The sending of a DATA chunk fills the congestion or receiver window" asks for a SACK.
        or path.flight_bytes + size >= path.congestion.cwnd
        or window.a_rwnd - outstanding.flight_charge_bytes - charge_bytes < path.packet_bytes
        # Else cwnd has to decay first (§7.2.1).
        or now - path.last_data_sent_at_s >= path.rto.rto_s
        or path.awaits_ack_after_timeout
        or path.abandoned_bytes
        or window.is_watched
        or transmission.retransmissions.numbers
        or transmission.burst.is_open
        or not transmission.config.nodelay
        or not transmission.has_tsns_for(1)
        or stream.ordered_in_window >= fragmenter.MAX_ORDERED_IN_WINDOW
    ):
        return None
    number = outstanding.highest + 1
    flags, ssn = _WHOLE, 0
    # As `Transmission.awaits_the_last`: a reset waits for it to be acknowledged.
    if immediate or (queue.held is not None and transmission.config.sack_immediately):
        flags |= DATA_IMMEDIATE
        queue.urgent_messages = 0
    if unordered:
        flags |= DATA_UNORDERED
        ssn = stream.begin_unordered(format)
        transmission.counters.ouodchunks += 1
    else:
        ssn = stream.next_ssn
        stream.next_ssn = ssn + 1 & format.number_mask
        stream.ordered_in_window += 1
        transmission.counters.oodchunks += 1
    messages.popleft()
    queue.queued_bytes = stream.queued_bytes = 0
    header = format.header.pack(format.chunk_type, flags, length, number & TSN_MASK, stream_number, ssn, ppid)
    chunk = OutstandingChunk(number, message, stream, header, data, path, now, is_ending=True)
    outstanding.append(chunk)
    transmission.round_trips.sent(number, path, now)
    transmission.t3.sent(path, now)
    path.last_data_sent_at_s = now
    transmission.end()
    return chunk
