"""`connect`: open an association with a peer."""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import Coroutine, Generator, Sequence
from types import TracebackType
from typing import Any

from aiosctp.arguments import (
    asking_for,
    check_config,
    check_outbound_streams,
    check_port,
    check_timeout,
    host_list,
    strings,
)
from aiosctp.association import Association
from aiosctp.config import Config
from aiosctp.core.addresses import is_unicast
from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import AssociationState
from aiosctp.default_stacks import check_stack, choose_stack
from aiosctp.events import AssociationChange, AssociationChangeKind
from aiosctp.exceptions import ConnectTimeout
from aiosctp.opening import addresses_of, begin_association, literal_host
from aiosctp.stack import DEFAULT_UDP_PORT, Stack

# RFC 8305 §5, Connection Attempt Delay: 250 ms.
ATTEMPT_DELAY_S = 0.25


class connect(Coroutine[Any, Any, Association]):
    """Open an association (RFC 9260 §5.1, §11.1.2). Await it, wrap it in a task, or enter it as a context.

    Waits for the handshake. Cancelling it leaves nothing behind: an attempt whose peer has answered is ABORTed. As an
    asynchronous context manager it is the association's own: leaving shuts down gracefully.

    host: an address, a name, or a list of hosts. The addresses of a name are alternatives, tried a quarter of a second
    apart, and the first that answers wins; the hosts of a list are one multi-homed peer.
    port: the peer's SCTP port. remote_udp_port: its UDP port (RFC 6951), at every address until another is learnt.
    udp_port: ours, which chooses the running loop's default stack; 0 is one shared ephemeral port a loop. That stack
    binds it on every address of the machine until the loop ends.
    local_addresses: those of the stack's hosts that the association uses and tells; None for all in scope.
    local_port: our SCTP port, 0 for a free one. outbound_streams: how many to ask for; None for the config's.
    timeout: seconds for everything, name resolution included; None waits for Max.Init.Retransmits, about four minutes.
    config: the association's own; None for the stack's. stack: used instead of a default one: pass a
    `Stack(local_addresses=[...])` to bind fewer addresses, or to free the UDP port before the loop ends.

    Raises AssociationRefused, ConnectTimeout, OSError (a name that does not resolve, an interface that does not exist,
    no local address of the peer's family, EISCONN), and TypeError or ValueError for wrong arguments.
    """

    attempt_delay_s = ATTEMPT_DELAY_S
    """Between the attempts at a name's addresses."""
    _is_unused = False
    """Made, and nothing has run of it."""

    def __init__(
        self,
        host: str | Sequence[str],
        port: int,
        *,
        remote_udp_port: int = DEFAULT_UDP_PORT,
        udp_port: int = 0,
        local_addresses: str | Sequence[str] | None = None,
        local_port: int = 0,
        outbound_streams: int | None = None,
        timeout: float | None = None,
        config: Config | None = None,
        stack: Stack | None = None,
    ) -> None:
        check_port("port", port)
        check_port("remote_udp_port", remote_udp_port)
        check_port("udp_port", udp_port)
        check_port("local_port", local_port)
        if port == 0 or remote_udp_port == 0:
            raise ValueError(f"{'remote_udp_port' if port else 'port'} must not be 0")
        check_timeout(timeout)
        check_config(config)
        check_stack(stack, udp_port, 0)
        check_outbound_streams(outbound_streams)
        self._hosts = _check_hosts(host)
        self._is_one_peer = not isinstance(host, str)
        self._port = port
        self._remote_udp_port = remote_udp_port
        self._udp_port = udp_port
        self._local_addresses = None if local_addresses is None else host_list("local_addresses", local_addresses)
        self._local_port = local_port
        self._outbound_streams = outbound_streams
        self._timeout = timeout
        self._config = config
        self._stack = stack
        self._association: Association | None = None
        self._coroutine: Coroutine[Any, Any, Association] | None = None
        # What a task shows of its coroutine.
        self.__name__ = "connect"
        self._is_unused = True

    def __del__(self) -> None:
        if self._is_unused:
            warnings.warn("connect(...) was never awaited", RuntimeWarning, stacklevel=2, source=self)

    # -- Coroutine --

    def __await__(self) -> Generator[Any, Any, Association]:
        return self._sole_coroutine().__await__()

    def send(self, value: Any, /) -> Any:
        return self._sole_coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        return self._sole_coroutine().throw(*error)

    def close(self) -> None:
        self._sole_coroutine().close()

    def _sole_coroutine(self) -> Coroutine[Any, Any, Association]:
        """One for however it is driven: a second attempt to await it raises RuntimeError."""
        if self._coroutine is None:
            self._is_unused = False
            self._coroutine = self._connect()
        return self._coroutine

    # -- asynchronous context manager --

    async def __aenter__(self) -> Association:
        self._association = await self
        return self._association

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._association is not None
        await self._association.__aexit__(kind, error, traceback)

    # -- connecting --

    async def _connect(self) -> Association:
        if self._timeout is None:
            return await self._race()
        try:
            async with asyncio.timeout(self._timeout) as guard:
                return await self._race()
        except TimeoutError as error:
            # The engine's own, or a resolver's ETIMEDOUT.
            if isinstance(error, ConnectTimeout) or not guard.expired():
                raise
            asked = f"{', '.join(self._hosts)} (SCTP port {self._port}, UDP port {self._remote_udp_port})"
            raise ConnectTimeout(f"{asked} did not answer within {self._timeout} seconds") from None

    async def _race(self) -> Association:
        stack = choose_stack(self._stack, self._udp_port, 0)
        config = self._config or stack.config
        if self._outbound_streams is not None:
            config = asking_for(self._outbound_streams, config)
        if self._local_addresses is not None:
            found = [await addresses_of(host, stack) for host in self._local_addresses]
            self._local_addresses = tuple(hosts[0] for hosts in found)
        alternatives = await self._resolve(stack)
        race = _Race(stack, config, self, alternatives)
        try:
            engine = await race.run()
        except BaseException:
            race.abort_all_but(None)
            stack.flush(stack.now())
            raise
        association = Association(stack, engine)
        if engine.ending is None:
            stack.add(association)
        association.engine_changed()
        return association

    async def _resolve(self, stack: Stack) -> list[tuple[str, ...]]:
        """What to try one after another; each is the addresses of one peer."""
        found = [await addresses_of(host, stack) for host in self._hosts]
        if self._is_one_peer:
            return [tuple(dict.fromkeys(hosts[0] for hosts in found))]
        return [(host,) for host in found[0]]

    def start(self, stack: Stack, config: Config, peer_hosts: tuple[str, ...]) -> AssociationEngine:
        """Send an INIT. Raises OSError when that can't be."""
        return begin_association(
            stack,
            peer_hosts,
            self._port,
            remote_udp_port=self._remote_udp_port,
            local_hosts=self._local_addresses,
            local_port=self._local_port,
            config=config,
        )


