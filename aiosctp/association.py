"""An association as a program sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from aiosctp import parameters, stream_requests
from aiosctp.arguments import Payload, check_int, check_reader_limit, check_timeout
from aiosctp.backpressure import Backpressure
from aiosctp.byte_streams import AcceptedStreams, ByteStreams, Pair
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Message
from aiosctp.core.states import MAY_TAKE_USER_DATA, AssociationState, Opener
from aiosctp.events import AssociationChange, AssociationChangeKind, Event, SendFailed
from aiosctp.exceptions import AssociationLost, AssociationShutdown, InvalidStream, SCTPError
from aiosctp.lifetime import Lifetime
from aiosctp.path import Path
from aiosctp.reception import Reception
from aiosctp.sending import Sending
from aiosctp.status import AssociationStatistics, AssociationStatus, statistics_of, status_of
from aiosctp.streams import Stream
from aiosctp.subscriptions import EventSubscription, Subscriptions

if TYPE_CHECKING:
    from aiosctp.core.paths import Path as EnginePath
    from aiosctp.stack import Stack

# That of asyncio's own streams.
READER_LIMIT_BYTES = 2**16

# An ABORT's (§3.3.7), and that of its one cause (§3.3.10.12).
_ABORT_HEADERS_BYTES = 8


class Association:
    """One association (RFC 9260 §1.3). `connect` and `serve` make it.

    It lives until it is shut down, closed or aborted, or its stack is closed; dropping the reference closes nothing.
    As an async context manager it shuts down gracefully on leaving, within `Config.shutdown_timeout_s`, and discards
    what arrives from then on; a block left by an exception ABORTs it. When it then ends before all that was queued is
    acknowledged, whoever ended it, or with a record not ended, leaving raises AssociationLost, whose `__cause__` is the
    ending. After its end, leaving does nothing.
    """

    def __init__(
        self,
        stack: Stack,
        engine: AssociationEngine,
        *,
        holds_events: bool = False,
        on_end: Callable[[Association], None] | None = None,
        on_change: Callable[[Sequence[Event]], None] | None = None,
    ) -> None:
        """on_end: told once it has ended. on_change: told what happened whenever anything may have changed, the end
        included. Neither may run code of the program."""
        self.stack = stack
        self.engine = engine
        self._life = Lifetime(stack, engine)
        self._on_end = on_end
        self._on_change = on_change
        self._reception = Reception(self._life)
        self._backpressure = Backpressure(engine, stack.loop)
        self._sending = Sending(self._life, self._backpressure)
        self._subscriptions = Subscriptions(holds_events=holds_events)
        self._streams: dict[int, Stream] | None = None
        self._paths: dict[EnginePath, Path] | None = None
        """Both: those asked for."""
        self._byte_streams: ByteStreams | None = None
        self._undelivered = 0
        """Messages that were not acknowledged when the association ended."""
        self._hash = engine.tcb.local_tag

    # -- sending --

    async def send(
        self,
        data: Payload,
        *,
        stream: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        context: int = 0,
        sack_immediately: bool = False,
        lifetime: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
        end_of_record: bool = True,
        address: str | tuple[str, int] | None = None,
    ) -> None:
        """Queue one message (RFC 9260 §11.1.5), after waiting until its stream is below its high-water mark.

        Messages of one stream are queued in the order of the calls. Returning means queued, not acknowledged. The whole
        message is queued or nothing: when this raises or is cancelled, nothing was.

        data: the message, at least one byte, in `bytes`, `bytearray` or `memoryview`; `bytes` are kept by reference,
        others copied at the call.
        stream: below `outbound_streams`. ppid: 32 bits for the peer's application. unordered: deliver it at once,
        whatever else is missing. context: comes back in `SendFailed`. sack_immediately: ask the peer not to delay its
        SACK (§6.1, the I bit). address: one of the peer's, a host or as in `peer_addresses`, that it is first sent to,
        whichever is primary, while that is ACTIVE (§6.4; RFC 6458 §5.3.4, SCTP_ADDR_OVER). What is lost is sent again
        as any message is. While that path has no room, what comes behind waits too.

        A message is reliable unless it has one of these policies, named here, or else by its stream's or the
        association's default (`configure_stream`, `configure`); then it may be abandoned, whole, which `SendFailed`
        tells with error 0. It is not an exception, for that mostly happens after the return. Once any of it is sent,
        it takes a peer that knows FORWARD TSN ("pr" in `negotiated`); with another, it is reliable from then on.
        lifetime: seconds from the call, the waiting included (RFC 3758 §4.1), at most 10**9; one that ends while this
        waits for room makes it return. math.inf: reliable, whatever the default. max_retransmits: how often a chunk of
        it is sent again, 0 to 65535; with 0 it is abandoned at the first loss (RFC 7496 §3.1). buffer_priority: 32
        bits, the lower the more important; instead of waiting for room, a message takes it from those with a greater
        number, which are abandoned; one without a number takes it from all that have one (RFC 7496 §3.2).

        end_of_record: False makes the data a part of a message that goes on with the next call on this stream, until
        one has True (RFC 6458 §8.1.26, explicit EOR): the peer gets one message, a record. What is said of a message
        above holds for each part: it is sent, and its memory is free again, before the rest is given, and `SendFailed`
        names it alone. `ppid` and `unordered` are to be the same on all parts, no part is empty, the last one neither,
        and all together have at most `Config.max_message_bytes`. A record is reliable: a policy named with a part is a
        ValueError, defaults do not apply. When a part is not queued, the record is left open with those before it.
        While one is open, the reset of its stream, or of the association, waits for its end; a byte stream never has
        its number; and where `negotiated` has no "idata", messages of all other streams wait, once some of it is sent:
        SCTP has then no other way (§6.9).

        Raises TypeError or ValueError naming the argument, as for an address that is not the peer's, or unconfirmed
        (§5.4), InvalidStream for a number that is out of range or a byte stream's, MessageTooLarge, AssociationShutdown
        once either side is shutting down, RecordLost once when the peer has restarted amid the record, and the
        association's ending when it ends.
        """
        waits = self._sending.offer(
            data,
            stream,
            ppid,
            unordered,
            context,
            sack_immediately,
            lifetime,
            max_retransmits,
            buffer_priority,
            end_of_record,
            address,
        )
        if waits is not None:
            await self._sending.queue_in_turn(waits)

    def send_nowait(
        self,
        data: Payload,
        *,
        stream: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        context: int = 0,
        sack_immediately: bool = False,
        lifetime: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
        end_of_record: bool = True,
        address: str | tuple[str, int] | None = None,
    ) -> None:
        """As `send`, but raises BlockingIOError, with nothing queued, when that would wait."""
        waits = self._sending.offer(
            data,
            stream,
            ppid,
            unordered,
            context,
            sack_immediately,
            lifetime,
            max_retransmits,
            buffer_priority,
            end_of_record,
            address,
        )
        if waits is not None:
            raise BlockingIOError("the stream or the association is above its high-water mark")

    async def wait_acknowledged(self) -> None:
        """Wait until everything queued has been acknowledged (§6.2.1), or abandoned and the peer has been told so: it
        has acknowledged the FORWARD TSN (RFC 3758 §3.5).

        What a waiting `send` has not yet queued does not count. Cancelling changes nothing. Returns after a graceful
        end; raises the association's ending if it is any other.
        """
        while self.engine.ending is None and not self.engine.sender.is_drained:
            await self._life.changes.wait()
        if self.engine.ending is not None and not isinstance(self.engine.ending, AssociationShutdown):
            raise self._life.ending_error()

    # -- receiving --

    async def receive(self, *, partial: bool = False) -> Message:
        """Wait for the next message of any stream that no `stream()` has taken over (RFC 9260 §11.1.7).

        With `partial`, parts of a message come as they arrive, once `Config.partial_delivery_point_bytes` of it are
        there, `end_of_record` False on all but the last; else whole messages only. Cancelling loses nothing: a message
        is taken in the step that returns it. With a message ready the event loop is not entered.

        Raises RuntimeError while another task waits here, and in stream mode (`open_stream`). After a graceful end what
        was received is handed over first, then AssociationShutdown is raised; after an abort or loss,
        AssociationAborted or AssociationLost at once.
        """
        message = self._reception.take(None, partial)
        return message if message is not None else await self._reception.wait(None, partial)

    def receive_nowait(self, *, partial: bool = False) -> Message:
        """As `receive`, but raises BlockingIOError when that would wait."""
        return self._reception.receive_nowait(None, partial)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            message = self._reception.take(None, False)
            return message if message is not None else await self._reception.wait(None, False)
        except AssociationShutdown:
            raise StopAsyncIteration from None

    def stream(self, number: int) -> Stream:
        """The stream with this number: what the peer sends on it, already queued or not, is read there from now on.

        Raises InvalidStream unless the number is one of the incoming or outgoing streams, and no byte stream has it.
        """
        check_int("number", number)
        count = max(self.inbound_streams, self.outbound_streams)
        if not 0 <= number < count:
            raise InvalidStream(f"number must be between 0 and {count - 1}, not {number}")
        if self._streams is None:
            self._streams = {}
        found = self._streams.get(number)
        if found is None:
            if self._byte_streams is not None:
                self._byte_streams.give_to_messages(number)
            found = self._streams[number] = Stream(self, number, self._reception)
            self._reception.take_over(number)
        return found

    # -- byte streams --

    async def open_stream(self, number: int | None = None, *, limit: int = READER_LIMIT_BYTES) -> Pair:
        """The incoming and the outgoing stream of one number as asyncio's `StreamReader` and `StreamWriter`, over a
        `StreamTransport`. Nothing is sent before the first byte.

        This, or `accept_stream`, selects stream mode: `receive` raises from then on.

        number: one that is not in use. Without it, the side whose INIT opened the association takes even numbers and
        the other one odd ones, after waiting for one to become free; where both did (§5.2.1), the side with the larger
        tag takes odd ones. A number that both open all the same, as they name it or as one of two COOKIE ECHOs was
        lost, is one stream between them. Cancelling leaves nothing behind. limit: as that of `asyncio.open_connection`.

        Raises InvalidStream for a number that is out of range or in use, and when none will be free again because the
        peer does not support resets or denies them; AssociationShutdown once either side is shutting down, and the
        association's ending when it has ended.
        """
        check_reader_limit(limit)
        if number is not None:
            check_int("number", number)
            self._check_either(number)
            self._check_not_in_use(number)
        self._life.check_may_send()
        streams = self.byte_streams()
        if number is None:
            number = await streams.numbers.next()
        return streams.open(number, limit)

    async def accept_stream(self, *, limit: int = READER_LIMIT_BYTES) -> Pair:
        """Wait for the peer to begin a stream, and take it as `open_stream` takes one of ours.

        Selects stream mode. Cancelling loses none. What was begun and is not accepted holds the window, and waits in
        order. After a graceful end those that had begun are handed over first; then this raises the association's
        ending.
        """
        check_reader_limit(limit)
        streams = self.byte_streams()
        return streams.open(await streams.accept(), limit)

    def accept_streams(self, *, limit: int = READER_LIMIT_BYTES) -> AcceptedStreams:
        """An asynchronous iterator of what `accept_stream` returns; it ends at a graceful end."""
        check_reader_limit(limit)
        return AcceptedStreams(self.byte_streams(), limit)

    def _check_either(self, number: int) -> None:
        count = max(self.inbound_streams, self.outbound_streams)
        if not 0 <= number < count:
            raise InvalidStream(f"number must be between 0 and {count - 1}, not {number}")

    def _check_not_in_use(self, number: int) -> None:
        records = self.engine.sender.queue.records
        if records is not None and number in records.open:
            raise InvalidStream(f"stream {number} has an open record, which `send` has not ended")
        if self._reception.has_taken_over(number):
            raise InvalidStream(f"stream {number} is a stream of messages: stream() has taken it over")
        if self._byte_streams is not None:
            self._byte_streams.claim(number)

    # -- changing the streams --

    async def reset_streams(self, outgoing: Iterable[int] = (), incoming: Iterable[int] = ()) -> None:
        """Let the Stream Sequence Numbers of these streams begin anew (RFC 6525 §5.1.2, §5.1.3), and wait until the
        peer has answered.

        outgoing: of ours; what was given to `send` before goes before, what is given to it meanwhile goes after. The
        peer's program is told. incoming: the peer is asked to do that with its own. A `range` names many or all.

        Cancelling leaves the requests under way. Raises NotSupported, RequestDenied, InvalidStream, ValueError when
        neither names a stream, and the association's ending when it ends.
        """
        await stream_requests.reset(self._life, outgoing, incoming)

    async def reset_association(self) -> None:
        """Let all Stream Sequence Numbers and both sides' TSNs begin anew (RFC 6525 §5.1.4), once all that was sent is
        acknowledged. Waiting, cancellation and exceptions as with `reset_streams`."""
        await stream_requests.reset_all(self._life)

    async def add_streams(self, outgoing: int = 0, incoming: int = 0) -> None:
        """So many more streams (RFC 6525 §5.1.5, §5.1.6): of ours, and, which the peer is asked for, of its own.

        Waiting, cancellation and exceptions as with `reset_streams`; ValueError where there would be more than 65535,
        or more incoming ones than `Config.max_inbound_streams`.
        """
        await stream_requests.add(self._life, outgoing, incoming)

    # -- events --

    def events(self, *types: type) -> EventSubscription:
        """What happens to the association from this call on, or of it only these types (RFC 6458 §6.1).

        An asynchronous iterator of `aiosctp.events`; it ends after the association's last event. Each call is a
        subscription of its own, bounded by `Config.event_queue_limit`: beyond that comes one `NotificationsStopped`,
        and no more. Raises TypeError for what is no type of event.

        In a server's handler COMM_UP, and what came since, is kept until the handler first waits: call `events()`
        before that, and hand the iterator to the task that reads it.
        """
        return self._subscriptions.subscribe(types, self.engine.config.event_queue_limit)

    # -- ending --

    async def shutdown(self, timeout: float | None = None) -> None:
        """End gracefully (RFC 9260 §9.2): wait until all that was queued is acknowledged on both sides.

        A record that was not ended (`send`, `end_of_record`) can't be any more. What can still be sent is; then the
        association is ABORTed, so that the peer does not take what it has for all. Where there is no "idata" in
        `negotiated`, that may be before messages of other streams are.

        What arrives stays readable, so somebody must read it. timeout: seconds until the association is ABORTed
        instead, where `Config.shutdown_timeout_s` does not end it sooner. Cancelling leaves the shutdown under way,
        within the latter. Returns at once after a graceful end. Raises the association's ending if it is any other.
        """
        check_timeout(timeout)
        self.begin_shutdown()
        try:
            async with asyncio.timeout(timeout):
                await self.wait_closed()
        except TimeoutError:
            self.abort(b"the shutdown took too long")
        if not isinstance(self.engine.ending, AssociationShutdown):
            raise self._life.ending_error()

    def close(self) -> None:
        """`shutdown` in the background, which discards what arrives from now on. Does not wait.

        Does nothing after the end: what is left to read stays readable.
        """
        if self.engine.ending is None:
            self.begin_shutdown()
            self._reception.discard_all()
            if self._byte_streams is not None:
                self._byte_streams.discard_all()

    def abort(self, reason: bytes = b"") -> None:
        """End now (RFC 9260 §9.1): ABORT, with a User-Initiated Abort cause that carries the reason, goes to the peer.

        Waiting and later calls raise AssociationAborted. Does nothing after the end. Raises TypeError or, when the
        reason does not fit one packet of the smallest path, ValueError, and then aborts nothing.
        """
        if not isinstance(reason, bytes):
            raise TypeError(f"reason must be bytes, not {type(reason).__name__}")
        room = (self.engine.paths.amdcs & ~3) - _ABORT_HEADERS_BYTES
        if len(reason) > room:
            raise ValueError(f"reason must fit one packet, {room} bytes, and has {len(reason)}")
        if self.engine.ending is None:
            self.engine.abort(reason)
            self._life.touch()
            self.engine_changed()

    async def wait_closed(self) -> None:
        """Wait until the association has ended, however. Cancelling changes nothing; raises nothing of its own."""
        while self.engine.ending is None:
            await self._life.changes.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.engine.ending is not None:
            return
        if kind is not None:
            self.abort(b"the program left by an exception")
            return
        has_open_record = self.engine.sender.has_open_record
        self.close()
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self.abort(b"the program was cancelled")
            raise
        if self._undelivered or has_open_record:
            ending = self._life.ending_error()
            raise AssociationLost(f"not all messages were acknowledged before the end: {ending.strerror}") from ending

    def begin_shutdown(self) -> None:
        """`shutdown` without waiting."""
        if self.engine.ending is None:
            if self._byte_streams is not None:
                self._byte_streams.output.hand_over_all()
            self.engine.shutdown(self.stack.now())
            self._life.touch()
            self._backpressure.wake_all()

    # -- looking and setting --

    @property
    def state(self) -> AssociationState:
        return self.engine.state

    @property
    def outbound_streams(self) -> int:
        """How many streams we may send on; §5.1.1 negotiates it down to what the peer takes."""
        return self.engine.tcb.outbound_streams

    @property
    def inbound_streams(self) -> int:
        return self.engine.tcb.inbound_streams

    @property
    def negotiated(self) -> frozenset[str]:
        """The extensions that both sides have announced (RFC 5061 §4.2.7), once the handshake has ended.

        "reconfig": streams can be reset and added (RFC 6525). "pr": messages can be abandoned (RFC 3758). "idata":
        large messages do not keep those of other streams waiting (RFC 8260). "nrsack": NR-SACK.
        """
        return self.engine.tcb.negotiated.names

    @property
    def supports_stream_reset(self) -> bool:
        """Whether both sides have announced RE-CONFIG, so that streams can be reset and added (RFC 6525 §5.1.1)."""
        return self.engine.supports_reconfig

    @property
    def local_addresses(self) -> tuple[tuple[str, int], ...]:
        """Those of our addresses that the peer was told; the one in use where none was (RFC 6951 §5.7)."""
        hosts = self.engine.offered_addresses or (self.engine.paths.primary.local_address,)
        return tuple((host, self.engine.local_port) for host in hosts if host is not None)

    @property
    def peer_addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple((path.address, self.engine.peer_port) for path in self.engine.paths)

    @property
    def paths(self) -> tuple[Path, ...]:
        """A live view for each address of the peer."""
        return tuple(self._view(path) for path in self.engine.paths)

    @property
    def primary_path(self) -> Path:
        return self._view(self.engine.paths.primary)

    def set_primary(self, address: str | tuple[str, int]) -> None:
        """Send to this address of the peer as long as it answers (RFC 9260 §6.4, §11.1.6).

        Raises ValueError when it is not the peer's, or still unconfirmed (§5.4), and the association's ending when it
        has ended.
        """
        parameters.set_primary(self._life, address)

    def configure(self, **changes: Any) -> None:
        """Change parameters of this association, named as in `Config` (RFC 9260 §11.1.12, §11.1.13).

        A path keeps what was set for it alone. What was given to `send` keeps its policy; another scheduler orders
        what waits, too. One default policy takes the place of another when that is made None in the same call:
        `configure(lifetime_s=None, max_retransmits=0)`.

        Raises ValueError for what can't change in its life, ValueError or TypeError for a bad value, and then changes
        nothing.
        """
        parameters.configure(self._life, self._sending, changes)

    def configure_stream(
        self,
        number: int,
        *,
        priority: int | None = None,
        weight: int | None = None,
        lifetime: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
    ) -> None:
        """Set what an outgoing stream is to the scheduler, and the policy of messages whose `send` names none.

        It holds for what is given to `send` from now on, and the first two for what waits already; also after a restart
        of the peer, or a reset of the stream. None leaves a value as it is. Unlike `stream`, this takes nothing over.

        priority: 0 to 65535, the lower the sooner; it is 0 unless set (RFC 8260 §3.4). weight: 1 to 65535, its share of
        what is sent; it is 1 unless set (RFC 8260 §3.6). They mean something to the schedulers "priority" and
        "weighted" (`Config.scheduler`). lifetime, max_retransmits, buffer_priority: as in `send`, one of them at most,
        which takes the place of the stream's policy before; `lifetime=math.inf` is reliable, whatever the association's
        default.

        Raises TypeError or ValueError naming the argument, InvalidStream for a number that is no outgoing stream's or,
        with a policy, a byte stream's, whose bytes are never abandoned, and the association's ending when it has ended.
        """
        named = lifetime, max_retransmits, buffer_priority
        parameters.configure_stream(self._life, self._sending, number, priority, weight, named)

    def status(self) -> AssociationStatus:
        return status_of(self.engine, self.primary_path)

    def statistics(self) -> AssociationStatistics:
        """A snapshot. Taking one begins a new period for `maxrto`."""
        return statistics_of(self.engine)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername` and `sockname` (of the primary path), `udp_port`, `remote_udp_port`, `association`; else the
        default."""
        primary = self.primary_path
        match name:
            case "peername":
                return primary.address
            case "sockname":
                return primary.local_address
            case "udp_port":
                return self.stack.udp_port
            case "remote_udp_port":
                return primary.udp_port
            case "association":
                return self
            case _:
                return default

    def __hash__(self) -> int:
        """Of what the stack drew for it, not of its place in memory: a set of associations, such as a server's, then
        has the same order in every run on one seed (`aiosctp.testing`)."""
        return self._hash

    def __repr__(self) -> str:
        host, port = self.primary_path.address
        return f"<Association {self.engine.local_port} -> {host}:{port} {self.state}>"

    def _view(self, path: EnginePath) -> Path:
        known = self._paths or {}
        view = known.get(path)
        if view is None:
            # A restart makes new paths: views of those that are gone go with the program's references.
            self._paths = {each: kept for each, kept in known.items() if self.engine.paths.get(each.address)}
            view = self._paths[path] = Path(self._life, path)
        return view

    # -- what the stack, a server and a client use --

    def engine_changed(self) -> None:
        """The stack flushed this association: see what there is for whom. Runs no code of the program."""
        engine = self.engine
        is_over = False
        events = of_streams = engine.poll_events()
        if events:
            self._subscriptions.deliver(events)
            for index, event in enumerate(events):
                if isinstance(event, SendFailed):
                    # What was abandoned is told before the end.
                    self._undelivered += is_over
                elif not isinstance(event, AssociationChange):
                    continue
                elif event.change is not AssociationChangeKind.RESTART:
                    is_over = event.change is not AssociationChangeKind.COMM_UP
                else:
                    self._reception.restarted()
                    if self._byte_streams is not None:
                        self._byte_streams.restarted()
                        of_streams = events[index + 1 :]
        if self._byte_streams is not None:
            self._byte_streams.engine_changed(of_streams)
        if engine.ending is not None:
            self._subscriptions.end()
            self._reception.wake_all()
            self._backpressure.wake_all()
            self._life.changes.tell()
            if self._on_end is not None:
                self._on_end(self)
        else:
            self._reception.wake_ready()
            if engine.state in MAY_TAKE_USER_DATA:
                self._backpressure.wake()
            else:
                self._backpressure.wake_all()
            self._life.changes.tell()
        if self._on_change is not None:
            self._on_change(events)

    def byte_streams(self) -> ByteStreams:
        """Select stream mode."""
        if self._byte_streams is None:
            self._reception.use_byte_streams()
            records = self.engine.sender.queue.records
            for number in records.open if records is not None else ():
                self.stream(number)  # bytes are never to get in among its parts
            self._byte_streams = self._sending.byte_streams = ByteStreams(
                self, self._life, self._reception, self._backpressure, opens_even=self._opens_even
            )
        return self._byte_streams

    @property
    def _opens_even(self) -> bool:
        tcb = self.engine.tcb
        match self.engine.opener:
            case Opener.US:
                return True
            case Opener.PEER:
                return False
            case Opener.BOTH:
                # What both know alike decides.
                return tcb.local_tag < tcb.peer_tag

    @property
    def life(self) -> Lifetime:
        """For those that ask something of the engine."""
        return self._life

    def take_part(self, stream: int | None) -> Message | None:
        """`receive_nowait(partial=True)`, of the stream that is kept to or, None, of all; None when there is none."""
        return self._reception.take(stream, True)

    def peek_part(self) -> Message | None:
        """What `take_part` is going to return."""
        return self._reception.peek()

    def keep_to(self, stream: int | None) -> None:
        """While parts of its message are taken, no other message is (RFC 6458 §8.1.20); None: all streams again."""
        self._reception.keep_to(stream)

    def ending_error(self) -> SCTPError:
        """Why it ended, to be raised. It has."""
        return self._life.ending_error()

    def raised(self, error: BaseException) -> bool:
        """Whether this association raised it because it had ended, or was about to."""
        return self._life.raised(error)

    def release_held_events(self) -> None:
        self._subscriptions.release_held()
