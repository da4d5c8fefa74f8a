"""`serve`: take associations that peers open."""

from __future__ import annotations

import asyncio
import errno
import inspect
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Self

from aiosctp.arguments import asking_for, check_config, check_outbound_streams, check_port, check_range, strings
from aiosctp.association import Association
from aiosctp.byte_streams import ProtocolFactory
from aiosctp.changes import Changes
from aiosctp.config import Config
from aiosctp.core.addresses import canonical_host, is_ipv6, parse_host
from aiosctp.core.association import AssociationEngine
from aiosctp.core.endpoint import Admission
from aiosctp.default_stacks import choose_stack
from aiosctp.stack import DEFAULT_UDP_PORT, Stack, not_bound_to

logger: logging.Logger = logging.getLogger("aiosctp.server")

MAX_COUNT = 2**31 - 1

HANDLER_GRACE_S = 10.0
"""How long a server that is being left waits for a handler whose association has ended, and again once it has been
cancelled."""

Handler = Callable[[Association], Awaitable[None]]
_CoroutineFunction = Callable[[Association], Coroutine[Any, Any, None]]


async def serve(
    handle_association: Handler,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    udp_port: int = DEFAULT_UDP_PORT,
    backlog: int = 128,
    max_associations: int | None = None,
    admit: Admission | None = None,
    outbound_streams: int | None = None,
    config: Config | None = None,
    stack: Stack | None = None,
) -> Server:
    """Listen on an SCTP port, and run the handler, a coroutine function of one `Association`, for each one, in a task.

    When the handler returns its association is shut down gracefully; when it raises, that is logged and the association
    ABORTed. Raising what the association itself raised when it ended is no error. The logger is `aiosctp.server`, which
    writes to standard error in a program that has set up no logging.

    Waits for name resolution only; cancelling leaves nothing behind.

    host: the addresses to offer: None for all of the stack, one host, or several; an INIT to any other of the stack's
    is answered as if nobody listened. port: the SCTP port, 0 for a free one. udp_port: the stack's (RFC 6951); the
    loop's default stack binds it on every address of the machine until the loop ends.
    backlog: how many associations may be set up and not yet handled; others wait (§5.1, T1); 0 refuses all.
    max_associations: the most at one time.
    admit: a plain function of the peer's `(host, port)`, asked at an INIT before there is state; False refuses with an
    ABORT, cause Out of Resource, as that limit does.
    outbound_streams: how many to ask for; None for the config's. config: the endpoint's own; None for the stack's.
    stack: used instead of the loop's default one: pass a `Stack(local_addresses=[...])` to bind fewer addresses, or to
    free the UDP port before the loop ends.

    handle_association may be any function that returns an awaitable; what it returns otherwise is logged as an error.

    Raises OSError with EADDRINUSE or EADDRNOTAVAIL or for a name that does not resolve, TypeError or ValueError.
    """
    if inspect.isasyncgenfunction(handle_association):
        raise TypeError("handle_association must be a coroutine function, not one that yields")
    if not callable(handle_association):
        raise TypeError(f"handle_association must be a coroutine function, not {type(handle_association).__name__}")
    if port is None:
        raise TypeError("port must be given: SCTP has no default port")
    check_limits(port, backlog, max_associations, admit)
    check_config(config)
    check_outbound_streams(outbound_streams)
    host = None if host is None else strings("host", host)
    stack = choose_stack(stack, udp_port, DEFAULT_UDP_PORT)
    config = config or stack.config
    if outbound_streams is not None:
        config = asking_for(outbound_streams, config)
    hosts = await hosts_of(host, stack)
    server = Server(stack, config, handler=handle_association)
    server.bind(hosts, port, backlog, max_associations, admit)
    server.listen()
    return server


def check_limits(port: int, backlog: int, max_associations: int | None, admit: Admission | None) -> None:
    check_port("port", port)
    check_range("backlog", backlog, 0, MAX_COUNT)
    if max_associations is not None:
        check_range("max_associations", max_associations, 0, MAX_COUNT)
    # A coroutine is true, and would let everybody in.
    if admit is not None and (inspect.iscoroutinefunction(admit) or not callable(admit)):
        raise TypeError("admit must be a plain function of the peer's address")