class _Attempt:
    """One association that is being opened."""

    __slots__ = ("_race", "came_up", "engine")

    def __init__(self, engine: AssociationEngine, race: _Race) -> None:
        self.engine = engine
        self.came_up = False
        self._race = race

    def engine_changed(self) -> None:
        for event in self.engine.poll_events():
            if isinstance(event, AssociationChange) and event.change is AssociationChangeKind.COMM_UP:
                self.came_up = True
        # That the INIT is acknowledged decides between several; who is alone waits on.
        if self.came_up or self.engine.ending is not None or (self.was_answered and self._race.has_rivals):
            self._race.wake()

    @property
    def has_failed(self) -> bool:
        # A peer that has already ended it again was connected none the less.
        return self.engine.ending is not None and not self.came_up

    @property
    def was_answered(self) -> bool:
        return self.came_up or self.engine.state is AssociationState.COOKIE_ECHOED


class _Race:
    """Attempts at the alternatives, each begun a little after the one before (RFC 8305)."""

    def __init__(self, stack: Stack, config: Config, call: connect, alternatives: list[tuple[str, ...]]) -> None:
        self._stack = stack
        self._config = config
        self._call = call
        self._untried = deque(alternatives)
        self._attempts: list[_Attempt] = []
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def run(self) -> AssociationEngine:
        """The association that came about. Raises why none did."""
        next_attempt_at = self._stack.now()
        while (winner := self._answered()) is None:
            now = self._stack.now()
            if self._untried and (now >= next_attempt_at or not self._attempts) and not self._was_cut_short:
                self._start(self._untried.popleft())
                next_attempt_at = now + self._call.attempt_delay_s
            elif not self._attempts:
                assert self._error is not None
                raise self._error
            else:
                await self._wait(next_attempt_at - now if self._untried else None)
        self.abort_all_but(winner)
        while not winner.came_up:
            if winner.engine.ending is not None:
                raise winner.engine.ending
            await self._wait(None)
        return winner.engine

    @property
    def _was_cut_short(self) -> bool:
        """The stack was closed in the midst of it: how the first attempts ended then is what is raised."""
        return self._error is not None and self._stack.is_closed

    def abort_all_but(self, winner: _Attempt | None) -> None:
        for attempt in self._attempts:
            if attempt is not winner and attempt.engine.ending is None:
                attempt.engine.abort(b"")
                self._stack.touch(attempt.engine)

    def _start(self, peer_hosts: tuple[str, ...]) -> None:
        try:
            engine = self._call.start(self._stack, self._config, peer_hosts)
        except OSError as error:
            # What a peer answered says more than that another address could not be tried.
            self._error = self._error or error
            return
        attempt = _Attempt(engine, self)
        self._stack.own(engine, attempt)
        self._stack.touch(engine)
        self._attempts.append(attempt)

    def _answered(self) -> _Attempt | None:
        """The first attempt whose INIT was acknowledged. Forgets those that have failed."""
        for attempt in list(self._attempts):
            if attempt.has_failed:
                self._attempts.remove(attempt)
                self._error = attempt.engine.ending
            elif attempt.was_answered:
                return attempt
        return None

    @property
    def has_rivals(self) -> bool:
        return bool(self._untried) or len(self._attempts) > 1

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, timeout: float | None) -> None:
        """Until something changed, or the time for the next attempt has come."""
        loop = self._stack.loop
        self._waiter = loop.create_future()
        timer = None if timeout is None else loop.call_later(timeout, self.wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


def _check_hosts(host: str | Sequence[str]) -> tuple[str, ...]:
    hosts = strings("host", host)
    for one in hosts:
        literal = literal_host(one)
        if literal is not None and not is_unicast(literal):
            raise ValueError(f"host must be a unicast address, not {one}")
    return hosts
