"""An event loop whose clock jumps to whatever is due next: a day of sleeping passes in milliseconds.

The loop never waits for the world. Sockets, pipes, processes, signals and threads, which live in real time, are refused
with a NotImplementedError that says so; datagrams and names go to the simulated network (`endpoints`).
`call_soon_threadsafe` works, but time does not wait for the thread that is going to call it. `time.monotonic()` and its
like go on telling real time.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from aiosctp.testing import endpoints
from aiosctp.testing.endpoints import Protocol

if TYPE_CHECKING:
    from typing import TypeVarTuple

    from _typeshed import FileDescriptorLike

    Ts = TypeVarTuple("Ts")

T = TypeVar("T")

# How often a task that waits on while it is cleaned up is cancelled again: for each `finally` that awaits once.
MAX_CANCELLATIONS: Final = 100
# The heartbeats of an open association go on for ever: only a limit ends a program that waits for what its peer never
# sends.
DEFAULT_LIMIT_S: Final = 3600.0
# What a report of a deadlock shows; a program may have thousands of tasks.
MAX_TASKS_NAMED: Final = 20

# Of coroutines, generators and asynchronous generators.
_FRAME_AND_AWAITED: Final = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))

_THREADS: Final = "a thread runs in real time, which this loop does not wait for"
_REAL_IO: Final = (
    "this loop does not wait for the real world. Programs talk over the simulated network: use aiosctp or"
    " create_datagram_endpoint inside `with network.host(...):`"
)
_SIGNALS: Final = "signals come in real time, which this loop does not wait for"

REFUSED: Final[Mapping[str, str]] = {
    "run_in_executor": _THREADS,
    "set_default_executor": _THREADS,
    "add_signal_handler": _SIGNALS,
    **dict.fromkeys(("add_reader", "add_writer"), _REAL_IO),
    **dict.fromkeys(("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_accept"), _REAL_IO),
    **dict.fromkeys(("sock_sendall", "sock_sendto", "sock_sendfile", "sock_connect"), _REAL_IO),
    **dict.fromkeys(("create_connection", "create_server", "create_unix_connection", "create_unix_server"), _REAL_IO),
    **dict.fromkeys(("connect_accepted_socket", "start_tls", "sendfile"), _REAL_IO),
    **dict.fromkeys(("connect_read_pipe", "connect_write_pipe", "subprocess_exec", "subprocess_shell"), _REAL_IO),
}
"""Methods of an event loop that raise NotImplementedError here, and why."""


class Deadlock(RuntimeError):
    """The program waits for what can never happen: nothing is ready and no timer is set, or the time allowed is over.

    Its text names the tasks that wait, and where. What cleaning up meets afterwards does not replace it.
    """


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, which begins at 0.0.

    For `asyncio.Runner(loop_factory=VirtualTimeLoop)` and whatever else takes a loop factory. `limit_s`: how far
    virtual time may go before Deadlock is raised; without it, a program whose timers never end runs for ever.

    Runs are reproducible: callbacks run in the order of their time, then of their making, and tasks hash by their
    number, so that a set of them (asyncio.TaskGroup has one) has the same order in every run.
    """

    def __init__(self, *, limit_s: float = math.inf) -> None:
        self._clock = _Clock(self._cannot_go_on)
        self._task_numbers = itertools.count(1)
        self._deadlock: Deadlock | None = None
        self._is_shutting_down = False
        self._spared: asyncio.Future[Any] | None = None
        self._cancellations = 0
        super().__init__(self._clock)
        self.set_task_factory(_numbered_task)
        try:
            self._clock.set_limit(limit_s)
        except BaseException:
            self.close()
            raise

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._clock.now

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """`call_soon` from another thread. Time goes on meanwhile, as if the other thread took none."""
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self._clock.is_woken = True
        return handle

    async def getaddrinfo(self, host: bytes | str | None, port: bytes | str | int | None, **options: int) -> list[Any]:
        """Resolve on the current simulated host (`endpoints.getaddrinfo`)."""
        return await endpoints.getaddrinfo(host, port, **options)

    async def getnameinfo(self, sockaddr: endpoints.SockAddr, flags: int = 0) -> tuple[str, str]:
        """Name an address on the current simulated host (`endpoints.getnameinfo`)."""
        return await endpoints.getnameinfo(sockaddr, flags)

    async def create_datagram_endpoint(
        self, protocol_factory: Callable[[], Protocol], *addresses: Any, **options: Any
    ) -> tuple[asyncio.DatagramTransport, Protocol]:
        """Open a UDP port of the current simulated host (`endpoints.create_datagram_endpoint`)."""
        return await endpoints.create_datagram_endpoint(protocol_factory, *addresses, **options)

    def refuse_sockets(self) -> NoReturn:
        """Raises RuntimeError: what aiosctp asks when it runs on no simulated host."""
        raise RuntimeError(endpoints.NO_HOST)

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until the future is done. Raises Deadlock when that can never be."""
        awaited = cast("Awaitable[T]", future)
        # What asyncio.Runner runs to clean up: first what gathers the tasks it cancelled, then the shutdown_* methods.
        if self._is_shutting_down or (asyncio.isfuture(awaited) and not isinstance(awaited, asyncio.Task)):
            awaited = self._spared = asyncio.ensure_future(awaited, loop=self)
        else:
            self._deadlock = None
            self._cancellations = 0
        result: T = super().run_until_complete(awaited)
        return result

    def shutdown_asyncgens(self) -> Coroutine[Any, Any, None]:
        """Close the asynchronous generators that are left. The loop is on its way to close."""
        self._is_shutting_down = True
        return super().shutdown_asyncgens()

    def _cannot_go_on(self, reason: str) -> None:
        """Raise Deadlock; when that happened before and this is the cleaning up, cancel what hinders it instead.

        Else the exception of the second deadlock would hide the first, which is the one that explains something.
        """
        waiting = sorted(asyncio.all_tasks(self), key=hash)
        if self._deadlock is None:
            self._deadlock = Deadlock(_describe(reason, waiting))
            raise self._deadlock
        hindering = [task for task in waiting if task is not self._spared]
        self._cancellations += 1
        if not hindering or self._cancellations > MAX_CANCELLATIONS:
            raise self._deadlock
        for task in hindering:
            task.cancel()


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None, limit_s: float | None = DEFAULT_LIMIT_S) -> T:
    """`asyncio.run` on virtual time: the result of the coroutine.

    limit_s: how far virtual time may go, an hour unless told otherwise; None lifts it. The heartbeats of an association
    that is left open never end, so that a program that waits for what never comes would run for ever without a limit.

    Raises Deadlock, which names the tasks that wait, when nothing can happen any more or the limit is passed.
    """
    span_s = math.inf if limit_s is None else limit_s
    with asyncio.Runner(debug=debug, loop_factory=lambda: VirtualTimeLoop(limit_s=span_s)) as runner:
        return runner.run(main)


def check_limit_s(limit_s: object) -> None:
    """Raises TypeError or ValueError for what is no span of time."""
    if isinstance(limit_s, bool) or not isinstance(limit_s, int | float):
        raise TypeError(f"limit_s must be a number of seconds, not {type(limit_s).__name__}")
    # The negated form refuses a NaN too.
    if not limit_s > 0:
        raise ValueError(f"limit_s must be positive, and is {limit_s!r}")


class _Clock(selectors.BaseSelector):
    """The selector is where a loop would sleep: there the time passes at once. Knows no file but the loop's own."""

    def __init__(self, cannot_go_on: Callable[[str], None]) -> None:
        self.now = 0.0
        self.is_woken = False
        self._cannot_go_on = cannot_go_on
        self._limit_s = math.inf
        self._end_s = math.inf
        self._keys: dict[FileDescriptorLike, selectors.SelectorKey] = {}

    def set_limit(self, limit_s: float) -> None:
        check_limit_s(limit_s)
        self._limit_s = limit_s
        self._end_s = self.now + limit_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.is_woken:
            self.is_woken = False
            # Nobody else has a file here: the loop empties the pipe through which it was woken.
            return [(key, selectors.EVENT_READ) for key in self._keys.values()]
        if timeout is None:
            self._cannot_go_on("nothing is ready, and no timer is set")
        elif timeout > 0:
            self.now += timeout
            if self.now > self._end_s:
                self._end_s = self.now + self._limit_s  # cleaning up may take as long again
                self._cannot_go_on(f"virtual time has passed its limit of {self._limit_s:g} s (limit_s)")
        return []

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        if self._keys:
            raise NotImplementedError(_refusal("add_reader"))
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._keys


