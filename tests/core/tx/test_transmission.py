"""§6.1 rules B to E, §6.4, §7.2: what is sent, when, and where."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.congestion.reno import INITIAL_SSTHRESH
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.tx import transmission
from tests.core.tx.bench import INITIAL_CWND, PAYLOAD, PMDCS, Bench, all_chunks, numbers, read, tsn

pytestmark = pytest.mark.usefixtures("both_ways")


def test_cwnd_is_exceeded_by_one_packet_only() -> None:
    """§6.1 B: chunks count with header and padding."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=100))
    bench.send(*[PAYLOAD] * 10)
    assert bench.path.flight_bytes == 4 * PMDCS
    assert INITIAL_CWND <= bench.path.flight_bytes < INITIAL_CWND + PMDCS


def test_new_data_waits_until_flight_is_below_cwnd() -> None:
    """E12: §6.1 B, §7.2.1: slow start doubles what is in flight each round trip."""
    bench = Bench()
    bench.enqueue(*[PAYLOAD] * 40)
    assert numbers(bench.flush()) == [[0], [1], [2], [3]]
    assert bench.flush() == []
    bench.sack(1, after=0.1)
    assert bench.cwnd == INITIAL_CWND + 2 * PMDCS
    assert numbers(bench.flush()) == [[4], [5], [6], [7]]
    bench.sack(7, after=0.1)
    assert bench.cwnd == INITIAL_CWND + 8 * PMDCS


def test_sacks_of_one_batch_all_count_as_coming_to_a_full_window() -> None:
    bench = Bench()
    bench.enqueue(*[PAYLOAD] * 40)
    bench.flush()
    bench.sack(0, after=0.1)
    bench.sack(1)
    bench.sack(2)
    assert bench.cwnd == INITIAL_CWND + 3 * PMDCS


def test_a_window_that_is_not_used_does_not_grow() -> None:
    """§7.2.1: "only if the current congestion window is being fully utilized"."""
    bench = Bench()
    bench.send(PAYLOAD)
    bench.sack(0, after=0.1)
    assert bench.cwnd == INITIAL_CWND


def test_congestion_avoidance_grows_one_packet_a_round_trip() -> None:
    """E12, S19: §7.2.2."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=100))
    bench.cwnd = bench.path.congestion.ssthresh = 10 * PMDCS
    bench.path.congestion.ssthresh -= 1
    bench.enqueue(*[PAYLOAD] * 100)
    acked = -1
    for round_trip in range(4):
        acked += len(bench.flush())
        bench.sack(acked, after=0.1)
        assert bench.cwnd == (11 + round_trip) * PMDCS


def test_cwnd_and_flight_count_whole_chunks_with_their_padding() -> None:
    """§7.2: "the length of the DATA chunk, including the padding, SHOULD be used": 16 + 1 + 3 bytes for one of data."""
    bench = Bench()
    bench.cwnd = PMDCS
    assert PMDCS == 73 * 20
    bench.send(*[1] * 100)
    assert bench.path.flight_bytes == PMDCS
    bench.sack(0, after=0.1)
    assert (bench.cwnd, bench.path.flight_bytes) == (PMDCS + 20, PMDCS - 20)


def test_each_path_has_congestion_variables_of_its_own() -> None:
    """§7.2: "a set of the control variables cwnd, ssthresh, and partial_bytes_acked for EACH destination address"."""
    bench = Bench(paths=2)
    first, second = bench.paths
    second.congestion.partial_bytes_acked = 7
    bench.send(PAYLOAD)
    bench.expire(first)
    for path, expected in ((first, (PMDCS, 4 * PMDCS, 0)), (second, (INITIAL_CWND, INITIAL_SSTHRESH, 7))):
        congestion = path.congestion
        assert (congestion.cwnd, congestion.ssthresh, congestion.partial_bytes_acked) == expected


def test_each_cwnd_grows_by_what_was_acknowledged_of_its_own_path() -> None:
    """§7.2.1: "apportioned to the destination addresses to which it transmitted the acknowledged data"."""
    bench = Bench(paths=2)
    first, second = bench.paths
    bench.send(*[PAYLOAD] * 4)
    bench.table.primary = second
    bench.send(*[PAYLOAD] * 4)
    bench.sack(5, after=0.1)
    assert first.congestion.cwnd == INITIAL_CWND + 4 * PMDCS
    assert second.congestion.cwnd == INITIAL_CWND + 2 * PMDCS


def test_no_new_data_rides_with_a_retransmission_that_cwnd_did_not_allow() -> None:
    """§6.1 B, §7.2.4, 3: cwnd is ignored for what was lost alone, whatever room its packet has left."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=100))
    bench.cwnd = 20 * PMDCS
    bench.send(300, *[PAYLOAD] * 10)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    bench.cwnd = 4 * PMDCS
    bench.enqueue(100)
    assert numbers(bench.flush()) == [[0]]


