"""A stream scheduler of a program's own (RFC 8260 §3): which stream's message goes next.

Where only the order of streams is new, it is `StreamByStream` with turns of one's own. This one sends the streams with
the greatest numbers first:

    import aiosctp
    from aiosctp import schedulers

    class LastFirst:
        def __init__(self): self.streams = set()
        def join(self, stream): self.streams.add(stream)
        def rejoin(self, stream): pass
        def first(self): return max(self.streams)
        def over(self, stream, sent_bytes, *, has_more):
            if not has_more:
                self.streams.discard(stream)

    schedulers.register("last_first", lambda values: schedulers.StreamByStream(values, LastFirst()))
    config = aiosctp.Config(scheduler="last_first")

`StreamValues` are what `configure_stream` was told. Anything else is a `Scheduler` as a whole: its messages are tuples
that begin with the data and the stream's number. It is called while packets are made: it may not wait, and what it
raises ends the association, and goes to the loop's exception handler.
"""

from __future__ import annotations

from collections.abc import Callable

from aiosctp import config
from aiosctp.arguments import check_callable
from aiosctp.core.tx.schedulers import SCHEDULERS, Scheduler, StreamByStream, StreamValues
from aiosctp.core.tx.turns import Turns

__all__ = ["Scheduler", "StreamByStream", "StreamValues", "Turns", "register"]


def register(name: str, make: Callable[[StreamValues], Scheduler]) -> None:
    """From now on `Config.scheduler` takes this name, in this process.

    make: called with the values of an association's streams once it has something to send, and whenever what waits is
    arranged anew. What it raises comes out of the `send` or `configure` that needed it.

    Raises TypeError, and ValueError for a name that is taken.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    check_callable("make", make)
    if name in SCHEDULERS:
        raise ValueError(f"name must be a new one: there is a scheduler {name!r}")
    SCHEDULERS[name] = make
    config.SCHEDULERS.add(name)