class _NumberedTask(asyncio.Task[T]):
    """The hash of other tasks is their address in memory, which no two runs have in common."""

    def __init__(self, coro: Any, *, loop: VirtualTimeLoop, **options: Any) -> None:
        self._number = next(loop._task_numbers)
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number

    def set_name(self, value: object) -> None:
        if value is not None:  # what loops of Python 3.13.0 call it when there is a task factory
            super().set_name(value)


def _numbered_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    assert isinstance(loop, VirtualTimeLoop)
    return _NumberedTask(coro, loop=loop, **options)


def _describe(reason: str, waiting: list[asyncio.Task[Any]]) -> str:
    if not waiting:
        return f"{reason}, and no task waits"
    lines = [f"{reason}. Waiting:"]
    for task in waiting[:MAX_TASKS_NAMED]:
        lines += [f"  {task.get_name()}", *(f"    {place}" for place in _places(task))]
    if len(waiting) > MAX_TASKS_NAMED:
        lines.append(f"  and {len(waiting) - MAX_TASKS_NAMED} more")
    return "\n".join(lines)


def _places(task: asyncio.Task[Any]) -> list[str]:
    """Where a task waits: its coroutine, what that awaits, and so on as far as Python tells."""
    places: list[str] = []
    awaited: Any = task.get_coro()
    while True:
        names = next((names for names in _FRAME_AND_AWAITED if hasattr(awaited, names[0])), None)
        if names is None:
            return places
        frame, awaited = (getattr(awaited, name) for name in names)
        if frame is not None:
            places.append(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}")


def _refusal(name: str) -> str:
    return f"VirtualTimeLoop.{name}: {REFUSED[name]}"


def _refuse(name: str) -> Callable[..., Any]:
    def refuse(self: VirtualTimeLoop, *args: Any, **options: Any) -> Any:
        raise NotImplementedError(_refusal(name))

    refuse.__name__ = name
    refuse.__qualname__ = f"VirtualTimeLoop.{name}"
    refuse.__doc__ = f"Refused: {REFUSED[name]}."
    return refuse


for _name in REFUSED:
    setattr(VirtualTimeLoop, _name, _refuse(_name))