class Server(asyncio.AbstractServer):
    """A listening endpoint with the associations it has accepted. `serve`, `start_server` and `create_server` make it;
    it listens from the start, but with `start_serving=False`.

    Leaving it as an asynchronous context closes it, shuts its associations down gracefully and waits for their
    handlers, for `Config.shutdown_timeout_s` at most, and `HANDLER_GRACE_S` after the last association has ended; then,
    or at once when an exception escapes, it ABORTs what is left and cancels the handlers that remain. One that has not
    ended `HANDLER_GRACE_S` after that is logged and left behind.
    """

    def __init__(
        self,
        stack: Stack,
        config: Config,
        *,
        handler: Handler | None = None,
        protocol_factory: ProtocolFactory | None = None,
    ) -> None:
        """Either a handler of each association, or a protocol for each of its streams."""
        self._stack = stack
        self._handle = None if handler is None else _coroutine_function(handler)
        self._protocol_factory = protocol_factory
        self._config = config
        self._handlers: dict[asyncio.Task[None], Association] = {}
        self._associations: dict[Association, None] = {}
        self._is_serving = False
        self._is_closed = False
        self._changes = Changes()
        # Each look at a method makes an object, which every association would keep.
        self._on_end = self._association_ended
        self._on_handler_end = self._handler_ended

    def bind(
        self,
        hosts: tuple[str, ...],
        port: int,
        backlog: int,
        max_associations: int | None,
        admit: Admission | None,
    ) -> None:
        engine = self._stack.open()
        existing = engine.endpoints.get(port)
        if existing is not None and (existing.is_listening or existing.is_held):
            raise OSError(errno.EADDRINUSE, f"SCTP port {port} of this stack is in use")
        self._endpoint = self._stack.open_endpoint(port, hosts, self._config)
        self._listen = partial(
            self._endpoint.listen,
            config=self._config,
            backlog=backlog,
            max_associations=max_associations,
            admit=None if admit is None else _guarded(admit),
        )

    def listen(self) -> None:
        self._listen()
        self._stack.listen(self._endpoint, self)
        self._is_serving = True

    # -- looking --

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple((host, self.port) for host in self._endpoint.local_addresses)

    @property
    def port(self) -> int:
        return self._endpoint.port

    @property
    def udp_port(self) -> int:
        return self._stack.udp_port

    @property
    def associations(self) -> frozenset[Association]:
        """Those that have not ended."""
        return frozenset(self._associations)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The stack's UDP sockets; empty once closed, or on a network without sockets."""
        return self._stack.sockets if self._is_serving else ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._stack.loop

    def is_serving(self) -> bool:
        return self._is_serving

    # -- running --

    async def start_serving(self) -> None:
        """Listen, if it does not from the start. Raises RuntimeError once closed."""
        if self._is_closed:
            raise RuntimeError("the server is closed")
        if not self._is_serving:
            self.listen()

    async def serve_forever(self) -> None:
        """Wait until the server, or its stack, is closed; cancelling closes it. Raises RuntimeError once closed."""
        await self.start_serving()
        try:
            while self._is_serving:
                await self._changes.wait()
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Stop accepting; an INIT is then answered with ABORT. Associations go on."""
        if not self._is_closed:
            self._is_closed = True
            if self._is_serving:
                self._is_serving = False
                self._stack.stop_listening(self._endpoint)
            else:
                self._stack.close_if_unused(self._endpoint)
            self._changes.tell()

    def close_clients(self) -> None:
        """Begin the graceful shutdown of every association; a handler that waits in `receive()` gets
        AssociationShutdown when it is over."""
        for association in list(self._associations):
            association.begin_shutdown()

    def abort_clients(self) -> None:
        """ABORT every association."""
        for association in list(self._associations):
            association.abort(b"the server was closed")

    async def wait_closed(self) -> None:
        """Wait until the server is closed, all handlers have returned and all associations are gone.

        Cancelling changes nothing.
        """
        while not self._is_closed or self._handlers or self._associations:
            await self._changes.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()
        try:
            if exc[0] is None:
                self.close_clients()
                async with asyncio.timeout(self._config.effective_shutdown_timeout_s):
                    while self._associations:
                        await self._changes.wait()
                    await self._wait_for_handlers()
        except TimeoutError:
            pass
        finally:
            self.abort_clients()
            for task in self._handlers:
                task.cancel()
            await self._wait_for_handlers()
            for association in self._handlers.values():
                logger.error("the handler of %r goes on although it was cancelled", association)

    async def _wait_for_handlers(self) -> None:
        if self._handlers:
            await asyncio.wait(list(self._handlers), timeout=HANDLER_GRACE_S)

    # -- what the stack tells --

    def engine_accepted(self, engine: AssociationEngine) -> None:
        association = Association(self._stack, engine, holds_events=True, on_end=self._on_end)
        self._associations[association] = None
        self._stack.add(association)
        if self._protocol_factory is not None:
            association.byte_streams().serve_soon(self._protocol_factory)
        if self._handle is not None:
            task = self._stack.loop.create_task(self._handle(association))
            self._handlers[task] = association
            task.add_done_callback(self._on_handler_end)
        # After the handler's first step, in which it may have subscribed.
        self._stack.loop.call_soon(association.release_held_events)

    def stack_closed(self) -> None:
        self.close()

    def _association_ended(self, association: Association) -> None:
        self._associations.pop(association, None)
        self._changes.tell()

    def _handler_ended(self, task: asyncio.Task[None]) -> None:
        association = self._handlers.pop(task)
        if task.cancelled():
            association.abort(b"the handler was cancelled")
        elif (error := task.exception()) is None:
            association.close()
        else:
            if not isinstance(error, Exception):
                context = {"message": "a handler failed", "exception": error, "task": task}
                self.get_loop().call_exception_handler(context)
            elif not _is_ending_of(association, error):
                logger.error("the handler of %r failed", association, exc_info=error)
            association.abort(b"the handler failed")
        self._changes.tell()

    def __repr__(self) -> str:
        return f"<Server on SCTP port {self.port}, UDP port {self.udp_port}, {len(self._associations)} associations>"


class _LastResort(logging.Handler):
    """Shows what goes wrong in the program's own functions where no logging is set up.

    The package's NullHandler keeps `logging.lastResort` from that.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if logging.lastResort is not None and not self._is_heard():
            logging.lastResort.handle(record)

    def _is_heard(self) -> bool:
        """Whether the program has a handler of its own for it."""
        source: logging.Logger | None = logger
        while source is not None:
            if any(one is not self and not isinstance(one, logging.NullHandler) for one in source.handlers):
                return True
            source = source.parent if source.propagate else None
        return False


