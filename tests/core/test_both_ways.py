"""The short way of packets in and the general way beside it: the same packets, events, messages and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiosctp.config import MIN_RECEIVE_WINDOW_BYTES, Config
from aiosctp.core import shortcuts
from aiosctp.core.association import AssociationEngine
from aiosctp.core.inbox import DataDrained, Input, PacketArrived
from aiosctp.core.lifecycle import Lifecycle
from aiosctp.core.messages import Message
from aiosctp.core.rx.in_order import InOrder
from aiosctp.core.states import AssociationState
from aiosctp.core.statistics import counters_as_dict
from aiosctp.events import Event
from aiosctp.wire.chunks import (
    DATA_FORMAT,
    I_DATA_FORMAT,
    Abort,
    Data,
    ForwardTsn,
    Heartbeat,
    IData,
    IForwardTsn,
    Sack,
    Shutdown,
    UnknownChunk,
    UserData,
)
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import ForwardTsnSupported, SupportedExtensions
from tests.core.laws import check_association
from tests.core.scripted import A_INITIAL_TSN, A_PORT, UDP_PORT, Z_PORT, Encodable, Packet, Peer, Raw, chunks_of

SIZES = (1, 64, 64, 64, 300, 1000, 1444)
DATA = Config(interleaving=False)
I_DATA = Config()
FORMATS = pytest.mark.parametrize("config", [DATA, I_DATA], ids=["DATA", "I-DATA"])
TIGHT = {"receive_window_bytes": MIN_RECEIVE_WINDOW_BYTES}
EAGER = {"partial_delivery_point_bytes": 2000, "sack_frequency": 1}
CONFIGS = tuple(chunks.replace(**more) for chunks in (DATA, I_DATA) for more in ({}, TIGHT, EAGER))


def peer_on(is_open: bool, config: Config) -> Peer:
    was_open, shortcuts.are_open = shortcuts.are_open, is_open
    try:
        peer = Peer(config)
    finally:
        shortcuts.are_open = was_open
    peer.parameters = (SupportedExtensions((ChunkType.I_DATA, ChunkType.I_FORWARD_TSN)), ForwardTsnSupported())
    peer.established()
    return peer


class Ways:
    """One conversation, held with two stacks: packets come in runs to the one with short ways, singly to the other."""

    def __init__(self, config: Config) -> None:
        self.short, self.general = (peer_on(is_open, config) for is_open in (True, False))
        assert self.association.interleaves == self.association.config.interleaving

    @property
    def peers(self) -> tuple[Peer, Peer]:
        return self.short, self.general

    def is_in(self, state: AssociationState) -> bool:
        return self.short.state is state

    @property
    def association(self) -> AssociationEngine:
        return self.short.association

    @property
    def z_tag(self) -> int:
        return self.short.z_tag

    def receive(self, packets: Sequence[bytes], *, source: str | None = None) -> list[Packet]:
        """One batch of packets. What was answered, if both answered the same."""
        for data, segment_bytes in _in_runs(packets):
            short = self.short
            source = source or short.addresses[0]
            short.engine.receive(data, source, UDP_PORT, short.z_addresses[0], short.now, segment_bytes)
        for packet in packets:
            general = self.general
            source = source or general.addresses[0]
            general.engine.receive(packet, source, UDP_PORT, general.z_addresses[0], general.now)
        return self.same(Peer.poll)

    def same(self, act: Callable[[Peer], list[Any]]) -> list[Any]:
        """Let both do something; what came of it, if it was the same."""
        short, general = (act(peer) for peer in self.peers)
        assert short == general
        self.check()
        return short

    def read(self, count: int = 1_000_000, stream: int | None = None, *, partial: bool = False) -> list[Message]:
        def act(peer: Peer) -> list[Message]:
            messages: list[Message] = []
            receiver = peer.association.receiver
            while len(messages) < count and receiver.has_message(stream):
                message = receiver.read(stream, partial=partial)
                if message is not None:
                    messages.append(message)
            peer.touch()
            return messages

        return self.same(act)

    def check(self) -> None:
        short, general = (_facts(peer) for peer in self.peers)
        assert short == general
        for peer in self.peers:
            assert not peer.engine.poll_faults()
            if peer.state is AssociationState.CLOSED:
                assert peer.engine.next_deadline() is None
            else:
                check_association(peer.association)


def _facts(peer: Peer) -> dict[str, object]:
    """What an observer can tell of a stack and its association."""
    association = peer.association
    receiver = association.receiver
    return {
        "state": association.state,
        "ending": repr(association.ending),
        "events": list(map(_told, peer.events)),
        "counters": counters_as_dict(association.counters),
        "stack": counters_as_dict(peer.engine.counters),
        "deadline": peer.engine.next_deadline(),
        "timers": {str(key): at for key, at in association.timers._deadlines.items()},
        "cumulative TSN": receiver.cumulative_tsn,
        "gaps": receiver._tsns.gap_ack_blocks(1000),
        "held": receiver.held_bytes,
        "window": (receiver._window._advertised_bytes, receiver._window._known_to_peer_bytes),
        "SACK": (receiver.sack_is_due, receiver.has_unacknowledged),
        "turns": {stream: ssn for stream, ssn in receiver._streams.expected_ssns.items() if ssn},
        "outstanding": (association.sender.cumulative_tsn_ack_point, association.sender.outstanding_bytes),
        "UDP ports": [(path.address, path.udp_port) for path in association.paths],
    }


def _told(event: Event) -> str:
    return repr(event)


def _in_runs(packets: Iterable[bytes]) -> list[tuple[bytes, int]]:
    """As a kernel with GRO joins them: equal ones one after the other, the last one maybe shorter."""
    runs: list[list[bytes]] = []
    for packet in packets:
        if runs and len(runs[-1][-1]) == len(runs[-1][0]) >= len(packet) > 0:
            runs[-1].append(packet)
        else:
            runs.append([packet])
    return [(b"".join(run), len(run[0]) if len(run) > 1 else 0) for run in runs]


class Talk:
    """What A has to say, in order, and what it says instead."""

    def __init__(self, tag: int, *, interleaves: bool = False) -> None:
        self.tag = tag
        self.interleaves = interleaves
        self.next_tsn = A_INITIAL_TSN
        self.next_number: dict[tuple[int, bool], int] = {}
        """By stream; with I-DATA unordered messages are counted too, by themselves."""
        self.next_fsn = 0

    @property
    def header_bytes(self) -> int:
        """Of each chunk with user data."""
        return (I_DATA_FORMAT if self.interleaves else DATA_FORMAT).header_bytes

    def packet(self, *chunks: Encodable, tag: int | None = None) -> bytes:
        return encode_packet(A_PORT, Z_PORT, self.tag if tag is None else tag, [chunk.encode() for chunk in chunks])

    def chunk(
        self, size: int, *, stream: int = 0, unordered: bool = False, bits: tuple[bool, bool] = (True, True)
    ) -> UserData:
        """The next one; `bits` are B and E."""
        tsn, kind = self.next_tsn, (stream, unordered and self.interleaves)
        number, ppid = self.next_number.get(kind, 0), tsn & 0xFF
        self.next_tsn = tsn + 1 & 0xFFFF_FFFF
        if bits[1] and (self.interleaves or not unordered):
            self.next_number[kind] = number + 1 & 0xFFFF
        payload = bytes([tsn & 0xFF]) * size
        if not self.interleaves:
            return Data(tsn, stream, number, ppid, payload, unordered, *bits)
        fsn = 0 if bits[0] else self.next_fsn
        self.next_fsn = fsn + 1
        return IData(tsn, stream, number, ppid if bits[0] else 0, fsn, payload, unordered, *bits)

    def message(self, *sizes: int, stream: int = 0, unordered: bool = False) -> list[UserData]:
        last = len(sizes) - 1
        return [
            self.chunk(size, stream=stream, unordered=unordered, bits=(index == 0, index == last))
            for index, size in enumerate(sizes)
        ]

    def forward_tsn(self, behind: int, stream: int) -> bytes:
        """Up to so many TSNs behind the next, which skips the last message of the stream."""
        tsn = self.next_tsn - 1 - behind & 0xFFFF_FFFF
        number = self.next_number.get((stream, False), 0) - 1
        if self.interleaves:
            return self.packet(IForwardTsn(tsn, ((stream, False, number & 0xFFFF_FFFF),)))
        return self.packet(ForwardTsn(tsn, ((stream, number & 0xFFFF),)))


def set_number(chunk: UserData, number: int) -> None:
    if isinstance(chunk, Data):
        chunk.ssn = number
    else:
        chunk.mid = number


def swap_numbers(first: UserData, second: UserData) -> None:
    number = first.number
    set_number(first, second.number)
    set_number(second, number)


def in_a_run(config: Config) -> tuple[Ways, Talk]:
    """Past the first DATA, which is acknowledged at once."""
    ways = Ways(config)
    talk = Talk(ways.z_tag, interleaves=ways.association.interleaves)
    ways.receive([talk.packet(talk.chunk(64))])
    assert len(ways.read()) == 1
    return ways, talk


@pytest.fixture
def short_takes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many chunks went the short way, call by call."""
    counts: list[int] = []
    take = InOrder.take

    def counted(in_order: InOrder, chunks: Sequence[Any]) -> int:
        counts.append(take(in_order, chunks))
        return counts[-1]

    monkeypatch.setattr(InOrder, "take", counted)
    return counts


