"""SEND (RFC 9260 §11.1.5): what a call says becomes a message of the engine's, now or when its turn has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiosctp import policies
from aiosctp.arguments import Payload, bytes_of, check_int, check_range
from aiosctp.backpressure import Backpressure
from aiosctp.config import Config
from aiosctp.core.messages import Outgoing, Part, Record
from aiosctp.core.states import ESTABLISHED
from aiosctp.exceptions import InvalidStream, MessageTooLarge, RecordLost
from aiosctp.lifetime import Lifetime
from aiosctp.path import path_to
from aiosctp.policies import NO_POLICY, NamedPolicy, Policies, Policy

if TYPE_CHECKING:
    from aiosctp.byte_streams import ByteStreams

MAX_UINT32 = 2**32 - 1
_ZERO = 0


class Offered(NamedTuple):
    """A message, checked, which its stream has not taken at once; and what its call says of it beside that."""

    message: Outgoing
    named: NamedPolicy
    end_of_record: bool


class Sending:
    """One for each association."""

    __slots__ = ("_backpressure", "_defaults", "_engine", "_life", "_stack", "_unasked_bytes", "byte_streams")

    def __init__(self, life: Lifetime, backpressure: Backpressure) -> None:
        self._life = life
        self._engine = life.engine
        self._stack = life.stack
        self._backpressure = backpressure
        self._defaults: Policies | None = None
        """Of messages whose `send` names no policy; None while there are none, and all of those are reliable."""
        self.byte_streams: ByteStreams | None = None
        """In stream mode."""
        self._unasked_bytes = 0
        """So large a message may be, and nothing is asked; 0 where there are defaults, or it is to fit a chunk."""
        self._take_defaults(life.engine.config)

    def offer(
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
        address: str | tuple[str, int] | None,
    ) -> Offered | None:
        """Queue the message if its stream takes it now; else it is returned, checked, and nothing is queued."""
        # What nearly every call passes is told at a glance; the careful checks are for the rest.
        if type(data) is not bytes:
            data = bytes_of("data", data)
        size = len(data)
        if not size:
            raise ValueError("data must not be empty: SCTP has no empty messages (§3.3.1)")
        engine, backpressure = self._engine, self._backpressure
        if stream is not backpressure.credit_stream and type(stream) is not int:
            check_int("stream", stream)
        if not 0 <= stream < engine.tcb.outbound_streams:
            self._check_outbound(stream)
        if engine.state is not ESTABLISHED:
            self._life.check_may_send()
        message: Outgoing = data, stream, 0, False, 0, False, None
        if ppid is not _ZERO or unordered or context is not _ZERO or sack_immediately:
            check_range("ppid", ppid, 0, MAX_UINT32)
            check_range("context", context, 0, MAX_UINT32)
            message = data, stream, ppid, bool(unordered), context, bool(sack_immediately), None
        if (
            size > self._unasked_bytes
            or lifetime is not None
            or max_retransmits is not None
            or buffer_priority is not None
            or address is not None
        ):
            self._check_size(size)
            message = self._with_terms(message, (lifetime, max_retransmits, buffer_priority), address)
        if stream != backpressure.credit_stream or backpressure.credit_bytes <= 0 or not end_of_record:
            if self.byte_streams is not None:
                self.check_takes_messages(stream)
            if not end_of_record or engine.sender.queue.records is not None or not backpressure.renew(stream):
                named = lifetime, max_retransmits, buffer_priority
                return self._offer_as_next(Offered(message, named, end_of_record))
        backpressure.credit_bytes -= size
        engine.send(message)
        if self._stack.given_to is not engine:
            self._stack.touch_to_send(engine)
        return None

    def _offer_as_next(self, offered: Offered) -> Offered | None:
        """It may be a part of a record, or room is to be made for it."""
        message, backpressure = offered.message, self._backpressure
        stream = message[1]
        if stream in backpressure.waiting:
            return offered
        queued = self._as_next(offered)
        if not backpressure.renew(stream) and not self._make_room(queued):
            return offered
        self._queue(queued)
        if queued is message:
            backpressure.renew(stream)
        return None

    async def queue_in_turn(self, offered: Offered) -> None:
        """Wait in the line with what `offer` returned. Cancelling, or what this raises, leaves it unqueued."""
        message, _, end_of_record = offered
        data, stream, *_ = message
        # A part of a record outlives the default that is in its terms until then.
        seconds_left = None
        if end_of_record and not self._backpressure.leaves_open(stream):
            seconds_left = policies.seconds_left(message, self._stack.now())
        in_line = self._backpressure.in_line(stream, len(data), seconds_left, leaves_open=not end_of_record)
        with in_line as waiter:
            await waiter.turn
            self._life.check_may_send()
            # A restart meanwhile (§5.2.4 A) may have left fewer streams.
            self._check_outbound(stream)
            self.check_takes_messages(stream)
            self._check_size(len(data))
            if waiter.has_expired:
                policies.expire(message, self._stack.now())
            self._queue(self._as_next(offered))

    def _queue(self, message: Outgoing) -> None:
        """Of who has waited, or a part of a record: what comes next on the stream has no credit, so that it is asked
        whether it is one too."""
        self._backpressure.credit_bytes = 0
        self._engine.send(message)
        self._stack.touch_to_send(self._engine)

    # -- what the message is --

    def _with_terms(self, message: Outgoing, named: NamedPolicy, address: str | tuple[str, int] | None) -> Outgoing:
        """What the call names wins over the stream's default, that over the association's."""
        data, stream, ppid, unordered, context, sack_immediately, _ = message
        policy = policies.checked(*named)
        if self._defaults is not None and not policy.is_named:
            policy = self._defaults.of(stream)
        host = None if address is None else path_to(self._engine, address).address
        return data, stream, ppid, unordered, context, sack_immediately, policy.terms(self._stack.now(), host)

    def _as_next(self, offered: Offered) -> Outgoing:
        """What comes of a message that is next on its stream: a part of the record that is open there, or begins; or
        just the message."""
        message, named, end_of_record = offered
        data, stream, ppid, unordered, context, sack_immediately, terms = message
        records = self._engine.sender.queue.records
        if records is not None and stream in records.lost:
            if end_of_record or len(self._backpressure.waiting.get(stream, ())) <= 1:
                records.lost.remove(stream)
            raise self._life.of_ours(RecordLost("the peer has restarted: it will not get the beginning of this record"))
        record = None if records is None else records.open.get(stream)
        if record is None and end_of_record:
            return message
        if named != NO_POLICY:
            raise ValueError("lifetime, max_retransmits and buffer_priority are not for a record: it is reliable")
        if record is None:
            record = Record(ppid, unordered)
            if self.byte_streams is not None:
                self.byte_streams.association.stream(stream)
        if ppid != record.ppid:
            raise ValueError(f"ppid must be {record.ppid} on every part of this record, not {ppid}")
        if unordered != record.unordered:
            raise ValueError(f"unordered must be {record.unordered} on every part of this record")
        size, most = record.size_bytes + len(data), self._engine.config.max_message_bytes
        if size > most:
            raise MessageTooLarge(f"a record must be at most Config.max_message_bytes, {most}, not {size} bytes")
        part = Part(record, is_last=end_of_record, address=None if terms is None else terms.address)
        return data, stream, ppid, unordered, context, sack_immediately, part

    # -- whether it may go --

    def _make_room(self, message: Outgoing) -> bool:
        if self._engine.sender.queue.limits is None:
            return False
        has_room = self._backpressure.make_room(message)
        # Of those that were abandoned the program hears, and others get what is more than this one needs.
        self._life.touch()
        return has_room

    def check_takes_messages(self, stream: int) -> None:
        """A byte stream's number takes none: they would get in among its bytes. Making one ends the credit, so that
        this is asked."""
        if self.byte_streams is not None and self.byte_streams.find(stream) is not None:
            raise InvalidStream(f"stream {stream} is a byte stream, which its writer writes to")

    def _check_size(self, size: int) -> None:
        config = self._engine.config
        if size > config.max_message_bytes:
            most = config.max_message_bytes
            raise MessageTooLarge(f"data must be at most Config.max_message_bytes, {most}, not {size} bytes")
        most = self._engine.sender.fragmentation_point_bytes
        if size > most and not config.fragmentation:
            raise MessageTooLarge(
                f"data must fit one DATA chunk, {most} bytes, and has {size}: "
                "Config.fragmentation is off (SCTP_DISABLE_FRAGMENTS)"
            )

    def _check_outbound(self, stream: int) -> None:
        count = self._engine.tcb.outbound_streams
        if not 0 <= stream < count:
            raise InvalidStream(f"stream must be between 0 and {count - 1}, not {stream}")

    # -- what holds for those to come --

    def configure(self, config: Config) -> None:
        """The engine has it already: the defaults are others, and so may the room be."""
        self._take_defaults(config)
        self._backpressure.credit_bytes = 0
        self._backpressure.wake()

    def configure_stream(self, stream: int, policy: Policy) -> None:
        if self._defaults is None:
            self._defaults = Policies()
            self._defaults.configure(self._engine.config)
            self._unasked_bytes = 0
        self._defaults.configure_stream(stream, policy)

    def _take_defaults(self, config: Config) -> None:
        defaults = self._defaults or Policies()
        defaults.configure(config)
        self._defaults = defaults if defaults else None
        asks = defaults or not config.fragmentation
        self._unasked_bytes = 0 if asks else config.max_message_bytes
