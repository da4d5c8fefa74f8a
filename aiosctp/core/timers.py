"""Named timers of one association: a table of deadlines. Setting one stores a number; nothing is scheduled."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum, auto
from typing import TYPE_CHECKING, Final


class Timer(Enum):
    """The timers of RFCs 9260, 8899, 6525 and 6458. Those of a path are keyed by (Timer, Path) in the table."""

    T1_INIT = auto()
    """§5.1 A: INIT unanswered."""
    T1_COOKIE = auto()
    """§5.1 C: COOKIE ECHO unanswered."""
    T2_SHUTDOWN = auto()
    """§9.2: SHUTDOWN or SHUTDOWN ACK unanswered."""
    T5_SHUTDOWN_GUARD = auto()
    """§9.2: bounds the whole shutdown."""
    T3_RTX = auto()
    """§6.3.2: DATA unacknowledged on a path."""
    HEARTBEAT = auto()
    """§8.3: a path is due for a HEARTBEAT."""
    HEARTBEAT_ACK = auto()
    """§8.3: a HEARTBEAT is unanswered."""
    SACK_DELAY = auto()
    """§6.2: a DATA chunk is unacknowledged."""
    ZERO_WINDOW_PROBE = auto()
    """§6.1 A: the peer's window is closed."""
    LIFETIME = auto()
    """RFC 3758 §4.1: a message that waits is over. It needs none of its own, but where nothing else happens who sent it
    would not hear of it."""
    AUTOCLOSE = auto()
    """RFC 6458 §8.1.8: there may have been no user data for long."""
    PATH_MTU_PROBE = auto()
    """RFC 8899 §5.1.1, PROBE_TIMER: a probe of the path MTU is unanswered."""

    RECONFIG = auto()
    """RFC 6525 §5.1.1: a RE-CONFIG chunk with requests is unanswered."""
    SSN_TSN_RESET = auto()
    """RFC 6525 §5.1.4: 30 seconds after one SSN/TSN Reset Request, the next one may go."""
    CROSSED = auto()
    """RFC 6525: our request crossed one of the peer's, and is asked again after it."""
    PROMISE = auto()
    """RFC 6525: the peer has performed a request that its own one was to show, and has not sent that."""

    # A member is equal to itself alone, and timers are set for every packet: the hash of its name would cost more.
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...

    else:
        __hash__ = object.__hash__


# What is asked for each packet: before Python 3.12 it takes 100 ns to find a member in its enumeration.
T3_RTX: Final = Timer.T3_RTX
SACK_DELAY: Final = Timer.SACK_DELAY

TimerKey = Hashable


class Timers:
    """The deadlines that are set, by timer. At most a handful, so the earliest is found by looking at all."""

    __slots__ = ("_deadlines",)

    def __init__(self) -> None:
        self._deadlines: dict[TimerKey, float] = {}

    def start(self, key: TimerKey, deadline: float) -> None:
        """Set the timer, anew if it runs already."""
        self._deadlines[key] = deadline

    def start_unless_running(self, key: TimerKey, deadline: float) -> None:
        self._deadlines.setdefault(key, deadline)

    def stop(self, key: TimerKey) -> None:
        self._deadlines.pop(key, None)

    def stop_all(self) -> None:
        self._deadlines.clear()

    def is_running(self, key: TimerKey) -> bool:
        return key in self._deadlines

    def deadline(self, key: TimerKey) -> float | None:
        return self._deadlines.get(key)

    def next_deadline(self) -> float | None:
        return min(self._deadlines.values(), default=None)

    def pop_expired(self, now: float) -> TimerKey | None:
        """Remove and return the timer that expired first, so that each is handled before the next is looked for."""
        key = min(self._deadlines, key=self._deadlines.__getitem__, default=None)
        if key is None or self._deadlines[key] > now:
            return None
        del self._deadlines[key]
        return key
