"""An association's packets on their way in: which of their chunks count, and what handles each (§8.5.1, §3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from aiosctp.core.handlers import TABLE
from aiosctp.core.inbox import PacketArrived
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path
from aiosctp.core.states import CLOSED, HANDSHAKE, AssociationState
from aiosctp.events import PartialDelivery
from aiosctp.wire.causes import InvalidMandatoryParameter, InvalidStreamIdentifier, UnrecognizedChunkType
from aiosctp.wire.chunks import (
    Abort,
    Bulk,
    Chunk,
    Data,
    DataFields,
    Error,
    IData,
    Init,
    InitAck,
    Shutdown,
    ShutdownComplete,
    UnknownChunk,
    UserData,
    data_of,
)
from aiosctp.wire.errors import DecodeError

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine

# A tuple, made once: a union is made, and is slower, each time it is asked, which is for every chunk.
_MAY_REFLECT_TAG: Final = (Abort, ShutdownComplete)
_USER_DATA: Final = (Data, IData)
_BULK_STATES: Final = frozenset({AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_PENDING})


class Input:
    """Takes packets: `receive`, or while `may_receive_bulk`, `receive_bulk`."""

    __slots__ = ("_association", "_is_first_chunk", "_packet_has_data", "_packet_has_forward_tsn")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._packet_has_data = False
        self._packet_has_forward_tsn = False
        self._is_first_chunk = True

    def receive(self, chunks: Iterable[Chunk | DecodeError], tag: int, path: Path, now: float) -> int:
        """Take the chunks of one packet whose tag was found to be ours or, reflected, the peer's.

        Returns how many of them were malformed.
        """
        association = self._association
        association.output.expect_answers_to_one_packet()
        malformed = self._receive(chunks, tag, path, now)
        association.output.answers_end()
        return malformed

    def _receive(self, chunks: Iterable[Chunk | DecodeError], tag: int, path: Path, now: float) -> int:
        association = self._association
        chunks = list(chunks)
        if not self._may_be_under(tag, chunks):
            return 0
        malformed = 0
        self._packet_has_data = self._packet_has_forward_tsn = False
        self._is_first_chunk = True
        for chunk in chunks:
            if isinstance(chunk, DecodeError):
                if chunk.chunk_type == Init.type:
                    break
                malformed += 1
                self._malformed_received(chunk, tag, path)
            elif not self._chunk_received(chunk, tag, path, now):
                break
            self._is_first_chunk = False
            if association.state is CLOSED:
                break
        if association.state is CLOSED:
            return malformed
        if self._packet_has_data:
            association.receiver.packet_done(now)
        if association.state is AssociationState.SHUTDOWN_SENT and tag == association.tcb.local_tag:
            association.lifecycle.step(PacketArrived(path, self._packet_has_data, now))
        # This packet, or the COOKIE ECHO it began with, may have ended the handshake.
        association.begin_shutdown_if_requested(now)
        return malformed

    @property
    def may_receive_bulk(self) -> bool:
        """Whether the state is one in which neither a SACK nor DATA does more than they say (§6, §9.2)."""
        return self._association.state in _BULK_STATES

    def receive_bulk(self, bulk: Bulk, path: Path, now: float) -> None:
        """The short way of `receive`, while `may_receive_bulk`, for a packet under our tag."""
        association = self._association
        sack, chunks = bulk
        if sack is not None:
            association.output.expect_answers_to_one_packet()
            association.counters.ictrlchunks += 1
            association.sack_received(sack, now)
        taken = self._take_in_order(chunks, path, now) if chunks and association.state in _BULK_STATES else 0
        # A SACK may have moved a shutdown on (§9.2), which then counts the packet too.
        if taken < len(chunks) or association.state not in _BULK_STATES:
            association.output.expect_answers_to_one_packet()
            self._receive(map(data_of, chunks[taken:]), association.tcb.local_tag, path, now)
            association.output.answers_end()
        elif sack is not None:
            association.output.answers_end()

    def _take_in_order(self, chunks: Sequence[DataFields], path: Path, now: float) -> int:
        association = self._association
        receiver = association.receiver
        if receiver.sack_is_due and receiver.may_acknowledge_early:
            # The one owed for the packets before goes first.
            association.output.send_sack_for_earlier_packets()
        taken = receiver.take_in_order(chunks, path)
        if taken == len(chunks):
            receiver.packet_done(now)
        return taken

    def _may_be_under(self, tag: int, chunks: Iterable[Chunk | DecodeError]) -> bool:
        """§8.5.1 B, C: ABORT and SHUTDOWN COMPLETE come under our own tag without the T bit, or under the peer's with
        it; "Otherwise, the receiver MUST silently discard the packet", whatever else is in it."""
        association = self._association
        for chunk in chunks:
            if isinstance(chunk, _MAY_REFLECT_TAG):
                expected = association.tcb.peer_tag if chunk.tag_reflected else association.tcb.local_tag
                if tag != expected:
                    return False
        return True

    def _malformed_received(self, error: DecodeError, tag: int, path: Path) -> None:
        """Dropped; but §5.1: an INIT ACK with "invalid parameter values" ends the attempt with an ABORT."""
        association = self._association
        if (
            error.chunk is None
            or error.chunk_type != InitAck.type
            or association.state is not AssociationState.COOKIE_WAIT
        ):
            return
        peer_tag = int.from_bytes(error.chunk.value[:4])
        if tag == association.tcb.local_tag and peer_tag:
            association.termination.refuse_init_ack(
                path, tag=peer_tag, causes=(InvalidMandatoryParameter(),), tag_reflected=False
            )

    def data_received(self, chunk: UserData, path: Path, now: float) -> None:
        association = self._association
        if not self._packet_has_data and association.receiver.sack_is_due:
            # The one owed for the packets before goes first.
            association.output.send_sack_for_earlier_packets()
        self._packet_has_data = True
        cause = association.receiver.data_received(chunk, path, now)
        if isinstance(cause, InvalidStreamIdentifier):
            # §6.5: "acknowledge the reception ..., immediately send an ERROR chunk ..., and discard".
            association.output.send_control(path, Error((cause,)).encode())
        elif cause is not None:
            association.termination.abort((cause,))
            return
        if association.reconfig is not None:
            association.reconfig.data_arrived()

    def forward_tsn_received(
        self, new_cumulative_tsn: int, skipped: tuple[tuple[int, bool, int], ...], path: Path, now: float
    ) -> None:
        """RFC 3758 §3.6, RFC 8260 §2.3.1. skipped: (stream, unordered, SSN or MID) triples.

        One says all there is to say. Others in the packet are taken for lost, and repeated (C5) if they mattered: each
        may cost a look at all that is held.
        """
        if self._packet_has_forward_tsn:
            return
        self._packet_has_forward_tsn = True
        association = self._association
        if not self._packet_has_data and association.receiver.sack_is_due:
            # The one owed for the packets before goes first.
            association.output.send_sack_for_earlier_packets()
        # §3.6: "for the purposes of sending a SACK, ... the same rules as if a DATA chunk had been received".
        self._packet_has_data = True
        for stream, ssn in association.receiver.forward_tsn_received(new_cumulative_tsn, skipped, path):
            association.emit(PartialDelivery(stream, ssn))
        if association.reconfig is not None:
            association.reconfig.data_arrived()

    def _chunk_received(self, chunk: Chunk, tag: int, path: Path, now: float) -> bool:
        """Whether the rest of the packet is to be processed."""
        association = self._association
        if isinstance(chunk, Init):
            # §12.3: "MUST silently discard the INIT chunk and all further chunks if the INIT chunk is bundled".
            return False
        if isinstance(chunk, Abort):
            association.termination.abort_received(chunk)
            return False
        if tag != association.tcb.local_tag and not isinstance(chunk, ShutdownComplete):
            # Bundled with a chunk that reflects the peer's tag: nothing of it counts, and the rest is still looked at.
            return True
        if isinstance(chunk, UnknownChunk):
            return self._unknown_received(chunk, path)
        handler = TABLE.find(chunk.type, association.state)
        if handler is not None:
            if not isinstance(chunk, _USER_DATA) and not self._has_no_use_for(chunk):
                association.counters.ictrlchunks += 1
            handler(association, chunk, path, now)
        return True

    def _has_no_use_for(self, chunk: Chunk) -> bool:
        """Whether it is a duplicate that is answered. Others the dispatch table discards, uncounted."""
        return isinstance(chunk, Shutdown) and self._association.state is AssociationState.SHUTDOWN_ACK_SENT

    def _unknown_received(self, chunk: UnknownChunk, path: Path) -> bool:
        """§3.2: the two high bits say whether to report the chunk and whether to go on."""
        association = self._association
        if chunk.report and association.state not in HANDSHAKE:
            overhead = len(Error((UnrecognizedChunkType(b""),)).encode())
            # §3.3.10.6 wants the chunk back; no larger than a packet takes.
            clipped = chunk.encode()[: (OutgoingPacket(path).room - overhead) & ~3]
            association.output.send_control(path, Error((UnrecognizedChunkType(clipped),)).encode())
        return not chunk.stop_processing

    def init_ack_arrived(self, chunk: InitAck, path: Path, now: float) -> None:
        """§6.10: it MUST NOT be bundled. Behind another chunk it is no answer to the INIT that chunk made us send."""
        if self._is_first_chunk:
            self._association.control_arrived(chunk, path, now)
