"""What the parameters of the data transfer change on the wire: windows, bursts, retransmissions, SACKs."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, SendFailed
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.causes import UserInitiatedAbort
from aiosctp.wire.chunks import Abort, Data, Sack
from aiosctp.wire.codepoints import CauseCode
from tests.core.scripted import A_RWND, Packet, Peer, chunks_of, packets_with

QUIET = Config(heartbeat=False, path_mtu=576, interleaving=False)
PMDCS = 576 - 28 - 12
FULL = bytes(PMDCS - 16)
"""A message whose chunk fills a packet."""
WIDE = QUIET.replace(initial_cwnd_mtus=20, max_burst=100)


def established(config: Config) -> Peer:
    """The first DATA has come, which is acknowledged at once whatever the parameters."""
    peer = Peer(config)
    peer.established()
    peer.send_data()
    peer.user_reads()
    return peer


def data_in(packets: list[Packet]) -> list[Data]:
    return chunks_of(packets, Data)


def number(peer: Peer, chunk: Data) -> int:
    """Of Z's chunks, from 1."""
    return (chunk.tsn - peer.z_initial_tsn & 0xFFFF_FFFF) + 1


def sack(peer: Peer, cumulative: int, *gaps: tuple[int, int], a_rwnd: int = A_RWND) -> list[Packet]:
    """A -> SACK -> Z for Z's chunks by number: all up to one, and those from one to another."""
    blocks = tuple((first - cumulative, last - cumulative) for first, last in gaps)
    return peer.send(Sack(peer.z_initial_tsn + cumulative - 1 & 0xFFFF_FFFF, a_rwnd, blocks))


# -- the congestion window --


@pytest.mark.parametrize(("mtus", "packets"), [(None, 4), (1, 1), (3, 3), (10, 10)])
def test_a_path_begins_with_a_cwnd_of_so_many_packets(mtus: int | None, packets: int) -> None:
    """G02: unless it is set, with what §7.2.1 allows: 4 of the smallest."""
    peer = established(QUIET.replace(initial_cwnd_mtus=mtus, max_burst=100))
    assert len(data_in(peer.user_sends(*[FULL] * 50))) == packets


@pytest.mark.parametrize(("limit", "growth"), [(None, 6), (1, 1), (2, 2), (10, 6)])
def test_a_sack_raises_cwnd_in_slow_start_by_so_many_packets(limit: int | None, growth: int) -> None:
    """G33: L of §7.2.1, RFC 3465: "the lesser of" that and what was acknowledged."""
    peer = established(WIDE.replace(initial_cwnd_mtus=6, slow_start_limit_mtus=limit))
    assert len(data_in(peer.user_sends(*[FULL] * 50))) == 6
    assert len(data_in(sack(peer, 6))) == 6 + growth


def test_the_limit_of_slow_start_is_none_of_congestion_avoidance() -> None:
    """§7.2.2: there it is a packet a round trip, whatever L."""
    peer = established(WIDE.replace(initial_cwnd_mtus=6, slow_start_limit_mtus=10))
    path = peer.path("192.0.2.1")
    path.congestion.ssthresh = path.congestion.cwnd - 1
    peer.user_sends(*[FULL] * 50)
    assert len(data_in(sack(peer, 6))) == 6 + 1


def test_the_limit_of_slow_start_is_changed_in_life() -> None:
    peer = established(WIDE.replace(initial_cwnd_mtus=6))
    peer.user_sends(*[FULL] * 50)
    peer.association.configure(peer.config.replace(initial_cwnd_mtus=6, slow_start_limit_mtus=1), peer.now)
    assert len(data_in(sack(peer, 6))) == 6 + 1


# -- bursts --


@pytest.mark.parametrize("burst", [1, 4, 7])
def test_one_opportunity_sends_a_burst_of_so_many_packets(burst: int) -> None:
    """G63, B30: Max.Burst (§6.1 D), beyond what was acknowledged."""
    peer = established(WIDE.replace(max_burst=burst))
    assert len(data_in(peer.user_sends(*[FULL] * 50))) == burst
    # That was not cwnd: after two round trips in which it was not filled it still allows more.
    assert len(data_in(sack(peer, burst))) == 2 * burst if burst < 7 else 13


def lost_one(config: Config) -> Peer:
    """24 packets went, the first was lost, and has gone again as a Fast Retransmit."""
    peer = established(config)
    assert len(data_in(peer.user_sends(*[FULL] * 60))) == 20
    sack(peer, 0, (2, 2))
    sack(peer, 0, (2, 3))
    (again,) = data_in(sack(peer, 0, (2, 4)))
    assert number(peer, again) == 1
    assert max(number(peer, chunk) for chunk in data_in(peer.heard)) == 24
    assert peer.association.sender.in_fast_recovery
    return peer