def test_max_burst_limits_the_packets_of_one_opportunity() -> None:
    """S25: §6.1 D."""
    bench = Bench()
    bench.cwnd = 100 * PMDCS
    bench.enqueue(*[PAYLOAD] * 100)
    assert len(bench.flush()) == 4
    assert bench.cwnd == 100 * PMDCS, "not changed for good"


def test_what_was_acknowledged_may_be_sent_again_beyond_max_burst() -> None:
    """S25: one SACK for twenty packets lets twenty and Max.Burst go; then Max.Burst again."""
    bench = Bench()
    bench.cwnd = 100 * PMDCS
    bench.enqueue(*[PAYLOAD] * 200)
    for _ in range(5):
        bench.flush()
    bench.sack(19, after=0.1)
    assert len(bench.flush()) == 24
    assert len(bench.flush()) == 4


def test_slow_start_doubles_though_one_sack_comes_of_a_whole_round_trip() -> None:
    """S25: §7.2.1: beyond what was acknowledged goes what cwnd grew by."""
    bench = Bench()
    bench.cwnd = 20 * PMDCS
    bench.enqueue(*[PAYLOAD] * 200)
    for _ in range(5):
        bench.flush()
    bench.sack(19, after=0.1)
    assert len(bench.flush()) == 40
    bench.sack(59, after=0.1)
    assert len(bench.flush()) == 80


@pytest.mark.parametrize(("idle_rtos", "cwnd_left"), [(1, 50), (2, 25)])
def test_after_idle_time_only_max_burst_counts_and_cwnd_has_decayed(idle_rtos: int, cwnd_left: int) -> None:
    """S25: §7.2.1, "max(cwnd / 2, 4 * PMDCS) once per RTO"."""
    bench = Bench(config=Config(rto_min_s=1.0))
    bench.cwnd = 100 * PMDCS
    bench.send(PAYLOAD)
    bench.sack(0, after=0.1)
    bench.now += idle_rtos * bench.path.rto.rto_s
    bench.enqueue(*[PAYLOAD] * 100)
    assert len(bench.flush()) == 4
    assert (bench.cwnd, bench.path.congestion.ssthresh) == (cwnd_left * PMDCS, 100 * PMDCS)


def test_the_first_transmission_is_not_idleness() -> None:
    bench = Bench()
    bench.now += 1e6
    bench.send(PAYLOAD)
    assert (bench.cwnd, bench.path.congestion.ssthresh) == (INITIAL_CWND, INITIAL_SSTHRESH)


def test_waiting_for_a_sack_is_not_idleness() -> None:
    """§7.2.1: cwnd is kept although nothing was sent for an RTO: something is in flight."""
    bench = Bench(config=Config(rto_min_s=1.0, rto_max_s=1.0))
    bench.cwnd = 20 * PMDCS
    bench.send(*[PAYLOAD] * 4)
    bench.sack(0, after=0.9)
    bench.now += 0.5
    bench.send(PAYLOAD)
    assert bench.cwnd == 20 * PMDCS


def test_waiting_for_what_timed_out_is_not_idleness() -> None:
    """§7.2.1: ssthresh stays what §7.2.3 made it, though what was retransmitted went another way."""
    bench = Bench(paths=2)
    first, second = bench.paths
    first.congestion.cwnd = 20 * PMDCS
    bench.send(PAYLOAD)
    bench.expire(first)
    assert [packet.path for packet in bench.flush()] == [second]
    bench.now += 2 * first.rto.rto_s
    assert [packet.path for packet in bench.send(PAYLOAD)] == [first]
    assert first.congestion.ssthresh == 10 * PMDCS


