"""Autoclose (RFC 6458 §8.1.8): what counts as idle, when it ends, and how."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.core.timers import Timer
from aiosctp.events import AssociationChange, AssociationChangeKind, ShutdownEvent
from aiosctp.exceptions import AssociationShutdown
from aiosctp.wire.chunks import CookieAck, CookieEcho, Shutdown
from tests.core.laws import check_association
from tests.core.pair import Host, Pair
from tests.core.transcript import Bench, Peer, reborn

NEVER_BEATS = Config(heartbeat=False)


class Idle:
    """An association of host `a`, which closes it after 10 s without user data, with host `z`, which never does."""

    def __init__(self, config: Config | None = None) -> None:
        self.pair = Pair(config_a=config or Config(autoclose_s=10), config_z=NEVER_BEATS)
        self.ours, self.theirs = self.pair.established()
        # The COOKIE ACK has just come.
        self.came_up_at_s = self.pair.now

    def say(self, host: Host, association: AssociationEngine, size: int = 5) -> None:
        association.send(OutgoingMessage(bytes(size), 0))
        host.engine.touch(association)
        self.pair.flush()

    def configure(self, autoclose_s: float | None) -> None:
        self.ours.configure(self.ours.config.replace(autoclose_s=autoclose_s), self.pair.now)
        self.pair.a.engine.touch(self.ours)

    def shutdown_sent_at_s(self) -> float | None:
        return next((f.at for f in self.pair.log if f.sender is self.pair.a and f.chunk_type == Shutdown.type), None)

    def closes_at_s(self, limit_s: float = 100) -> float:
        self.pair.run_until(lambda: self.shutdown_sent_at_s() is not None, limit_s=limit_s)
        at_s = self.shutdown_sent_at_s()
        assert at_s is not None
        return at_s


def test_an_association_that_carries_nothing_is_shut_down_gracefully() -> None:
    """B08, A49: from COMM_UP on; the end is as that of our own shutdown, and the peer's as of any other."""
    idle = Idle()
    assert idle.closes_at_s() - idle.came_up_at_s == pytest.approx(10)
    idle.pair.run_for(1)
    for host, association in ((idle.pair.a, idle.ours), (idle.pair.z, idle.theirs)):
        assert isinstance(association.ending, AssociationShutdown)
        changes = [event.change for event in host.events[association] if isinstance(event, AssociationChange)]
        assert changes == [AssociationChangeKind.COMM_UP, AssociationChangeKind.SHUTDOWN_COMP]
    assert any(isinstance(event, ShutdownEvent) for event in idle.pair.z.events[idle.theirs])


def test_without_autoclose_it_lives() -> None:
    idle = Idle(Config())
    idle.pair.run_for(100_000)
    assert idle.ours.state is AssociationState.ESTABLISHED


def test_heartbeats_are_no_user_data() -> None:
    """B08: "an association that has NOT sent or received user data"."""
    idle = Idle(Config(autoclose_s=10, hb_interval_s=0.1, rto_min_s=0.1, rto_initial_s=0.1))
    assert idle.closes_at_s() - idle.came_up_at_s == pytest.approx(10)


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize("size", [5, 200_000])
def test_user_data_of_either_side_puts_it_off(is_ours: bool, size: int) -> None:
    """B08: "sent or received", one message or a run of many packets."""
    idle = Idle()
    pair = idle.pair
    for _ in range(5):
        pair.run_for(7)
        if is_ours:
            idle.say(pair.a, idle.ours, size)
        else:
            idle.say(pair.z, idle.theirs, size)
    pair.run_for(2)
    assert idle.shutdown_sent_at_s() is None
    # The last of the data is there within a second, and nothing has to wait for the timer's second look.
    since = max(idle.ours.receiver.last_data_at_s, idle.ours.paths.primary.last_data_sent_at_s)
    assert pair.now - 2 <= since < pair.now
    assert idle.closes_at_s() == pytest.approx(since + 10)


def test_there_is_no_timer_for_each_message() -> None:
    """The deadline stands, whatever comes and goes before it."""
    idle = Idle()
    deadline = idle.ours.timers.deadline(Timer.AUTOCLOSE)
    for _ in range(9):
        idle.pair.run_for(1)
        idle.say(idle.pair.a, idle.ours)
        idle.say(idle.pair.z, idle.theirs)
        assert idle.ours.timers.deadline(Timer.AUTOCLOSE) == deadline


