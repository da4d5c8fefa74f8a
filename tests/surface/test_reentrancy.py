"""The program's own code inside the engine, and who drives the engine."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import aiosctp
from aiosctp.stack import Stack
from aiosctp.testing import Packet
from tests.surface.two_hosts import TwoHosts, associated
from tests.surface.virtual_time import virtual_time


@pytest.mark.parametrize("what", ["close the server", "abort the other", "close the stack", "send", "connect back"])
def test_admit_may_call_anything(what: str) -> None:
    """X13: the one function of the program that is called from within the engine may come back into it."""

    @virtual_time
    async def run() -> None:
        async with TwoHosts() as hosts:
            tasks: list[asyncio.Task[Any]] = []
            others: list[aiosctp.Association] = []

            def admit(peer: tuple[str, int]) -> bool:
                if not others:
                    return True
                match what:
                    case "close the server":
                        server.close()
                    case "abort the other":
                        others[0].abort()
                    case "close the stack":
                        hosts.server.close()
                    case "send":
                        others[0].send_nowait(b"from within")
                    case "connect back":
                        connecting = aiosctp.connect("192.0.2.1", 6000, stack=hosts.server, timeout=1)
                        tasks.append(asyncio.create_task(connecting))
                return True

            server = await hosts.serve(admit=admit)
            ours, theirs = await hosts.pair()
            others.append(theirs)
            second = await asyncio.gather(hosts.connect(timeout=5), return_exceptions=True)
            match what:
                case "close the server" | "close the stack":
                    assert isinstance(second[0], aiosctp.SCTPError)
                case _:
                    assert isinstance(second[0], aiosctp.Association)
            if what in ("abort the other", "close the stack"):
                with pytest.raises(aiosctp.AssociationAborted):
                    await ours.receive()
            if what == "send":
                assert (await ours.receive()).data == b"from within"
            await asyncio.gather(*tasks, return_exceptions=True)
            server.close()
            server.abort_clients()
            await server.wait_closed()
            assert hosts.server._timer is None or not hosts.server.is_closed

    run()


def test_the_stack_drives_every_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """X56: whenever the engine has a deadline, the loop has a timer for it, no later."""
    flushes = 0
    flush = Stack.flush

    def checked(stack: Stack, now: float) -> None:
        nonlocal flushes
        flush(stack, now)
        flushes += 1
        assert stack._engine is not None
        deadline = stack._engine.next_deadline()
        if deadline is not None:
            assert stack._timer is not None
            assert not stack._timer.cancelled()
            assert stack._timer_at <= deadline

    monkeypatch.setattr(Stack, "flush", checked)

    @virtual_time
    async def run() -> None:
        async with associated() as (hosts, ours, theirs):
            seen: set[bytes] = set()
            chance = random.Random(1)

            def first_copy(packet: Packet) -> bool:
                is_first = packet.data not in seen
                seen.add(packet.data)
                return is_first and chance.random() < 0.5

            hosts.drop = first_copy
            for number in range(20):
                await ours.send(b"%d" % number)
            # From here on nobody calls: what is lost is sent again by timers alone.
            assert [(await theirs.receive()).data for _ in range(20)] == [b"%d" % number for number in range(20)]
            assert ours.statistics().rtxchunks
            await ours.shutdown()

    run()
    assert flushes
