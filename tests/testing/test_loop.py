"""Virtual time: it jumps, it is the same in every run, and it never waits for the world."""

from __future__ import annotations

import asyncio
import itertools
import math
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest

import aiosctp
from aiosctp.testing import Network
from aiosctp.testing.loop import MAX_CANCELLATIONS, REFUSED, Deadlock, VirtualTimeLoop, run
from tests.tools.command import python

DAY_S = 24 * 3600.0


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_virtual_time_begins_at_zero_and_a_day_passes_at_once() -> None:
    async def sleep_a_day() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(DAY_S)
        return began, loop.time()

    began_s = time.process_time()
    assert run(sleep_a_day(), limit_s=None) == (0.0, DAY_S)
    assert time.process_time() - began_s < 1


def test_what_is_due_runs_in_the_order_of_its_time_and_then_of_its_making() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        ran: list[tuple[str, float]] = []

        def note(name: str) -> None:
            ran.append((name, loop.time()))

        for name, delay_s in (("b", 2.0), ("c", 2.0), ("d", 3 * DAY_S), ("a", 0.5)):
            loop.call_later(delay_s, note, name)
        await asyncio.sleep(4 * DAY_S)
        return ran

    assert run(main(), limit_s=None) == [("a", 0.5), ("b", 2.0), ("c", 2.0), ("d", 3 * DAY_S)]


def test_timeouts_are_virtual_too() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await for_ever()
        return asyncio.get_running_loop().time()

    assert run(main()) == 3600.0


def test_asyncio_run_takes_the_loop() -> None:
    async def main() -> float:
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(main()) == 5.0
        assert runner.run(main()) == 10.0
    if sys.version_info >= (3, 12):
        assert asyncio.run(main(), loop_factory=VirtualTimeLoop) == 5.0


def test_a_loop_in_debug_mode_runs_the_same() -> None:
    async def main() -> float:
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert run(main(), debug=True) == 5.0


# -- deadlocks --


def test_a_deadlock_names_the_tasks_that_wait_and_where() -> None:
    async def main() -> None:
        waiting = asyncio.create_task(for_ever(), name="the one that waits")
        await waiting

    with pytest.raises(Deadlock) as caught:
        run(main())
    lines = str(caught.value).splitlines()
    assert lines[0] == "nothing is ready, and no timer is set. Waiting:"
    assert lines[1].startswith("  Task-")
    assert lines[2].startswith(f"    {__file__}:")
    assert lines[2].endswith(".main")
    named = lines.index("  the one that waits")
    assert lines[named + 1].endswith(" in for_ever")
    assert lines[named + 2].endswith(" in Event.wait")


def test_a_deadlock_without_a_task_says_so() -> None:
    loop = VirtualTimeLoop()
    with pytest.raises(Deadlock, match="no task waits"):
        loop.run_until_complete(loop.create_future())
    loop.close()


def test_a_deadlock_of_very_many_tasks_names_some_of_them() -> None:
    async def main() -> None:
        await asyncio.gather(*(for_ever() for _ in range(1000)))

    with pytest.raises(Deadlock, match="and 981 more") as caught:
        run(main())
    assert len(str(caught.value).splitlines()) < 100


class Waits:
    """How a program may go on waiting when it is cleaned up after a deadlock."""

    @staticmethod
    async def in_finally() -> None:
        try:
            await for_ever()
        finally:
            await asyncio.create_task(for_ever(), name="the second deadlock")

    @staticmethod
    async def in_nested_finally() -> None:
        try:
            await Waits.in_finally()
        finally:
            await for_ever()

    @staticmethod
    async def in_a_generator() -> None:
        async def generate() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await for_ever()

        numbers = generate()
        kept.append(numbers)
        async for _ in numbers:
            await for_ever()

    @staticmethod
    async def whatever_happens() -> None:
        while True:
            try:
                await for_ever()
            except asyncio.CancelledError:
                cancelled.append(1)


kept: list[object] = []
cancelled: list[int] = []


