"""Cancel a task wherever it waits: once for each of its suspensions, and each time at several moments.

A scenario is run once undisturbed, which counts how often the task is suspended and when each wait ended; then once for
each plan that follows from that. Virtual time makes every run take the same steps up to its cancellation.
"""

from __future__ import annotations

import asyncio
import gc
import re
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import aiosctp
from aiosctp.testing import VirtualTimeLoop
from tests.surface.two_hosts import TwoHosts

if TYPE_CHECKING:
    from typing import TypeVarTuple

    Ts = TypeVarTuple("Ts")

# No scenario takes as long, and whoever is cancelled ends well before.
LIMIT_S = 1000.0
# What is still under way arrives in this time, at closed ports.
SETTLE_S = 1.0
BEFORE_S = 1e-6
LAST = b"last"
# Timers that belong to one wait, and end with it.
_OF_WAITS = re.compile(r"_Race|Timeout\._on_timeout")
# Two packets fill a stream, three the association; the receiver's window is opened by reading.
SMALL = aiosctp.Config(
    stream_send_buffer_bytes=2000, send_buffer_bytes=4000, receive_window_bytes=8000, partial_delivery_point_bytes=2000
)


class Moment(StrEnum):
    AS_IT_WAITS = "in the step in which it begins to wait"
    BEFORE_IT_WAKES = "just before what wakes it"
    AS_IT_WAKES = "in the turn of the loop that wakes it, after what wakes it"
    AGAIN = "in the step in which it begins to wait, and whenever it waits afterwards"
    TIMEOUT = "by asyncio.timeout, at the instant at which it wakes"


@dataclass(frozen=True)
class Plan:
    """When to cancel. `suspension` -1 is before the first step."""

    suspension: int
    moment: Moment
    at_s: float = 0.0


@dataclass
class Outcome:
    """How the task ended. One that was interrupted by a timeout counts as cancelled."""

    was_cancelled: bool
    value: Any = None
    error: BaseException | None = None
    companions: tuple[Outcome, ...] = ()