@FORMATS
def test_the_short_way_is_taken(short_takes: list[int], config: Config) -> None:
    """Else all that follows would prove nothing."""
    ways, talk = in_a_run(config)
    ways.receive([talk.packet(*(talk.chunk(64) for _ in range(18))) for _ in range(3)])
    assert short_takes == [1, 18, 18, 18]
    ways.receive([talk.packet(chunk) for chunk in talk.message(1444, 1444, 1444, 500)])
    assert short_takes[4:] == [1, 1, 1, 1]
    ways.receive([talk.packet(*(talk.chunk(size) for size in (1, 2, 3, 64)))])
    assert short_takes[8:] == [4]
    assert [len(message.data) for message in ways.read()] == [64] * 54 + [3 * 1444 + 500, 1, 2, 3, 64]


@FORMATS
def test_a_packet_of_another_association_in_the_midst_of_a_run(config: Config) -> None:
    """A run is one UDP flow, not one association: ports and tag are compared packet by packet."""
    ways, talk = in_a_run(config)
    strange = talk.packet(Data(talk.next_tsn, 0, 1, 0, bytes(64)), tag=talk.tag ^ 1)
    packets = [talk.packet(talk.chunk(64)), strange, talk.packet(talk.chunk(64))]
    ways.receive(packets)
    assert len(ways.read()) == 2
    assert ways.short.engine.counters.wrong_verification_tags == 1


