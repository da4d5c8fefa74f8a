"""The running loop's default stacks, for whoever names none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from weakref import WeakKeyDictionary

from aiosctp.arguments import check_port
from aiosctp.network import Network, current_network
from aiosctp.stack import Stack

_DefaultKey = tuple[Network, int]
_defaults: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_DefaultKey, tuple[Stack, AsyncGenerator[None, None]]]]
_defaults = WeakKeyDictionary()


def default_stack(udp_port: int) -> Stack:
    """The running loop's stack on this UDP port, made when it is first asked for; 0 is one ephemeral port a loop.

    It lives until the loop shuts down its asynchronous generators, which asyncio.run, Runner, uvloop.run and
    pytest-asyncio do before they close the loop.
    """
    check_port("udp_port", udp_port)
    loop = asyncio.get_running_loop()
    network = current_network.get()
    found = _defaults.get(loop, {}).get((network, udp_port))
    if found is not None:
        if not found[0].is_closed:
            return found[0]
        _forget_default(found[0], loop)
    stack = Stack(udp_port=udp_port, network=network)
    stack.open()
    closer = _until_the_loop_ends(stack, loop)
    # Its first step registers it with the loop; it awaits nothing on the way.
    with suppress(StopIteration):
        closer.asend(None).send(None)
    stacks = _defaults.setdefault(loop, {})
    stacks[network, udp_port] = stacks[network, stack.udp_port] = (stack, closer)
    return stack


def _forget_default(stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
    """This one alone: another may have taken its place since it was closed."""
    others = {key: kept for key, kept in _defaults.get(loop, {}).items() if kept[0] is not stack}
    if others:
        _defaults[loop] = others
    else:
        _defaults.pop(loop, None)


async def _until_the_loop_ends(stack: Stack, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        # The stack knows its loop: left in there, it would keep the loop alive for ever.
        _forget_default(stack, loop)
        await stack.__aexit__(None, None, None)


def choose_stack(stack: Stack | None, udp_port: int, default_udp_port: int) -> Stack:
    """The stack that a call named, or the default one for its UDP port. Raises ValueError when it named both."""
    check_stack(stack, udp_port, default_udp_port)
    if stack is None:
        return default_stack(udp_port)
    stack.open()
    return stack


def check_stack(stack: Stack | None, udp_port: int, default_udp_port: int) -> None:
    """Before anything has changed: whether `choose_stack` can do."""
    check_port("udp_port", udp_port)
    if stack is None:
        return
    if not isinstance(stack, Stack):
        raise TypeError(f"stack must be a Stack, not {type(stack).__name__}")
    if udp_port != default_udp_port:
        raise ValueError("udp_port is the stack's own: leave it out when stack is given")
