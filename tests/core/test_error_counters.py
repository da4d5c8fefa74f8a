"""The error counters of `failure.py`, one by one; `test_failure.py` has what the peer sees of them."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.core.states import AssociationState, PathState
from aiosctp.core.timers import Timer
from aiosctp.events import (
    AssociationChange,
    AssociationChangeKind,
    PeerAddressChange,
    PeerAddressChangeKind,
    SendFailed,
)
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.chunks import I_DATA_FORMAT, UserData, decode_chunks
from tests.core.pair import Pair

FIRST, SECOND = "192.0.2.2", "198.51.100.2"


class Bench:
    """An established association with a peer of two addresses, both confirmed, and no HEARTBEATs of its own accord."""

    def __init__(self, *, path_max_retrans: int = 5, association_max_retrans: int = 10, addresses: int = 2) -> None:
        config = Config(
            path_max_retrans=path_max_retrans, association_max_retrans=association_max_retrans, heartbeat=False
        )
        self.pair = Pair(
            config_a=config,
            addresses_a=("192.0.2.1", "198.51.100.1")[:addresses],
            addresses_z=(FIRST, SECOND)[:addresses],
        )
        self.ours, self.theirs = self.pair.established()
        self.pair.run_until(lambda: all(path.is_confirmed for path in (*self.ours.paths, *self.theirs.paths)))
        self.pair.run_for(1.0)
        self.pair.flush()
        self.pair.events_of(self.pair.a, self.ours).clear()

    def path(self, address: str) -> Path:
        path = self.ours.paths.get(address)
        assert path is not None
        return path

    def changes(self) -> list[tuple[str, PeerAddressChangeKind]]:
        self.pair.a.engine.touch(self.ours)
        self.pair.flush()
        events = self.pair.events_of(self.pair.a, self.ours)
        return [(event.address[0], event.change) for event in events if isinstance(event, PeerAddressChange)]

    def send(self, data: bytes = b"data") -> None:
        self.ours.send(OutgoingMessage(data, stream=0))
        self.pair.a.engine.touch(self.ours)
        self.pair.flush()

    def t3_expires(self, path: Path) -> None:
        self.ours.timers.start((Timer.T3_RTX, path), self.pair.now)
        self.ours.handle_timeout(self.pair.now)

    def data_packets(self) -> int:
        return sum(
            any(isinstance(chunk, UserData) for chunk in decode_chunks(flight.data))
            for flight in self.pair.log
            if flight.sender is self.pair.a
        )


# -- the counter of a path --


def test_a_path_is_inactive_when_its_errors_exceed_the_limit() -> None:
    """R23, G41, X35: §8.2: "When the value in the error counter exceeds ... 'Path.Max.Retrans'", told once."""
    bench = Bench(path_max_retrans=2)
    path = bench.path(SECOND)
    for count in (1, 2):
        bench.ours.failure.path_failed_once(path)
        assert (path.error_count, path.state) == (count, PathState.ACTIVE)
    assert bench.changes() == []
    bench.ours.failure.path_failed_once(path)
    assert path.state is PathState.INACTIVE
    assert bench.changes() == [(SECOND, PeerAddressChangeKind.UNREACHABLE)]


def test_an_inactive_path_counts_no_further_and_is_told_once() -> None:
    """R23: §8.3: "SHOULD stop increasing the counter" on an inactive address."""
    bench = Bench(path_max_retrans=0)
    for _ in range(20):
        bench.ours.failure.path_failed_once(bench.path(SECOND))
    assert bench.path(SECOND).error_count == 1
    assert bench.changes() == [(SECOND, PeerAddressChangeKind.UNREACHABLE)]


def test_the_errors_of_one_path_are_not_anothers() -> None:
    bench = Bench(path_max_retrans=0)
    bench.ours.failure.path_failed_once(bench.path(FIRST))
    assert (bench.path(FIRST).state, bench.path(SECOND).state) == (PathState.INACTIVE, PathState.ACTIVE)
    assert bench.ours.paths.for_data() is bench.path(SECOND)


def test_a_path_of_its_own_limit_keeps_to_it() -> None:
    """B13: the limit can be set for one address."""
    bench = Bench(path_max_retrans=5)
    bench.path(SECOND).path_max_retrans = 0
    for address in (FIRST, SECOND):
        bench.ours.failure.path_failed_once(bench.path(address))
    assert (bench.path(FIRST).state, bench.path(SECOND).state) == (PathState.ACTIVE, PathState.INACTIVE)


def test_an_unconfirmed_address_that_does_not_answer_is_given_up_alone() -> None:
    """R12: the association is not charged for it (§5.4)."""
    bench = Bench(path_max_retrans=1, association_max_retrans=1)
    path = bench.path(SECOND)
    path.is_confirmed = False
    for _ in range(5):
        bench.ours.heartbeats.unanswered(path, bench.pair.now)
    assert path.is_inactive
    assert path.state is PathState.UNCONFIRMED
    assert bench.ours.state is AssociationState.ESTABLISHED
    assert bench.ours.failure.error_count == 0


# -- and its way back --


def test_an_acknowledgement_clears_both_counters() -> None:
    """R23: §8.1: "MUST be reset each time a DATA chunk ... is acknowledged"; §8.2 for the path."""
    bench = Bench()
    bench.pair.drop = lambda flight: True
    bench.send()
    bench.pair.run_until(lambda: bench.ours.failure.error_count == 2)
    assert sum(path.error_count for path in bench.ours.paths) == 2
    bench.pair.drop = lambda flight: False
    bench.pair.run_until(lambda: bench.ours.sender.is_drained)
    assert bench.ours.failure.error_count == 0
    last = [
        flight
        for flight in bench.pair.log
        if flight.sender is bench.pair.a and flight.chunk_type == I_DATA_FORMAT.chunk_type
    ][-1]
    assert bench.path(last.datagram.destination).error_count == 0


def test_an_inactive_path_that_answers_is_active_again() -> None:
    """R23, R24: §8.3: a HEARTBEAT ACK; the user hears AVAILABLE."""
    bench = Bench(path_max_retrans=0)
    path = bench.path(SECOND)
    bench.ours.failure.path_failed_once(path)
    assert path.state is PathState.INACTIVE
    bench.ours.heartbeats.request(path, bench.pair.now)
    bench.pair.a.engine.touch(bench.ours)
    bench.pair.run_until(lambda: path.is_active, limit_s=1.0)
    assert path.error_count == 0
    assert bench.changes() == [
        (SECOND, PeerAddressChangeKind.UNREACHABLE),
        (SECOND, PeerAddressChangeKind.AVAILABLE),
    ]


@pytest.mark.parametrize("was_inactive", [False, True])
def test_an_address_that_is_verified_is_told_as_confirmed(was_inactive: bool) -> None:
    """R12: active and without errors, whatever it was called before."""
    bench = Bench()
    path = bench.path(SECOND)
    path.is_confirmed, path.is_inactive, path.error_count = False, was_inactive, 3
    bench.ours.failure.path_answered(path)
    assert (path.state, path.error_count) == (PathState.ACTIVE, 0)
    assert bench.changes().count((SECOND, PeerAddressChangeKind.CONFIRMED)) == 1


def test_an_acknowledgement_proves_no_address() -> None:
    """R12: §5.4: only the nonce of a HEARTBEAT confirms."""
    bench = Bench()
    path = bench.path(SECOND)
    path.is_confirmed, path.is_inactive = False, True
    bench.ours.failure.acknowledged(path)
    assert path.state is PathState.UNCONFIRMED
    assert not path.is_inactive
    assert bench.changes() == []


def test_an_active_path_that_answers_is_no_news() -> None:
    bench = Bench()
    bench.path(FIRST).error_count = 1
    bench.ours.failure.path_answered(bench.path(FIRST))
    assert bench.path(FIRST).error_count == 0
    assert bench.changes() == []


# -- the counter of the association --


@pytest.mark.parametrize("address", [FIRST, SECOND])
def test_a_t3_expiry_counts_for_the_association_on_whatever_path(address: str) -> None:
    """R23: §8.1: "this includes data retransmissions to all the destination transport addresses of the peer"."""
    bench = Bench()
    bench.t3_expires(bench.path(address))
    assert bench.path(address).error_count == 1
    assert bench.ours.failure.error_count == 1


def test_a_heartbeat_unanswered_counts_on_the_path_in_use_only() -> None:
    """R23: §8.1: on other paths it "SHOULD NOT increment the association error counter"."""
    bench = Bench()
    bench.ours.heartbeats.unanswered(bench.path(SECOND), bench.pair.now)
    assert (bench.path(SECOND).error_count, bench.ours.failure.error_count) == (1, 0)
    bench.ours.heartbeats.unanswered(bench.path(FIRST), bench.pair.now)
    assert (bench.path(FIRST).error_count, bench.ours.failure.error_count) == (1, 1)


def test_idle_paths_that_fail_do_not_end_the_association() -> None:
    """R23: §8.1: "even if the path that is currently used for data transfer is available (but idle)"."""
    bench = Bench(path_max_retrans=1, association_max_retrans=1)
    for _ in range(20):
        bench.ours.heartbeats.unanswered(bench.path(SECOND), bench.pair.now)
    assert bench.ours.state is AssociationState.ESTABLISHED
    assert bench.path(SECOND).is_inactive


def test_a_silent_peer_is_lost_after_association_max_retrans() -> None:
    """R23, G42, I02: §8.1: the first transmission and Association.Max.Retrans more, then CLOSED and told; what was not
    acknowledged comes back."""
    bench = Bench(path_max_retrans=2, association_max_retrans=4, addresses=1)
    bench.pair.drop = lambda flight: True
    before = bench.data_packets()
    bench.send(b"never acknowledged")
    bench.pair.run_until(lambda: bench.ours.state is AssociationState.CLOSED)
    assert bench.data_packets() - before == 1 + 4
    assert isinstance(bench.ours.ending, AssociationLost)
    events = bench.pair.events_of(bench.pair.a, bench.ours)
    assert [event for event in events if not isinstance(event, PeerAddressChange)] == [
        AssociationChange(AssociationChangeKind.COMM_LOST),
        SendFailed(b"never acknowledged", 0, 0, 0, unordered=False, was_sent=True, error=0),
    ]
    assert bench.changes() == [(FIRST, PeerAddressChangeKind.UNREACHABLE)]
    assert bench.pair.a.engine.next_deadline() is None


def test_a_silent_peer_of_two_addresses_is_lost_just_as_soon() -> None:
    """R23: the counter is of the association: a second address buys no more retransmissions."""
    bench = Bench(path_max_retrans=5, association_max_retrans=4)
    bench.pair.drop = lambda flight: True
    before = bench.data_packets()
    bench.send()
    bench.pair.run_until(lambda: bench.ours.state is AssociationState.CLOSED)
    assert bench.data_packets() - before == 1 + 4
    assert isinstance(bench.ours.ending, AssociationLost)


def test_no_retransmission_is_allowed_where_the_limit_is_zero() -> None:
    bench = Bench(association_max_retrans=0, addresses=1)
    bench.pair.drop = lambda flight: True
    bench.send()
    bench.pair.run_until(lambda: bench.ours.state is AssociationState.CLOSED, limit_s=5.0)
    assert isinstance(bench.ours.ending, AssociationLost)


def test_a_peer_that_answers_in_time_is_kept() -> None:
    """R23: the errors have to be consecutive."""
    bench = Bench(association_max_retrans=2)
    for _ in range(10):
        for _ in range(2):
            bench.t3_expires(bench.path(FIRST))
        bench.ours.failure.acknowledged(bench.path(FIRST))
    assert bench.ours.state is AssociationState.ESTABLISHED
    assert bench.ours.failure.error_count == 0


def test_what_fails_after_the_end_changes_nothing() -> None:
    bench = Bench(association_max_retrans=0)
    bench.t3_expires(bench.path(FIRST))
    ending = bench.ours.ending
    assert isinstance(ending, AssociationLost)
    bench.changes()
    bench.t3_expires(bench.path(FIRST))
    assert bench.ours.ending is ending
    assert bench.ours.state is AssociationState.CLOSED
    assert bench.ours.poll_events() == []
