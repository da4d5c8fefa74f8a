"""The short way of one message makes the packets that the general one makes, and leaves the same behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiosctp.config import Config
from aiosctp.core.tx import fragmenter, transmission
from aiosctp.wire.chunks import PADDING, Sack
from aiosctp.wire.packet import encode_packet
from tests.core.tx.bench import PAYLOAD, WINDOW, Bench, tsn
from tests.core.tx.test_run import Side

SACK_BYTES = 16
ONE = ([64], 0, False, False)
LARGE = ([PAYLOAD - SACK_BYTES], 0, False, False)
ALL_OF_IT = (40, 0, WINDOW)

sizes = st.sampled_from([1, 63, 64, 300, PAYLOAD - SACK_BYTES, PAYLOAD - SACK_BYTES + 1, PAYLOAD, PAYLOAD + 1])
messages = st.tuples(
    st.lists(sizes, min_size=1, max_size=1) | st.lists(sizes, min_size=2, max_size=8),
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([False] * 3 + [True]),
)
sacks = st.tuples(
    st.sampled_from([40, 40, 0, 1, 2]), st.integers(0, 1), st.sampled_from([WINDOW] * 5 + [0, 200, 1600, 3000])
)
steps = st.lists(
    messages | sacks | st.sampled_from(["expire", "idle", "congestion avoidance", "reset"]), min_size=1, max_size=40
)


class Single(Side):
    """A sender that is asked for a single message first, as `Output` does."""

    def send(self) -> list[bytes]:
        bench = self.bench
        path, room = bench.table.for_data(), bench.table.amdcs - SACK_BYTES
        chunk = bench.sender.send_single(path, room, bench.now)
        if chunk is None:
            return super().send()
        self.runs += 1
        assert not bench.sender.has_to_send
        return [encode_packet(1, 2, 3, (chunk.header, chunk.payload, PADDING[len(chunk.payload) & 3]))]


@settings(max_examples=200, deadline=None)
@given(
    script=steps,
    max_burst=st.sampled_from([4, 1]),
    paths=st.sampled_from([1, 1, 2]),
    nodelay=st.sampled_from([True, True, False]),
    rwnd=st.sampled_from([WINDOW, 3000, 400]),
)
@example(script=[ONE, ALL_OF_IT] * 3, max_burst=4, paths=1, nodelay=True, rwnd=WINDOW)
# Not at once, while another is outstanding.
@example(script=[ONE, ONE, ALL_OF_IT], max_burst=4, paths=1, nodelay=False, rwnd=WINDOW)
# Ordered and not; with the I bit; what is above the mark of its stream.
@example(
    script=[([165], 1, True, True), ALL_OF_IT, ([165], 1, False, True)], max_burst=4, paths=1, nodelay=True, rwnd=WINDOW
)
# The peer's window closes, and opens.
@example(script=[ONE, (40, 0, 0), ONE, "expire", (0, 0, WINDOW), ONE], max_burst=4, paths=1, nodelay=True, rwnd=WINDOW)
# cwnd decays while nothing is sent (§7.2.1).
@example(script=[ONE, ALL_OF_IT, "idle", ONE, ALL_OF_IT, ONE], max_burst=4, paths=1, nodelay=True, rwnd=WINDOW)
# What was sent twice measures no round trip (§6.3.1 C5), and is acknowledged on the path it went last.
@example(script=[ONE, "expire", ALL_OF_IT, ONE, ALL_OF_IT], max_burst=4, paths=2, nodelay=True, rwnd=WINDOW)
# cwnd is fully utilized, and grows (§7.2.1).
@example(
    script=[LARGE, LARGE, LARGE, LARGE, ALL_OF_IT, ONE, ALL_OF_IT], max_burst=4, paths=1, nodelay=True, rwnd=WINDOW
)
@example(
    script=[LARGE, LARGE, LARGE, LARGE, "congestion avoidance", ALL_OF_IT, ONE, ALL_OF_IT],
    max_burst=4,
    paths=1,
    nodelay=True,
    rwnd=WINDOW,
)
# So is the window; and the last part of a message is no message.
@example(script=[LARGE, LARGE, LARGE, ALL_OF_IT], max_burst=4, paths=1, nodelay=True, rwnd=3000)
@example(script=[ONE, ([5000], 0, False, False), (1, 0, WINDOW)], max_burst=1, paths=1, nodelay=True, rwnd=3000)
# The last before the reset of a stream asks to be acknowledged at once.
@example(script=[ONE, ALL_OF_IT, "reset", ONE, ALL_OF_IT], max_burst=4, paths=1, nodelay=True, rwnd=WINDOW)
# What the peer has taken back is set off against what it acknowledges.
@example(
    script=[ONE, ONE, *[(0, 1, WINDOW), (0, 0, WINDOW)] * 3, ALL_OF_IT, ONE, ALL_OF_IT],
    max_burst=4,
    paths=1,
    nodelay=True,
    rwnd=WINDOW,
)
def test_both_ways_send_the_same_and_leave_the_same(
    script: list[Any], max_burst: int, paths: int, nodelay: bool, rwnd: int
) -> None:
    config = Config(rto_min_s=0.05, max_burst=max_burst, nodelay=nodelay, stream_send_buffer_bytes=100)
    single, general = Single(True, config, paths, 1500, rwnd), Side(False, config, paths, 1500, rwnd)
    for step in [*script, ALL_OF_IT, ALL_OF_IT]:
        if step == "congestion avoidance":
            single.bench.path.congestion.ssthresh = general.bench.path.congestion.ssthresh = 1
            continue
        if step == "reset":
            for side in (single, general):
                side.bench.sender.queue.hold_stream(2, side)
            continue
        assert single.follow(step) == general.follow(step)
        assert _facts(single.bench) == _facts(general.bench)


def _facts(bench: Bench) -> dict[str, object]:
    sender = bench.sender
    return {
        "paths": [
            (path.flight_bytes, path.is_cwnd_limited, path.awaits_ack_after_timeout, path.last_data_sent_at_s)
            for path in bench.paths
        ],
        "congestion": [(path.congestion.cwnd, path.congestion.partial_bytes_acked) for path in bench.paths],
        "rto": [(path.rto.rto_s, path.rto.srtt_s) for path in bench.paths],
        "timers": ([bench.deadline(path) for path in bench.paths], bench.probe_deadline()),
        "acknowledged": [path.address for path in sender.take_acknowledged_paths()],
        "timed": [sender._round_trips._timed.get(path) for path in bench.paths],
        "window": (sender.window.a_rwnd, sender.window.largest_a_rwnd, sender.window.was_answered),
        "buffered": (sender.queued_bytes, sender.buffered_bytes, sender.queue.excess_bytes),
        "burst": (sender._burst._acked_bytes, sender._burst.is_open),
        "to take back": sender.outstanding._may_be_taken_back,
        "Fast Recovery": sender.in_fast_recovery,
        "counters": bench.counters,
    }


def test_a_message_that_waits_alone_takes_it() -> None:
    single = Single(True, Config(rto_min_s=0.05), 1, 1500, WINDOW)
    for _ in range(5):
        single.follow(ONE)
        single.follow(ALL_OF_IT)
    # But for the first, before which nothing was ever sent.
    assert single.runs == 4


def test_fast_recovery_ends_with_the_only_chunk_outstanding() -> None:
    """§6.2.1 D iv; until then, cwnd does not grow (§7.2.1)."""
    sides = Single(True, Config(rto_min_s=0.05), 1, 1500, WINDOW), Side(False, Config(rto_min_s=0.05), 1, 1500, WINDOW)
    for side in sides:
        bench = side.bench
        bench.cwnd = 6 * PAYLOAD
        for step in (ONE, ALL_OF_IT, *[LARGE] * 5):
            side.follow(step)
        for last in (2, 3, 4):
            assert bench.sender.sack_received(Sack(tsn(0), WINDOW, ((2, last),)), bench.now) is None
        side.send()
        assert bench.sender.sack_received(Sack(tsn(4), WINDOW), bench.now) is None
        assert bench.sender.in_fast_recovery
        bench.path.is_cwnd_limited = True
        assert bench.sender.sack_received(Sack(tsn(5), WINDOW), bench.now) is None
        assert not bench.sender.in_fast_recovery
    assert _facts(sides[0].bench) == _facts(sides[1].bench)


def test_what_is_marked_for_retransmission_goes_first() -> None:
    """§6.1 C: "before sending new DATA chunks, the sender MUST first transmit any DATA chunks that are marked"."""
    bench = _after_one()
    bench.send(64)
    bench.sender.packets_were_too_large(bench.path)
    bench.enqueue(64)
    assert bench.sender.send_single(bench.path, PAYLOAD, bench.now) is None


def test_the_rest_of_a_message_goes_as_it_began_though_all_of_it_would_fit_by_now() -> None:
    bench = Bench(rwnd=1200)
    bench.path.set_mtu(576)
    assert bench.send(1400)
    assert bench.sender.has_to_send
    bench.path.set_mtu(9000)
    bench.sender.peer_window_advertised(WINDOW)
    assert bench.sender.send_single(bench.path, 8000, bench.now) is None


def test_a_gap_beyond_the_only_chunk_is_a_violation() -> None:
    """§12.4: "a SACK chunk acknowledging a TSN that has not been sent"."""
    bench = _after_one()
    assert bench.sender.send_single(bench.path, PAYLOAD, bench.now) is not None
    assert bench.sender.sack_received(Sack(tsn(1), WINDOW, ((2, 2),)), bench.now) is not None


def test_the_limits_of_a_send_window_hold_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((transmission, "MAX_TSNS_IN_WINDOW"), (fragmenter, "MAX_ORDERED_IN_WINDOW")):
        bench = _after_one()
        with monkeypatch.context() as patch:
            patch.setattr(module, name, 0)
            assert bench.sender.send_single(bench.path, PAYLOAD, bench.now) is None
        assert bench.sender.send_single(bench.path, PAYLOAD, bench.now) is not None


def test_an_opportunity_that_has_begun_is_gone_on_with() -> None:
    bench = _after_one()
    assert bench.sender.path_to_send_on(bench.now) is bench.path
    assert bench.sender.send_single(bench.path, PAYLOAD, bench.now) is None


def _after_one() -> Bench:
    """One message was sent and acknowledged, and one waits."""
    bench = Bench()
    bench.send(64)
    assert bench.sack(0) is None
    bench.enqueue(64)
    return bench
