"""How much work the engine does, counted in bytecode instructions: a measure that no load disturbs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from aiosctp.core import addresses, cookie
from aiosctp.wire.packet import encode_packet
from tests.core.scripted import A_PORT, UDP_PORT, Z_PORT, Encodable, Peer

# Debuggers, coverage and profilers have the numbers that are named; this one is free.
_TOOL = 4
_CACHES = (
    addresses.canonical_host,
    addresses.is_unicast,
    addresses.parse_host,
    addresses._scope_rank,
    cookie._pack_host,
    cookie._unpack_host,
)


def instructions(work: Callable[[], object]) -> int:
    """How many bytecode instructions this executes, our own and those of what is called. What C does in one of them,
    such as copying a list or sorting one, counts as one. The caches are empty, as for who was never seen: what ran
    before is no part of the count."""
    empty_caches()
    count = executed(work)
    assert count, "nothing was counted"
    return count


def empty_caches() -> None:
    for cache in _CACHES:
        cache.cache_clear()


if sys.version_info >= (3, 12):

    def executed(work: Callable[[], object]) -> int:
        """How many instructions this executes, with the caches as they are."""
        count = 0

        def executed(code: CodeType, offset: int) -> None:
            nonlocal count
            count += 1

        monitoring, event = sys.monitoring, sys.monitoring.events.INSTRUCTION
        monitoring.use_tool_id(_TOOL, __name__)
        monitoring.register_callback(_TOOL, event, executed)
        monitoring.set_events(_TOOL, event)
        try:
            work()
        finally:
            monitoring.set_events(_TOOL, 0)
            monitoring.register_callback(_TOOL, event, None)
            monitoring.free_tool_id(_TOOL)
        return count

else:

    def executed(work: Callable[[], object]) -> int:
        """How many instructions this executes, with the caches as they are."""
        count = 0

        def trace(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
            nonlocal count
            frame.f_trace_lines = False
            frame.f_trace_opcodes = True
            count += event == "opcode"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            work()
        finally:
            sys.settrace(before)
        return count


def take(peer: Peer, *chunks: Encodable, tag: int | None = None) -> Callable[[], None]:
    """Z's engine takes one packet with these chunks and says all it has to: what `instructions` is to count."""
    packet = encode_packet(A_PORT, Z_PORT, peer.z_tag if tag is None else tag, [chunk.encode() for chunk in chunks])

    def work() -> None:
        peer.engine.receive(packet, peer.addresses[0], UDP_PORT, peer.z_addresses[0], peer.now)
        flush(peer)

    return work


def flush(peer: Peer) -> None:
    peer.engine.poll_datagrams(peer.now)
    for association in peer.engine.poll_changed():
        association.poll_events()


def assert_linear(cost: Callable[[int], int], size: int, *, slack: float = 1.25) -> None:
    """Four times the size costs four times as much at most; what is quadratic costs sixteen times as much."""
    small, large = cost(size), cost(4 * size)
    assert large <= 4 * slack * small, f"{size}: {small} instructions, {4 * size}: {large}"


def assert_constant(cost: Callable[[int], int], size: int, *, slack: float = 1.25) -> None:
    """What is four times as large costs no more."""
    small, large = cost(size), cost(4 * size)
    assert large <= slack * small, f"{size}: {small} instructions, {4 * size}: {large}"
