"""An association as a program sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from aiosctp import policies, stream_requests
from aiosctp.arguments import (
    Payload,
    bytes_of,
    check_address,
    check_int,
    check_range,
    check_reader_limit,
    check_timeout,
)
from aiosctp.backpressure import Backpressure
from aiosctp.byte_streams import AcceptedStreams, ByteStreams, Pair
from aiosctp.config import Config
from aiosctp.core.addresses import canonical_host
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Message, Outgoing, Part, Record
from aiosctp.core.states import ESTABLISHED, MAY_TAKE_USER_DATA, AssociationState, Opener
from aiosctp.events import AssociationChange, AssociationChangeKind, Event, SendFailed
from aiosctp.exceptions import (
    AssociationLost,
    AssociationShutdown,
    InvalidStream,
    MessageTooLarge,
    RecordLost,
    SCTPError,
)
from aiosctp.lifetime import Lifetime
from aiosctp.path import Path, check_configurable
from aiosctp.policies import Policies
from aiosctp.reception import Reception
from aiosctp.status import Abandoned, AssociationStatistics, AssociationStatus
from aiosctp.streams import Stream
from aiosctp.subscriptions import EventSubscription, Subscriptions

if TYPE_CHECKING:
    from aiosctp.core.paths import Path as EnginePath
    from aiosctp.stack import Stack

MAX_UINT32 = 2**32 - 1
# That of asyncio's own streams.
READER_LIMIT_BYTES = 2**16
_ZERO = 0

CONFIGURABLE = frozenset(
    {
        "association_max_retrans",
        "buffer_priority",
        "event_queue_limit",
        "heartbeat",
        "hb_interval_s",
        "lifetime_s",
        "max_burst",
        "max_message_bytes",
        "max_retransmits",
        "nodelay",
        "partial_delivery_point_bytes",
        "path_max_retrans",
        "rto_initial_s",
        "rto_max_s",
        "rto_min_s",
        "sack_delay_s",
        "sack_frequency",
        "scheduler",
        "send_buffer_bytes",
        "shutdown_timeout_s",
        "stream_send_buffer_bytes",
    }
)

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
        self._policies: Policies | None = None
        """Of messages whose `send` names none; None while there are none, and all of those are reliable."""
        self._take_defaults(engine.config)
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
    ) -> None:
        """Queue one message (RFC 9260 §11.1.5), after waiting until its stream is below its high-water mark.

        Messages of one stream are queued in the order of the calls. Returning means queued, not acknowledged. The whole
        message is queued or nothing: when this raises or is cancelled, nothing was.

        data: the message, at least one byte, in `bytes`, `bytearray` or `memoryview`; `bytes` are kept by reference,
        others copied at the call.
        stream: below `outbound_streams`. ppid: 32 bits for the peer's application. unordered: deliver it at once,
        whatever else is missing. context: comes back in `SendFailed`. sack_immediately: ask the peer not to delay its
        SACK (§6.1, the I bit).

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

        Raises TypeError or ValueError naming the argument, InvalidStream for a number that is out of range or a byte
        stream's, MessageTooLarge, AssociationShutdown once either side is shutting down, RecordLost once when the peer
        has restarted amid the record, and the association's ending when it ends.
        """
        message = self._offer(
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
        )
        if message is not None:
            is_named = lifetime is not None or max_retransmits is not None or buffer_priority is not None
            seconds_left = policies.seconds_left(message, self.stack.now())
            if self._backpressure.leaves_open(stream):
                seconds_left = None  # it is to be a part of a record
            in_line = self._backpressure.in_line(stream, len(message[0]), seconds_left, leaves_open=not end_of_record)
            with in_line as waiter:
                await waiter.turn
                self._life.check_may_send()
                # A restart meanwhile (§5.2.4 A) may have left fewer streams.
                self._check_outbound(stream)
                self._check_takes_messages(stream)
                if waiter.has_expired:
                    policies.expire(message, self.stack.now())
                self._queue(self._part(message, end_of_record, is_named))

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
    ) -> None:
        """As `send`, but raises BlockingIOError, with nothing queued, when that would wait."""
        waits = self._offer(
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

    def _offer(
        self,
        data: Payload,
        stream: int,
        ppid: int,
        unordered: bool,
        context: int,
        sack_immediately: bool,
        lifetime: float | None,
        max_retransmits: int | None,
        buffer_priority: int | None,
        end_of_record: bool,
    ) -> Outgoing | None:
        """Queue the message if its stream takes it now; else it is returned, checked, and nothing is queued."""
        # What nearly every call passes is told at a glance; the careful checks are for the rest.
        if type(data) is not bytes:
            data = bytes_of("data", data)
        size = len(data)
        if not size:
            raise ValueError("data must not be empty: SCTP has no empty messages (§3.3.1)")
        if type(stream) is not int:
            check_int("stream", stream)
        engine = self.engine
        if not 0 <= stream < engine.tcb.outbound_streams:
            self._check_outbound(stream)
        if size > engine.config.max_message_bytes:
            most = engine.config.max_message_bytes
            raise MessageTooLarge(f"data must be at most Config.max_message_bytes, {most}, not {size} bytes")
        if engine.state is not ESTABLISHED:
            self._life.check_may_send()
        message: Outgoing = data, stream, 0, False, 0, False, None
        if ppid is not _ZERO or unordered or context is not _ZERO or sack_immediately:
            check_range("ppid", ppid, 0, MAX_UINT32)
            check_range("context", context, 0, MAX_UINT32)
            message = data, stream, ppid, bool(unordered), context, bool(sack_immediately), None
        if (
            lifetime is not None
            or max_retransmits is not None
            or buffer_priority is not None
            or self._policies is not None
        ):
            message = self._with_terms(message, lifetime, max_retransmits, buffer_priority)
        backpressure = self._backpressure
        if stream != backpressure.credit_stream or backpressure.credit_bytes <= 0 or not end_of_record:
            self._check_takes_messages(stream)
            part = message
            if (not end_of_record or engine.sender.queue.records is not None) and stream not in backpressure.waiting:
                is_named = lifetime is not None or max_retransmits is not None or buffer_priority is not None
                part = self._part(message, end_of_record, is_named)
            if not backpressure.renew(stream) and not self._make_room(part):
                return message
            if part is not message:
                self._queue(part)
                return None
        backpressure.credit_bytes -= size
        engine.send(message)
        if self.stack.given_to is not engine:
            self.stack.touch_to_send(engine)
        return None

    def _queue(self, message: Outgoing) -> None:
        """Of who has waited, or a part of a record: what comes next on the stream has no credit, so that it is asked
        whether it is one too."""
        self._backpressure.credit_bytes = 0
        self.engine.send(message)
        self.stack.touch_to_send(self.engine)

    def _with_terms(
        self, message: Outgoing, lifetime: float | None, max_retransmits: int | None, buffer_priority: int | None
    ) -> Outgoing:
        """What the call names wins over the stream's default, that over the association's."""
        data, stream, ppid, unordered, context, sack_immediately, _ = message
        policy = policies.checked(lifetime, max_retransmits, buffer_priority)
        if self._policies is not None and not policy.is_named:
            policy = self._policies.of(stream)
        return data, stream, ppid, unordered, context, sack_immediately, policy.terms(self.stack.now())

    def _part(self, message: Outgoing, end_of_record: bool, policy_is_named: bool) -> Outgoing:
        """What comes of a message that is next on its stream: a part of the record that is open there, or begins; or
        just the message."""
        data, stream, ppid, unordered, context, sack_immediately, _ = message
        records = self.engine.sender.queue.records
        if records is not None and stream in records.lost:
            if end_of_record or len(self._backpressure.waiting.get(stream, ())) <= 1:
                records.lost.remove(stream)
            raise self._life.of_ours(RecordLost("the peer has restarted: it will not get the beginning of this record"))
        record = None if records is None else records.open.get(stream)
        if record is None and end_of_record:
            return message
        if policy_is_named:
            raise ValueError("lifetime, max_retransmits and buffer_priority are not for a record: it is reliable")
        if record is None:
            record = Record(ppid, unordered)
            if self._byte_streams is not None:
                self.stream(stream)
        if ppid != record.ppid:
            raise ValueError(f"ppid must be {record.ppid} on every part of this record, not {ppid}")
        if unordered != record.unordered:
            raise ValueError(f"unordered must be {record.unordered} on every part of this record")
        size, most = record.size_bytes + len(data), self.engine.config.max_message_bytes
        if size > most:
            raise MessageTooLarge(f"a record must be at most Config.max_message_bytes, {most}, not {size} bytes")
        return data, stream, ppid, unordered, context, sack_immediately, Part(record, is_last=end_of_record)

    def _make_room(self, message: Outgoing) -> bool:
        if self.engine.sender.queue.limits is None:
            return False
        has_room = self._backpressure.make_room(message)
        # Of those that were abandoned the program hears, and others get what is more than this one needs.
        self._life.touch()
        return has_room

    def _check_takes_messages(self, stream: int) -> None:
        """A byte stream's number takes none: they would get in among its bytes. Making one ends the credit, so that
        this is asked."""
        if self._byte_streams is not None and self._byte_streams.find(stream) is not None:
            raise InvalidStream(f"stream {stream} is a byte stream, which its writer writes to")

    def _check_outbound(self, stream: int) -> None:
        if not 0 <= stream < self.engine.tcb.outbound_streams:
            raise InvalidStream(f"stream must be between 0 and {self.outbound_streams - 1}, not {stream}")

    # -- receiving --

    async def receive(self, *, partial: bool = False) -> Message:
        """Wait for the next message of any stream that no `stream()` has taken over (RFC 9260 §11.1.6).

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
        if self.engine.ending is not None:
            raise self._life.ending_error()
        path = self.engine.paths.get(self._host_of(address))
        if path is None:
            raise ValueError(f"address must be one of the peer's, not {address!r}")
        if not path.is_confirmed:
            raise ValueError(f"address {path.address} is not confirmed yet")
        self.engine.set_primary(path)
        self._life.touch()

    def configure(self, **changes: Any) -> None:
        """Change parameters of this association, named as in `Config` (RFC 9260 §11.1.12, §11.1.13).

        A path keeps what was set for it alone. What was given to `send` keeps its policy; another scheduler orders
        what waits, too. One default policy takes the place of another when that is made None in the same call:
        `configure(lifetime_s=None, max_retransmits=0)`.

        Raises ValueError for what can't change in its life, ValueError or TypeError for a bad value, and then changes
        nothing.
        """
        check_configurable(changes, CONFIGURABLE)
        config = self.engine.config.replace(**changes)
        self.engine.configure(config, self.stack.now())
        self._take_defaults(config)
        self._backpressure.credit_bytes = 0
        self._backpressure.wake()
        self._life.touch()

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
        check_int("number", number)
        if not 0 <= number < self.outbound_streams:
            raise InvalidStream(f"number must be between 0 and {self.outbound_streams - 1}, not {number}")
        if priority is not None:
            check_range("priority", priority, 0, policies.MAX_STREAM_VALUE)
        if weight is not None:
            check_range("weight", weight, 1, policies.MAX_STREAM_VALUE)
        policy = policies.checked(lifetime, max_retransmits, buffer_priority)
        if policy.is_named:
            self._check_takes_messages(number)
        if self.engine.ending is not None:
            raise self._life.ending_error()
        self.engine.sender.queue.set_stream_values(number, priority=priority, weight=weight)
        if policy.is_named:
            if self._policies is None:
                self._policies = Policies()
                self._policies.configure(self.engine.config)
            self._policies.configure_stream(number, policy)

    def _take_defaults(self, config: Config) -> None:
        defaults = self._policies or Policies()
        defaults.configure(config)
        self._policies = defaults if defaults else None

    def status(self) -> AssociationStatus:
        engine = self.engine
        return AssociationStatus(
            state=engine.state,
            rwnd_bytes=engine.sender.peer_rwnd_bytes,
            unacknowledged_chunks=engine.sender.unacknowledged_chunks,
            pending_messages=engine.receiver.pending_messages,
            inbound_streams=self.inbound_streams,
            outbound_streams=self.outbound_streams,
            fragmentation_point_bytes=engine.paths.amdcs - engine.tcb.negotiated.data_format.header_bytes,
            primary_path=self.primary_path,
        )

    def statistics(self) -> AssociationStatistics:
        """A snapshot. Taking one begins a new period for `maxrto`."""
        counters = asdict(self.engine.take_counters())
        by_stream = self.engine.sender.abandoned_by_stream
        return AssociationStatistics(
            **counters, abandoned_by_stream={stream: Abandoned(*by_stream[stream]) for stream in sorted(by_stream)}
        )

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

    def _host_of(self, address: str | tuple[str, int]) -> str:
        host, port = (address, self.engine.peer_port) if isinstance(address, str) else check_address(address)
        if port != self.engine.peer_port:
            raise ValueError(f"address must have the peer's port {self.engine.peer_port}, not {port!r}")
        try:
            return canonical_host(host)
        except ValueError as error:
            raise ValueError(f"address: {error}") from None

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
            self._byte_streams = ByteStreams(
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

    def ending_error(self) -> SCTPError:
        """Why it ended, to be raised. It has."""
        return self._life.ending_error()

    def raised(self, error: BaseException) -> bool:
        """Whether this association raised it because it had ended, or was about to."""
        return self._life.raised(error)

    def release_held_events(self) -> None:
        self._subscriptions.release_held()
