"""From the transports of byte streams to the engine: what was written, as far as the send buffer has room."""

from __future__ import annotations

from collections.abc import Callable

from aiosctp.backpressure import Backpressure, Waiter
from aiosctp.core.states import MAY_TAKE_USER_DATA
from aiosctp.exceptions import AssociationShutdown
from aiosctp.lifetime import Lifetime
from aiosctp.stream_transport import StreamTransport
from aiosctp.write_buffer import MESSAGE_BYTES


class BlockedStream(Waiter):
    """A byte stream in the line. It takes its turn at once."""

    __slots__ = ("_output", "_transport")

    def __init__(self, output: StreamOutput, transport: StreamTransport) -> None:
        super().__init__(transport.number)
        self._output = output
        self._transport = transport

    def take_turn(self) -> None:
        self._output.take_turn(self._transport)

    def give_up(self) -> None:
        self._output.give_up(self._transport)


class StreamOutput:
    """What is written in one turn of the loop goes to the engine together, at the end of it.

    A stream goes up to its own mark, and all of them up to the association's (`Config.stream_send_buffer_bytes`,
    `send_buffer_bytes`); what is beyond that waits in the transports, and goes a message of each stream in turn, in one
    line with the messages that wait in `Association.send`, so that much on one does not keep another one waiting.
    """

    def __init__(
        self,
        life: Lifetime,
        backpressure: Backpressure,
        advance: Callable[[StreamTransport], None],
        may_resume: Callable[[StreamTransport], None],
    ) -> None:
        self._life = life
        self._engine = life.engine
        self._backpressure = backpressure
        self._advance = advance
        """All it has is with the engine, or acknowledged: the next step of its end, if that has begun."""
        self._may_resume = may_resume
        self._written: dict[StreamTransport, None] = {}
        self._blocked: dict[StreamTransport, BlockedStream] = {}
        """Those that wait for room."""
        self._draining: dict[StreamTransport, None] = {}
        """All they have is with the engine, and they wait for it to be acknowledged: as many as the send buffer holds
        low-water marks."""

    def was_written(self, transport: StreamTransport) -> None:
        """It has bytes, or the end of them."""
        if not self._written:
            self._life.stack.call_before_flush(self._hand_over)
        self._written[transport] = None

    def _hand_over(self) -> None:
        written, self._written = self._written, {}
        for transport in written:
            if transport not in self._blocked:
                self._give(transport)
            elif not transport.buffer.size_bytes:
                # It was aborted.
                self._unblock(transport)
                self._gave_all(transport)

    def _give(self, transport: StreamTransport) -> None:
        while transport.buffer.size_bytes and not self._is_cut_off(transport):
            if not self._backpressure.has_room(transport.number):
                self._block(transport)
                return
            self._give_message(transport)
        self._gave_all(transport)

    def _is_cut_off(self, transport: StreamTransport) -> bool:
        """Whether what it has can't go any more: the program hears of it."""
        if self._engine.state not in MAY_TAKE_USER_DATA:
            # §9.2: the peer shuts the association down; for our own shutdown it was handed over before.
            transport.fail(self._life.of_ours(AssociationShutdown("the association is shutting down")))
        elif self.is_resetting(transport.number) and not transport.is_behind_reset:
            # At the peer's request: what goes now would be of the stream that begins after that.
            transport.fail(ConnectionResetError("the peer has closed this stream"))
        return not transport.buffer.size_bytes

    def is_resetting(self, number: int) -> bool:
        """Whether the engine holds back what it is given for this stream until a reset of it is answered."""
        held = self._engine.sender.queue.held
        return held is not None and number in held.lines

    def _give_message(self, transport: StreamTransport) -> None:
        transport.was_used = True
        engine, stack = self._engine, self._life.stack
        most = min(MESSAGE_BYTES, engine.config.max_message_bytes)
        if not engine.config.fragmentation:
            most = min(most, engine.sender.fragmentation_point_bytes)
        message = transport.buffer.take(most)
        self._backpressure.credit_bytes = 0
        # Where packets are large the last one alone may be above the low-water mark: §6.1, the I bit, so that a writer
        # that is paused does not wait for a delayed SACK.
        sack_immediately = transport.paused_protocol and not transport.buffer.size_bytes
        engine.send((message, transport.number, engine.config.stream_ppid, False, 0, sack_immediately, None))
        if stack.given_to is not engine:
            stack.touch_to_send(engine)
        if transport.is_to_resume:
            # Room came of what was acknowledged: a low-water mark may be reached with some of it still here.
            self._may_resume(transport)

    def _block(self, transport: StreamTransport) -> None:
        self._blocked[transport] = waiter = BlockedStream(self, transport)
        self._backpressure.join(waiter)

    def _unblock(self, transport: StreamTransport) -> None:
        self._backpressure.leave(self._blocked.pop(transport))

    def take_turn(self, transport: StreamTransport) -> None:
        """There is room for a message of one that waits for that. Runs no code of the program."""
        self._unblock(transport)
        if transport.buffer.size_bytes and not self._is_cut_off(transport):
            self._give_message(transport)
        if transport.buffer.size_bytes:
            self._block(transport)
        else:
            self._gave_all(transport)

    def give_up(self, transport: StreamTransport) -> None:
        """The association takes no more, and this one, if nothing was done about it yet, waits for room."""
        if transport in self._blocked:
            self._unblock(transport)
            if not transport.buffer.size_bytes or self._is_cut_off(transport):
                self._gave_all(transport)

    def _gave_all(self, transport: StreamTransport) -> None:
        if transport.paused_protocol:
            self._draining[transport] = None
        self._advance(transport)

    def engine_changed(self) -> None:
        """It may have heard of something acknowledged. Runs no code of the program."""
        for transport in [each for each in self._draining if not self._waits_on(each)]:
            # One before may have ended the association, and with it these.
            if transport in self._draining:
                del self._draining[transport]
                self._advance(transport)

    def _waits_on(self, transport: StreamTransport) -> bool:
        if transport.paused_protocol:
            if not transport.is_to_resume:
                return True
            self._may_resume(transport)
        return transport.eof_was_written and self.unacknowledged_bytes(transport) > 0

    def wait_acknowledged(self, transport: StreamTransport) -> None:
        """`advance` it when all it has is acknowledged, or when its protocol may write again."""
        self._draining[transport] = None

    def unacknowledged_bytes(self, transport: StreamTransport) -> int:
        """What the engine holds of it."""
        if transport.outgoing_is_over:
            return 0
        return self._engine.sender.stream_buffered_bytes(transport.number)

    def hand_over_all(self) -> None:
        """Before a shutdown, after which the engine takes nothing: what was written counts as sent."""
        for transport in (*self._blocked, *self._written):
            while transport.buffer.size_bytes and not self._is_cut_off(transport):
                self._give_message(transport)

    def forget_all(self) -> None:
        """The association has ended, or the peer has restarted."""
        self._written.clear()
        for transport in list(self._blocked):
            self._unblock(transport)
        self._draining.clear()