class Trial:
    """One run of a scenario."""

    def __init__(self, plan: Plan | None) -> None:
        self.plan = plan
        self.woken_at_s: list[float] = []
        """When each wait of the undisturbed task ended."""
        self._suspensions = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._refused: set[asyncio.Task[Any]] = set()
        """Tasks that had ended when they were to be cancelled."""
        self._cancelled_once = False
        self._worlds: list[TwoHosts] = []

    # -- what scenarios use --

    @property
    def suspension(self) -> int:
        """Which one was to be cancelled, -1 for before the first step; a timeout counts as in the last."""
        if self.plan is None:
            raise AssertionError("this run is undisturbed")
        return self.plan.suspension

    @property
    def was_cancelled_before_it_began(self) -> bool:
        return self.plan is not None and self.plan.suspension < 0

    async def cancel(self, work: Coroutine[Any, Any, Any], *companions: Coroutine[Any, Any, Any]) -> Outcome:
        """Run it in a task that is cancelled as planned, and wait for its end. The companions are begun before, and
        cancelled with it."""
        tasks = [asyncio.create_task(companion) for companion in companions]
        victim = asyncio.create_task(self._run(work))
        self._tasks = [victim, *tasks]
        if self.plan is not None and self.plan.suspension < 0:
            self._cancel_all()
        try:
            _, pending = await asyncio.wait(self._tasks, timeout=LIMIT_S)
            assert not pending, pending
        finally:
            work.close()
            for companion in companions:
                companion.close()
        assert not self._pending_timers(_OF_WAITS)
        outcome = self._outcome_of(victim)
        outcome.companions = tuple(map(self._outcome_of, tasks))
        return outcome

    async def watch(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Within a task that somebody else made: that one is cancelled as planned."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks = [task]
        return await _watched(work, self._suspended)

    @asynccontextmanager
    async def hosts(self, **options: Any) -> AsyncIterator[TwoHosts]:
        async with TwoHosts(**options) as hosts:
            self._worlds.append(hosts)
            yield hosts

    @asynccontextmanager
    async def associated(self, **options: Any) -> AsyncIterator[tuple[aiosctp.Association, aiosctp.Association]]:
        """Both ends of an association. All that is left is torn down when the scenario is over."""
        async with self.hosts(**options) as hosts:
            server = await hosts.serve()
            ours, theirs = await hosts.pair()
            try:
                yield ours, theirs
            finally:
                server.close()
                server.abort_clients()
                ours.abort()
                async with asyncio.timeout(LIMIT_S):
                    await server.wait_closed()

    # -- cancelling --

    async def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        async with AsyncExitStack() as guards:
            if self.plan is not None and self.plan.moment is Moment.TIMEOUT:
                await guards.enter_async_context(asyncio.timeout_at(self.plan.at_s))
            return await _watched(work, self._suspended)

    def _suspended(self, waits_for: Any) -> None:
        number = self._suspensions
        self._suspensions += 1
        if self.plan is None:
            self._note_waking(number, waits_for)
        elif self.plan.moment is Moment.TIMEOUT:
            pass  # `_run` has set it
        elif self.plan.suspension == number or (self._cancelled_once and self.plan.moment is Moment.AGAIN):
            self._cancel_as_planned(self.plan, waits_for)

    def _note_waking(self, number: int, waits_for: Any) -> None:
        loop = asyncio.get_running_loop()
        self.woken_at_s.append(loop.time())
        if waits_for is not None:
            waits_for.add_done_callback(lambda _: self.woken_at_s.__setitem__(number, loop.time()))

    def _cancel_as_planned(self, plan: Plan, waits_for: Any) -> None:
        loop = asyncio.get_running_loop()
        if plan.moment in (Moment.AS_IT_WAITS, Moment.AGAIN):
            self._cancel_all()
        elif plan.moment is Moment.BEFORE_IT_WAKES:
            loop.call_at(plan.at_s - BEFORE_S, self._cancel_all)
        elif plan.moment is Moment.AS_IT_WAKES and waits_for is not None:
            # The task's own callback comes after this one.
            waits_for.add_done_callback(lambda _: self._cancel_all())

    def _cancel_all(self) -> None:
        self._cancelled_once = True
        for task in self._tasks:
            if not task.cancel():
                self._refused.add(task)

    def _outcome_of(self, task: asyncio.Task[Any]) -> Outcome:
        if task.cancelled():
            assert self._cancelled_once
            return Outcome(True)
        error = task.exception()
        by_timeout = self.plan is not None and self.plan.moment is Moment.TIMEOUT
        if by_timeout and type(error) is TimeoutError:
            return Outcome(True)
        # A task that was still there when it was cancelled has no other way to end.
        assert not self._cancelled_once or task in self._refused, f"{task} swallowed its cancellation"
        return Outcome(False, None if error is not None else task.result(), error)

    # -- when it is over --

    async def check_nothing_is_left(self) -> None:
        await asyncio.sleep(SETTLE_S)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for hosts in self._worlds:
            assert not hosts.network.ports
            for stack in (hosts.client, hosts.server):
                assert stack.is_closed
                assert not stack.owners
                assert not stack.associations()
        assert not self._pending_timers(re.compile(""))

    def _pending_timers(self, callbacks: re.Pattern[str]) -> list[asyncio.TimerHandle]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _Loop)
        return loop.pending_timers(callbacks)


Scenario = Callable[[Trial], Awaitable[None]]
Test = TypeVar("Test", bound=Callable[..., None])

COVERED: set[str] = set()
"""The coroutines that some test cancels everywhere."""


def cancels(*coroutines: str) -> Callable[[Test], Test]:
    """Mark a test with what it cancels everywhere."""

    def mark(test: Test) -> Test:
        COVERED.update(coroutines)
        return test

    return mark