def test_what_waits_to_be_delivered_puts_it_off() -> None:
    """A peer that is away for a while loses nothing by it, and data is not raced by a shutdown."""
    idle = Idle()
    pair = idle.pair
    pair.run_for(9)
    pair.drop = lambda flight: True
    idle.say(pair.a, idle.ours)
    pair.run_for(2)
    assert idle.ours.timers.deadline(Timer.AUTOCLOSE) == pytest.approx(idle.came_up_at_s + 20)
    pair.run_for(18)
    assert idle.ours.state is AssociationState.ESTABLISHED
    pair.drop = lambda flight: False
    pair.run_until(lambda: idle.ours.sender.is_drained)
    drained_at_s = pair.now
    assert drained_at_s < idle.closes_at_s() <= drained_at_s + 10


def test_what_was_received_stays_readable() -> None:
    idle = Idle()
    idle.say(idle.pair.z, idle.theirs)
    idle.closes_at_s()
    idle.pair.run_for(1)
    message = idle.ours.receiver.read()
    assert message is not None
    assert message.data == bytes(5)


@pytest.mark.parametrize(("autoclose_s", "closes_at_s"), [(30, 30), (5, 8), (20, 20)])
def test_another_time_holds_from_the_last_user_data(autoclose_s: float, closes_at_s: float) -> None:
    """B08: changed in the life of an association; what is due already is done at once."""
    idle = Idle()
    idle.pair.run_for(8)
    idle.configure(autoclose_s)
    assert idle.closes_at_s() - idle.came_up_at_s == pytest.approx(closes_at_s)


def test_it_can_be_switched_on_and_off_in_life() -> None:
    idle = Idle()
    idle.configure(None)
    check_association(idle.ours)
    idle.pair.run_for(1000)
    assert idle.ours.state is AssociationState.ESTABLISHED
    # It has been idle for longer than that.
    idle.configure(10)
    idle.pair.run_for(0.1)
    assert isinstance(idle.ours.ending, AssociationShutdown)


def test_each_end_closes_by_its_own_time() -> None:
    """B08: it holds for associations that peers open, too."""
    pair = Pair(config_z=Config(autoclose_s=3))
    ours, theirs = pair.established()
    began_s = pair.now
    pair.run_until(lambda: ours.state is theirs.state is AssociationState.CLOSED)
    assert pair.now - began_s == pytest.approx(3, abs=0.1)
    assert isinstance(ours.ending, AssociationShutdown)


def test_a_shutdown_of_the_user_is_not_disturbed() -> None:
    idle = Idle()
    pair = idle.pair
    idle.pair.run_for(9.9)
    pair.drop = lambda flight: True
    idle.ours.shutdown(pair.now)
    pair.a.engine.touch(idle.ours)
    pair.flush()
    check_association(idle.ours)
    pair.run_for(20)
    idle.configure(5)
    check_association(idle.ours)
    pair.drop = lambda flight: False
    pair.run_until(lambda: idle.ours.state is AssociationState.CLOSED)
    assert isinstance(idle.ours.ending, AssociationShutdown)


def test_it_is_changed_before_the_association_is_up() -> None:
    """B08: and counts from COMM_UP on."""
    pair = Pair(config_a=Config(), config_z=NEVER_BEATS)
    pair.listen()
    ours = pair.connect()
    ours.configure(ours.config.replace(autoclose_s=10), pair.now)
    check_association(ours)
    pair.run_until(lambda: ours.state is AssociationState.ESTABLISHED)
    check_association(ours)
    began_s = pair.now
    pair.run_until(lambda: ours.state is AssociationState.CLOSED)
    assert pair.now - began_s == pytest.approx(10, abs=0.1)


def test_it_holds_from_a_restart_of_the_peer_on() -> None:
    """§5.2.4 A: the association is up anew."""
    bench = Bench(autoclose_s=10)
    peer = Peer(bench)
    association = peer.associate()
    bench.advance(7)
    risen = reborn(peer)
    # Z -> INIT -> A, A -> INIT ACK -> Z, Z -> COOKIE ECHO -> A
    risen.send(CookieEcho(risen.get_cookie()))
    # A -> COOKIE ACK -> Z
    risen.expect(CookieAck)
    check_association(association)
    bench.advance(9.9)
    bench.expect_nothing()
    bench.advance(0.2)
    # A -> SHUTDOWN -> Z
    risen.expect(Shutdown)
