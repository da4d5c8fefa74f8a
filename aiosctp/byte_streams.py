"""The byte streams of an association: who has which number, and what is taken from the engine for whom."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiosctp.core.states import MAY_TAKE_USER_DATA
from aiosctp.events import Event, StreamChange, StreamReset
from aiosctp.exceptions import AssociationShutdown, InvalidStream
from aiosctp.stream_endings import StreamEndings
from aiosctp.stream_numbers import StreamNumbers
from aiosctp.stream_output import StreamOutput
from aiosctp.stream_transport import StreamTransport
from aiosctp.waiting_line import WaitingLine

if TYPE_CHECKING:
    from aiosctp.association import Association
    from aiosctp.backpressure import Backpressure
    from aiosctp.lifetime import Lifetime
    from aiosctp.reception import Reception

ProtocolFactory = Callable[[], asyncio.BaseProtocol]
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ByteStreams:
    """One for an association in stream mode.

    Code of the program runs only in `_run`, which the loop calls once for all that a batch brought: what arrived on a
    stream goes to its protocol in one piece. Until then, and while a protocol does not read, it stays with the engine,
    charged to the window. What is written goes to the engine as far as its send buffer has room, stream by stream in
    turn; the rest waits in the transports.
    """

    def __init__(
        self,
        association: Association,
        life: Lifetime,
        reception: Reception,
        backpressure: Backpressure,
        *,
        opens_even: bool,
    ) -> None:
        self.association = association
        self.loop: asyncio.AbstractEventLoop = life.stack.loop
        self.ends_with_last_stream = False
        """The association is of its streams alone, as that of `open_connection`: when the last one is closed it is
        shut down."""
        self._life = life
        self._engine = life.engine
        self._reception = reception
        self._backpressure = backpressure
        self._endings = StreamEndings(self, life, self._ends_association)
        self.output: StreamOutput = StreamOutput(life, backpressure, self._endings.advance, self.may_resume)
        self._by_number: dict[int, StreamTransport] = {}
        """Whose bytes go and come under a number."""
        self.numbers: StreamNumbers = StreamNumbers(
            association, life, reception, self._by_number, opens_even=opens_even
        )
        self._alive: dict[StreamTransport, None] = {}
        """Those whose protocol has not been told of the end; one that the peer has closed may have lost its number."""
        self._protocol_factory: ProtocolFactory | None = None
        self._opens_at_once = False
        self._unaccepted: OrderedDict[int, int] = OrderedDict()
        """Begun by the peer, in this order; of how many conversations under this number, from the first on, the peer
        has had our side reset."""
        self._acceptors = WaitingLine(self.loop)
        self._is_discarding = False
        self._hungry: dict[StreamTransport, None] = {}
        """They have something to take, or to discard."""
        self._resuming: dict[StreamTransport, None] = {}
        self._run_is_due = False
        self._engine.receiver.use_streams()
        self._note_arrivals()

    # -- streams begin --

    def make(self, number: int, protocol: asyncio.BaseProtocol) -> StreamTransport:
        """A transport on a number that is free. Its `begin` is still to be called."""
        transport = StreamTransport(self, number, protocol)
        # What the peer has begun waits for our end too, even if we have read nothing of it.
        transport.was_used = number in self._unaccepted
        shut = self._unaccepted.pop(number, 0)
        transport.outgoing_is_over = shut > 0
        transport.shut_after = max(0, shut - 1)
        self.numbers.take(number)
        self._backpressure.credit_bytes = 0
        self._by_number[number] = transport
        self._alive[transport] = None
        self._engine.receiver.take_over(number)
        if self.output.is_resetting(number):
            # Of what was before, unless all of this has come already.
            transport.is_behind_reset = not self._engine.receiver.count_marks(number)
        return transport

    def open(self, number: int, limit: int) -> Pair:
        """asyncio's own reader and writer on it."""
        reader = asyncio.StreamReader(limit=limit, loop=self.loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self.loop)
        transport = self.make(number, protocol)
        writer = asyncio.StreamWriter(transport, protocol, reader, self.loop)
        transport.kept = reader, writer
        self.begin(transport)
        return reader, writer

    def begin(self, transport: StreamTransport) -> None:
        """Calls the protocol: from the loop only, unless it is asyncio's own."""
        transport.begin()
        if self._engine.ending is None:
            self.wants_input(transport)
        else:
            self._end(transport)

    def begin_for(self, transport: StreamTransport, waiter: asyncio.Future[None]) -> None:
        """`begin`, for who waits for it."""
        self.begin(transport)
        if not waiter.done():
            waiter.set_result(None)

    def claim(self, number: int) -> None:
        """What the program asks for by its number. Raises InvalidStream when it can't have that."""
        if number in self._by_number or self.numbers.is_retired(number):
            raise InvalidStream(f"stream {number} is in use, or was closed without a reset")

    def give_to_messages(self, number: int) -> None:
        """`Association.stream` takes it over: nobody accepts it any more."""
        self.claim(number)
        self._unaccepted.pop(number, None)

    def serve_soon(self, protocol_factory: ProtocolFactory) -> None:
        """From now on every stream that the peer begins gets a protocol; stream 0 without waiting for that, so that the
        server can speak first."""
        self._protocol_factory = protocol_factory
        self._opens_at_once = True
        self._wants_run()

    def _serve(self, number: int) -> None:
        assert self._protocol_factory is not None
        try:
            protocol = self._protocol_factory()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            context = {"message": "the protocol factory failed", "exception": error}
            self.loop.call_exception_handler(context)
            transport = self.make(number, asyncio.Protocol())
            transport.was_used = True
            transport.abort()
        else:
            transport = self.make(number, protocol)
            transport.was_used = True
            self.begin(transport)

    async def accept(self) -> int:
        """The number of a stream that the peer has begun, in turn; the caller makes its transport at once."""
        return await self._acceptors.wait(self._find_unaccepted)

    def _find_unaccepted(self) -> int | None:
        number = next(iter(self._unaccepted), None)
        if number is None and self._engine.ending is not None:
            raise self._life.ending_error()
        return number

    # -- what the association tells --

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Runs no code of the program."""
        was_due = self._engine.receiver.sack_is_due
        if self._is_discarding:
            self._discard_arrivals()
        else:
            self._note_arrivals()
        self._endings.streams_reset([event for event in events if isinstance(event, StreamReset)])
        if any(isinstance(event, StreamChange) for event in events):
            self.numbers.wake()
        if self._engine.ending is not None:
            self._ended()
            return
        if self._engine.state not in MAY_TAKE_USER_DATA:
            self.numbers.wake_all()
        self.output.engine_changed()
        self._tell_of_window(was_due)

    def _tell_of_window(self, was_due: bool) -> None:
        """What was read, or thrown away, has re-opened the window (§6.2): the peer must hear of it. What was due before
        that was seen, and waits if it may not be sent: asked for at each look, it would have no end."""
        if not was_due and self._engine.receiver.sack_is_due and self._engine.ending is None:
            self._life.touch()

    def restarted(self) -> None:
        """§5.2.4 A: the peer knows nothing of these streams any more."""
        for transport in {**self._alive, **dict.fromkeys(self._by_number.values())}:
            transport.cut_off(ConnectionResetError("the peer has restarted"))
        for state in (self._by_number, self._unaccepted, self._hungry, self._resuming):
            state.clear()
        self._reception.drop_inherited()
        self.output.forget_all()
        self._endings.restarted()
        self.numbers.restarted()
        if self.ends_with_last_stream:
            self.association.close()
        elif self._protocol_factory is not None and not self._is_discarding:
            self.serve_soon(self._protocol_factory)

    def discard_all(self) -> None:
        """The association is closed here: nobody reads any more."""
        was_due = self._engine.receiver.sack_is_due
        self._is_discarding = True
        self._unaccepted.clear()
        for number in self._by_number:
            self._engine.receiver.release_stream(number)
        self._discard_arrivals()
        self._tell_of_window(was_due)

    def _discard_arrivals(self) -> None:
        receiver = self._engine.receiver
        was_due = receiver.sack_is_due
        for number in receiver.take_arrivals():
            if not self._reception.has_taken_over(number):
                receiver.release_stream(number)
        self._tell_of_window(was_due)

    def _ended(self) -> None:
        self.output.forget_all()
        for transport in list(self._alive):
            self._end(transport)
        if self._is_cut_off:
            self._unaccepted.clear()
        else:
            self._release_closed()
        self.numbers.wake_all()
        self._acceptors.wake_all()

    @property
    def _is_cut_off(self) -> bool:
        """The association has ended otherwise than gracefully: §9.1, what has arrived is discarded too."""
        return self._engine.ending is not None and not isinstance(self._engine.ending, AssociationShutdown)

    def _end(self, transport: StreamTransport) -> None:
        """The association has ended."""
        ending = self._life.ending_error()
        is_complete = not self._is_cut_off and not transport.buffer.size_bytes
        transport.outgoing_is_over = True
        if transport.is_closing():
            transport.lose(None if is_complete else ending)
        elif is_complete:
            # What has arrived is still to be read.
            self.wants_input(transport)
        else:
            transport.fail(ending)

    def _release_closed(self) -> None:
        """The peer may have begun anew under the numbers of streams that only waited for an answer; that is still to be
        accepted."""
        for transport in list(self._by_number.values()):
            if transport.is_closing():
                self.discard(transport)
                if transport.incoming_is_over:
                    self.release(transport)

    def _note_arrivals(self) -> None:
        if self._is_cut_off:
            return
        for number in self._engine.receiver.take_arrivals():
            transport = self._by_number.get(number)
            if transport is not None:
                self.wants_input(transport)
            elif not self._reception.has_taken_over(number):
                self._begun_by_peer(number)

    # -- running code of the program --

    def _wants_run(self) -> None:
        if not self._run_is_due:
            self._run_is_due = True
            self.loop.call_soon(self._run)

    def _run(self) -> None:
        self._run_is_due = False
        was_due = self._engine.receiver.sack_is_due
        if self._opens_at_once:
            self._opens_at_once = False
            if 0 not in self._by_number and self._engine.ending is None:
                self._serve(0)
        resuming, self._resuming = self._resuming, {}
        for transport in resuming:
            transport.resume_if_below()
            if transport.paused_protocol:
                # Its limits were lowered, or more was written, since it was found to be below.
                self.was_paused(transport)
        if self._protocol_factory is not None:
            while self._unaccepted:
                # One by one: the program may take the next ones otherwise, or end the association.
                self._serve(next(iter(self._unaccepted)))
        hungry, self._hungry = self._hungry, {}
        for transport in hungry:
            self._feed(transport)
        self._tell_of_window(was_due)

    def _begun_by_peer(self, number: int, shut: int = 0) -> None:
        if self.numbers.is_retired(number):
            self._engine.receiver.release_stream(number)
        elif number not in self._unaccepted:
            self._unaccepted[number] = shut
            self._acceptors.wake()
            if self._protocol_factory is not None:
                self._wants_run()

    def _feed(self, transport: StreamTransport) -> None:
        transport.take_up()
        if transport.is_closing():
            if not transport.incoming_is_over:
                self.discard(transport)
                self._endings.advance(transport)
        elif transport.takes_input and not transport.owes_input:
            pieces, is_at_mark = self._read(transport.number)
            if pieces:
                transport.data_arrived(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if is_at_mark:
                transport.eof_arrived()
                self._endings.advance(transport)
        ending = self._engine.ending
        if ending is not None and not transport.is_lost:
            self._feed_the_end(transport)

    def _feed_the_end(self, transport: StreamTransport) -> None:
        """After a graceful end, once all that had arrived was taken."""
        if transport.is_reading() and not transport.owes_input:
            if not transport.incoming_is_over:
                transport.eof_arrived()
            transport.lose(None)

    def _read(self, number: int) -> tuple[list[bytes], bool]:
        """All that has arrived up to the next mark of a reset, and whether there is one."""
        receiver = self._engine.receiver
        pieces: list[bytes] = []
        while (message := receiver.read(number, partial=True)) is not None:
            if not message.data:
                return pieces, True
            pieces.append(message.data)
        return pieces, False

    # -- what transports ask for --

    @property
    def can_reset(self) -> bool:
        return self._endings.can_reset

    def was_written(self, transport: StreamTransport) -> None:
        self.output.was_written(transport)

    def unacknowledged_bytes(self, transport: StreamTransport) -> int:
        return self.output.unacknowledged_bytes(transport)

    def was_paused(self, transport: StreamTransport) -> None:
        if not transport.buffer.size_bytes:
            self.output.wait_acknowledged(transport)

    def may_resume(self, transport: StreamTransport) -> None:
        self._resuming[transport] = None
        self._wants_run()

    def wants_input(self, transport: StreamTransport) -> None:
        """It has just begun to read, again or at all; or to discard."""
        self._hungry[transport] = None
        self._wants_run()

    def is_closing(self, transport: StreamTransport) -> None:
        """`close`, `abort` or a failure: discard what is there, and end it both ways once all is with the engine."""
        if self._engine.ending is not None:
            transport.lose(None)
        elif transport.outgoing_is_over and transport.incoming_is_over:
            self._endings.advance(transport)
        else:
            self.wants_input(transport)
            self.output.was_written(transport)

    def was_lost(self, transport: StreamTransport) -> None:
        self._alive.pop(transport, None)

    # -- what their endings ask for --

    def find(self, number: int) -> StreamTransport | None:
        return self._by_number.get(number)

    def discard(self, transport: StreamTransport) -> None:
        """What has arrived of it, up to the mark of a reset."""
        if transport.incoming_is_over:
            return
        pieces, is_at_mark = self._read(transport.number)
        transport.was_used |= bool(pieces)
        transport.has_late_input |= transport.outgoing_is_over and bool(pieces)
        transport.incoming_is_over |= is_at_mark

    def shut_before_accepted(self, number: int, since: int) -> None:
        """The peer has had our side reset of what nobody has accepted yet: of all that was complete, for what was not
        may have begun after that. `since`: how often the peer has reset its own side since then."""
        if number in self._unaccepted:
            self._unaccepted[number] = max(0, self._engine.receiver.count_marks(number) - since)

    def shut_later(self, transport: StreamTransport, since: int) -> None:
        """The same of what waits behind one that is not read to its end: the peer has gone on to other conversations
        under this number."""
        before = 0 if transport.incoming_is_over else 1
        transport.shut_after = max(0, self._engine.receiver.count_marks(transport.number) - since - before)

    def release(self, transport: StreamTransport) -> None:
        """Both directions are over: the number is another stream's from now on."""
        number = transport.number
        if self._by_number.get(number) is not transport:
            return
        del self._by_number[number]
        receiver = self._engine.receiver
        receiver.skip_mark(number)
        if self.numbers.is_retired(number) or not receiver.has_message(number):
            receiver.release_stream(number)
        else:
            self._begun_by_peer(number, transport.shut_after)
        self.numbers.free(number)

    def _ends_association(self, transport: StreamTransport) -> bool:
        """Whether it is the last one of an association that is its streams' alone, which ends now. A server's is the
        client's to end, as long as there is another way to tell it the end of a stream."""
        is_served_without_resets = self._protocol_factory is not None and not self.can_reset
        if not self.ends_with_last_stream and not is_served_without_resets:
            return False
        if any(other is not transport for other in self._alive):
            return False
        if transport.is_lost and not transport.outgoing_is_over:
            self.association.abort(b"the connection was aborted")
        else:
            self.association.close()
        return True


class AcceptedStreams:
    """An asynchronous iterator over the streams that the peer begins. `Association.accept_streams` makes it."""

    def __init__(self, streams: ByteStreams, limit: int) -> None:
        self._streams = streams
        self._limit = limit

    def __aiter__(self) -> AcceptedStreams:
        return self

    async def __anext__(self) -> Pair:
        try:
            return self._streams.open(await self._streams.accept(), self._limit)
        except AssociationShutdown:
            raise StopAsyncIteration from None