logger.addHandler(_LastResort(logging.WARNING))


def _coroutine_function(handler: Handler) -> _CoroutineFunction:
    # Its coroutine is the task's own: a frame less to keep, and to pass at each wake-up.
    return handler if inspect.iscoroutinefunction(handler) else _awaiting(handler)


def _awaiting(handler: Handler) -> _CoroutineFunction:
    """A coroutine function of any function that returns an awaitable."""

    async def handle(association: Association) -> None:
        waits = handler(association)
        if not inspect.isawaitable(waits):
            raise TypeError(f"handle_association must return an awaitable, not {type(waits).__name__}")
        await waits

    return handle


def _is_ending_of(association: Association, error: Exception) -> bool:
    """Whether it is, or is a group of nothing but, what this association raised for its own end."""
    if isinstance(error, ExceptionGroup):
        return all(_is_ending_of(association, one) for one in error.exceptions)
    return association.raised(error)


def _guarded(admit: Admission) -> Admission:
    """The program's own function: what goes wrong in it is no matter of the engine's, and admits nobody."""

    def guarded(peer: tuple[str, int]) -> bool:
        try:
            return bool(admit(peer))
        except Exception:
            logger.exception("admit(%r) failed: the peer is refused", peer)
            return False

    return guarded


async def hosts_of(names: Sequence[str] | None, stack: Stack) -> tuple[str, ...]:
    """The stack's own hosts that are meant. Raises OSError (EADDRNOTAVAIL) for one that is not the stack's."""
    if names is None:
        return stack.local_addresses
    hosts: dict[str, None] = {}
    for name in names:
        hosts |= dict.fromkeys(await _addresses_of(name, stack))
    if not hosts:
        raise not_bound_to(f"any address of {', '.join(names)}")
    return tuple(hosts)


async def _addresses_of(name: str, stack: Stack) -> list[str]:
    try:
        literal = canonical_host(name)
    except ValueError:
        literal = None
    # An interface may be unknown, or be given by number.
    found = [literal] if literal is not None and "%" not in literal else await stack.network.resolve(name)
    if parse_host(found[0]).is_unspecified:
        return [host for host in stack.local_addresses if is_ipv6(host) == is_ipv6(found[0])]
    usable = [host for host in found if host in stack.local_addresses]
    if not usable:
        raise not_bound_to(name)
    return usable