@pytest.mark.parametrize("burst", [1, 2, 4, 7])
def test_one_opportunity_in_fast_recovery_sends_a_burst_of_so_many_packets(burst: int) -> None:
    """G62: whatever was acknowledged, and whatever Max.Burst is outside of it."""
    peer = lost_one(WIDE.replace(fr_max_burst=burst))
    # The retransmission and four more are in flight, and cwnd, which was halved, allows seven others.
    assert len(data_in(sack(peer, 0, (2, 20)))) == burst


def test_after_fast_recovery_max_burst_holds_again() -> None:
    peer = lost_one(WIDE.replace(fr_max_burst=1, max_burst=100))
    assert len(data_in(sack(peer, 0, (2, 20)))) == 1
    assert len(data_in(sack(peer, 24))) > 9


# -- retransmissions --


def silence_on(peer: Peer, lost: int, packets: list[Packet]) -> None:
    """A acknowledges what comes but for this chunk, of which all copies are lost."""
    highest = max((number(peer, chunk) for chunk in data_in(peer.heard)), default=0)
    if data_in(packets):
        gaps = ((lost + 1, highest),) if highest > lost else ()
        sack(peer, lost - 1, *gaps)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_chunk_that_never_gets_through_ends_the_association(limit: int) -> None:
    """G26: though the peer answers all else, so that no error is counted for long (§8.1)."""
    peer = established(QUIET.replace(chunk_max_retrans=limit, association_max_retrans=100, path_max_retrans=100))
    peer.user_sends(FULL)
    for _ in range(100):
        if peer.state is AssociationState.CLOSED:
            break
        silence_on(peer, 1, peer.user_sends(b"another"))
        peer.wait(1.5)
    assert [number(peer, chunk) for chunk in data_in(peer.heard)].count(1) == 1 + limit
    assert isinstance(peer.association.ending, AssociationLost)
    (abort,) = chunks_of(peer.heard, Abort)
    assert isinstance(abort.causes[0], UserInitiatedAbort)
    assert peer.heard[-1].has(Abort)
    change, *failed = [event for event in peer.events if isinstance(event, AssociationChange | SendFailed)][1:]
    assert isinstance(change, AssociationChange)
    assert (change.change, change.error) == (AssociationChangeKind.COMM_LOST, CauseCode.USER_INITIATED_ABORT)
    assert isinstance(failed[0], SendFailed)
    assert failed[0].data == FULL


def test_chunks_that_get_through_at_last_are_not_counted_together() -> None:
    """G26: it is one that is sent again and again that tells of a fault."""
    peer = established(QUIET.replace(chunk_max_retrans=1))
    for turn in range(1, 10):
        peer.user_sends(FULL)
        assert [number(peer, chunk) for chunk in data_in([peer.next_packet(Data)])] == [turn]
        sack(peer, turn)
    assert peer.state is AssociationState.ESTABLISHED


def test_without_a_limit_a_chunk_is_sent_for_ever() -> None:
    peer = established(QUIET.replace(association_max_retrans=65535, path_max_retrans=65535, rto_max_s=1))
    peer.user_sends(FULL)
    assert len(data_in(peer.wait(500))) > 400
    assert peer.state is AssociationState.ESTABLISHED


def test_a_window_that_stays_closed_is_no_chunk_that_never_gets_through() -> None:
    """§6.1 A: "the unacknowledged window probes SHOULD NOT increment the error counter": nor this one. Once the window
    is open, it is sent as often as any."""
    peer = established(QUIET.replace(chunk_max_retrans=2))
    peer.user_sends(FULL)
    sack(peer, 1, a_rwnd=0)
    peer.user_sends(FULL)
    probes = 0
    for _ in range(20):
        probes += len(data_in(peer.wait(60)))
        sack(peer, 1, a_rwnd=0)
    assert probes >= 10
    assert peer.state is AssociationState.ESTABLISHED
    copies = len(data_in(sack(peer, 1)))
    copies += len(data_in(peer.wait(600)))
    assert copies in (2, 3)
    assert isinstance(peer.association.ending, AssociationLost)


def test_a_window_that_is_full_of_what_follows_a_chunk_does_not_excuse_it() -> None:
    """§6.2: the peer would drop of that to take it."""
    peer = established(WIDE.replace(chunk_max_retrans=2, association_max_retrans=100, path_max_retrans=100))
    peer.user_sends(FULL, FULL, FULL)
    for _ in range(6):
        sack(peer, 0, (2, 3), a_rwnd=0)
        peer.wait(10)
    assert isinstance(peer.association.ending, AssociationLost)
    assert [number(peer, chunk) for chunk in data_in(peer.heard)] == [1, 2, 3, 1, 1]


