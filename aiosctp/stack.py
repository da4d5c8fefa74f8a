"""A stack: the UDP sockets, the one timer and the flush that drive an engine from an event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol, Self
from weakref import WeakSet

from aiosctp.arguments import check_config, check_port, host_list
from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram, Received
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.icmp import IcmpMessage
from aiosctp.core.stack import StackEngine
from aiosctp.core.statistics import AssociationCounters, StackCounters
from aiosctp.network import DatagramPort, Network, current_network
from aiosctp.port_policy import PortPolicy, check_port_policy
from aiosctp.sockets import receive_buffer_drops
from aiosctp.status import StackStatistics
from aiosctp.sysctl import Sysctl
from aiosctp.udp import UDPEncapsulation

if TYPE_CHECKING:
    from aiosctp.association import Association

DEFAULT_UDP_PORT = 9899
"""RFC 6951 §5.1: the port IANA assigned."""

# uvloop counts in milliseconds and takes less for "now"; firing early would only spin.
MIN_TIMER_S = 0.001
# The timer fires no sooner than this after it last did: what falls due meanwhile is handled together. A deadline that
# comes alone is met; of thousands of idle associations the HEARTBEATs share wake-ups, and their answers as well.
TIMER_REST_S = 0.01


class _ThisProcess:
    """Tells a fork from its parent, on every send: os.getpid() would be a system call."""

    forks = 0
    """How many there are between the process that imported this and this one."""
    stacks: ClassVar[WeakSet[Stack]] = WeakSet()
    """Those that were opened."""

    @classmethod
    def is_a_fork(cls) -> None:
        cls.forks += 1
        for stack in cls.stacks:
            # Of the parent's flush; `send` asks no more while it is due.
            stack.given_to = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ThisProcess.is_a_fork)


class Owner(Protocol):
    """Who is told when something about an association may have changed: its `Association`, or who awaits one."""

    def engine_changed(self) -> None: ...


class Listener(Protocol):
    """Who takes the associations that peers open at an endpoint."""

    def engine_accepted(self, engine: AssociationEngine) -> None: ...

    def stack_closed(self) -> None: ...


class Stack:
    """All associations and endpoints behind one UDP port; an async context manager.

    The sockets are made when the block is entered or at the first use. Leaving the block ABORTs what still lives.

    udp_port: the port of every local address, 0 for a free one. local_addresses: the hosts to bind, None for all of
    this machine. config: the defaults of its associations. network: where sockets and clock come from. port_policy:
    which SCTP ports may be bound, a plain function of the port; None is all, and `privileged_ports` is one to use.
    """

    def __init__(
        self,
        *,
        udp_port: int = DEFAULT_UDP_PORT,
        local_addresses: Sequence[str] | None = None,
        config: Config | None = None,
        network: Network | None = None,
        port_policy: PortPolicy | None = None,
    ) -> None:
        check_port("udp_port", udp_port)
        check_config(config)
        check_port_policy(port_policy)
        self._udp_port = udp_port
        self._bind_to = None if local_addresses is None else host_list("local_addresses", local_addresses)
        self._config = config or Config()
        self._network = network or current_network.get()
        self._port_policy = port_policy
        self._ports: dict[str, DatagramPort] = {}
        self._engine: StackEngine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forks = _ThisProcess.forks
        self._is_closed = False
        self._owners: dict[AssociationEngine, Owner] = {}
        self._associations: dict[AssociationEngine, Association] = {}
        self._listeners: dict[Endpoint, Listener] = {}
        self._flush_is_due = False
        self._before_flush: list[Callable[[], None]] = []
        self.given_to: AssociationEngine | None = None
        """Which association's message the flush that is due was last asked for: while it is, `touch_to_send` has no
        more to do."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._timer_rests_until = float("-inf")
        self._drops_of_closed = 0
        self._counted_before: dict[str, int] = {}
        self._counting_since_s = 0.0
        self._sysctl: Sysctl | None = None

    # -- life --

    def open(self) -> StackEngine:
        """The engine, with its sockets bound to the running loop. Raises RuntimeError when that can't be."""
        self._check_process()
        if self._is_closed:
            raise RuntimeError("the stack is closed")
        loop = asyncio.get_running_loop()
        if self._engine is None:
            self._loop = loop
            _ThisProcess.stacks.add(self)
            ports = self._network.open_ports(self._bind_to, self._udp_port, self)
            self._ports = {port.local_host: port for port in ports}
            self._udp_port = ports[0].udp_port
            self._engine = StackEngine(
                config=self._config,
                local_addresses=tuple(self._ports),
                entropy=self._network.entropy,
                route_mtu=self._network.route_mtu,
            )
            self._counting_since_s = self.now()
        elif loop is not self._loop:
            raise RuntimeError("the stack belongs to another event loop")
        return self._engine

    def _check_process(self) -> None:
        if self._forks != _ThisProcess.forks:
            raise RuntimeError("this stack belongs to the process that was forked: make one of your own")

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ports = list(self._ports.values())
        self.close()
        for port in ports:
            await port.wait_closed()

    def close(self) -> None:
        """ABORT every association and close the sockets, at once. Raises RuntimeError after a fork."""
        # The child shares the parent's sockets and its epoll: closing would end what the parent has.
        self._check_process()
        if self._is_closed:
            return
        if self._engine is not None:
            now = self.now()
            # Not only those that have an owner: one that has just been accepted has none before the next flush.
            for endpoint in self._engine.endpoints.values():
                for engine in endpoint.associations:
                    engine.abort(b"the stack was closed")
                    self._engine.touch(engine)
            self.flush(now)
        self._is_closed = True
        for listener in list(self._listeners.values()):
            listener.stack_closed()
        self._listeners.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drops_of_closed = self._receive_buffer_drops()
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    # -- looking --

    @property
    def config(self) -> Config:
        """The defaults of its associations, and what is the stack's own. Another one holds from then on: associations,
        servers and sockets that there are keep theirs."""
        return self._config

    @config.setter
    def config(self, config: Config) -> None:
        if not isinstance(config, Config):
            raise TypeError(f"config must be a Config, not {type(config).__name__}")
        self._config = config
        if self._engine is not None:
            self._engine.configure(config)

    @property
    def port_policy(self) -> PortPolicy | None:
        """Which SCTP ports may be bound from now on: by `serve` and the like, by `connect` with a `local_port`, and by
        sockets; what is open stays so, but opens no more associations from a port that is refused."""
        return self._port_policy

    @port_policy.setter
    def port_policy(self, policy: PortPolicy | None) -> None:
        check_port_policy(policy)
        self._port_policy = policy

    @property
    def sysctl(self) -> Sysctl:
        """FreeBSD's net.inet.sctp variables, for this stack: a mutable mapping of ints."""
        if self._sysctl is None:
            self._sysctl = Sysctl(self)
        return self._sysctl

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def udp_port(self) -> int:
        """The UDP port; 0 until one has been chosen."""
        return self._udp_port

    @property
    def local_addresses(self) -> tuple[str, ...]:
        """The hosts that are bound."""
        return tuple(self._ports)

    def associations(self) -> frozenset[Association]:
        """Those that are established or shutting down."""
        return frozenset(self._associations.values())

    def statistics(self) -> StackStatistics:
        """A snapshot of the counters; all zero before the first use. Linear in the associations."""
        current = 0 if self._engine is None else self._engine.count_established()
        counted = {name: count - self._counted_before.get(name, 0) for name, count in self._count().items()}
        return StackStatistics(**counted, associations_current=current, counting_since_s=self._counting_since_s)

    def reset_statistics(self) -> None:
        """Count from zero again, what the associations that live add to it as well; their own statistics go on."""
        self._check_process()
        if self._engine is not None:
            self._counted_before = self._count()
            self._counting_since_s = self.now()

    def _count(self) -> dict[str, int]:
        """Every counter, since the stack was opened."""
        engine = self._engine
        stack = StackCounters() if engine is None else engine.counters
        associations = AssociationCounters() if engine is None else engine.total_of_associations()
        counted = {field.name: getattr(stack, field.name) for field in fields(stack)}
        return counted | {
            "receive_buffer_drops": self._drops_of_closed + self._receive_buffer_drops(),
            # An INIT comes before its association, and what answers it as well.
            "control_chunks_sent": associations.octrlchunks + stack.answers_sent,
            "control_chunks_received": associations.ictrlchunks + stack.init_received,
            "ordered_chunks_sent": associations.oodchunks,
            "ordered_chunks_received": associations.iodchunks,
            "unordered_chunks_sent": associations.ouodchunks,
            "unordered_chunks_received": associations.iuodchunks,
            "messages_fragmented": associations.messages_fragmented,
            "messages_reassembled": associations.messages_reassembled,
        }

    def _receive_buffer_drops(self) -> int:
        """Of the sockets that are open."""
        return sum(receive_buffer_drops(udp_socket) for udp_socket in self.sockets)

    # -- for what hangs on a stack --

    @property
    def owners(self) -> Mapping[AssociationEngine, Owner]:
        """Every association, those being opened included, and who is told of it."""
        return MappingProxyType(self._owners)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None
        return self._loop

    @property
    def network(self) -> Network:
        return self._network

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The UDP sockets, on a network that has any."""
        return tuple(port.socket for port in self._ports.values() if isinstance(port, UDPEncapsulation))

    def now(self) -> float:
        return self._network.now()

    def own(self, engine: AssociationEngine, owner: Owner) -> None:
        """From now on `owner` is told of this association."""
        self._owners[engine] = owner

    def add(self, association: Association) -> None:
        """It is established: from now on it is its own owner, and one of the stack's `associations()`."""
        self.own(association.engine, association)
        self._associations[association.engine] = association

    def listen(self, endpoint: Endpoint, listener: Listener) -> None:
        self._listeners[endpoint] = listener

    def stop_listening(self, endpoint: Endpoint) -> None:
        # Called from within the admission of a peer: who was let in before, in the same batch, still gets a handler.
        for engine in list(endpoint.accepted):
            self._tell(engine)
        endpoint.stop_listening()
        self._listeners.pop(endpoint, None)
        self.close_if_unused(endpoint)

    def touch(self, engine: AssociationEngine) -> None:
        """Something was asked of this association: flush before the loop's turn is over. Raises RuntimeError after a
        fork."""
        self._check_process()
        if self._engine is not None:
            self._engine.touch(engine)
            self._schedule_flush()

    def touch_to_send(self, engine: AssociationEngine) -> None:
        """`touch`, of an association that was given a message."""
        self._check_process()
        if self._engine is not None:
            self._engine.touch_to_send(engine)
            self._schedule_flush()
        self.given_to = engine

    def call_before_flush(self, call: Callable[[], None]) -> None:
        """`call`, once, at the end of the loop's turn, before what was asked for in it is sent. It may ask for more;
        what it asks to be called in turn is, a turn later."""
        self._check_process()
        self._before_flush.append(call)
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        """Many calls in one turn of the loop make one flush."""
        if not self._flush_is_due and not self._is_closed:
            self._flush_is_due = True
            self.loop.call_soon(self._flush_in_turn)

    def open_endpoint(self, port: int, hosts: Sequence[str], config: Config) -> Endpoint:
        """The endpoint on this SCTP port (0: a new one on a free port). Raises ValueError, or PermissionError (EPERM)
        for a port that the policy refuses."""
        engine = self.open()
        existing = engine.endpoints.get(port)
        # A port that the stack chooses, or has chosen, is nobody's wish.
        if port and not (existing is not None and existing.is_ephemeral):
            self._ask_port_policy(port)
        if existing is None:
            return engine.open_endpoint(port, hosts, config)
        if set(existing.local_addresses) != set(hosts):
            raise ValueError(f"SCTP port {port} of this stack is open with other local addresses")
        return existing

    def _ask_port_policy(self, port: int) -> None:
        """Before the port is bound, or an association opened from it: on a privileged port that a user has inherited,
        "opening new associations should not be permitted" (RFC 6458 §10). Raises PermissionError (EPERM)."""
        if self._port_policy is not None and not self._port_policy(port):
            raise PermissionError(errno.EPERM, f"the stack's port_policy refuses SCTP port {port}")

    def close_if_unused(self, endpoint: Endpoint) -> None:
        """An endpoint lives as long as it is held, listens or has associations."""
        engine = self._engine
        is_used = endpoint.is_held or endpoint.is_listening or endpoint.associations
        if engine is not None and not is_used:
            engine.close_endpoint(endpoint)

    # -- DatagramReceiver --

    def datagrams_received(self, datagrams: Iterable[Received], local_host: str) -> None:
        engine = self._engine
        if engine is None:
            return
        now = self._network.now()
        for data, host, udp_port, segment_bytes in datagrams:
            if self._is_closed:
                return  # perhaps by the program, from within the admission of a peer just now
            try:
                engine.receive(data, host, udp_port, local_host, now, segment_bytes)
            except Exception as error:
                self._report_bug(error)
        if engine.is_in_haste:
            self.flush(now)
        else:
            self._tell_all(engine)
        # The tasks that this has woken run in the loop's next turn. What they send goes out with this at its end; a
        # flush that they ask for would come one turn later. Mostly it is the only one: a request came, and what it gets
        # besides the answer waits for that.
        self._schedule_flush()

    def icmp_received(self, message: IcmpMessage) -> None:
        if self._engine is not None and not self._is_closed:
            self._engine.icmp_received(message, self._network.now())
            self._schedule_flush()

    def send_failed(self, datagram: Datagram, *, too_big: bool, mtu: int = 0) -> None:
        # Called from within flush(), whose datagrams the engine has handed over: it can take this in.
        if self._engine is not None and not self._is_closed:
            self._engine.send_failed(datagram, too_big=too_big, mtu=mtu, now=self._network.now())
            self._schedule_flush()

    # -- driving --

    def _flush_in_turn(self) -> None:
        if self._before_flush:
            calls, self._before_flush = self._before_flush, []
            for call in calls:
                try:
                    call()
                except Exception as error:
                    self._report_bug(error)
        self._flush_is_due = False
        self.given_to = None
        if self._before_flush:
            # What these have asked for in their turn: one that always asks again must not hold the loop up.
            self._schedule_flush()
        if not self._is_closed and self._engine is not None and self._engine.has_output:
            self.flush(self._network.now())

    def flush(self, now: float) -> None:
        """Send what there is to send, tell the owners, set the timer."""
        engine = self._engine
        assert engine is not None
        self.given_to = None
        for datagram in engine.poll_datagrams(now):
            self._send(datagram)
        if engine.has_news:
            self._tell_all(engine)
        self._arm(engine, now)

    def _tell_all(self, engine: StackEngine) -> None:
        for association in engine.poll_changed():
            try:
                self._tell(association)
            except Exception as error:
                # The others are told, and the timer is set.
                self._report_bug(error)
        for fault in engine.poll_faults():
            self._report_bug(fault)

    def _send(self, datagram: Datagram) -> None:
        port = self._ports.get(datagram.source or "")
        if port is None:
            port = next(iter(self._ports.values()), None)
        if port is not None:
            port.send(datagram)

    def _tell(self, association: AssociationEngine) -> None:
        owner = self._owners.get(association)
        if owner is None:
            owner = self._new_owner(association)
        if owner is not None:
            owner.engine_changed()
        if association.ending is not None:
            self._disown(association)

    def _new_owner(self, association: AssociationEngine) -> Owner | None:
        """Of one that a peer has opened; None when nobody listens any more."""
        endpoint = self._endpoint_of(association)
        if endpoint is not None and association in endpoint.accepted:
            endpoint.accepted.remove(association)
            self._listeners[endpoint].engine_accepted(association)
        return self._owners.get(association)

    def _disown(self, association: AssociationEngine) -> None:
        self._owners.pop(association, None)
        self._associations.pop(association, None)
        endpoint = self._endpoint_of(association)
        if endpoint is not None:
            self.close_if_unused(endpoint)

    def _endpoint_of(self, association: AssociationEngine) -> Endpoint | None:
        assert self._engine is not None
        return self._engine.endpoints.get(association.local_port)

    def _arm(self, engine: StackEngine, now: float) -> None:
        """One timer for all associations. A deadline that moved later is not worth moving the timer for."""
        deadline = engine.next_deadline()
        if deadline is None:
            return
        deadline = max(deadline, self._timer_rests_until)
        if self._timer is not None and self._timer_at <= deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self.loop.call_later(max(deadline - now, MIN_TIMER_S), self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        engine = self._engine
        assert engine is not None
        now = self._network.now()
        self._timer_rests_until = now + TIMER_REST_S
        engine.handle_timeout(now)
        self.flush(now)

    def _report_bug(self, error: Exception) -> None:
        self.loop.call_exception_handler(
            {"message": "aiosctp: a bug of its own, or of a scheduler that the program registered", "exception": error}
        )

    def __repr__(self) -> str:
        if self._is_closed:
            return f"<Stack on UDP port {self._udp_port}, closed>"
        hosts = ", ".join(self._ports) or "not open yet"
        return f"<Stack on UDP port {self._udp_port}, {hosts}, {len(self._associations)} associations>"


def not_bound_to(name: str) -> OSError:
    return OSError(
        errno.EADDRNOTAVAIL,
        f"the stack is not bound to {name}: make one that is, Stack(local_addresses=[...]), and pass it as stack=",
    )
