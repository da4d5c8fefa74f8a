"""The deadlines of a stack: one heap for all associations."""

from __future__ import annotations

import gc
import weakref

from aiosctp.config import Config
from aiosctp.core.timers import Timer
from aiosctp.core.wake_ups import LEAST_STALE_WAKE_UPS
from tests.core.scripted import A_PORT, UDP_PORT, Peer
from tests.core.transcript import Bench
from tests.core.transcript import Peer as Caller


def test_an_association_that_ended_is_not_kept_until_its_last_deadline() -> None:
    """A heartbeat is due in half a minute, a shutdown guard in five: neither keeps what has been aborted."""
    bench = Bench(config=Config())
    association = weakref.ref(Caller(bench).associate())
    ended = association()
    assert ended is not None
    bench.abort(ended)
    bench._events.clear()
    del ended
    gc.collect()
    assert association() is None
    assert bench.engine.next_deadline() is None


def test_cancelled_deadlines_are_bounded() -> None:
    """The heap is made anew when most of it is of associations that ended."""
    bench = Bench(config=Config())
    for turn in range(10 * LEAST_STALE_WAKE_UPS):
        bench.abort(bench.connect(port=A_PORT + turn))
        bench.unread.clear()
    assert len(bench.engine._wake_ups) <= LEAST_STALE_WAKE_UPS


def test_each_association_is_woken_at_its_own_deadline() -> None:
    """The one connected later, whose RTO is shorter, comes first."""
    peer = Peer(addresses=("192.0.2.1", "192.0.2.2"))
    peer.cookie_wait("192.0.2.1")
    first_at = peer.now + peer.config.rto_initial_s
    quick = Config(rto_initial_s=0.5, rto_min_s=0.5)
    peer.engine.connect(peer.endpoint, ["192.0.2.2"], A_PORT, udp_port=UDP_PORT, config=quick, now=peer.now)
    peer.poll()
    second_at = peer.now + 0.5
    sent = peer.wait(1.0)
    assert [(packet.at, packet.destination) for packet in sent] == [
        (second_at, "192.0.2.2"),
        (first_at, "192.0.2.1"),
    ]


def test_a_timer_that_was_stopped_wakes_nobody() -> None:
    """As that of a HEARTBEAT which was answered: the association is woken for the next that runs."""
    bench = Bench(config=Config())
    association = Caller(bench).associate()
    beats_at = bench.engine.next_deadline()
    association.timers.start(Timer.SACK_DELAY, bench.now + 0.1)
    bench.engine.touch(association)
    bench.engine.poll_datagrams(bench.now)
    assert bench.engine.next_deadline() == bench.now + 0.1
    association.timers.stop(Timer.SACK_DELAY)
    bench.engine.poll_changed()
    bench.engine.handle_timeout(bench.now + 0.2)
    assert not bench.engine.has_output
    assert bench.engine.next_deadline() == beats_at
