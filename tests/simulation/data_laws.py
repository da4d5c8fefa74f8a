"""What holds of user messages on the wire, by an account of their own: fragments, numbers, windows, what is abandoned
(RFC 9260 §6, RFC 3758, RFC 7496, RFC 8260)."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, NamedTuple

from aiosctp import Association
from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.tx import Sender
from aiosctp.core.tx.abandonment import Abandonment
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.core.tx.limits import Limited, Limits, Policy
from aiosctp.core.tx.outstanding import Outstanding
from aiosctp.wire.chunks import NrSack, Sack
from aiosctp.wire.codepoints import ChunkType
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.ledger import GivenPart, Ledger, Post
from tests.simulation.wrapping import Maker

DATA_MARKS = (
    "FORWARD TSN sent",
    "FORWARD TSN sent again",
    "FORWARD TSN over several messages",
    "I-FORWARD-TSN sent",
    "I-FORWARD-TSN sent again",
    "I-FORWARD-TSN for unordered ones",
    "messages interleaved",
    "abandoned unsent: ttl",
    "abandoned unsent: prio",
    "abandoned half sent: ttl",
    "abandoned half sent: rtx",
    "abandoned half sent: prio",
    "abandoned sent: ttl",
    "abandoned sent: rtx",
    "abandoned sent: prio",
    "abandoned though it arrived",
    "abandoned half sent, all acknowledged",
    "expired, and the peer lacks FORWARD TSN",
    "NR-SACK freed a chunk",
    "sent to the address named",
    "part of an open record sent",
)
_DATA = Struct("!BBHLHHL")
_I_DATA = Struct("!BBHLHxxLL")
_WORD = Struct("!L")
_SKIPPED = Struct("!HH")
_I_SKIPPED = Struct("!HHL")
ENDS, BEGINS, UNORDERED, IMMEDIATE = 1, 2, 4, 8
HALF, MASK = 1 << 31, 0xFFFF_FFFF
CLOCK_S = 1e-6


class DataChunk(NamedTuple):
    """A DATA or I-DATA chunk of a packet."""

    kind: int
    flags: int
    tsn: int
    stream: int
    number: int
    """SSN or MID."""
    ppid_or_fsn: int
    size: int
    fingerprint: int
    """Of all of it but the I bit."""

    @property
    def begins(self) -> bool:
        return bool(self.flags & BEGINS)

    @property
    def ends(self) -> bool:
        return bool(self.flags & ENDS)

    @property
    def unordered(self) -> bool:
        return bool(self.flags & UNORDERED)

    @property
    def mask(self) -> int:
        return MASK if self.kind == ChunkType.I_DATA else 0xFFFF


def read_chunk(data: bytes, at: int) -> DataChunk:
    header = _I_DATA if data[at] == ChunkType.I_DATA else _DATA
    kind, flags, length, tsn, stream, number, ppid_or_fsn = header.unpack_from(data, at)
    fingerprint = zlib.crc32(data[at + 2 : at + length], flags & ~IMMEDIATE)
    return DataChunk(kind, flags, tsn, stream, number, ppid_or_fsn, length - header.size, fingerprint)


@dataclass(slots=True, eq=False)
class SentMessage:
    """A message of which something was sent."""

    flow: Flow
    ppid: int
    stream: int
    unordered: bool
    number: int
    tsns: list[int] = field(default_factory=list)
    sent_bytes: int = 0
    is_ended: bool = False
    """Its last TSN is sent, or stands for the rest that never will be."""
    is_abandoned: bool = False


@dataclass(slots=True)
class SentChunk:
    message: SentMessage
    size: int
    """Of the user data that the peer's window has still to take."""
    fingerprint: int
    times: int = 1
    is_kept: bool = False
    """A NR-SACK said so."""
    part: GivenPart | None = None
    """Of the record that it is of."""

    def acknowledged(self) -> None:
        """For good."""
        if self.part is not None:
            self.part.unacknowledged_chunks -= 1
            self.part = None