@FORMATS
def test_a_damaged_packet_in_the_midst_of_a_run(config: Config) -> None:
    """§6.8: it is discarded, and those behind it find a gap."""
    ways, talk = in_a_run(config)
    packets = [talk.packet(talk.chunk(64)) for _ in range(4)]
    packets[1] = packets[1][:-1] + b"?"
    (*_, last) = chunks_of(ways.receive(packets), Sack)
    assert last.gap_ack_blocks == ((2, 3),)
    assert ways.short.engine.counters.malformed_packets == 1
    assert len(ways.read()) == 1


@FORMATS
def test_a_run_whose_last_packet_is_short(config: Config) -> None:
    ways, talk = in_a_run(config)
    ways.receive([talk.packet(chunk) for chunk in talk.message(1000, 1000, 1000, 1)])
    (message,) = ways.read()
    assert len(message.data) == 3001


@FORMATS
def test_a_chunk_out_of_order_in_the_midst_of_a_run(config: Config) -> None:
    """§6.7: one SACK for each packet while the gap is open."""
    ways, talk = in_a_run(config)
    packets = [talk.packet(talk.chunk(64)) for _ in range(8)]
    packets[2], packets[5] = packets[5], packets[2]
    answers = chunks_of(ways.receive(packets), Sack)
    assert [bool(sack.gap_ack_blocks) for sack in answers][-5:-2] == [True] * 3
    assert len(ways.read()) == 8


def test_a_message_interrupted_by_another_aborts() -> None:
    """§6.9: fragments have consecutive TSNs."""
    ways, talk = in_a_run(DATA)
    first, _ = talk.message(500, 500)
    talk.next_tsn = first.tsn + 1 & 0xFFFF_FFFF
    packets = [talk.packet(first), talk.packet(talk.chunk(500, unordered=True))]
    assert len(chunks_of(ways.receive(packets), Abort)) == 1


@FORMATS
def test_an_abort_in_the_midst_of_a_run(config: Config) -> None:
    """§9.1: what comes behind it finds no association."""
    ways, talk = in_a_run(config)
    abort = talk.packet(Raw(Abort().encode()), Raw(UnknownChunk(0x80, 0, bytes(72)).encode()))
    packets = [talk.packet(talk.chunk(64)), abort, talk.packet(talk.chunk(64))]
    (answer,) = chunks_of(ways.receive(packets), Abort)
    assert answer.tag_reflected
    assert ways.is_in(AssociationState.CLOSED)
    assert ways.short.engine.counters.out_of_the_blue == 1