@pytest.mark.parametrize("main", [Waits.in_finally, Waits.in_nested_finally, Waits.in_a_generator])
def test_the_first_deadlock_is_the_one_reported(main: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        run(main())
    assert "for_ever" in str(caught.value)
    assert "second" not in str(caught.value)
    assert caught.value.__context__ is None
    kept.clear()


def test_a_task_that_can_not_be_cleaned_up_does_not_hide_the_deadlock() -> None:
    cancelled.clear()
    with pytest.raises(Deadlock, match="whatever_happens"):
        run(Waits.whatever_happens())
    assert len(cancelled) == MAX_CANCELLATIONS + 1
    cancelled.clear()


def test_cleaning_up_runs_to_its_end_after_a_deadlock() -> None:
    cleaned: list[str] = []

    async def main() -> None:
        try:
            await for_ever()
        finally:
            try:
                await for_ever()
            finally:
                await asyncio.sleep(1)
                cleaned.append("main")

    with pytest.raises(Deadlock):
        run(main())
    assert cleaned == ["main"]


def test_a_deadlock_while_cleaning_up_what_went_well_is_reported() -> None:
    async def wait_when_cancelled() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            await for_ever()

    async def main() -> None:
        background.append(asyncio.create_task(wait_when_cancelled(), name="background"))
        await asyncio.sleep(1)

    background: list[asyncio.Task[None]] = []
    with pytest.raises(Deadlock, match="background"):
        run(main())


def test_a_second_run_on_the_loop_reports_its_own_deadlock() -> None:
    async def first() -> None:
        await for_ever()

    async def second() -> None:
        await for_ever()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        with pytest.raises(Deadlock, match="first"):
            runner.run(first())
        with pytest.raises(Deadlock, match="second"):
            runner.run(second())


def test_a_program_whose_timers_never_end_meets_the_limit() -> None:
    async def tick() -> None:
        for _ in itertools.count():
            await asyncio.sleep(30)

    with pytest.raises(
        Deadlock, match=r"^virtual time has passed its limit of 3600 s \(limit_s\)\. Waiting:(?s:.*)\.tick\n"
    ):
        run(tick(), limit_s=3600)


async def tick_until(end_s: float) -> float:
    loop = asyncio.get_running_loop()
    for _ in range(round(end_s / 30)):
        await asyncio.sleep(30)
    return loop.time()


def test_a_run_has_a_limit_of_an_hour_unless_told_otherwise() -> None:
    with pytest.raises(Deadlock, match=r"passed its limit of 3600 s(?s:.*) in tick_until"):
        run(tick_until(DAY_S))
    assert run(tick_until(3600.0)) == 3600.0


@pytest.mark.parametrize("limit_s", [None, math.inf, DAY_S])
def test_the_limit_of_a_run_can_be_lifted(limit_s: float | None) -> None:
    assert run(tick_until(DAY_S), limit_s=limit_s) == DAY_S


def test_an_open_association_does_not_keep_a_forgotten_receive_running_for_ever() -> None:
    async def nothing(association: aiosctp.Association) -> None:
        await association.wait_closed()

    async def main() -> None:
        network = Network(seed=1)
        with network.host("server"):
            await aiosctp.serve(nothing, None, 7777)
        with network.host("client"):
            await (await aiosctp.connect("server", 7777)).receive()

    with pytest.raises(Deadlock, match=r"passed its limit of 3600 s(?s:.*) in Association\.receive"):
        run(main())


def test_cleaning_up_after_the_limit_may_take_time() -> None:
    ended: list[float] = []

    async def tick() -> None:
        try:
            await asyncio.sleep(4000)
        finally:
            await asyncio.sleep(3000)
            ended.append(asyncio.get_running_loop().time())

    with pytest.raises(Deadlock):
        run(tick(), limit_s=3600)
    assert ended == [7000.0]


@pytest.mark.parametrize("limit_s", [0, -1, math.nan])
def test_a_limit_that_is_no_span_of_time_is_a_value_error(limit_s: float) -> None:
    with pytest.raises(ValueError, match="limit_s"):
        VirtualTimeLoop(limit_s=limit_s)


@pytest.mark.parametrize("limit_s", ["1", None, True])
def test_a_limit_that_is_no_number_is_a_type_error(limit_s: Any) -> None:
    with pytest.raises(TypeError, match="limit_s"):
        VirtualTimeLoop(limit_s=limit_s)


# -- threads, and what else lives in real time --


def test_a_callback_from_another_thread_runs() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        called = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(called.set_result, "called"))
        thread.start()
        thread.join()
        return str(await called)

    assert run(main()) == "called"


def test_what_wakes_the_loop_from_other_threads_does_not_pile_up(caplog: pytest.LogCaptureFixture) -> None:
    """The pipe behind call_soon_threadsafe takes some hundred bytes; in debug mode asyncio tells when it is full."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        called: list[int] = []
        for turn in range(50):
            for _ in range(50):
                loop.call_soon_threadsafe(called.append, turn)
            await asyncio.sleep(1)
        return len(called)

    with caplog.at_level("DEBUG", "asyncio"):
        assert run(main(), debug=True) == 2500
    assert "null byte" not in caplog.text


async def test_an_interrupt_ends_a_run(tmp_path: Any) -> None:
    """asyncio.Runner cancels the main task at SIGINT, through call_soon_threadsafe."""
    program = """
import asyncio, signal, sys
from aiosctp.testing.loop import run
signal.signal(signal.SIGINT, signal.default_int_handler)
async def main():
    try:
        for _ in range(10 ** 9):
            await asyncio.sleep(1)
            signal.raise_signal(signal.SIGINT)
    finally:
        print("cleaned up", flush=True)