@dataclass(slots=True, eq=False)
class Flow:
    """What one sender has outstanding, as the wire shows it: kept apart from the engine's own account."""

    a_rwnd: int
    highest: int
    """The highest TSN sent, modulo 2^32."""
    cumulative: int
    kind: int | None = None
    """Of all its chunks: DATA or I-DATA."""
    chunks: dict[int, SentChunk] = field(default_factory=dict)
    """By TSN, in order, those not acknowledged for good."""
    outstanding_bytes: int = 0
    gaps: set[int] = field(default_factory=set)
    begun: dict[int, SentMessage] = field(default_factory=dict)
    """By stream, messages whose end is not sent."""
    forwarded: int | None = None
    """Where the last FORWARD TSN moved the peer."""

    @property
    def in_flight_bytes(self) -> int:
        return self.outstanding_bytes - sum(self.chunks[tsn].size for tsn in self.gaps if tsn in self.chunks)

    def is_acknowledged(self, tsn: int) -> bool:
        chunk = self.chunks.get(tsn)
        return chunk is None or chunk.is_kept or tsn in self.gaps

    def empty(self, chunk: SentChunk) -> None:
        self.outstanding_bytes -= chunk.size
        chunk.size = 0


class DataLaws:
    """Watches DATA, I-DATA, FORWARD TSN and I-FORWARD-TSN."""

    def __init__(self, judge: Judge, ledger: Ledger, counters: Counter[str], now: Callable[[], float]) -> None:
        self._judge = judge
        self._ledger = ledger
        self._counters = counters
        self._now = now
        self._flows: dict[Sender, Flow] = {}
        self._first_windows: dict[Sender, int] = {}
        """What was told before anything was sent, since the INIT or INIT ACK."""
        self._by_outstanding: dict[Outstanding, Flow] = {}
        self._messages: dict[int, SentMessage] = {}
        """By PPID, those that may be abandoned."""
        self._takers: list[int | None] = []
        """The priority of who takes room from others just now."""
        self.abandoned: dict[Limits, Counter[tuple[int, bool]]] = {}
        """How many messages of a stream, by whether any of them was sent."""

    def wrappers(self) -> list[tuple[str, Maker]]:
        return [
            ("core.tx.sender:Sender._acknowledged", self._noting_acknowledgements),
            ("core.tx.sender:Sender.begin_anew", self._noting_new_tsns),
            ("core.tx.outstanding:Outstanding.append_abandoned", self._noting_ends),
            ("core.tx.limits:Limits.abandoned", self._noting_abandoned),
            ("core.tx.abandonment:Abandonment.make_room", self._around_make_room),
        ]

    def flow_of(self, association: AssociationEngine) -> Flow:
        sender = association.sender
        flow = self._flows.get(sender)
        if flow is None:
            before = association.tcb.local_initial_tsn - 1 & MASK
            a_rwnd = self._first_windows.get(sender, association.tcb.peer_a_rwnd)
            flow = self._flows[sender] = Flow(a_rwnd, before, before)
            self._by_outstanding[sender.outstanding] = flow
        return flow

    # -- user messages --

    def sent(self, association: AssociationEngine, chunk: DataChunk, peer: Config | None) -> bool:
        """Whether it was not sent before."""
        flow = self.flow_of(association)
        if peer is not None:
            both = association.config.interleaving and peer.interleaving
            if both != (chunk.kind == ChunkType.I_DATA):
                raise LawBroken(f"I-DATA is negotiated: {both}, and a chunk of type {chunk.kind} was sent (RFC 8260)")
        if flow.kind not in (None, chunk.kind):
            raise LawBroken("DATA and I-DATA in one association (RFC 8260 §2.2.1)")
        flow.kind = chunk.kind
        takes_forward_tsn = association.tcb.negotiated.partial_reliability
        if chunk.tsn != flow.highest + 1 & MASK:
            self._sent_again(flow, chunk, takes_forward_tsn=takes_forward_tsn)
            return False
        message = self._message_of(flow, chunk)
        self._check_worth(message, 1, takes_forward_tsn=takes_forward_tsn)
        # §6.1 A: "MUST NOT transmit new data ... if its peer's rwnd indicates that the peer has no buffer space", but
        # one chunk to probe it.
        in_flight = flow.in_flight_bytes
        if in_flight and in_flight + chunk.size > flow.a_rwnd:
            raise LawBroken(f"{chunk.size} bytes were sent into a window of {flow.a_rwnd} with {in_flight} outstanding")
        flow.highest = chunk.tsn
        sent = flow.chunks[chunk.tsn] = SentChunk(message, chunk.size, chunk.fingerprint)
        flow.outstanding_bytes += chunk.size
        sent.part = self._part_of(message, chunk)
        message.sent_bytes += chunk.size
        message.tsns.append(chunk.tsn)
        if chunk.ends:
            message.is_ended = True
            del flow.begun[chunk.stream]
        return True

    def _part_of(self, message: SentMessage, chunk: DataChunk) -> GivenPart | None:
        """Where it is of a record. None is joined with what comes before or after its part; the last one ends it."""
        record = self._ledger.posts.get(message.ppid)
        if record is None or not record.is_record:
            return None
        part, before = self._ledger.part_at(record, message.sent_bytes)
        if before + chunk.size > len(part.data):
            raise LawBroken(f"one chunk has bytes of two parts of record {record.ppid}")
        part.sent_bytes += chunk.size
        part.unacknowledged_chunks += 1
        is_end = record.is_closed and message.sent_bytes + chunk.size == len(record.data)
        if is_end != chunk.ends:
            raise LawBroken(f"the E bit is {chunk.ends} where record {record.ppid} ends: {is_end}")
        self._counters["part of an open record sent"] += not record.is_closed
        return part

    def check_place(self, association: AssociationEngine, chunk: DataChunk, destination: str) -> None:
        """Of a chunk that is sent for the first time. §6.4: "always transmit to the primary path, unless the SCTP user
        explicitly specifies the destination transport address", as long as that is active; RFC 6458 §8.1.16."""
        most = association.config.max_segment_bytes
        if most is not None and chunk.size > most:
            raise LawBroken(f"a chunk of {chunk.size} bytes, and Config.max_segment_bytes is {most}")
        if not association.sender.is_established:
            return  # it rides behind the COOKIE ECHO, which goes its own ways
        sent = self.flow_of(association).chunks[chunk.tsn]
        giver = sent.part or self._ledger.posts.get(sent.message.ppid)
        named = None if giver is None or giver.address is None else association.paths.get(giver.address)
        primary = association.paths.primary
        for path in (named, primary):
            if path is not None and path.is_active:
                self._counters["sent to the address named"] += path is named and path is not primary
                if destination != path.address:
                    raise LawBroken(f"new data was sent to {destination}, and not to {path.address} (§6.4)")
                return

    def _sent_again(self, flow: Flow, chunk: DataChunk, *, takes_forward_tsn: bool) -> None:
        if chunk.tsn - flow.highest & MASK < HALF and chunk.tsn != flow.highest:
            raise LawBroken(f"TSN {chunk.tsn:#x} was sent after {flow.highest:#x}")
        before = flow.chunks.get(chunk.tsn)
        if before is None:
            return
        if before.fingerprint != chunk.fingerprint:
            raise LawBroken(f"TSN {chunk.tsn:#x} was sent again with other data")
        if before.is_kept:
            raise LawBroken(f"TSN {chunk.tsn:#x} was sent again, and a NR-SACK said that it is kept")
        before.times += 1
        self._check_worth(before.message, before.times, takes_forward_tsn=takes_forward_tsn)

    def _message_of(self, flow: Flow, chunk: DataChunk) -> SentMessage:
        """Of a chunk that is new. §6.9: fragments follow each other; RFC 8260 §2.2.2: those of a stream do."""
        is_mixed = chunk.kind == ChunkType.I_DATA
        begun = flow.begun.get(chunk.stream)
        others = [message for message in flow.begun.values() if message is not begun]
        if others and not is_mixed:
            raise LawBroken(f"stream {chunk.stream} came between the fragments of stream {others[0].stream} (§6.9)")
        if others:
            self._counters["messages interleaved"] += 1
        if chunk.begins:
            if begun is not None:
                raise LawBroken(f"a message of stream {chunk.stream} begins within another (§6.9, RFC 8260 §2.2.2)")
            message = SentMessage(flow, chunk.ppid_or_fsn, chunk.stream, chunk.unordered, chunk.number)
            flow.begun[chunk.stream] = message
            post = self._ledger.posts.get(message.ppid)
            if post is not None:
                post.was_sent = True
                self._messages[message.ppid] = message
            return message
        if begun is None:
            raise LawBroken(f"a fragment of stream {chunk.stream} goes on with nothing")
        if (chunk.unordered, chunk.number) != (begun.unordered, begun.number):
            raise LawBroken(f"fragments of one message are numbered {begun.number} and {chunk.number}")
        expected = len(begun.tsns) if is_mixed else begun.ppid
        if chunk.ppid_or_fsn != expected:
            raise LawBroken(f"a fragment with FSN or PPID {chunk.ppid_or_fsn}, and not {expected}")
        return begun

    def _check_worth(self, message: SentMessage, times: int, *, takes_forward_tsn: bool) -> None:
        """What is sent now may be sent: RFC 3758 §3.5, §4.1; RFC 7496 §3.1."""
        post = self._ledger.posts.get(message.ppid)
        if post is None or not post.is_limited:
            return
        if message.is_abandoned or post.is_abandoned:
            raise LawBroken(f"message {post.ppid} is abandoned, and more of it was sent")
        is_first = not message.tsns
        if post.expires_at_s is not None and self._now() > post.expires_at_s + CLOCK_S:
            # RFC 9260 §11.1.5: without FORWARD TSN, it is honoured until the first transmission.
            if takes_forward_tsn or is_first:
                raise LawBroken(f"message {post.ppid} was sent after its lifetime (RFC 3758 §4.1)")
            self._counters["expired, and the peer lacks FORWARD TSN"] += 1
        most = post.policy.max_retransmits
        if most is not None and times > most + 1 and takes_forward_tsn:
            raise LawBroken(f"a chunk of message {post.ppid} was sent {times} times (RFC 7496 §3.1)")

    # -- acknowledgement --

    def _noting_acknowledgements(self, original: Any) -> Any:
        def acknowledged(sender: Sender, tsn: int, sack: Sack | NrSack | None, now: float, *final: Any) -> Any:
            flow = self._flows.get(sender)
            if flow is not None:
                self._acknowledge(flow, tsn, sack)
            elif sack is not None:
                self._first_windows[sender] = sack.a_rwnd
            return original(sender, tsn, sack, now, *final)

        return acknowledged

    def _acknowledge(self, flow: Flow, cumulative: int, sack: Sack | NrSack | None) -> None:
        if cumulative - flow.cumulative & MASK >= HALF:
            return  # §6.2.1 D i: out of order
        if flow.highest - cumulative & MASK >= HALF:
            return  # of before the TSNs were reset
        flow.cumulative = cumulative
        while (first := next(iter(flow.chunks), None)) is not None and cumulative - first & MASK < HALF:
            taken = flow.chunks.pop(first)
            taken.acknowledged()
            flow.outstanding_bytes -= taken.size
        if sack is None:
            return
        flow.a_rwnd = sack.a_rwnd
        blocks = sack.gap_ack_blocks
        if isinstance(sack, NrSack):
            blocks += sack.nr_gap_ack_blocks
            for tsn in _tsns_of(cumulative, sack.nr_gap_ack_blocks):
                chunk = flow.chunks.get(tsn)
                if chunk is not None and not chunk.is_kept:
                    chunk.is_kept = True
                    chunk.acknowledged()
                    flow.empty(chunk)
                    self._counters["NR-SACK freed a chunk"] += 1
        flow.gaps = set(_tsns_of(cumulative, blocks))

    def _noting_new_tsns(self, original: Any) -> Any:
        def begin_anew(sender: Sender, next_tsn: int) -> None:
            original(sender, next_tsn)
            flow = self._flows.get(sender)
            if flow is not None:
                flow.highest = flow.cumulative = next_tsn - 1 & MASK
                flow.forwarded = None
                flow.gaps.clear()
                for chunk in flow.chunks.values():
                    chunk.acknowledged()
                flow.chunks.clear()

        return begin_anew

    # -- what is abandoned --

    def _around_make_room(self, original: Any) -> Any:
        def make_room(abandonment: Abandonment, wanted_bytes: int, priority: int | None, stream: int | None) -> Any:
            self._takers.append(priority)
            try:
                return original(abandonment, wanted_bytes, priority, stream)
            finally:
                self._takers.pop()

        return make_room

    def _noting_abandoned(self, original: Any) -> Any:
        def abandoned(limits: Limits, limited: Limited, policy: Policy) -> None:
            ppid, stream = limited.message[2], limited.message[1]
            message = self._messages.get(ppid)
            try:
                self._abandon(ppid, message, policy)
            except LawBroken as error:
                self._judge.accuse(error)
            self.abandoned.setdefault(limits, Counter())[stream, message is not None] += 1
            original(limits, limited, policy)

        return abandoned

    def _abandon(self, ppid: int, message: SentMessage | None, policy: Policy) -> None:
        post = self._ledger.posts.get(ppid)
        if post is None:
            raise LawBroken(f"what no program may lose was abandoned: PPID {ppid}")
        self._check_may_be_abandoned(post, message, policy)
        post.is_abandoned = True
        if message is None:
            self._counters[f"abandoned unsent: {policy.value}"] += 1
            return
        flow = message.flow
        all_acknowledged = all(flow.is_acknowledged(tsn) for tsn in message.tsns)
        if message.is_ended and all_acknowledged:
            raise LawBroken(f"message {ppid} was acknowledged, and abandoned")
        how = "sent" if message.is_ended else "half sent"
        self._counters[f"abandoned {how}: {policy.value}"] += 1
        self._counters["abandoned half sent, all acknowledged"] += all_acknowledged
        self._counters["abandoned though it arrived"] += post.taken_by is not None
        message.is_abandoned = True
        for tsn in message.tsns:
            if tsn in flow.chunks:
                flow.empty(flow.chunks[tsn])

    def _check_may_be_abandoned(self, post: Post, message: SentMessage | None, policy: Policy) -> None:
        if post.is_abandoned:
            raise LawBroken(f"message {post.ppid} was abandoned twice")
        match policy:
            case Policy.TTL:
                is_over = post.expires_at_s is not None and self._now() >= post.expires_at_s - CLOCK_S
                assert_law(is_over, f"message {post.ppid} was abandoned before its lifetime was over")
            case Policy.RTX:
                most, flow = post.policy.max_retransmits, None if message is None else message.flow
                times = 0
                if message is not None and flow is not None:
                    times = max((flow.chunks[tsn].times for tsn in message.tsns if tsn in flow.chunks), default=0)
                is_over = most is not None and times > most
                assert_law(is_over, f"message {post.ppid} was abandoned, {times} times sent, {most} allowed again")
            case Policy.PRIO:
                ours = post.policy.buffer_priority
                assert_law(ours is not None and bool(self._takers), f"message {post.ppid} gave way to nobody")
                taker = self._takers[-1]
                gives_way = taker is None or (ours is not None and ours > taker)
                assert_law(gives_way, f"message {post.ppid} of priority {ours} gave way to {taker}")

    def _noting_ends(self, original: Any) -> Any:
        def append_abandoned(outstanding: Outstanding, chunk: OutstandingChunk) -> None:
            original(outstanding, chunk)
            flow = self._by_outstanding[outstanding]
            message = flow.begun.pop(chunk.stream.number, None)
            if message is None or not message.is_abandoned:
                self._judge.accuse(LawBroken("a TSN was used up, and no message was abandoned half sent"))
                return
            flow.highest = chunk.number & MASK
            flow.chunks[flow.highest] = SentChunk(message, 0, 0)
            message.tsns.append(flow.highest)
            message.is_ended = True

        return append_abandoned

    def check_counts(self, association: Association) -> None:
        """RFC 7496 §4.3, §4.4: what the user is told of how many were abandoned."""
        limits, told = association.engine.sender.queue.limits, association.statistics()
        counted = Counter[tuple[int, bool]]() if limits is None else self.abandoned.get(limits, Counter())
        by_stream = {stream: (counted[stream, False], counted[stream, True]) for stream, _ in counted}
        if told.abandoned_by_stream != by_stream:
            raise LawBroken(f"{told.abandoned_by_stream} were abandoned by stream, and not {by_stream}")
        sums = tuple(sum(counts[at] for counts in by_stream.values()) for at in (0, 1))
        if (told.abandoned_unsent, told.abandoned_sent) != sums:
            raise LawBroken(f"{told.abandoned_unsent} and {told.abandoned_sent} were abandoned, and not {sums}")

    # -- FORWARD TSN --

    def forward_tsn_sent(self, association: AssociationEngine, data: bytes, at: int, peer: Config | None) -> None:
        flow = self.flow_of(association)
        kind, length = data[at], int.from_bytes(data[at + 2 : at + 4])
        is_mixed = kind == ChunkType.I_FORWARD_TSN
        if is_mixed != association.tcb.negotiated.interleaving:
            raise LawBroken(f"a chunk of type {kind}, and the messages are I-DATA: {not is_mixed} (RFC 8260 §2.3.1)")
        if peer is not None and not (association.config.partial_reliability and peer.partial_reliability):
            raise LawBroken("a FORWARD TSN to a peer that does not know it (RFC 3758 §3.3)")
        (tsn,) = _WORD.unpack_from(data, at + 4)
        ahead = tsn - flow.cumulative & MASK
        if not 0 < ahead < HALF or flow.highest - tsn & MASK >= HALF:
            raise LawBroken(f"a FORWARD TSN to {tsn:#x}, from {flow.cumulative:#x}; the last sent is {flow.highest:#x}")
        if flow.forwarded is not None and tsn - flow.forwarded & MASK >= HALF:
            raise LawBroken(f"a FORWARD TSN to {tsn:#x} after one to {flow.forwarded:#x}")
        name = "I-FORWARD-TSN" if is_mixed else "FORWARD TSN"
        self._counters[f"{name} sent again" if tsn == flow.forwarded else f"{name} sent"] += 1
        flow.forwarded = tsn
        entries = _I_SKIPPED if is_mixed else _SKIPPED
        told = [_entry(*each) for each in entries.iter_unpack(data[at + 8 : at + length])]
        expected = self._skipped(flow, tsn, is_mixed=is_mixed)
        if (
            len(set(told)) != len(told)
            or {(stream, unordered): number for stream, unordered, number in told} != expected
        ):
            raise LawBroken(f"a FORWARD TSN names {told}, and skips {expected} (RFC 3758 §3.5 C4)")
        self._counters["FORWARD TSN over several messages"] += len(expected) > 1
        self._counters["I-FORWARD-TSN for unordered ones"] += any(unordered for _, unordered in expected)

    def _skipped(self, flow: Flow, tsn: int, *, is_mixed: bool) -> dict[tuple[int, bool], int]:
        """By stream and U bit, the last message that a FORWARD TSN to this TSN skips."""
        skipped: dict[tuple[int, bool], int] = {}
        chunk: SentChunk | None = None
        for number, chunk in flow.chunks.items():
            if tsn - number & MASK >= HALF:
                break
            message = chunk.message
            if not message.is_abandoned:
                raise LawBroken(f"a FORWARD TSN skips {number:#x}, which is not abandoned (RFC 3758 §3.5 C2)")
            if number == tsn and not is_mixed and not (message.is_ended and message.tsns[-1] == tsn):
                raise LawBroken(f"a FORWARD TSN ends at {tsn:#x}, within a message")
            if is_mixed or not message.unordered:
                skipped[message.stream, message.unordered] = message.number
        return skipped


def assert_law(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LawBroken(otherwise)


def _tsns_of(cumulative: int, blocks: Iterable[tuple[int, int]]) -> Iterator[int]:
    return (cumulative + offset & MASK for start, end in blocks for offset in range(start, end + 1))


def _entry(stream: int, *rest: int) -> tuple[int, bool, int]:
    if len(rest) == 1:
        return stream, False, rest[0]
    return stream, bool(rest[0] & 1), rest[1]