@FORMATS
def test_data_at_the_brink_of_the_window(config: Config) -> None:
    """What no longer fits is dropped, what was begun is delivered in parts, and reading opens the window again."""
    ways, talk = in_a_run(config.replace(**TIGHT))
    for _ in range(12):
        ways.receive([talk.packet(chunk) for chunk in talk.message(1000, 1000, 1000)])
    assert not ways.association.receiver.free_window_bytes
    assert ways.read(partial=True)[-1].end_of_record is False


@FORMATS
def test_a_sack_that_ends_what_is_outstanding_moves_a_shutdown_on_before_the_data_behind_it(config: Config) -> None:
    """§9.2: in SHUTDOWN-SENT each packet with DATA is answered at once."""
    ways, talk = in_a_run(config)
    ways.same(lambda peer: peer.user_sends(b"outstanding"))
    ways.same(Peer.user_shuts_down)
    assert ways.is_in(AssociationState.SHUTDOWN_PENDING)
    sack = Sack(ways.short.z_initial_tsn, 100_000)
    answers = ways.receive([talk.packet(sack, talk.chunk(64)), talk.packet(talk.chunk(64))])
    assert ways.is_in(AssociationState.SHUTDOWN_SENT)
    # The first for having nothing outstanding any more.
    acknowledged = [chunk.cumulative_tsn_ack for chunk in chunks_of(answers, Shutdown)]
    assert acknowledged == [A_INITIAL_TSN, A_INITIAL_TSN + 1, 0]
    assert len(ways.read()) == 2


