"""What a link does to packets, exactly: times, orders and bounds."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from aiosctp.testing import CE, ECT_0, ECT_1, NOT_ECT, Fate, Link, LossWhere, Packet, Passage, RandomLoss
from aiosctp.testing.link import DEFAULT_QUEUE_PACKETS, Direction

HEADERS = 28


def packet(ip_bytes: int = 100, **fields: Any) -> Packet:
    return Packet("192.0.2.1", 1, "192.0.2.2", 2, b"x" * (ip_bytes - HEADERS), **fields)


def direction(seed: str = "1", **link: Any) -> Direction:
    return Direction(seed, Link(**link))


def carry(direction: Direction, packet: Packet, now: float = 0.0) -> Passage:
    (passage,) = direction.carry(packet, now)
    return passage


def arrivals(direction: Direction, packets: int, *, every_s: float, ip_bytes: int = 100) -> list[float]:
    times = []
    for number in range(packets):
        for passage in direction.carry(packet(ip_bytes), number * every_s):
            assert passage.arrives_at_s is not None
            times.append(passage.arrives_at_s)
    return times


def faults_of(direction: Direction, packets: int) -> list[tuple[str, ...]]:
    return [passage.faults for _ in range(packets) for passage in direction.carry(packet(), 0.0)]


# -- delay and jitter --


def test_a_packet_arrives_after_the_delay_unchanged() -> None:
    passage = carry(direction(delay_s=0.25), packet(), now=3.0)
    assert passage.arrives_at_s == 3.25
    assert passage.arriving is passage.packet
    assert (passage.fate, passage.faults) == ("under way", ())


def test_jitter_is_added_to_the_delay_up_to_its_bound() -> None:
    times = arrivals(direction(delay_s=0.25, jitter_s=0.1), 1000, every_s=1.0)
    delays = [arrived - number for number, arrived in enumerate(times)]
    assert 0.25 <= min(delays) < 0.251
    assert 0.349 < max(delays) <= 0.35
    assert 0.295 < sum(delays) / len(delays) < 0.305


def test_jitter_alone_keeps_the_order() -> None:
    times = arrivals(direction(delay_s=0.0, jitter_s=1.0), 1000, every_s=0.001)
    assert times == sorted(times)


# -- bandwidth and queue --


def test_a_packet_takes_its_size_over_the_bandwidth() -> None:
    """1000 bytes at 8000 bits a second take a second."""
    link = direction(delay_s=0.5, bandwidth_bps=8000)
    assert carry(link, packet(1000), now=2.0).arrives_at_s == 3.5


def test_packets_wait_for_those_before_them() -> None:
    assert arrivals(direction(delay_s=0.0, bandwidth_bps=8000), 3, every_s=0.1, ip_bytes=1000) == [1.0, 2.0, 3.0]


def test_a_wire_that_fell_idle_begins_at_once() -> None:
    assert arrivals(direction(delay_s=0.0, bandwidth_bps=8000), 3, every_s=5.0, ip_bytes=1000) == [1.0, 6.0, 11.0]


def test_a_full_queue_drops_the_newest_and_counts_bytes() -> None:
    """The wire has one of 1000; 1500 bytes may wait: one of 1000, none of 501 more, but one of 500."""
    link = direction(bandwidth_bps=8000, queue_bytes=1500)
    fates: list[Fate] = [carry(link, packet(size)).fate for size in (1000, 1000, 501, 500, 28)]
    assert fates == ["under way", "under way", "queue full", "under way", "queue full"]


def test_what_the_queue_dropped_takes_no_time_of_the_wire() -> None:
    link = direction(delay_s=0.0, bandwidth_bps=8000, queue_bytes=1000)
    assert carry(link, packet(1000)).arrives_at_s == 1.0
    assert carry(link, packet(1000)).arrives_at_s == 2.0
    assert carry(link, packet(1000)).arrives_at_s is None
    assert carry(link, packet(1000), now=1.0).arrives_at_s == 3.0


def test_the_queue_has_room_again_once_a_packet_begins_to_be_sent() -> None:
    link = direction(bandwidth_bps=8000, queue_bytes=1000)
    for now, fate in ((0.0, "under way"), (0.0, "under way"), (0.99, "queue full"), (1.0, "under way")):
        assert carry(link, packet(1000), now).fate == fate


def test_without_room_to_wait_a_packet_passes_only_when_the_wire_is_free() -> None:
    link = direction(bandwidth_bps=8000, queue_bytes=0)
    assert [carry(link, packet(1000), now).fate for now in (0.0, 0.5, 1.0)] == ["under way", "queue full", "under way"]


def test_a_queue_is_bounded_also_when_nobody_says_so() -> None:
    link = direction(bandwidth_bps=8000)
    fates = [carry(link, packet(1500)).fate for _ in range(2 * DEFAULT_QUEUE_PACKETS)]
    assert fates.count("under way") == 1 + DEFAULT_QUEUE_PACKETS


def test_what_is_lost_has_used_the_wire() -> None:
    """The loss is further on than the queue."""
    link = direction(delay_s=0.0, bandwidth_bps=8000, loss=LossWhere(lambda packet: len(packet.data) == 972))
    assert carry(link, packet(1000)).fate == "lost"
    assert carry(link, packet(999)).arrives_at_s == pytest.approx(1.999)


def test_throughput_is_the_bandwidth() -> None:
    times = arrivals(direction(bandwidth_bps=1e6, jitter_s=0.001, queue_bytes=10**9), 1000, every_s=0.0, ip_bytes=1250)
    assert times[-1] - times[0] == pytest.approx(9.99, abs=0.001)


# -- MTU --


def test_a_packet_of_the_mtu_passes_and_one_byte_more_does_not() -> None:
    link = direction(mtu=576)
    assert carry(link, packet(576)).fate == "under way"
    assert carry(link, packet(577)).fate == "too big"


def test_a_larger_packet_without_df_passes_as_if_fragmented() -> None:
    passage = carry(direction(mtu=576), packet(577, dont_fragment=False))
    assert passage.arriving.data == passage.packet.data
    assert (passage.fate, passage.faults) == ("under way", ("fragmented",))


def test_the_mtu_counts_the_larger_header_of_ipv6() -> None:
    over_ipv6 = Packet("2001:db8::1", 1, "2001:db8::2", 2, b"x" * (1280 - 48))
    assert carry(direction(mtu=1280), over_ipv6).fate == "under way"
    assert carry(direction(mtu=1279), over_ipv6).fate == "too big"


# -- faults --


def test_loss_is_as_frequent_as_said() -> None:
    link = direction(loss=RandomLoss(0.1))
    assert 950 < [carry(link, packet()).fate for _ in range(10_000)].count("lost") < 1050


def test_corruption_changes_one_byte_of_the_payload() -> None:
    link = direction(corruption=1.0)
    for _ in range(100):
        passage = carry(link, packet(100))
        sent, came = passage.packet.data, passage.arriving.data
        assert len(came) == len(sent)
        assert sum(one != other for one, other in zip(sent, came, strict=True)) == 1
        assert passage.faults == ("corrupted",)
        assert passage.arriving._replace(data=sent) == passage.packet


def test_an_empty_payload_has_nothing_to_corrupt() -> None:
    passage = carry(direction(corruption=1.0), packet(HEADERS))
    assert (passage.arriving, passage.faults) == (passage.packet, ())


def test_corruption_is_as_frequent_as_said() -> None:
    assert 950 < faults_of(direction(corruption=0.1), 10_000).count(("corrupted",)) < 1050


def test_a_duplicate_arrives_with_or_after_its_original() -> None:
    first, second = direction(delay_s=0.25, duplication=1.0).carry(packet(), 1.0)
    assert (first.arrives_at_s, first.faults) == (1.25, ())
    assert (second.arrives_at_s, second.faults) == (1.25, ("duplicated",))
    assert first.arriving == second.arriving


def test_a_duplicate_has_a_jitter_of_its_own_and_shares_the_corruption() -> None:
    link = direction(duplication=1.0, corruption=1.0, jitter_s=1.0)
    for _ in range(10):
        first, second = link.carry(packet(), 0.0)
        assert first.arriving == second.arriving != first.packet
        assert first.arrives_at_s is not None
        assert second.arrives_at_s is not None
        assert first.arrives_at_s <= second.arrives_at_s


def test_duplication_is_as_frequent_as_said() -> None:
    assert 950 < faults_of(direction(duplication=0.1), 10_000).count(("duplicated",)) < 1050


def test_reordering_lets_those_behind_overtake() -> None:
    link = direction(delay_s=0.1, reordering=0.1)
    sent = [carry(link, packet(), number * 0.001) for number in range(1000)]
    overtaken = [one for one, other in pairwise(sent) if (one.arrives_at_s or 0) > (other.arrives_at_s or 0)]
    held = [one for one in sent if one.faults == ("reordered",)]
    assert 70 < len(overtaken) <= len(held) < 130
    assert all(one in held for one in overtaken)


def test_a_packet_is_held_back_no_longer_than_its_way_takes_again() -> None:
    link = direction(delay_s=0.1, jitter_s=0.05, reordering=1.0)
    for number in range(1000):
        arrived = carry(link, packet(), float(number)).arrives_at_s
        assert arrived is not None
        assert 0.1 <= arrived - number <= 0.15 + 0.15


def test_reordering_needs_no_delay() -> None:
    link = direction(delay_s=0.0, reordering=0.5)
    times = [carry(link, packet()).arrives_at_s or 0 for _ in range(100)]
    assert times != sorted(times)
    assert max(times) <= 0.001


def test_those_that_are_not_held_back_keep_their_order() -> None:
    link = direction(delay_s=0.1, jitter_s=0.1, reordering=0.3)
    sent = [carry(link, packet(), number * 0.001) for number in range(1000)]
    times = [passage.arrives_at_s or 0 for passage in sent if not passage.faults]
    assert times == sorted(times)


# -- ECN --


def test_ect_is_marked_above_the_threshold_and_nothing_else_is() -> None:
    """Of packets of 1000 bytes the first is on the wire; the others find 0, 1000, 2000, ... waiting."""
    link = direction(bandwidth_bps=8000, queue_bytes=10_000, ecn_threshold_bytes=1000)
    for ecn, marked in ((ECT_0, False), (ECT_0, False), (ECT_0, False), (ECT_0, True), (ECT_1, True), (NOT_ECT, False)):
        passage = carry(link, packet(1000, ecn=ecn))
        assert passage.arriving.ecn == (CE if marked else ecn)
        assert passage.faults == (("marked",) if marked else ())
        assert passage.packet.ecn == ecn


def test_ce_stays_and_counts_as_no_mark() -> None:
    link = direction(bandwidth_bps=8000, ecn_threshold_bytes=0)
    passages = [carry(link, packet(1000, ecn=CE)) for _ in range(5)]
    assert {passage.arriving.ecn for passage in passages} == {CE}
    assert {passage.faults for passage in passages} == {()}


# -- state --


def test_a_partition_loses_everything_and_asks_no_model() -> None:
    asked: list[Packet] = []

    def is_lost(packet: Packet) -> bool:
        asked.append(packet)
        return False

    link = direction(loss=LossWhere(is_lost))
    link.is_cut = True
    assert carry(link, packet()).fate == "partitioned"
    assert not asked
    link.is_cut = False
    assert carry(link, packet()).fate == "under way"
    assert len(asked) == 1


def test_another_link_begins_with_an_empty_queue_and_the_same_one_goes_on() -> None:
    link = direction(delay_s=0.0, bandwidth_bps=8000)
    assert carry(link, packet(1000)).arrives_at_s == 1.0
    link.link = Link(delay_s=0.0, bandwidth_bps=8000)
    assert carry(link, packet(1000)).arrives_at_s == 2.0
    link.link = Link(delay_s=0.0, bandwidth_bps=16000)
    assert carry(link, packet(1000)).arrives_at_s == 0.5


def test_one_fault_more_leaves_the_others_as_they_were() -> None:
    def lost(**link: Any) -> list[int]:
        one = direction(loss=RandomLoss(0.1), **link)
        return [number for number in range(500) if one.carry(packet(), 0.0)[0].fate == "lost"]

    assert lost() == lost(jitter_s=0.1, duplication=0.1, reordering=0.1, corruption=0.1)


def test_faults_know_nothing_of_each_other() -> None:
    """Of two with a probability of one half each a quarter of the packets has both."""
    link = direction(corruption=0.5, reordering=0.5)
    faults = faults_of(link, 10_000)
    for expected in ((), ("corrupted",), ("reordered",), ("corrupted", "reordered")):
        assert 2350 < faults.count(expected) < 2650


def test_another_seed_is_other_chance() -> None:
    one, same, other = (faults_of(direction(seed, corruption=0.5), 100) for seed in ("1", "1", "2"))
    assert one == same != other


# -- arguments --


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"delay_s": -0.1}, ValueError, "delay_s"),
        ({"delay_s": float("nan")}, ValueError, "delay_s"),
        ({"delay_s": float("inf")}, ValueError, "delay_s"),
        ({"delay_s": "1"}, TypeError, "delay_s"),
        ({"delay_s": True}, TypeError, "delay_s"),
        ({"jitter_s": -1}, ValueError, "jitter_s"),
        ({"bandwidth_bps": 0}, ValueError, "bandwidth_bps"),
        ({"bandwidth_bps": "10M"}, TypeError, "bandwidth_bps"),
        ({"queue_bytes": -1, "bandwidth_bps": 1e6}, ValueError, "queue_bytes"),
        ({"queue_bytes": 1.5, "bandwidth_bps": 1e6}, TypeError, "queue_bytes"),
        ({"queue_bytes": 1000}, ValueError, "queue_bytes says nothing without bandwidth_bps"),
        ({"ecn_threshold_bytes": -1, "bandwidth_bps": 1e6}, ValueError, "ecn_threshold_bytes"),
        ({"ecn_threshold_bytes": 1000}, ValueError, "ecn_threshold_bytes says nothing without bandwidth_bps"),
        ({"mtu": 67}, ValueError, "mtu"),
        ({"mtu": 1500.0}, TypeError, "mtu"),
        ({"icmp": 1}, TypeError, "icmp"),
        ({"duplication": 1.5}, ValueError, "duplication"),
        ({"reordering": -1}, ValueError, "reordering"),
        ({"corruption": "often"}, TypeError, "corruption"),
        ({"loss": 0.1}, TypeError, re.escape("loss must be a Loss, such as RandomLoss(0.01)")),
        ({"loss": RandomLoss}, TypeError, "loss"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], name: str) -> None:
    with pytest.raises(error, match=name):
        Link(**arguments)
