"""RFC 6458 §8.1.5: the Nagle-like rule, and switching it off."""

from __future__ import annotations

from aiosctp.config import Config
from tests.core.tx.bench import PAYLOAD, Bench, numbers
from tests.core.work import assert_constant, instructions


def delaying() -> Bench:
    return Bench(config=Config(rto_min_s=0.05, nodelay=False))


def test_by_default_a_small_message_goes_at_once() -> None:
    """B01: as with SCTP_NODELAY."""
    bench = Bench()
    assert numbers(bench.send(10)) == [[0]]
    assert numbers(bench.send(10)) == [[1]]


def test_without_nodelay_small_messages_wait_for_what_is_outstanding_and_share_a_packet() -> None:
    """B01: the first goes, for nothing would tell when to send it."""
    bench = delaying()
    assert numbers(bench.send(10)) == [[0]]
    assert bench.send(10) == []
    assert bench.send(10) == []
    assert bench.sack(0) is None
    assert numbers(bench.flush()) == [[1, 2]]


def test_without_nodelay_what_fills_a_packet_goes_and_the_rest_waits() -> None:
    """B01: a message or many."""
    bench = delaying()
    bench.send(10)
    assert numbers(bench.send(PAYLOAD)) == [[1]]
    assert numbers(bench.send(*[64] * 20)) == [list(range(2, 20))]
    assert bench.sack(18) is None
    assert bench.flush() == []
    assert bench.sack(19) is None
    assert numbers(bench.flush()) == [[20, 21]]


def test_without_nodelay_the_last_fragment_of_a_message_waits() -> None:
    """B01: it is small too."""
    bench = delaying()
    assert numbers(bench.send(2 * PAYLOAD + 10)) == [[0], [1]]
    assert bench.sack(1) is None
    assert numbers(bench.flush()) == [[2]]


def test_without_nodelay_retransmissions_do_not_wait() -> None:
    """B01, R18: §6.3.3 E3."""
    bench = delaying()
    bench.send(10)
    assert bench.expire()
    assert numbers(bench.flush()) == [[0]]


def test_what_asks_for_a_sack_at_once_does_not_wait_nor_what_was_queued_before_it() -> None:
    """B01, R16: nor may the peer wait with the answer."""
    bench = delaying()
    bench.send(10)
    assert bench.send(10) == []
    bench.enqueue(10, sack_immediately=True)
    assert numbers(bench.flush()) == [[1, 2]]


def test_nothing_waits_once_the_association_shuts_down() -> None:
    """B01, M06: no more will come to fill the packet."""
    bench = delaying()
    bench.send(10)
    assert bench.send(10) == []
    bench.sender.is_shutting_down = True
    assert numbers(bench.flush()) == [[1]]


def test_nodelay_can_be_switched_on_while_messages_wait() -> None:
    """B01: what waited goes with the next flush."""
    bench = delaying()
    bench.send(10)
    assert bench.send(10) == []
    bench.sender.configure(bench.config.replace(nodelay=True))
    assert numbers(bench.flush()) == [[1]]


def test_what_a_look_costs_does_not_grow_with_what_waits() -> None:
    """B01: many tiny messages wait for a large packet, and each asks."""

    def cost(messages: int) -> int:
        bench = delaying()
        bench.send(10)
        assert bench.send(*[1] * messages) == []
        return instructions(lambda: bench.sender.path_to_send_on(bench.now))

    assert_constant(cost, 20)


def test_a_message_that_was_urgent_and_is_sent_hurries_no_other() -> None:
    """B01: whole, or in fragments; one packet at a time, or in a run."""
    for size in (10, 3 * PAYLOAD):
        for nodelay in (False, True):
            bench = delaying()
            bench.sender.configure(bench.config.replace(nodelay=nodelay))
            bench.enqueue(size, sack_immediately=True)
            assert bench.flush()
            bench.sender.configure(bench.config)
            assert bench.send(10) == []
