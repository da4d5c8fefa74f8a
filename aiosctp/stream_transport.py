"""One SCTP stream as a transport of asyncio: the contract that protocols rely on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from aiosctp.arguments import bytes_of, check_int
from aiosctp.exceptions import InvalidStream
from aiosctp.write_buffer import WriteBuffer

if TYPE_CHECKING:
    from aiosctp.byte_streams import ByteStreams
    from aiosctp.core.reconfig import Request

# asyncio's own.
HIGH_WATER_BYTES: Final = 64 * 1024


class StreamTransport(asyncio.Transport):
    """The incoming and the outgoing stream of one number, as one connection of bytes.

    `Association.open_stream` and the functions with asyncio's names make it. Message boundaries carry no meaning; small
    writes of one turn of the loop go as one message. The association keeps it, and its protocol, until it is closed on
    both sides or the association ends.

    Ending. `write_eof` resets the outgoing stream (RFC 6525) once all that was written is sent, which the peer sees as
    the end of what it reads. `close` does that too, asks the peer to reset its own, and discards what still arrives;
    `connection_lost` comes when the peer has answered, and the number is free again. `abort` does not send what is
    still here, and calls `connection_lost` at once. When the peer closes, what is written from then on is lost:
    `connection_lost` then comes with a ConnectionResetError. It comes with the association's ending if that is an ABORT
    or loss, and with None when the association ends gracefully and all that was written was taken.

    Where the peer does not support resets, or has denied one (`can_write_eof` is False), `close` only stops sending,
    once what was written is acknowledged: the peer's side reads on until the association ends, and the number is not
    used again.
    """

    __slots__ = (
        "__weakref__",
        "_eof_is_due",
        "_high_bytes",
        "_is_buffered",
        "_is_closing",
        "_is_lost",
        "_is_made",
        "_low_bytes",
        "_paused_reading",
        "_protocol",
        "_streams",
        "_unread",
        "buffer",
        "eof_was_written",
        "has_late_input",
        "incoming_is_over",
        "incoming_request",
        "is_behind_reset",
        "kept",
        "number",
        "outgoing_is_over",
        "outgoing_request",
        "paused_protocol",
        "shut_after",
        "was_used",
    )

    def __init__(self, streams: ByteStreams, number: int, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._streams = streams
        self.number: int = number
        self.kept: object = None
        """What must not be collected while this lives: asyncio's StreamReaderProtocol knows its reader only weakly."""
        self.buffer: WriteBuffer = WriteBuffer()
        self.was_used: bool = False
        """Bytes went or came: a stream that was never used needs no reset."""
        self.eof_was_written: bool = False
        """By `write_eof` or `close`: once the buffer is empty, that is the end."""
        self.outgoing_request: Request | None = None
        self.incoming_request: Request | None = None
        """To reset the stream."""
        self.outgoing_is_over: bool = False
        """Nothing more goes out: it is reset, or never will be."""
        self.is_behind_reset: bool = False
        """The reset that is under way is of what was before, under the same number."""
        self.has_late_input: bool = False
        """The peer goes on writing what nobody reads."""
        self.shut_after: int = 0
        """How many later conversations under this number, which wait for the end of this one, the peer has ended."""
        self.incoming_is_over: bool = False
        """Nothing more of this connection comes in."""
        self.paused_protocol: bool = False
        self._high_bytes = HIGH_WATER_BYTES
        self._low_bytes = HIGH_WATER_BYTES // 4
        self._paused_reading = False
        self._unread: bytes | memoryview = b""
        """What a BufferedProtocol that paused has not taken of what was read for it."""
        self._eof_is_due = False
        self._is_made = False
        self._is_closing = False
        self._is_lost = False
        """`connection_lost` was called, or is about to be."""
        self.set_protocol(protocol)

    # -- looking --

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`stream_id`, and what `Association.get_extra_info` knows: `association`, `peername`, `sockname`, `udp_port`,
        `remote_udp_port`; else the default. There is no `socket`: what is set on one is of TCP."""
        if name == "stream_id":
            return self.number
        return self._streams.association.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._is_buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def is_closing(self) -> bool:
        return self._is_closing

    @property
    def is_lost(self) -> bool:
        return self._is_lost

    # -- writing --

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes to send; never waits. `bytes` are kept by reference, others copied. Ignored once closing.

        Raises TypeError for what is no buffer, RuntimeError after `write_eof`, InvalidStream when the association has
        no outgoing stream of this number.
        """
        self._accept((data,))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """As `write` of each, together."""
        self._accept(list_of_data)

    def _accept(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        if not isinstance(list_of_data, Iterable):
            raise TypeError(f"list_of_data must be several buffers, not {type(list_of_data).__name__}")
        pieces = [bytes_of("data", data) for data in list_of_data]
        if self._is_closing:
            return
        if self.eof_was_written:
            raise RuntimeError("write() after write_eof()")
        if not any(pieces):
            return
        if self.outgoing_is_over:
            self.fail(ConnectionResetError("the peer has closed this stream"))
            return
        if self.number >= self._streams.association.outbound_streams:
            raise InvalidStream(f"there is no outgoing stream {self.number}")
        for data in pieces:
            if data:
                self.buffer.append(data)
        self._streams.was_written(self)
        self._pause_if_above()

    def get_write_buffer_size(self) -> int:
        """Bytes taken and not yet acknowledged by the peer."""
        return self.buffer.size_bytes + self._streams.unacknowledged_bytes(self)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low_bytes, self._high_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When to call the protocol's `pause_writing` (above `high`) and `resume_writing` (at `low` or below).

        By default 64 KiB and a quarter of `high`. Raises ValueError unless high >= low >= 0.
        """
        for name, limit in (("high", high), ("low", low)):
            if limit is not None:
                check_int(name, limit)
        if high is None:
            high = HIGH_WATER_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high_bytes, self._low_bytes = high, low
        if self.paused_protocol:
            self._streams.may_resume(self)
        else:
            self._pause_if_above()

    def _pause_if_above(self) -> None:
        if self.paused_protocol or self.get_write_buffer_size() <= self._high_bytes:
            return
        self.paused_protocol = True
        self._streams.was_paused(self)
        self._call_flow_control("pause_writing")

    @property
    def is_to_resume(self) -> bool:
        return self.paused_protocol and self.get_write_buffer_size() <= self._low_bytes

    def resume_if_below(self) -> None:
        """Calls the program: from the loop only."""
        if self.is_to_resume:
            self.paused_protocol = False
            self._call_flow_control("resume_writing")

    def _call_flow_control(self, name: str) -> None:
        try:
            getattr(self._protocol, name)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._report(f"protocol.{name}() failed", error)

    def can_write_eof(self) -> bool:
        """Whether the peer supports the reset of streams (RFC 6525) and has denied none."""
        return self._streams.can_reset

    def write_eof(self) -> None:
        """End what the peer reads, once all that was written is sent; what it writes can still be read.

        Raises NotImplementedError where `can_write_eof` is False.
        """
        if not self.can_write_eof():
            raise NotImplementedError("the peer does not support the reset of streams (RFC 6525)")
        if not self._is_closing and not self.eof_was_written:
            self.eof_was_written = True
            self._streams.was_written(self)

    # -- reading --

    def is_reading(self) -> bool:
        return not self._is_closing and not self._paused_reading

    def pause_reading(self) -> None:
        """No `data_received` until `resume_reading`: what arrives is charged to the association's window."""
        if self.is_reading():
            self._paused_reading = True

    def resume_reading(self) -> None:
        if not self._is_closing and self._paused_reading:
            self._paused_reading = False
            self._streams.wants_input(self)

    @property
    def takes_input(self) -> bool:
        return self._is_made and self.is_reading() and not self.incoming_is_over

    def data_arrived(self, data: bytes) -> None:
        """All that came of it in a batch. Calls the program: from the loop only."""
        self.was_used = True
        self._unread = data
        self._give_unread()

    def _give_unread(self) -> None:
        """Each piece to who is the protocol by then: one may hand over to another, pause, or close, in the midst."""
        try:
            while self._unread and self.is_reading():
                if self._is_buffered:
                    self._fill_buffer()
                else:
                    data, self._unread = bytes(self._unread), b""
                    self._protocol.data_received(data)  # type: ignore[attr-defined]  # asyncio's own are duck-typed too
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            taker = "buffer_updated" if self._is_buffered else "data_received"
            self._fail_for(f"protocol.{taker}() failed", error)

    def _fill_buffer(self) -> None:
        protocol = self._protocol
        assert isinstance(protocol, asyncio.BufferedProtocol)
        # The views are gone when the protocol is told: it may resize what is its own.
        with memoryview(protocol.get_buffer(len(self._unread))) as buffer, buffer.cast("B") as room:
            if not room:
                raise RuntimeError("get_buffer() returned an empty buffer")
            count = min(len(room), len(self._unread))
            room[:count] = self._unread[:count]
        self._unread = memoryview(self._unread)[count:]
        if count:
            protocol.buffer_updated(count)

    def eof_arrived(self) -> None:
        """The incoming stream was reset, or the association has ended gracefully: once all before was taken, tell the
        protocol. Calls the program: from the loop only."""
        self.incoming_is_over = True
        self._eof_is_due = not self._is_closing
        self.take_up()

    def take_up(self) -> None:
        """What was held back while reading was paused. Calls the program: from the loop only."""
        self._give_unread()
        if self._eof_is_due and not self._unread and self._is_made and self.is_reading():
            self._eof_is_due = False
            self._tell_eof()

    def _tell_eof(self) -> None:
        try:
            keep_open = self._protocol.eof_received()  # type: ignore[attr-defined]  # asyncio's own are duck-typed too
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fail_for("protocol.eof_received() failed", error)
            return
        if not keep_open:
            self.close()

    @property
    def owes_input(self) -> bool:
        """Whether the protocol has yet to take something that was read for it."""
        return bool(self._unread) or self._eof_is_due

    # -- the beginning and the end --

    def begin(self) -> None:
        """Calls the program: from the loop only."""
        self._is_made = True
        try:
            self._protocol.connection_made(self)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._report("protocol.connection_made() failed", error)

    def close(self) -> None:
        """Send what was written, then end the stream both ways. What still arrives is discarded. Does not wait."""
        if not self._is_closing:
            self._stop_input()
            self.eof_was_written = True
            self._streams.is_closing(self)

    def abort(self) -> None:
        """End the stream both ways now, and send no more of what was written than is with the engine already. SCTP ends
        a stream in one way only: the peer can't tell this from `close`, unless the whole association is ABORTed."""
        self.fail(None)

    def fail(self, error: Exception | None) -> None:
        """`abort`, and tell the protocol why."""
        if self._is_lost:
            return
        self._stop_input()
        self.eof_was_written = True
        self.buffer.clear()
        self.lose(error)
        self._streams.is_closing(self)

    def cut_off(self, error: Exception) -> None:
        """The peer has restarted, and knows nothing of this: there is nothing to end."""
        self.outgoing_is_over = self.incoming_is_over = self.eof_was_written = True
        self._stop_input()
        self.buffer.clear()
        self.lose(error)

    def shut(self) -> None:
        """The peer takes no more of what is written; if there is any, the program must hear of it."""
        if self.buffer.size_bytes:
            self.fail(ConnectionResetError("the peer has closed this stream"))

    def _stop_input(self) -> None:
        self._is_closing = True
        self._eof_is_due = False
        self._unread = b""

    def lose(self, error: Exception | None) -> None:
        """`connection_lost`, exactly once, and never from within a call."""
        if not self._is_lost:
            self._is_closing = self._is_lost = True
            self._streams.was_lost(self)
            self._streams.loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: Exception | None) -> None:
        protocol, self._protocol, self.kept = self._protocol, _NOBODY, None
        if self._is_made:
            protocol.connection_lost(error)

    def _fail_for(self, message: str, error: BaseException) -> None:
        """As asyncio's own transports: what the protocol raised ends the connection; an OSError is no news besides."""
        if not isinstance(error, OSError) or self._streams.loop.get_debug():
            self._report(message, error)
        self.fail(error if isinstance(error, Exception) else ConnectionAbortedError(message))

    def _report(self, message: str, error: BaseException) -> None:
        context = {"message": message, "exception": error, "transport": self, "protocol": self._protocol}
        self._streams.loop.call_exception_handler(context)

    def __repr__(self) -> str:
        state = " lost" if self._is_lost else " closing" if self._is_closing else ""
        return f"<StreamTransport {self.number}{state} of {self._streams.association!r}>"


_NOBODY: Final = asyncio.Protocol()
"""In the place of a protocol that has been told of the end: a transport that is kept does not keep it."""
