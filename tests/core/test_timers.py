"""The table of deadlines."""

from __future__ import annotations

from aiosctp.core.timers import Timer, Timers


def test_nothing_runs_at_first() -> None:
    timers = Timers()
    assert timers.next_deadline() is None
    assert timers.pop_expired(1e9) is None
    assert not timers.is_running(Timer.T1_INIT)
    assert timers.deadline(Timer.T1_INIT) is None


def test_a_timer_expires_at_its_deadline_and_not_before() -> None:
    timers = Timers()
    timers.start(Timer.T1_INIT, 10.0)
    assert timers.is_running(Timer.T1_INIT)
    assert timers.deadline(Timer.T1_INIT) == 10.0
    assert timers.pop_expired(9.999) is None
    assert timers.pop_expired(10.0) is Timer.T1_INIT
    assert not timers.is_running(Timer.T1_INIT)
    assert timers.pop_expired(11.0) is None


def test_starting_a_running_timer_sets_it_anew() -> None:
    timers = Timers()
    timers.start(Timer.SACK_DELAY, 10.0)
    timers.start(Timer.SACK_DELAY, 20.0)
    assert timers.pop_expired(15.0) is None
    assert timers.next_deadline() == 20.0


def test_the_timers_of_two_paths_are_two_timers() -> None:
    one, other = "a path", "another path"
    timers = Timers()
    timers.start((Timer.T3_RTX, one), 1.0)
    timers.start((Timer.T3_RTX, other), 2.0)
    timers.start((Timer.HEARTBEAT, one), 3.0)
    timers.stop((Timer.T3_RTX, one))
    assert timers.pop_expired(9.0) == (Timer.T3_RTX, other)
    assert timers.pop_expired(9.0) == (Timer.HEARTBEAT, one)


def test_expired_timers_come_in_the_order_of_their_deadlines() -> None:
    timers = Timers()
    for deadline, timer in ((3.0, Timer.T2_SHUTDOWN), (1.0, Timer.T1_COOKIE), (2.0, Timer.SACK_DELAY)):
        timers.start(timer, deadline)
    assert timers.next_deadline() == 1.0
    popped = [timers.pop_expired(2.5) for _ in range(3)]
    assert popped == [Timer.T1_COOKIE, Timer.SACK_DELAY, None]
    assert timers.next_deadline() == 3.0


def test_a_timer_set_or_stopped_while_another_is_handled_counts() -> None:
    """Each is handled before the next is looked for."""
    timers = Timers()
    timers.start(Timer.T1_INIT, 1.0)
    timers.start(Timer.T1_COOKIE, 2.0)
    assert timers.pop_expired(5.0) is Timer.T1_INIT
    timers.stop(Timer.T1_COOKIE)
    timers.start(Timer.T5_SHUTDOWN_GUARD, 4.0)
    assert timers.pop_expired(5.0) is Timer.T5_SHUTDOWN_GUARD
    assert timers.pop_expired(5.0) is None


def test_stopping_what_does_not_run_does_nothing() -> None:
    timers = Timers()
    timers.start(Timer.T1_INIT, 1.0)
    timers.stop(Timer.T2_SHUTDOWN)
    assert timers.is_running(Timer.T1_INIT)


def test_all_timers_stop_at_the_end() -> None:
    timers = Timers()
    timers.start(Timer.T1_INIT, 1.0)
    timers.start((Timer.HEARTBEAT, "a path"), 2.0)
    timers.stop_all()
    assert timers.next_deadline() is None