run(main())
"""
    async with python("-c", program) as command:
        outcome = await command.outcome()
    assert outcome.output == "cleaned up\n"
    assert outcome.errors.endswith("KeyboardInterrupt\n")


SUPPORTED_BY_NATURE = {
    *("call_at", "call_exception_handler", "call_later", "call_soon", "call_soon_threadsafe", "close"),
    *("create_future", "create_task", "default_exception_handler", "get_debug", "get_exception_handler"),
    *("get_task_factory", "is_closed", "is_running", "run_forever", "run_until_complete", "set_debug"),
    *("set_exception_handler", "set_task_factory", "shutdown_asyncgens", "shutdown_default_executor", "stop", "time"),
    # Nothing can have been added, and to remove nothing is no error.
    *("remove_reader", "remove_signal_handler", "remove_writer"),
}
SIMULATED = {"create_datagram_endpoint", "getaddrinfo", "getnameinfo"}


def test_every_method_of_an_event_loop_is_supported_simulated_or_refused() -> None:
    public = {name for name in dir(asyncio.AbstractEventLoop) if not name.startswith("_")}
    assert public <= SUPPORTED_BY_NATURE | SIMULATED | set(REFUSED)
    assert set(REFUSED) <= public
    assert not set(REFUSED) & (SUPPORTED_BY_NATURE | SIMULATED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_lives_in_real_time_is_refused_with_the_reason(name: str) -> None:
    async def main() -> None:
        with pytest.raises(NotImplementedError, match=rf"^VirtualTimeLoop\.{name}: .*real"):
            getattr(asyncio.get_running_loop(), name)()

    run(main())


def test_no_other_way_leads_to_a_real_socket() -> None:
    """What asyncio's own transports would do, were one made by hand."""

    async def main() -> None:
        with socket.socket() as unused, pytest.raises(NotImplementedError, match="add_reader"):
            asyncio.SelectorEventLoop.add_reader(asyncio.get_running_loop(), unused, print)  # type: ignore[arg-type]  # a VirtualTimeLoop is one

    run(main())


class Later:
    def __await__(self) -> Generator[Any, None, None]:
        yield from asyncio.get_running_loop().create_future()


def test_a_deadlock_in_an_awaitable_is_found_too() -> None:
    async def main() -> None:
        await Later()

    with pytest.raises(Deadlock, match=r"\.main\n.* in Later\.__await__$"):
        run(main())


@pytest.mark.parametrize(
    "call",
    [
        lambda: asyncio.to_thread(time.sleep, 1),
        lambda: asyncio.open_connection("127.0.0.1", 9),
        lambda: asyncio.start_server(print, "127.0.0.1", 0),
        lambda: asyncio.create_subprocess_exec("true"),
    ],
)
def test_what_uses_the_real_world_is_refused(call: Any) -> None:
    async def main(call: Coroutine[Any, Any, Any]) -> None:
        with pytest.raises(NotImplementedError, match="real"):
            await call

    run(main(call()))


def test_aiosctp_outside_of_every_simulated_host_says_what_is_missing() -> None:
    async def nothing(association: aiosctp.Association) -> None:
        await association.wait_closed()

    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: aiosctp.serve(nothing, None, 7777),
        lambda: aiosctp.connect("192.0.2.1", 7777),
        lambda: aiosctp.Stack().__aenter__(),
    ]

    async def main(call: Callable[[], Awaitable[object]]) -> None:
        await call()

    for call in calls:
        with pytest.raises(
            RuntimeError, match=r"^no simulated host in this context: call it inside `with network\.host"
        ):
            run(main(call))


def test_nothing_is_left_to_remove() -> None:
    async def main() -> tuple[bool, ...]:
        loop = asyncio.get_running_loop()
        return loop.remove_reader(0), loop.remove_writer(0), loop.remove_signal_handler(signal.SIGTERM)

    assert run(main()) == (False, False, False)


# -- the same in every run --

ORDER = """
import asyncio
from aiosctp.testing.loop import run

cancelled = []

async def wait(number):
    spoil = [object() for _ in range(number * 7919 % 13)]
    try:
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        cancelled.append(number)
        raise

async def main():
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(wait(number))
            await asyncio.sleep(1)
            raise ValueError
    except* ValueError:
        pass

run(main())
print(cancelled)
"""


async def test_a_task_group_cancels_its_tasks_in_the_same_order_in_every_run() -> None:
    orders: set[str] = set()
    for _ in range(3):
        async with python("-c", ORDER) as command:
            orders.add((await command.outcome()).output)
    assert len(orders) == 1
    (order,) = orders
    assert sorted(eval(order)) == list(range(50))  # noqa: S307 - a list of ours


def test_tasks_are_different_from_each_other() -> None:
    async def main() -> bool:
        one, other = asyncio.create_task(asyncio.sleep(1)), asyncio.create_task(asyncio.sleep(1))
        await asyncio.gather(one, other)
        return len({one, other}) == 2 and one != other

    assert run(main())