@FORMATS
def test_a_sack_alone_that_ends_what_is_outstanding_moves_a_shutdown_on(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    """§9.2: the packet is told to the shutdown as any other is: T2 is started alike."""
    ways, talk = in_a_run(config)
    ways.same(lambda peer: peer.user_sends(b"outstanding"))
    ways.same(Peer.user_shuts_down)
    told: list[type] = []
    step = Lifecycle.step

    def telling(lifecycle: Lifecycle, message: Input) -> None:
        told.append(type(message))
        step(lifecycle, message)

    monkeypatch.setattr(Lifecycle, "step", telling)
    ways.receive([talk.packet(Sack(ways.short.z_initial_tsn, 100_000))])
    assert ways.is_in(AssociationState.SHUTDOWN_SENT)
    assert told == 2 * [DataDrained, PacketArrived]


def with_other_ports(packet: bytes) -> bytes:
    """Under a checksum that would be right for the ports it had."""
    return packet[:1] + bytes([packet[1] ^ 1]) + packet[2:]


@FORMATS
def test_a_header_of_another_under_the_checksum_of_ours(config: Config) -> None:
    """§6.8: the checksum is of the whole packet, its ports too."""
    ways, talk = in_a_run(config)
    packets = [talk.packet(talk.chunk(64)) for _ in range(3)]
    packets[1] = with_other_ports(packets[1])
    ways.receive(packets)
    assert ways.short.engine.counters.malformed_packets == 1
    assert len(ways.read()) == 1


@FORMATS
@pytest.mark.parametrize("sizes", [(64,), (1444, 64)])
@pytest.mark.parametrize("unordered", [False, True])
def test_the_i_bit_is_answered_at_once(sizes: tuple[int, ...], unordered: bool, config: Config) -> None:
    """§6.2: "SHOULD NOT delay sending the corresponding SACK chunk"."""
    ways, talk = in_a_run(config.replace(sack_frequency=10))
    *others, last = talk.message(*sizes, unordered=unordered)
    for chunk in others:
        assert ways.receive([talk.packet(chunk)]) == []
    last.immediate = True
    assert len(chunks_of(ways.receive([talk.packet(last)]), Sack)) == 1


@FORMATS
@pytest.mark.parametrize("sizes", [(64,), (1000, 1000)])
def test_a_message_before_its_turn_waits(sizes: tuple[int, ...], config: Config) -> None:
    """§6.6: it is held until the one before has come, on whatever TSNs."""
    ways, talk = in_a_run(config)
    first, second = talk.message(*sizes), talk.message(*sizes)
    for early, late in zip(first, second, strict=True):
        swap_numbers(early, late)
    ways.receive([talk.packet(chunk) for chunk in first])
    assert ways.read() == []
    ways.receive([talk.packet(chunk) for chunk in second])
    assert [message.ssn for message in ways.read()] == [1, 2]


@pytest.mark.parametrize("change", [{"stream": 1}, {"ssn": 2}, {"unordered": True}, {"beginning": True}])
def test_fragments_that_do_not_belong_together_abort(change: dict[str, Any]) -> None:
    """§6.9: all of a message have its stream, SSN and U bit, and only the first the B bit."""
    ways, talk = in_a_run(DATA)
    first, second = talk.message(1000, 1000)
    second = replace(second, **change)
    assert len(chunks_of(ways.receive([talk.packet(first), talk.packet(second)]), Abort)) == 1


@FORMATS
def test_a_partial_delivery_point_that_comes_down_counts_for_the_next_fragment(config: Config) -> None:
    ways, talk = in_a_run(config)
    packets = [talk.packet(chunk) for chunk in talk.message(*[1000] * 4)]
    ways.receive(packets[:2])
    for peer in ways.peers:
        peer.association.receiver.configure(config.replace(partial_delivery_point_bytes=2500))
    assert ways.read(partial=True) == []
    ways.receive(packets[2:3])
    (part,) = ways.read(partial=True)
    assert (len(part.data), part.end_of_record) == (3000, False)


@FORMATS
def test_bytes_beyond_the_padding_are_no_chunk(config: Config) -> None:
    """§3.2: "MUST NOT pad with more than 3 bytes"; they are counted as a malformed chunk."""
    ways, talk = in_a_run(config)
    ways.receive([talk.packet(talk.chunk(64), Raw(b"\0\0"))])
    assert ways.short.engine.counters.malformed_chunks == 1
    assert len(ways.read()) == 1


# -- anything --


@st.composite
def moves(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """What a peer and the users may do, most of it in order."""
    size = st.sampled_from(SIZES)
    in_order = st.tuples(
        st.just("messages"), st.lists(st.lists(size, min_size=1, max_size=4), min_size=1, max_size=6), st.integers(0, 9)
    )
    like = st.tuples(st.just("alike"), st.integers(1, 20), st.sampled_from([1, 63, 64, 65]), st.integers(0, 2))
    odd = st.tuples(st.just("odd"), st.integers(0, 18), st.integers(0, 5))
    users = st.tuples(st.sampled_from(["read", "read parts", "take over", "send", "wait", "resize", "shutdown"]))
    move = st.one_of(in_order, in_order, like, like, odd, users)
    return draw(st.lists(move, min_size=1, max_size=14))


class Mix:
    """Makes packets of moves, and hands them over in batches."""

    def __init__(self, config: Config) -> None:
        self.ways = Ways(config)
        self.talk = Talk(self.ways.z_tag, interleaves=self.ways.association.interleaves)
        self.batch: list[bytes] = []
        self.last: UserData = Data(A_INITIAL_TSN - 1, 0, 0, 0, b"x")
        self.has_shut_down = False

    def play(self, move: tuple[Any, ...]) -> None:
        match move:
            case ("messages", messages, how):
                self._say(messages, how)
            case ("alike", count, size, stream):
                self._bundle(self.talk.chunk(size, stream=stream) for _ in range(count))
            case ("odd", which, n):
                self._say_something_odd(which, n)
            case (user_does,):
                self._flush()
                self._user(user_does)

    def _say(self, messages: list[list[int]], how: int) -> None:
        """A packet for each chunk, or for all, or a SACK with them; unordered, now and then, and on any stream."""
        chunks = [
            chunk
            for n, sizes in enumerate(messages)
            for chunk in self.talk.message(*sizes, stream=n % 3 if how & 1 else 0, unordered=how in (3, 4))
        ]
        if how == 9:
            chunks[-1].immediate = True
        if how in (2, 5, 8):
            self._bundle(chunks, Sack(self._outstanding(1), 50_000))
        elif how == 7:
            self._bundle(chunks)
        else:
            for chunk in chunks:
                self._bundle([chunk])

    def _bundle(self, chunks: Iterable[UserData], *before: Encodable) -> None:
        chunks = list(chunks)
        self.last = chunks[-1]
        self.batch.append(self.talk.packet(*before, *chunks))

    def _outstanding(self, count: int) -> int:
        sender = self.ways.association.sender
        return sender.cumulative_tsn_ack_point + min(count, sender.unacknowledged_chunks) & 0xFFFF_FFFF

    def _say_something_odd(self, which: int, n: int) -> None:
        talk, batch = self.talk, self.batch
        if which == 0 and batch:  # lost
            batch.pop()
        elif which == 1 and batch:  # twice
            batch.append(batch[-1 - n % len(batch)])
        elif which == 2 and len(batch) > 1:  # out of order
            batch[-1], batch[-2] = batch[-2], batch[-1]
        elif which == 3 and batch:  # damaged
            batch[-1] = batch[-1][:-1] + bytes([batch[-1][-1] ^ 1])
        elif which == 4:
            batch.append(talk.packet(Heartbeat(bytes(20 * n + 1)), *talk.message(64)))
        elif which == 5:
            batch.append(talk.packet(Sack(self._outstanding(n), 50_000)))
        elif which == 6:
            batch.append(talk.packet(Sack(self._outstanding(0), 50_000, ((2, 2),) if n > 3 else ())))
        elif which == 7:
            batch.append(talk.packet(*talk.message(64), Heartbeat(b"behind"), *talk.message(64)))
        elif which == 8:
            batch.append(talk.packet(talk.chunk(64, stream=10)))
        elif which == 9:
            batch.append(talk.packet(*talk.message(64), tag=talk.tag ^ n))
        elif which == 10:
            batch.append(talk.packet(*talk.message(3))[:-1])  # the padding of the last chunk
        elif which == 11:
            batch.append(talk.packet(*talk.message(64), Raw(b"\0\3\0\x10")))
        elif which == 12:
            first, second = talk.message(64, stream=n % 2) + talk.message(64, stream=n % 2)
            swap_numbers(first, second)
            batch.append(talk.packet(first, second))
        elif which == 13:
            chunk = talk.chunk(64, stream=n % 2)
            chunk.immediate = True
            batch.append(talk.packet(chunk))
        elif which == 14:
            batch.append(with_other_ports(talk.packet(*talk.message(64))))
        elif which == 15 and n == 5:
            first, second = talk.message(64, 64)
            set_number(second, second.number ^ 1)
            batch += [talk.packet(first), talk.packet(second)]
        elif which == 16 and n == 5:
            batch.append(talk.packet(self.last, Abort((), False)))
        elif which == 17:
            batch.append(talk.forward_tsn(n - 2, n % 3))
        elif which == 18:  # given up half sent
            talk.message(64, stream=n % 3)
            batch += [talk.packet(talk.chunk(64, stream=n % 3, bits=(True, False))) for _ in range(n % 2)]
            batch.append(talk.forward_tsn(0, n % 3))

    def _user(self, does: str) -> None:
        ways = self.ways
        if ways.is_in(AssociationState.CLOSED):
            return
        match does:
            case "read":
                ways.read(3)
            case "read parts":
                ways.read(3, partial=True)
            case "take over":
                for peer in ways.peers:
                    peer.association.receiver.take_over(1)
                ways.read(2, 1)
            case "send":
                if not self.has_shut_down:
                    ways.same(lambda peer: peer.user_sends(bytes(100), bytes(2000)))
            case "wait":
                ways.same(lambda peer: peer.wait(0.3))
            case "resize":
                for peer in ways.peers:
                    window_bytes = peer.association.config.receive_window_bytes // 2
                    small = peer.association.config.replace(
                        receive_window_bytes=max(window_bytes, MIN_RECEIVE_WINDOW_BYTES)
                    )
                    peer.association.receiver.configure(small)
                ways.same(Peer.touch)
            case "shutdown":
                self.has_shut_down = True
                ways.same(Peer.user_shuts_down)

    def _flush(self) -> None:
        batch, self.batch = self.batch, []
        if batch:
            self.ways.receive(batch)

    def end(self) -> None:
        self._flush()
        if not self.ways.is_in(AssociationState.CLOSED):
            self.ways.read(partial=True)


@example(made=[("messages", [[64], [64]], 7), ("odd", 12, 5)], config=DATA)
@given(made=moves(), config=st.sampled_from(CONFIGS))
@settings(max_examples=200, deadline=None)
def test_both_ways_come_to_the_same(made: list[tuple[Any, ...]], config: Config) -> None:
    mix = Mix(config)
    for move in made:
        mix.play(move)
    mix.end()