@pytest.mark.parametrize(("rto_min_s", "rto_max_s"), [(0.05, 60), (0.5, 60), (1, 60), (0.5, 2), (0.05, 0.3)])
def test_the_timeout_of_data_lies_between_rto_min_and_rto_max(rto_min_s: float, rto_max_s: float) -> None:
    """G47, G48: RTO.Min, though the peer answers at once; RTO.Max, though it never does (§6.3.1, C6, C7)."""
    initial_s = min(1, rto_max_s)
    peer = established(QUIET.replace(rto_min_s=rto_min_s, rto_max_s=rto_max_s, rto_initial_s=initial_s))
    for turn in range(1, 30):
        peer.user_sends(b"quick")
        sack(peer, turn)
    began = len(peer.heard)
    peer.user_sends(b"lost")
    peer.wait(1000)
    sent_at_s = [packet.at for packet in peer.heard[began:] if packet.has(Data)]
    waits_s = [later - earlier for earlier, later in pairwise(sent_at_s)]
    assert waits_s == pytest.approx([min(rto_min_s * 2**n, rto_max_s) for n in range(10)], rel=0.01)


# -- the I bit --


def immediate(packets: list[Packet]) -> list[bool]:
    return [chunk.immediate for chunk in data_in(packets)]


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("nodelay", [True, False])
def test_a_sack_is_asked_for_where_data_fills_the_congestion_window(nodelay: bool, is_on: bool) -> None:
    """G19: §6.1: "The sending of a DATA chunk fills the congestion or receiver window"."""
    peer = established(QUIET.replace(sack_immediately=is_on, nodelay=nodelay))
    assert immediate(peer.user_sends(*[FULL] * 9)) == [False] * 3 + [is_on]


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize(("count", "nodelay"), [(1, True), (3, True), (3, False)])
def test_a_sack_is_asked_for_before_a_shutdown(count: int, nodelay: bool, is_on: bool) -> None:
    """G19: §6.1: "The sender is in the SHUTDOWN-PENDING state"."""
    peer = established(WIDE.replace(sack_immediately=is_on, nodelay=nodelay))
    for _ in range(count):
        peer.association.send((FULL, 0, 0, False, 0, False, None))
    assert immediate(peer.user_shuts_down()) == [False] * (count - 1) + [is_on]


def test_what_send_was_told_goes_whatever_the_engine_asks_for_itself() -> None:
    """G19, D01: SCTP_SACK_IMMEDIATELY of a message is the program's."""
    peer = established(WIDE.replace(sack_immediately=False))
    peer.association.send((b"urgent", 0, 0, False, 0, True, None))
    assert immediate(peer.touch()) == [True]


# -- SACKs --


@pytest.mark.parametrize("frequency", [1, 2, 5])
def test_a_sack_goes_for_so_many_packets(frequency: int) -> None:
    """G55, B18: §6.2: "at least every second packet" by default."""
    peer = established(Config(heartbeat=False, sack_frequency=frequency))
    for turn in range(1, 3 * frequency + 1):
        assert bool(packets_with(peer.send_data(), Sack)) is (turn % frequency == 0)
        peer.user_reads()


@pytest.mark.parametrize("delay_s", [0, 0.02, 0.2, 0.5])
def test_a_sack_waits_for_so_long(delay_s: float) -> None:
    """G56, B18: §6.2: "within 200 ms" by default, and never more than 500."""
    peer = established(Config(heartbeat=False, sack_delay_s=delay_s, sack_frequency=100))
    came_at_s = peer.now
    packets = peer.send_data() + peer.wait(10)
    (answer,) = packets_with(packets, Sack)
    assert math.isclose(answer.at - came_at_s, delay_s, abs_tol=1e-6)


def test_frequency_and_delay_of_sacks_are_changed_in_life() -> None:
    """B18: SCTP_DELAYED_SACK on an association."""
    peer = established(Config(heartbeat=False))
    peer.association.configure(peer.config.replace(sack_frequency=1), peer.now)
    assert packets_with(peer.send_data(), Sack)
    peer.association.configure(peer.config.replace(sack_frequency=9, sack_delay_s=0.4), peer.now)
    came_at_s = peer.now
    (answer,) = packets_with(peer.send_data() + peer.wait(10), Sack)
    assert answer.at - came_at_s == pytest.approx(0.4)