def test_years_of_idleness_cost_a_bounded_loop() -> None:
    bench = Bench()
    bench.cwnd = 1 << 60
    bench.send(PAYLOAD)
    bench.sack(0, after=0.1)
    bench.now += 1e9
    bench.send(PAYLOAD)
    assert bench.cwnd == (1 << 60) >> transmission.MAX_IDLE_RTOS


def test_the_chunk_that_fills_cwnd_asks_for_a_sack_at_once() -> None:
    """R16: §6.1, "The sending of a DATA chunk fills the congestion or receiver window"."""
    bench = Bench()
    chunks = all_chunks(bench.send(*[PAYLOAD] * 10))
    assert [chunk.immediate for chunk in chunks] == [False, False, False, True]


def test_the_chunk_that_fills_the_peers_window_asks_for_a_sack_at_once() -> None:
    """R16: the same, with padding behind the payload."""
    bench = Bench(rwnd=2001)
    chunks = all_chunks(bench.send(1000, 1001))
    assert [chunk.immediate for chunk in chunks] == [False, True]
    assert bench.sender.peer_rwnd_bytes == 0


def test_the_last_chunk_before_a_shutdown_asks_for_a_sack_at_once() -> None:
    """R16: §6.1, "The sender is in the SHUTDOWN-PENDING state"."""
    bench = Bench()
    bench.enqueue(10, 10)
    bench.sender.is_shutting_down = True
    assert bench.sender.is_shutting_down
    assert [chunk.immediate for chunk in all_chunks(bench.flush())] == [False, True]


def test_new_data_goes_to_the_primary_path_and_follows_it() -> None:
    """§6.4."""
    bench = Bench(paths=2)
    assert bench.send(10)[0].path is bench.paths[0]
    bench.table.primary = bench.paths[1]
    assert bench.send(10)[0].path is bench.paths[1]
    # §6.3.3 F1: the timer of the old path is left running.
    assert bench.deadline(bench.paths[0]) is not None
    assert bench.deadline(bench.paths[1]) is not None


def test_what_is_marked_goes_before_new_data_and_shares_its_packet_when_none_is_left() -> None:
    """§6.1 C; §6.10: in increasing order of TSN."""
    bench = Bench()
    bench.send(100, 100)
    bench.enqueue(100)
    bench.expire()
    assert numbers(bench.flush()) == [[0, 1, 2]]


def test_no_new_data_rides_with_a_retransmission_to_an_alternate() -> None:
    """§6.4: "an endpoint SHOULD always transmit to the primary path", however much room is left elsewhere."""
    bench = Bench(paths=2)
    primary, alternate = bench.paths
    bench.send(100)
    bench.enqueue(100)
    bench.expire(primary)
    assert [(packet.path, packet.numbers) for packet in bench.flush()] == [(alternate, [0]), (primary, [1])]


def test_a_packet_is_as_large_as_the_path_it_takes() -> None:
    """Deviation from §6.10, which would hold every path to the PMTU of the primary: §6.3.3 E3 has it this way."""
    bench = Bench(paths=2)
    primary, alternate = bench.paths
    primary.set_mtu(1000)
    bench.send(*[300] * 4)
    bench.expire(primary)
    (packet,) = bench.flush()
    assert (packet.path, packet.numbers) == (alternate, [0, 1, 2, 3])
    assert primary.packet_bytes < packet.size <= alternate.packet_bytes
    assert all(packet.size <= primary.packet_bytes for packet in bench.send(*[300] * 8))


def test_no_new_data_fills_the_room_that_the_next_retransmission_does_not_fit() -> None:
    """§6.1 C: "before sending new DATA chunks, the sender MUST first transmit any DATA chunks that are marked"."""
    bench = Bench()
    bench.send(800, 1000)
    bench.enqueue(100)
    bench.expire()
    assert numbers(bench.flush()) == [[0]]


def test_a_chunk_larger_than_its_path_by_now_goes_alone() -> None:
    """X12: §6.9, "Once a user message is fragmented, it cannot be re-fragmented. Instead ... IP fragmentation MUST be
    used"."""
    bench = Bench()
    bench.send(PAYLOAD, 100)
    bench.path.set_mtu(1000)
    bench.expire()
    packet = OutgoingPacket(bench.path)
    assert bench.sender.path_to_send_on(bench.now) is bench.path
    assert bench.sender.fill(packet, bench.now)
    assert read(packet.path, packet.chunks).numbers == [0]
    assert packet.size > bench.path.packet_bytes
    bench.sack(0)
    assert numbers(bench.flush()) == [[1]]


