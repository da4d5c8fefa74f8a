"""What an association asks its peer for about streams (RFC 6525), and the wait for the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiosctp.arguments import check_int, check_range
from aiosctp.core.reconfig import Outcome, Request
from aiosctp.exceptions import InvalidStream, NotSupported, RequestDenied
from aiosctp.lifetime import Lifetime

MAX_STREAMS = 65535


async def reset(life: Lifetime, outgoing: Iterable[int], incoming: Iterable[int]) -> None:
    await _wait_for(life, begin_reset(life, outgoing, incoming))


async def reset_all(life: Lifetime) -> None:
    await _wait_for(life, begin_reset_all(life))


async def add(life: Lifetime, outgoing: int, incoming: int) -> None:
    await _wait_for(life, begin_add(life, outgoing, incoming))


def begin_reset(life: Lifetime, outgoing: Iterable[int], incoming: Iterable[int]) -> list[Request]:
    """`reset` without waiting, as are the two that follow: an event tells what comes of it."""
    engine = life.engine
    ours = _checked("outgoing", outgoing, engine.tcb.outbound_streams)
    theirs = _checked("incoming", incoming, engine.tcb.inbound_streams)
    if not ours and not theirs:
        raise ValueError("outgoing or incoming must name a stream")
    _check_may_request(life)
    requests = [engine.reset_outgoing(ours)] if ours else []
    if theirs:
        requests.append(engine.reset_incoming(theirs))
    life.touch()
    return requests


def begin_reset_all(life: Lifetime) -> list[Request]:
    _check_may_request(life)
    request = life.engine.reset_association()
    life.touch()
    return [request]


def begin_add(life: Lifetime, outgoing: int, incoming: int) -> list[Request]:
    engine = life.engine
    to_come = 0 if engine.reconfig is None else engine.reconfig.outgoing_to_come
    check_range("outgoing", outgoing, 0, MAX_STREAMS - engine.tcb.outbound_streams - to_come)
    check_range("incoming", incoming, 0, max(0, engine.config.max_inbound_streams - engine.tcb.inbound_streams))
    if not outgoing and not incoming:
        raise ValueError("outgoing or incoming must be positive")
    _check_may_request(life)
    requests = [engine.add_outgoing_streams(outgoing)] if outgoing else []
    if incoming:
        requests.append(engine.add_incoming_streams(incoming))
    life.touch()
    return requests


def _checked(name: str, numbers: Iterable[int], count: int) -> tuple[int, ...]:
    given: object = numbers
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | bytearray | memoryview):
        raise TypeError(f"{name} must be several numbers, not {type(numbers).__name__}")
    found = tuple(dict.fromkeys(numbers))
    for number in found:
        check_int(name, number)
        if not 0 <= number < count:
            raise InvalidStream(f"{name} must be between 0 and {count - 1}, not {number}")
    return found


def _check_may_request(life: Lifetime) -> None:
    life.check_established()
    if not life.engine.supports_reconfig:
        raise NotSupported("not both sides support RE-CONFIG (RFC 6525)")


async def _wait_for(life: Lifetime, requests: Sequence[Request]) -> None:
    while any(request.outcome is None for request in requests):
        if life.engine.ending is not None:
            raise life.ending_error()
        await life.changes.wait()
    if any(request.outcome is Outcome.DENIED for request in requests):
        raise RequestDenied("the peer has denied the request")
    if any(request.outcome is Outcome.FAILED for request in requests):
        if life.engine.ending is not None:
            raise life.ending_error()
        raise RequestDenied(
            "the request came to nothing: the peer found a fault in it, did not do what it said, or has restarted"
        )