def cancel_everywhere(scenario: Scenario, *, waits: bool = True) -> int:
    """Run the scenario with each plan. Returns how many suspensions its task has undisturbed.

    waits: whether the task is suspended at all; that it is, or never is, is part of what is proved.
    """
    unhandled: list[dict[str, Any]] = []
    undisturbed = Trial(None)
    _run_trial(scenario, undisturbed, unhandled)
    count = len(undisturbed.woken_at_s)
    assert bool(count) is waits
    for plan in _plans(undisturbed.woken_at_s):
        try:
            _run_trial(scenario, Trial(plan), unhandled)
        except BaseException as error:
            error.add_note(f"{plan}, of {count} suspensions")
            raise
    gc.collect()  # a lost exception or task is reported when it is collected
    assert not unhandled, unhandled
    return count


def _plans(woken_at_s: list[float]) -> Iterator[Plan]:
    yield Plan(-1, Moment.AS_IT_WAITS)
    for number, at_s in enumerate(woken_at_s):
        for moment in (Moment.AS_IT_WAITS, Moment.BEFORE_IT_WAKES, Moment.AS_IT_WAKES, Moment.AGAIN):
            yield Plan(number, moment, at_s)
    for at_s in dict.fromkeys(woken_at_s):
        yield Plan(len(woken_at_s) - 1, Moment.TIMEOUT, at_s)


def _run_trial(scenario: Scenario, trial: Trial, unhandled: list[dict[str, Any]]) -> None:
    async def run() -> None:
        await scenario(trial)
        await trial.check_nothing_is_left()

    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: unhandled.append(context))
        runner.run(run())
    assert not unhandled, unhandled


class _Loop(VirtualTimeLoop):
    """Knows the timers that were made on it."""

    def __init__(self) -> None:
        super().__init__(limit_s=10 * LIMIT_S)
        self._timers: list[tuple[asyncio.TimerHandle, str]] = []

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        self._timers.append((handle, getattr(callback, "__qualname__", "")))
        return handle

    def pending_timers(self, callbacks: re.Pattern[str]) -> list[asyncio.TimerHandle]:
        """Those whose functions have such a name."""
        return [
            handle
            for handle, name in self._timers
            if handle.when() > self.time() and not handle.cancelled() and callbacks.search(name)
        ]


@types.coroutine
def _watched(work: Coroutine[Any, Any, Any], suspended: Callable[[Any], None]) -> Generator[Any, None, Any]:
    """Drive a coroutine, telling of everything that it waits for (None: only of the loop's next turn)."""
    error: BaseException | None = None
    while True:
        try:
            waits_for = work.send(None) if error is None else work.throw(error)
        except StopIteration as stop:
            return stop.value
        suspended(waits_for)
        error = None
        try:
            yield waits_for
        except BaseException as thrown:
            error = thrown


# -- what holds afterwards --


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data, stream=message.stream)


async def received_until_last(association: aiosctp.Association) -> list[bytes]:
    """All that comes before the last message."""
    received: list[bytes] = []
    while (message := await association.receive()).data != LAST:
        received.append(message.data)
    return received


async def talk(ours: aiosctp.Association, theirs: aiosctp.Association) -> tuple[list[bytes], list[bytes]]:
    """A fresh message each way arrives; what ours and theirs got before it. Nothing comes twice."""
    await ours.send(LAST, stream=100)
    await theirs.send(LAST, stream=100)
    async with asyncio.timeout(LIMIT_S):
        received = await received_until_last(ours), await received_until_last(theirs)
        await ours.wait_acknowledged()
        await theirs.wait_acknowledged()
    for association in (ours, theirs):
        with suppress(BlockingIOError):
            raise AssertionError(f"{association.receive_nowait()} was not sent")
        association.send_nowait(b"the waiting room is free", stream=1)
    return received