def test_a_packet_that_a_sack_leads_takes_no_oversized_chunk() -> None:
    bench = Bench()
    bench.send(PAYLOAD)
    bench.expire()
    packet = OutgoingPacket(bench.path)
    packet.add(bytes(16))
    assert not bench.sender.fill(packet, bench.now)
    assert packet.size == 12 + 16


def test_no_tsn_beyond_half_the_space_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """§6.1: "MUST NOT use a TSN that is more than 2^31 - 1 above the beginning TSN of the current send window"."""
    assert transmission.MAX_TSNS_IN_WINDOW == 2**31
    monkeypatch.setattr(transmission, "MAX_TSNS_IN_WINDOW", 3)
    bench = Bench()
    assert numbers(bench.send(*[10] * 5)) == [[0, 1, 2]]
    bench.sack(0, (2, 2))
    assert numbers(bench.flush()) == [[3]]


def test_data_rides_behind_a_cookie_echo_without_t3_until_established() -> None:
    """§5.1 C: one packet, under T1-cookie."""
    bench = Bench(established=False)
    bench.enqueue(500, 500, 500)
    packet = OutgoingPacket(bench.path, takes_data_early=True)
    assert bench.sender.fill(packet, bench.now)
    assert read(packet.path, packet.chunks).numbers == [0, 1]
    bench.sender.check_invariants()
    assert bench.deadline() is None
    bench.sender.handshake_done(peer_rwnd_bytes=bench.rwnd, now=bench.now + 0.5)
    assert bench.deadline() == bench.now + 0.5 + bench.path.rto.rto_s
    assert numbers(bench.flush()) == [[2]]


def test_what_rode_behind_a_lost_cookie_echo_rides_behind_the_next() -> None:
    bench = Bench(paths=2, established=False)
    bench.enqueue(500)
    assert bench.sender.fill(OutgoingPacket(bench.path), bench.now)
    bench.sender.handshake_timed_out()
    bench.sender.check_invariants()
    bench.enqueue(10)
    packet = OutgoingPacket(bench.paths[1])
    assert bench.sender.fill(packet, bench.now)
    assert [chunk.tsn for chunk in read(packet.path, packet.chunks).chunks] == [tsn(0), tsn(1)]
    assert bench.paths[1].flight_bytes > bench.path.flight_bytes == 0


def test_what_does_not_fit_behind_the_next_cookie_echo_waits_for_its_turn() -> None:
    bench = Bench(established=False)
    bench.enqueue(1000, 10)
    assert bench.sender.fill(OutgoingPacket(bench.path), bench.now)
    bench.sender.handshake_timed_out()
    bench.enqueue(10)
    packet = OutgoingPacket(bench.path)
    packet.add(bytes(800))
    assert not bench.sender.fill(packet, bench.now), "nor does what is new go before it"
    bench.sender.handshake_done(peer_rwnd_bytes=bench.rwnd, now=bench.now)
    assert numbers(bench.flush()) == [[0, 1, 2]]


def test_no_data_rides_behind_a_cookie_echo_to_an_unconfirmed_address() -> None:
    """§5.4: "MUST NOT send any chunks to an UNCONFIRMED address" but those it lists."""
    bench = Bench(established=False)
    bench.path.is_confirmed = False
    bench.enqueue(10)
    assert not bench.sender.fill(OutgoingPacket(bench.path), bench.now)


def test_no_data_rides_before_the_peers_window_is_known() -> None:
    bench = Bench(established=False, rwnd=0)
    bench.enqueue(10)
    assert not bench.sender.fill(OutgoingPacket(bench.path), bench.now)


def test_chunks_sent_are_counted_once_by_kind_and_retransmissions_apart() -> None:
    """H01, H09, H11: rtxchunks, oodchunks, ouodchunks."""
    bench = Bench()
    bench.enqueue(10, 10)
    bench.enqueue(10, unordered=True)
    bench.flush()
    bench.expire()
    bench.flush()
    counters = bench.counters
    assert (counters.rtxchunks, counters.oodchunks, counters.ouodchunks) == (3, 2, 1)
