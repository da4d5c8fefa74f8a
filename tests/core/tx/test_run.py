"""The short way of first transmissions makes the packets that the general one makes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiosctp.config import Config
from aiosctp.core import shortcuts
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.tx.sent_run import SentRun
from aiosctp.wire.chunks import Sack
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.packet_run import MAX_BYTES, MAX_PACKETS, encode_packets
from tests.core.tx.bench import PAYLOAD, WINDOW, Bench, each_alone, filled, tsn

sizes = st.sampled_from([1, 3, 64, 100, 700, 1443, 1444, 1445, 3000, 16384]) | st.integers(1, 5000)
messages = st.tuples(
    st.lists(sizes, min_size=1, max_size=30), st.integers(0, 2), st.booleans(), st.sampled_from([False] * 9 + [True])
)
sacks = st.tuples(st.integers(0, 40), st.integers(0, 3), st.sampled_from([WINDOW] * 3 + [0, 200, 1500, 6000, 40000]))
SEND = ([100] * 40, 0, False, False)
steps = st.lists(messages | sacks | st.sampled_from(["expire", "idle", "shut down"]), min_size=1, max_size=40)


class Side:
    """A sender that follows a script; its packets as bytes."""

    def __init__(self, are_open: bool, config: Config, paths: int, mtu: int, rwnd: int) -> None:
        before, shortcuts.are_open = shortcuts.are_open, are_open
        try:
            self.bench = Bench(config=config, paths=paths, rwnd=rwnd)
        finally:
            shortcuts.are_open = before
        self.bench.path.set_mtu(mtu)
        self.runs = 0

    def follow(self, step: Any) -> list[bytes]:
        bench = self.bench
        if step == "idle":
            bench.now += 3.0
        elif step == "shut down":
            bench.sender.is_shutting_down = True
        elif step == "expire":
            running = [path for path in bench.paths if bench.deadline(path) is not None]
            if running:
                bench.expire(running[0])
            elif bench.probe_deadline() is not None:
                bench.probe_due()
        elif isinstance(step[0], list):
            step_sizes, stream, unordered, sack_immediately = step
            bench.enqueue(*step_sizes, stream=stream, unordered=unordered, sack_immediately=sack_immediately)
        else:
            self._sack(*step)
        packets = self.send()
        bench.sender.check_invariants()
        return packets

    def send(self) -> list[bytes]:
        """All that may be sent now."""
        bench, packets = self.bench, []
        while (path := bench.sender.path_to_send_on(bench.now)) is not None:
            parts = filled(bench.sender, path, bench.now)
            self.runs += len(parts) > 1
            packets += [encode_packet(1, 2, 3, each) for each in parts]
        return packets

    def _sack(self, steps: int, missing: int, rwnd: int) -> None:
        outstanding = self.bench.sender.outstanding
        steps = min(steps, len(outstanding))
        cumulative = (outstanding.cumulative + steps) & 0xFFFF_FFFF
        left = len(outstanding) - steps
        gaps = ((missing + 1, left),) if missing and left > missing else ()
        self.bench.now += 0.01
        assert self.bench.sender.sack_received(Sack(cumulative, rwnd, gaps), self.bench.now) is None


@settings(max_examples=150, deadline=None)
@given(
    script=steps,
    max_burst=st.sampled_from([4, 1, 100]),
    paths=st.sampled_from([1, 1, 2]),
    mtu=st.sampled_from([1500, 576, 1499, 65535]),
    rwnd=st.sampled_from([WINDOW, 2600, 20000]),
    segment=st.sampled_from([None, None, 1, 100, 999, 1444]),
)
# A piece of a chunk, where that is half of the largest window (§6.1 A).
@example(script=[([600, 600, 1444], 0, False, False)], max_burst=4, paths=1, mtu=1500, rwnd=2600, segment=None)
# A window that was closed opens.
@example(script=[SEND, (40, 0, 0), SEND, (0, 0, WINDOW)], max_burst=4, paths=1, mtu=1500, rwnd=WINDOW, segment=None)
# A chunk whose overhead does not fit.
@example(script=[SEND, (40, 0, 200), SEND], max_burst=4, paths=1, mtu=1500, rwnd=WINDOW, segment=None)
# What timed out goes to the other path, and to the first one a packet at a time (§7.2.3).
@example(script=[SEND, "expire", SEND], max_burst=4, paths=2, mtu=1500, rwnd=WINDOW, segment=None)
# Packets of one message each; beside the last of those alike the next one fits. Some need padding, some have no SSN.
@example(
    script=[([999] * 9 + [300, 999, 999], 0, False, False)], max_burst=100, paths=1, mtu=1500, rwnd=WINDOW, segment=None
)
@example(
    script=[([1000] * 9, 1, True, False), ([1000] * 9, 1, False, True)],
    max_burst=9,
    paths=1,
    mtu=1500,
    rwnd=WINDOW,
    segment=None,
)
# The peer's window has room for some of them.
@example(
    script=[([1000] * 9, 0, False, False), (3, 0, 2600)], max_burst=100, paths=1, mtu=1500, rwnd=4500, segment=None
)
# §6.1: the last chunk before the SHUTDOWN asks for a SACK, whether cwnd is full or not.
@example(script=[SEND, "shut down", (40, 0, WINDOW), SEND], max_burst=100, paths=1, mtu=1500, rwnd=WINDOW, segment=None)
# RFC 6458 §8.1.16: small segments.
@example(script=[([5000, 300], 0, False, False)], max_burst=4, paths=1, mtu=1500, rwnd=WINDOW, segment=100)
def test_both_ways_make_the_same_packets(
    script: list[Any], max_burst: int, paths: int, mtu: int, rwnd: int, segment: int | None
) -> None:
    config = Config(rto_min_s=0.05, max_burst=max_burst, max_segment_bytes=segment)
    short, general = (Side(are_open, config, paths, mtu, rwnd) for are_open in (True, False))
    for step in [*script, (40, 0, WINDOW), (40, 0, WINDOW)]:
        assert short.follow(step) == general.follow(step)
        assert short.bench.path.flight_bytes == general.bench.path.flight_bytes
        assert short.bench.path.congestion.cwnd == general.bench.path.congestion.cwnd
        assert short.bench.path.rto.rto_s == general.bench.path.rto.rto_s
        assert short.bench.deadline() == general.bench.deadline()
        assert short.bench.probe_deadline() == general.bench.probe_deadline()
        assert short.bench.counters == general.bench.counters
    assert general.runs == 0


def test_what_is_left_when_the_association_shuts_down_is_sent_in_runs() -> None:
    side = Side(True, Config(rto_min_s=0.05, max_burst=100), 1, 1500, WINDOW)
    side.follow("shut down")
    side.follow(([100] * 100, 0, False, False))
    assert side.runs > 0


def test_packets_of_one_message_each_are_filled_at_once() -> None:
    bench = Bench()
    bench.enqueue(*[1000] * 4)
    path = bench.sender.path_to_send_on(bench.now)
    assert path is bench.path
    assert len(filled(bench.sender, path, bench.now)) == 4


def test_many_packets_are_filled_at_once() -> None:
    bench = Bench()
    bench.enqueue(16384)
    path = bench.sender.path_to_send_on(bench.now)
    assert path is bench.path
    assert len(filled(bench.sender, path, bench.now)) == 4


@pytest.mark.parametrize("mtu", [576, 1500, 9000, 65535])
def test_a_run_is_so_many_pieces_as_a_socket_with_gso_takes(mtu: int) -> None:
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1000), rwnd=1 << 30)
    bench.cwnd = 1 << 30
    bench.path.set_mtu(mtu)
    bench.enqueue(*[mtu - 60] * 300)
    path = bench.sender.path_to_send_on(bench.now)
    assert path is not None
    run = filled(bench.sender, path, bench.now)
    in_pieces = [len(data) // (size or len(data)) for data, size in encode_packets(1, 2, 3, run, mtu - 28)]
    assert in_pieces == [min(MAX_PACKETS, MAX_BYTES // (mtu - 28))] * 4


def test_chunks_of_another_kind_lead_the_first_packet_of_a_run() -> None:
    """§6.10: control chunks before DATA; the DATA fills what they leave."""
    bench = Bench()
    bench.enqueue(4 * PAYLOAD)
    path = bench.sender.path_to_send_on(bench.now)
    assert path is not None
    packet = OutgoingPacket(path)
    packet.add(bytes(16))
    first, *others = each_alone(bench.sender.fill_run(packet, bench.now) or [])
    assert first is packet.chunks
    assert (first[0], len(first[2])) == (bytes(16), PAYLOAD - 16)
    assert [len(parts[1]) for parts in others] == [PAYLOAD] * 3
    # What was sent behind them is found when it is missing.
    assert bench.sack(0, (2, 2)) is None
    assert [chunk.number & 0xFFFF_FFFF for chunk in bench.sender.outstanding] == [tsn(n) for n in (1, 2, 3)]


def test_a_run_is_acknowledged_chunk_by_chunk_without_singling_any_out() -> None:
    bench = Bench()
    bench.send(*[64] * 30, 100, 100)
    (run,) = bench.sender.outstanding._records
    assert isinstance(run, SentRun)
    assert [stretch[0] for stretch in run.stretches] == [30, 2]
    assert bench.sack(2) is None
    assert [stretch[0] for stretch in run.stretches] == [27, 2]
    assert not bench.sender.outstanding._chunks
    assert len(bench.sender.outstanding) == 29
    assert bench.sack(30) is None
    assert [stretch[0] for stretch in run.stretches] == [1]
    assert bench.sack(31) is None
    assert not bench.sender.outstanding._records
    assert bench.sender.is_drained


def test_a_gap_singles_out_what_is_below_it_and_no_more() -> None:
    bench = Bench()
    bench.send(*[64] * 30)
    assert bench.sack(2, (5, 6)) is None
    assert len(bench.sender.outstanding._chunks) == 4
    assert len(bench.sender.outstanding) == 27
    assert bench.sack(29) is None
    assert bench.sender.is_drained


# -- one piece --


def pieces(*lengths: int) -> list[tuple[int, int]]:
    packets = [[bytes(16), bytes(length)] for length in lengths]
    return [(len(data), size) for data, size in encode_packets(1, 2, 3, packets, max(lengths) + 28)]


@pytest.mark.parametrize("length", [100, 8000])
def test_packets_of_one_size_go_in_one_piece_and_a_smaller_one_may_be_last(length: int) -> None:
    size = length + 28
    assert pieces(*[length] * 3) == [(3 * size, size)]
    assert pieces(length, length, length - 4) == [(3 * size - 4, size)]
    assert pieces(length, length - 4, length - 4) == [(2 * size - 4, size), (size - 4, 0)]
    assert pieces(length, length + 4, length + 4) == [(size, 0), (2 * size + 8, size + 4)]
    assert pieces(length) == [(size, 0)]


def test_a_piece_is_no_larger_than_the_kernel_takes() -> None:
    assert [data // size for data, size in pieces(*[100] * 130)[:2]] == [MAX_PACKETS, MAX_PACKETS]
    assert [data // size for data, size in pieces(*[8972 - 28] * 10)[:1]] == [MAX_BYTES // 8972]


@pytest.mark.parametrize(
    "parts", [[bytes(16), b"small", bytes(3)], [bytes(16), bytes(range(256)) * 40], [b"sack", bytes(16), b"x" * 9000]]
)
def test_each_packet_is_as_encoded_alone(parts: list[bytes]) -> None:
    """§6.8: its own header and checksum."""
    alone = encode_packet(9, 8, 0xDEADBEEF, parts)
    assert list(encode_packets(9, 8, 0xDEADBEEF, [parts, parts], len(alone))) == [(2 * alone, len(alone))]
